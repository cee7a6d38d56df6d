//! `cargo xtask bench`: soli beside other runtimes in headless Chromium, and docs/performance.md with what came out.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cmd::Cmd;
use crate::setup::{self, Toolbox};
use crate::tools::Tool;
use crate::tools::wasm_target::TARGET;
use crate::{paths, ui, wasm};

/// How much to measure.
#[derive(clap::Args)]
pub struct Args {
    /// Print the results as one JSON object, and everything else to the standard error.
    #[arg(long)]
    json: bool,
    /// Times that each runtime has its turn.
    #[arg(long, value_name = "N", default_value_t = 15)]
    rounds: u32,
    /// Captions over which the memory of the module has to stay the same.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    captions: u32,
    /// Sides of the picture in pixels, multiples of 32, with commas; 96, 128, 224 and that of the shipped weights when not
    /// given.
    #[arg(long, value_name = "SIDES")]
    sizes: Option<String>,
    /// Leave docs/performance.md as it is.
    #[arg(long)]
    no_docs: bool,
}

/// Runs `cargo xtask bench`.
///
/// # Errors
/// Names the step that failed; among them a runtime whose output differs from soli's.
pub fn run(args: &Args) -> Result<()> {
    if args.json {
        ui::to_standard_error();
    }
    wasm::check_sources()?;
    let tools = setup::ensure(setup::BENCH)?;
    tools.complete()?;
    wasm::build(&tools)?;
    let candle = module(&tools, "soli-bench-candle", "candle", "", &[])?;
    let layers = module(&tools, "soli-bench-layers", "layers", "", &[])?;
    let features = format!("{},bench", wasm::FEATURES);
    let measured = module(&tools, "soli", "measured", &features, &[])?;
    let relaxed = module(&tools, "soli", "relaxed", &features, &["-Ctarget-feature=+relaxed-simd"])?;
    let soli = soli()?;
    packages()?;
    ui::line("bench");
    let folder = folder();
    let (mut child, cmd) = Cmd::new("node")
        .arg(folder.join("bench.mjs"))
        .arg("--browser")
        .arg(tools.path(Tool::Chromium)?)
        .arg("--soli")
        .arg(soli)
        .arg("--candle")
        .arg(candle)
        .arg("--layers")
        .arg(layers)
        .arg("--measured")
        .arg(measured)
        .arg("--relaxed")
        .arg(relaxed)
        .args(["--rounds", &args.rounds.to_string(), "--captions", &args.captions.to_string()])
        .args(args.sizes.iter().flat_map(|sizes| ["--sizes", sizes.as_str()]))
        .fix("the message above says which runtime or step failed")
        .spawn_piped()?;
    let mut result = String::new();
    child
        .stdout
        .take()
        .expect("it is piped")
        .read_to_string(&mut result)
        .context("cannot read what bench.mjs prints")?;
    cmd.judge(child.wait().context("lost sight of bench.mjs")?, None)?;
    let result = result.trim();
    let kept = paths::root().join("target").join("bench.json");
    fs::write(&kept, result).with_context(|| format!("cannot write {}", kept.display()))?;
    let report = Cmd::new("node").arg(folder.join("report.mjs")).arg(&kept);
    let report = if args.no_docs { report } else { report.arg("--write") };
    ui::line(report.output()?);
    if args.json {
        println!("{result}");
    }
    Ok(())
}

fn folder() -> PathBuf {
    paths::root().join("tests").join("bench")
}

/// The other runtimes, as tests/bench/package-lock.json names them.
fn packages() -> Result<()> {
    let installed = folder().join("node_modules").join(".package-lock.json");
    let time = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if time(installed).is_some_and(|then| time(folder().join("package-lock.json")) <= Some(then)) {
        return Ok(());
    }
    Cmd::npm()
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .dir(&folder())
        .fix("check that the npm registry can be reached")
        .logged("npm-bench")
}

/// Builds a package of the workspace as a module of its own, with these features, and these flags for the package's own
/// code; returns the module's folder, where it is called `NAME.js`.
fn module(tools: &Toolbox, package: &str, name: &str, features: &str, flags: &[&str]) -> Result<PathBuf> {
    let cargo = Cmd::new("cargo")
        .args(["rustc", "--package", package, "--lib", "--crate-type", "cdylib"])
        .args(["--target", TARGET, "--profile", wasm::PROFILE, "--features", features])
        .arg("--")
        .args(flags);
    tools.toolchain.apply(cargo).fix("see the compiler's message above").run()?;
    let built = paths::wasm_target().join(TARGET).join(wasm::PROFILE);
    let folder = paths::root().join("target").join("bench").join(name);
    Cmd::new(tools.path(Tool::WasmBindgen)?)
        .args(["--target", "web", "--no-typescript", "--out-name", name, "--out-dir"])
        .arg(&folder)
        .arg(built.join(format!("{}.wasm", package.replace('-', "_"))))
        .output()?;
    let module = folder.join(format!("{name}_bg.wasm"));
    wasm::optimise(tools, &module, if flags.is_empty() { &[] } else { &["--enable-relaxed-simd"] })?;
    Ok(folder)
}

/// The native program.
fn soli() -> Result<PathBuf> {
    Cmd::new("cargo").args(["build", "--release", "--package", "soli-trainer"]).run()?;
    let name = if cfg!(windows) { "soli.exe" } else { "soli" };
    Ok(paths::root().join("target").join("release").join(name))
}
