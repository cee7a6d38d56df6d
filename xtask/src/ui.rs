//! What the chores print while they work: one line a step, with its time.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Prints a whole line at once, so that lines of parallel steps do not mix.
pub fn line(text: impl Display) {
    let text = format!("{text}\n");
    // A closed pipe is no reason to stop the work.
    let _ = if STANDARD_ERROR.load(Ordering::Relaxed) {
        std::io::stderr().lock().write_all(text.as_bytes())
    } else {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
}

static STANDARD_ERROR: AtomicBool = AtomicBool::new(false);

/// From now on lines go to the standard error: the standard output is for a program that reads it.
pub fn to_standard_error() {
    STANDARD_ERROR.store(true, Ordering::Relaxed);
}

/// The result line of a step: `  ready     chromium 156.0   0.2 s`.
pub fn step(mark: &str, what: impl Display, started: Instant) {
    // A width does nothing to format_args!, so the text is made first.
    let what = what.to_string();
    line(format_args!("  {mark:<9} {what:<58} {:>8}", seconds(started.elapsed())));
}

/// A duration as people read it: `0.4 s`, `12 s`, `3 min 05 s`.
pub fn seconds(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    if tenths < 100 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let whole = time.as_secs_f64().round() as u64;
    if whole < 100 { format!("{whole} s") } else { format!("{} min {:02} s", whole / 60, whole % 60) }
}

/// A number of bytes: `812 B`, `1.20 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        _ => format!("{:.2} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_round() {
        for (millis, text) in [
            (0, "0.0 s"),
            (1, "0.1 s"),
            (420, "0.5 s"),
            (12_400, "12 s"),
            (99_700, "1 min 40 s"),
            (185_000, "3 min 05 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text, "{millis} ms");
        }
    }

    #[test]
    fn sizes_are_decimal() {
        for (count, text) in [(999, "999 B"), (1_000, "1 kB"), (159_400, "159 kB"), (1_204_000, "1.20 MB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
