//! `cargo xtask lint`: what can be said about the code without running it.

use std::process::ExitCode;

use anyhow::Result;

use crate::checks::{self, Checks};
use crate::setup;

/// Runs `cargo xtask lint`.
///
/// # Errors
/// When a setting is wrong; failed steps show in the exit code.
pub fn run() -> Result<ExitCode> {
    let tools = setup::ensure(setup::LINT)?;
    let mut checks = Checks::default();
    checks::read_code(&mut checks, &tools);
    Ok(checks.close())
}
