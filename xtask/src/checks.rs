//! The steps of `test` and `lint`, and the table at their end.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cmd::Cmd;
use crate::setup::Toolbox;
use crate::tools::wasm_target::TARGET;
use crate::tools::{Tool, on_path};
use crate::{ui, wasm};

/// What became of the steps so far. Every step is tried, so that one run shows all that fails.
#[derive(Default)]
pub struct Checks {
    done: Vec<(&'static str, Duration, Outcome)>,
}

enum Outcome {
    Passed,
    Failed(String),
    LeftOut(String),
}

impl Checks {
    /// Runs a step.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        ui::line(format_args!("\n=== {name}"));
        let started = Instant::now();
        let result = work();
        if let Err(error) = &result {
            ui::line(format_args!("FAILED {name}: {error:#}"));
        }
        self.note(name, started.elapsed(), result);
    }

    fn note(&mut self, name: &'static str, time: Duration, result: Result<()>) {
        let outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.done.push((name, time, outcome));
    }

    /// Notes that an optional step is left out.
    pub fn leave_out(&mut self, name: &'static str, reason: &str) {
        self.done.push((name, Duration::ZERO, Outcome::LeftOut(reason.to_owned())));
    }

    /// Prints the table and the closing line `N passed, N failed`; the exit code says whether all passed.
    pub fn close(self) -> ExitCode {
        ui::line("\n=== summary");
        for (name, time, outcome) in &self.done {
            let (mark, why) = match outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Failed(reason) => ("FAILED", format!("   {reason}")),
                Outcome::LeftOut(reason) => ("left out", format!("   {reason}")),
            };
            ui::line(format_args!("  {mark:<9} {name:<34} {:>12}{why}", ui::seconds(*time)));
        }
        let (passed, failed) = self.count();
        ui::line(format_args!("\n{passed} passed, {failed} failed"));
        if self.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Whether nothing failed, and anything was tried at all.
    fn all_passed(&self) -> bool {
        let (passed, failed) = self.count();
        failed == 0 && passed > 0
    }

    fn count(&self) -> (usize, usize) {
        let count = |wanted: fn(&Outcome) -> bool| self.done.iter().filter(|(_, _, o)| wanted(o)).count();
        (count(|o| matches!(o, Outcome::Passed)), count(|o| matches!(o, Outcome::Failed(_))))
    }
}

/// The steps that read the code without running it.
pub fn read_code(checks: &mut Checks, tools: &Toolbox) {
    let deny = ["--", "-D", "warnings"];
    checks.step("formatting", || {
        Cmd::new("cargo").args(["fmt", "--all", "--check"]).fix("`cargo fmt --all` puts it right").run()
    });
    checks.step("clippy", || {
        Cmd::new("cargo").args(["clippy", "--workspace", "--all-targets"]).args(deny).run()
    });
    checks.step("clippy, what captions alone", || {
        Cmd::new("cargo").args(["clippy", "--package", "soli", "--lib"]).args(deny).run()
    });
    checks.step("clippy, wasm32", || {
        tools.path(Tool::WasmTarget)?;
        tools.path(Tool::WasmClippy)?;
        let cargo = Cmd::new("cargo").args(["clippy", "--package", "soli", "--target", TARGET]);
        let cargo = cargo.args(["--features", wasm::FEATURES, "--lib", "--test", "web"]);
        tools.toolchain.apply(cargo.args(deny)).run()
    });
    checks.step("documentation", || {
        Cmd::new("cargo")
            .args(["doc", "--no-deps", "--lib"])
            .args(["--package", "soli", "--package", "soli-decode", "--package", "soli-trainer"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    });
    checks.step("documentation, wasm32", || {
        tools.path(Tool::WasmTarget)?;
        let cargo = Cmd::new("cargo").args(["doc", "--no-deps", "--lib", "--package", "soli"]);
        tools
            .toolchain
            .apply(
                cargo
                    .args(["--features", wasm::FEATURES, "--target", TARGET])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
            .run()
    });
    checks.step("crates that caption", || {
        for more in [&["--target", TARGET, "--features", wasm::FEATURES][..], &[]] {
            captioning_crates(more)?;
        }
        Ok(())
    });
    // Licences, duplicates and sources; advisories need the network, so they are asked for by hand.
    match on_path("cargo-deny") {
        Some(_) => checks.step("dependencies", || {
            Cmd::new("cargo")
                .args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])
                .run()
        }),
        None => checks
            .leave_out("dependencies", "cargo-deny is not installed: `cargo install cargo-deny --locked`"),
    }
}

/// What a user of the crate `soli` compiles: few crates, and nothing that only training needs.
fn captioning_crates(more: &[&str]) -> Result<()> {
    const MOST: usize = 50;
    let tree = ["tree", "--package", "soli", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = Cmd::new("cargo").args(tree).args(more).output()?;
    let crates: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let heavy = ["candle-core", "candle-nn", "gemm", "multiversion", "rayon"];
    if let Some(found) = heavy.into_iter().find(|name| crates.contains(name)) {
        bail!(
            "{found} would be compiled for captions: it belongs behind the feature `train` of the crate soli"
        );
    }
    if crates.len() > MOST {
        bail!("{} crates would be compiled for captions, more than {MOST}", crates.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn one_failure_spoils_the_result() {
        let mut checks = Checks::default();
        checks.note("first", Duration::ZERO, Err(anyhow!("broken")));
        checks.note("second", Duration::ZERO, Ok(()));
        checks.leave_out("third", "not here");
        assert_eq!(checks.count(), (1, 1));
        assert!(!checks.all_passed());
    }

    #[test]
    fn what_is_left_out_counts_for_nothing() {
        let mut checks = Checks::default();
        checks.leave_out("two", "not here");
        assert!(!checks.all_passed(), "nothing was tried");
        checks.note("one", Duration::ZERO, Ok(()));
        assert_eq!(checks.count(), (1, 0));
        assert!(checks.all_passed());
    }
}
