//! `cargo xtask demo`: from nothing to captions in a real browser.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cmd::Cmd;
use crate::serve::{self, Site};
use crate::setup::{self, Toolbox};
use crate::tools::Tool;
use crate::{paths, ui, wasm};

/// What to do after the captions.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    serve: serve::Port,
    /// Leave after the captions instead of serving the page.
    #[arg(long)]
    once: bool,
}

/// Runs `cargo xtask demo`.
///
/// # Errors
/// One line: what is missing or failed, and what to do.
pub fn run(args: &Args) -> Result<()> {
    // First of all, so that a taken port or a missing file is told before the long build.
    let site = Site::start(args.serve.port)?;
    wasm::check_sources()?;
    let tools = setup::ensure(setup::DEMO)?;
    tools.complete()?;
    wasm::build(&tools)?;
    caption_photographs(&tools, &site)?;
    if args.once { Ok(()) } else { site.announce_and_wait() }
}

/// Captions the bundled photographs through the page in headless Chromium and prints a table.
fn caption_photographs(tools: &Toolbox, site: &Site) -> Result<()> {
    let photographs = photographs()?;
    let (mut child, cmd) = Cmd::new("node")
        .arg(paths::e2e().join("demo.mjs"))
        .args(["--url", &site.url, "--browser"])
        .arg(tools.path(Tool::Chromium)?)
        .args(&photographs)
        .fix("see the message above; `cargo xtask serve` shows the same page to a browser of yours")
        .spawn_piped()?;
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    ui::line("\ncaptions, by the page in headless Chromium");
    ui::line(row("file", "caption", "sure", "ms"));
    let mut captioned = 0;
    let mut trouble = None;
    // Read to the end whatever it says, so that the program can always finish writing.
    for line in lines {
        let line = line.context("cannot read what demo.mjs prints")?;
        match table_row(&line) {
            Ok(row) => {
                ui::line(row);
                captioned += 1;
            }
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    let status = child.wait().context("lost sight of demo.mjs")?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    cmd.judge(status, None)?;
    if captioned != photographs.len() {
        bail!("the page captioned {captioned} of {} photographs", photographs.len());
    }
    Ok(())
}

/// The bundled photographs, in the order of their names.
fn photographs() -> Result<Vec<PathBuf>> {
    let folder = paths::root().join("www").join("photos");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut photographs: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    photographs.sort();
    if photographs.is_empty() {
        bail!("there is no photograph in {}", folder.display());
    }
    Ok(photographs)
}

/// The row for one line of demo.mjs: `{"file", "text", "confidence", "ms"}`.
fn table_row(line: &str) -> Result<String> {
    let value: serde_json::Value =
        serde_json::from_str(line).with_context(|| format!("demo.mjs printed no JSON: `{line}`"))?;
    if let Some(error) = value["error"].as_str() {
        bail!("{}: {error}", value["file"].as_str().unwrap_or("the page"));
    }
    let missing = |key: &str| anyhow!("demo.mjs left out `{key}`: `{line}`");
    let text = |key: &str| value[key].as_str().ok_or_else(|| missing(key));
    let number = |key: &str| value[key].as_f64().ok_or_else(|| missing(key));
    let file = Path::new(text("file")?);
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Ok(row(
        &name,
        text("text")?,
        &format!("{:.0} %", 100.0 * number("confidence")?),
        &format!("{:.0}", number("ms")?),
    ))
}

fn row(file: &str, caption: &str, sure: &str, ms: &str) -> String {
    format!("  {file:<16} {sure:>7} {ms:>7}   {caption}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_becomes_a_row() {
        let line = r#"{"file":"/somewhere/cat.jpg","text":"May show: a cat.","confidence":0.234,"ms":81.6}"#;
        assert_eq!(table_row(line).unwrap(), "  cat.jpg             23 %      82   May show: a cat.");
    }

    #[test]
    fn a_broken_result_is_an_error_that_quotes_it() {
        for (line, told) in [
            ("Error: boom", "no JSON"),
            (r#"{"file":"a.jpg","text":"x","ms":1}"#, "left out `confidence`"),
            (r#"{"file":"a.jpg","error":"no weights"}"#, "a.jpg: no weights"),
        ] {
            let error = format!("{:#}", table_row(line).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }
}
