//! Standard output for the verbs that print a few lines.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Whoever read our output has seen enough: no mistake, but nothing is left to do.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// Prints a line. `println!` would panic where standard output is closed, as by `head`.
///
/// # Errors
/// [`Closed`] if nobody reads any more, else whatever keeps the line from being written.
pub fn line(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        written => written.context("cannot write standard output"),
    }
}
