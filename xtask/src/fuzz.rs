//! `cargo xtask fuzz`: damaged files for a given time, and the figures in docs/reliability.md.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::cmd::Cmd;
use crate::setup;
use crate::tools::Tool;
use crate::{paths, ui};

/// The tests of trainer/tests/fuzz that share the time.
const TARGETS: u64 = 9;
/// The sum of their shares of it.
const SHARES: u64 = 39;
/// How many pictures that were accepted are compared with Chromium's.
const SHOWN: u64 = 5000;
/// Between which lines of docs/reliability.md the figures go.
const BEGIN: &str = "<!-- cargo xtask fuzz -->";
const END: &str = "<!-- end -->";

/// How long, and from where.
#[derive(clap::Args)]
pub struct Args {
    /// Minutes for all kinds of files together.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// The number that all cases follow from; the time of day when not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave docs/reliability.md as it is.
    #[arg(long)]
    no_docs: bool,
}

/// Runs `cargo xtask fuzz`.
///
/// # Errors
/// If a case fails: the message above names it, and where its file is.
pub fn run(args: &Args) -> Result<()> {
    let tools = setup::ensure(&[Tool::Chromium, Tool::NodePackages])?;
    tools.complete()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seed = args.seed.unwrap_or(now);
    let seconds = (args.minutes * 60 / SHARES).max(1);
    let test = || {
        Cmd::new("cargo")
            .args(["test", "--release", "--package", "soli-trainer", "--test", "fuzz"])
            .env_remove("SOLI_FUZZ_CASE")
    };
    test().arg("--no-run").run()?;
    ui::line(format_args!("fuzz: {} minutes, seed {seed}", args.minutes));
    let shown = paths::root().join("target").join("fuzzed-long");
    let rows = printed(
        test()
            .args(["--", "--nocapture", "--test-threads", "1"])
            .env("SOLI_FUZZ_SECONDS", seconds.to_string())
            .env("SOLI_FUZZ_SEED", seed.to_string())
            .env("SOLI_FUZZ_SHOWN", SHOWN.to_string())
            .env("SOLI_FUZZ_FOLDER", &shown)
            // Readers warn of each damaged file there; what fails is printed among the rows.
            .quiet()
            .fix("a case that failed is named above with its file; SOLI_FUZZ_CASE and SOLI_FUZZ_SEED make it again"),
        7,
    )?;
    ensure!(rows.len() as u64 == TARGETS, "the tests printed {} rows instead of {TARGETS}", rows.len());
    ui::line("the pictures that were taken, in Chromium");
    let compared = printed(
        Cmd::new("node")
            .arg(paths::e2e().join("fuzzed.mjs"))
            .arg(&shown)
            .env("SOLI_CHROMIUM", tools.path(Tool::Chromium)?)
            .fix("the files above were taken with other pixels than Chromium's"),
        4,
    )?;
    ensure!(!compared.is_empty(), "no picture was accepted, so that none was compared");
    if args.no_docs {
        return Ok(());
    }
    let command = format!("`cargo xtask fuzz --minutes {} --seed {seed}`", args.minutes);
    let path = paths::root().join("docs").join("reliability.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = replaced(&text, &tables(&command, &rows, &compared))?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Runs a command, shows what it prints, and gives the rows of `bars` inner bars among that.
fn printed(cmd: Cmd, bars: usize) -> Result<Vec<String>> {
    let (mut child, cmd) = cmd.spawn_piped()?;
    let mut rows = Vec::new();
    let output = BufReader::new(child.stdout.take().context("nothing is piped")?);
    for line in output.lines() {
        let line = line.context("cannot read what is printed")?;
        ui::line(&line);
        rows.extend(row(&line, bars).map(str::to_owned));
    }
    cmd.judge(child.wait().context("lost sight of the command")?, None)?;
    Ok(rows)
}

/// The row of the table in a line of the tests' output, which begins with the test's name where that is printed first.
fn row(line: &str, bars: usize) -> Option<&str> {
    let row = line.get(line.find("| ")?..)?;
    (row.ends_with(" |") && row.matches(" | ").count() == bars).then_some(row)
}

fn tables(command: &str, rows: &[String], compared: &[String]) -> String {
    let head = "| target | files it starts from | cases | accepted | refused | failed | most memory of a case | slowest case |\n|---|---|---|---|---|---|---|---|";
    let pixels = "| pictures that were accepted | beside Chromium | the same pixels | said to be partial, other pixels | others |\n|---|---|---|---|---|";
    format!("{command}:\n\n{head}\n{}\n\n{pixels}\n{}\n", rows.join("\n"), compared.join("\n"))
}

/// The document with other figures.
fn replaced(text: &str, figures: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (text.find(BEGIN), text.find(END)) else {
        bail!("docs/reliability.md has no lines {BEGIN} and {END}");
    };
    ensure!(begin < end, "docs/reliability.md has {END} before {BEGIN}");
    Ok(format!("{}{BEGIN}\n{figures}{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_and_put_into_the_document() {
        let line = "test pictures ... | pictures | 240 | 9 | 4 | 5 | 0 | 1.0 MB | 0.10 s (case 3) |";
        let found = row(line, 7).unwrap();
        assert!(found.starts_with("| pictures | 240"), "{found}");
        assert_eq!(row("running 10 tests", 7), None);
        let compared = "| JPEG | 9 | 8 | 1 | 0 |";
        assert_eq!((row(compared, 7), row(compared, 4)), (None, Some(compared)));
        let figures = tables("`command`", &[found.to_owned()], &[compared.to_owned()]);
        let text = replaced(&format!("a\n{BEGIN}\nold\n{END}\nb\n"), &figures).unwrap();
        assert!(text.starts_with("a\n") && text.ends_with("b\n") && !text.contains("old"), "{text}");
        assert_eq!(replaced(&text, &figures).unwrap(), text);
        assert!(replaced("nothing", &figures).is_err());
    }
}
