//! `cargo xtask extension`: the browser extension, packed for Chromium and for Firefox.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cmd::Cmd;
use crate::setup::{self, Toolbox};
use crate::tools::Tool;
use crate::{paths, ui, wasm};

/// The browsers that differ; the others of their families take the same file.
const BROWSERS: [&str; 2] = ["chromium", "firefox"];

/// Runs `cargo xtask extension`.
///
/// # Errors
/// Names the step that failed.
pub fn run() -> Result<()> {
    let tools = setup::ensure(setup::EXTENSION)?;
    tools.complete()?;
    wasm::build(&tools)?;
    pack(&tools)
}

/// Puts the extension together from what is built, lints it, and zips it.
///
/// # Errors
/// Names the step that failed.
pub fn pack(tools: &Toolbox) -> Result<()> {
    wasm::check_page()?;
    let web_ext = tools.path(Tool::ExtensionPackages)?.join("web-ext").join("bin").join("web-ext.js");
    let target = paths::root().join("target").join("extension");
    for browser in BROWSERS {
        let started = Instant::now();
        let unpacked = target.join(browser);
        Cmd::new("node")
            .arg(paths::extension().join("build.mjs"))
            .args(["--browser", browser, "--out"])
            .arg(&unpacked)
            .output()?;
        let web_ext = |verb: &str| {
            Cmd::new("node")
                .arg(&web_ext)
                .args([verb, "--no-config-discovery", "--source-dir"])
                .arg(&unpacked)
        };
        // Mozilla's linter knows nothing of Chromium's own keys, and takes them for mistakes.
        if browser == "firefox" {
            web_ext("lint").arg("--warnings-as-errors").run()?;
        }
        let name = format!("soli-{browser}.zip");
        web_ext("build")
            .args(["--overwrite-dest", "--filename", &name, "--artifacts-dir"])
            .arg(&target)
            .output()?;
        let zip = target.join(&name);
        let size = fs::metadata(&zip).with_context(|| format!("{} was not written", zip.display()))?.len();
        ui::step("packed", format_args!("target/extension/{name} {}", ui::bytes(size)), started);
    }
    Ok(())
}
