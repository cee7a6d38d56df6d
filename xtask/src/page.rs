//! `cargo xtask page`: what the page has to know about its own files, the weights' hash among them.

use anyhow::Result;

use crate::cmd::Cmd;
use crate::paths;

/// Writes `www/models/soli.json` and `www/precache.js`; see `xtask/page.mjs`.
///
/// # Errors
/// When Node is missing, or a file that the page is made of.
pub fn run() -> Result<()> {
    Cmd::new("node")
        .arg(paths::root().join("xtask").join("page.mjs"))
        .fix("it needs Node 20.19 or newer and the weights in www/models/soli.safetensors")
        .output()
        .map(drop)
}
