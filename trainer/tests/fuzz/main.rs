//! Damaged files of every kind that is read: no panic, caught or not, and no more memory than is due.
//!
//! A deterministic mutator over real files (mutate.rs), so that it runs with a stable compiler as an ordinary test: a few
//! hundred cases of each target here, as many as fit into a time with `cargo xtask fuzz --minutes N`. A failing case is
//! named, kept as a file, and made again with `SOLI_FUZZ_CASE=target:number`.

mod allocation;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use mutate::{Mutator, Seed};
use targets::Target;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// What became of a case that did not fail.
pub enum Outcome {
    /// The input was taken; the most memory in bytes that was due for it.
    Accepted(usize),
    /// There was an error in words.
    Refused(usize),
}

static PANICS: AtomicU64 = AtomicU64::new(0);
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());
static HOOK: Once = Once::new();
/// One target at a time, since memory is counted for all threads together.
static TURN: Mutex<()> = Mutex::new(());

/// Whether a case runs, so that a panic is its own and not a test's.
static IN_CASE: AtomicBool = AtomicBool::new(false);

/// Counts also those panics that a reader catches itself.
fn count_panics() {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !IN_CASE.load(Ordering::Relaxed) {
                return usual(info);
            }
            PANICS.fetch_add(1, Ordering::Relaxed);
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
        }));
    });
}

/// How long to go on: the few cases of a test, a time (or as many cases as are of use), or one case.
enum Length {
    Cases(u64),
    Time(Duration, u64),
    Only(u64),
}

impl Length {
    fn of(target: &Target) -> Option<Self> {
        if let Ok(case) = std::env::var("SOLI_FUZZ_CASE") {
            let (name, number) = case.split_once(':').expect("SOLI_FUZZ_CASE=target:number");
            return (name == target.name).then(|| Self::Only(number.parse().expect("a number of a case")));
        }
        Some(match std::env::var("SOLI_FUZZ_SECONDS") {
            Ok(seconds) => {
                let share = Duration::from_secs(seconds.parse().expect("SOLI_FUZZ_SECONDS"));
                Self::Time(share * target.shares, target.goal)
            }
            Err(_) => Self::Cases(target.cases),
        })
    }
}

fn seed() -> u64 {
    std::env::var("SOLI_FUZZ_SEED").map_or(1, |seed| seed.parse().expect("SOLI_FUZZ_SEED"))
}

fn fuzz(make: fn() -> Target) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Its own memory must not be counted as that of another target's cases.
    let target = &make();
    let Some(length) = Length::of(target) else { return };
    count_panics();
    let (mut accepted, mut refused, mut most, mut slowest) = (0u64, 0u64, 0, (Duration::ZERO, 0));
    let mut failures = Vec::new();
    let shown = empty_show(target);
    // Otherwise damage would show nothing but that everything is refused.
    for seed in &target.seeds {
        let whole = matches!((target.read)(seed, &seed.bytes), Outcome::Accepted(_));
        assert_eq!(whole, !seed.refused, "{}: {} as it is", target.name, seed.name);
    }
    let started = Instant::now();
    let mut number = if let Length::Only(number) = length { number } else { 0 };
    loop {
        match length {
            Length::Cases(cases) if number >= cases => break,
            Length::Time(time, goal) if started.elapsed() >= time || number >= goal => break,
            _ => {}
        }
        if failures.len() >= 5 {
            break;
        }
        let (of, bytes) = Mutator::new(seed(), target.name, number).mutate(&target.seeds, target.words);
        let panics = PANICS.load(Ordering::Relaxed);
        if let Length::Only(_) = length {
            println!("{}", keep(target, number, of, &bytes).display());
        }
        let began = Instant::now();
        let watchdog = Watchdog::new(format!("{}:{number} of {}", target.name, of.name));
        IN_CASE.store(true, Ordering::Relaxed);
        let (outcome, peak) =
            allocation::peak(|| catch_unwind(AssertUnwindSafe(|| (target.read)(of, &bytes))));
        IN_CASE.store(false, Ordering::Relaxed);
        drop(watchdog);
        let took = began.elapsed();
        slowest = slowest.max((took, number));
        let problem = match outcome {
            _ if PANICS.load(Ordering::Relaxed) > panics => {
                Some(LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone())
            }
            Err(_) => Some("it unwound".to_owned()),
            Ok(Outcome::Accepted(due) | Outcome::Refused(due)) if peak > due => {
                Some(format!("{peak} bytes were allocated where {due} are due"))
            }
            Ok(Outcome::Accepted(_)) => {
                accepted += 1;
                if accepted <= shown {
                    show(target, number, of, &bytes);
                }
                None
            }
            Ok(Outcome::Refused(_)) => {
                refused += 1;
                None
            }
        };
        most = most.max(peak);
        if let Some(problem) = problem {
            let kept = keep(target, number, of, &bytes);
            failures.push(format!("{}:{number} of {} ({}): {problem}", target.name, of.name, kept.display()));
        }
        number += 1;
        if let Length::Only(_) = length {
            break;
        }
    }
    // As a row of the table in docs/reliability.md.
    println!(
        "| {} | {} | {} | {accepted} | {refused} | {} | {:.1} MB | {:.2} s (case {}) |",
        target.name,
        target.files(),
        accepted + refused + failures.len() as u64,
        failures.len(),
        most as f64 / 1e6,
        slowest.0.as_secs_f64(),
        slowest.1,
    );
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Where files lie that were taken, with our pixels beside them: tests/e2e/fuzzed.mjs shows them to Chromium.
/// A long run has a folder of its own (`SOLI_FUZZ_FOLDER`), so that the tests can run beside it.
fn show_folder() -> PathBuf {
    let named = std::env::var_os("SOLI_FUZZ_FOLDER").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzzed"))
}

/// Empties the folder, and says how many files are to be put into it.
fn empty_show(target: &Target) -> u64 {
    if target.show.is_none() {
        return 0;
    }
    let folder = show_folder();
    let _absent = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::env::var("SOLI_FUZZ_SHOWN").map_or(300, |count| count.parse().expect("SOLI_FUZZ_SHOWN"))
}

/// Keeps a file that was taken, and the pixels that it gave (`NAME.ours.png`, or `NAME.part.png` if some are missing).
/// Of very large pictures none are kept: there is nothing more to be seen on them.
fn show(target: &Target, number: u64, of: &Seed, bytes: &[u8]) {
    let Some((picture, partial)) = target.show.and_then(|show| show(bytes)) else { return };
    if u64::from(picture.width()) * u64::from(picture.height()) > 250_000 {
        return;
    }
    let name = format!("{number}-{}", of.name);
    std::fs::write(show_folder().join(&name), bytes).unwrap();
    let kind = if partial { "part" } else { "ours" };
    picture.save(show_folder().join(format!("{name}.{kind}.png"))).unwrap();
}

/// What runs, and since when.
static RUNNING: Mutex<Option<(Instant, String)>> = Mutex::new(None);

/// Ends the process, naming the case, if it is not dropped within a time that no small file is due, however busy the machine.
///
/// One thread watches all cases: one for each would wait for its turn on a busy machine, twice a case.
struct Watchdog;

impl Watchdog {
    const PATIENCE: Duration = Duration::from_secs(120);

    fn new(case: String) -> Self {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(Duration::from_secs(1));
                    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some((since, case)) = running.as_ref()
                        && since.elapsed() > Self::PATIENCE
                    {
                        println!("{case} does not end");
                        std::process::abort();
                    }
                }
            });
        });
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), case));
        Self
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Keeps a failing input for a look at it.
fn keep(target: &Target, number: u64, of: &Seed, bytes: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{}-{number}-{}", target.name, of.name.replace('/', "_")));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn pictures() {
    fuzz(targets::pictures);
}

#[test]
fn weights() {
    fuzz(targets::weights);
}

#[test]
fn captions() {
    fuzz(targets::captions);
}

#[test]
fn recipes() {
    fuzz(targets::recipes);
}

#[test]
fn studies() {
    fuzz(targets::studies);
}

#[test]
fn checkpoints() {
    fuzz(targets::checkpoints);
}

#[test]
fn metrics() {
    fuzz(targets::metrics);
}

#[test]
fn rows() {
    fuzz(targets::rows);
}

#[test]
fn archives() {
    fuzz(targets::archives);
}

/// The mutator is of use: it changes what it is given, and the same case is the same bytes.
#[test]
fn cases_differ_and_can_be_made_again() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = targets::recipes();
    let make = |number| Mutator::new(7, target.name, number).mutate(&target.seeds, target.words).1;
    let cases: std::collections::HashSet<Vec<u8>> = (0..200).map(make).collect();
    assert!(cases.len() > 190, "{}", cases.len());
    assert_eq!(make(3), make(3));
}

/// The allocator sees what is allocated, also by other threads (of which some may just be ending).
#[test]
fn memory_is_counted() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, peak) = allocation::peak(|| {
        drop(vec![1u8; 30_000_000]);
        std::thread::spawn(|| drop(vec![1u8; 50_000_000])).join().unwrap();
    });
    assert!((45_000_000..55_000_000).contains(&peak), "{peak}");
}
