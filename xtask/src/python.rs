//! The Python package, and captions of many pictures through engines that are written for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::checks::Checks;
use crate::cmd::Cmd;
use crate::paths;
use crate::setup::{self, Toolbox};
use crate::tools::python::{self, Environment};
use crate::tools::{Tool, from_env};

/// Whether `test` tries the engines where they are not installed: not empty for yes.
const ENGINES: &str = "SOLI_ENGINES";

/// Pictures for each engine in `test`.
const FEW: u32 = 400;

/// How `cargo xtask scale` tries the engines.
#[derive(clap::Args)]
pub struct Args {
    /// Pictures for each engine.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pictures: u32,
}

/// Runs `cargo xtask scale`: the kill tests and both engines with many pictures, with optimised programs.
///
/// # Errors
/// When a setting is wrong; failed steps show in the exit code.
pub fn scale(args: &Args) -> Result<ExitCode> {
    let tools = setup::ensure(setup::SCALE)?;
    let mut checks = Checks::default();
    checks.step("kill tests", || {
        Cmd::new("cargo")
            .args(["test", "--release", "--package", "soli-trainer", "--test", "stream_kill"])
            .run()
    });
    let mut installed = None;
    checks.step("python package", || {
        let environment = tools.path(Tool::Engines)?;
        let python = install(&build(environment)?, environment)?;
        installed = Some(python.clone());
        test(&python, &paths::python(), &[])
    });
    checks.step("engines", || engines(&tools, installed.as_deref(), args.pictures));
    Ok(checks.close())
}

/// Runs `cargo xtask python`: those steps of `test`.
///
/// # Errors
/// When a setting is wrong; failed steps show in the exit code.
pub fn run() -> Result<ExitCode> {
    let have = tools();
    let tools = setup::ensure(have)?;
    let mut checks = Checks::default();
    steps(&mut checks, &tools, have);
    Ok(checks.close())
}

/// What `test` needs of Python: the engines too, where they are installed or asked for.
pub fn tools() -> &'static [Tool] {
    let asked_for = from_env(ENGINES).is_some();
    if asked_for || Environment::Engines.installed().is_some() {
        &[Tool::Engines, Tool::Java]
    } else {
        &[Tool::Python]
    }
}

/// The steps of `test`: builds the package, installs it as a user would, runs its tests, and tries the engines with few
/// pictures where they are there.
pub fn steps(checks: &mut Checks, tools: &Toolbox, have: &[Tool]) {
    const STEPS: [&str; 2] = ["python package", "engines"];
    if let Some(reason) = python::missing() {
        STEPS.into_iter().for_each(|step| checks.leave_out(step, &reason));
        return;
    }
    let with_engines = have.contains(&Tool::Engines);
    let mut installed = None;
    checks.step(STEPS[0], || {
        let environment = tools.path(if with_engines { Tool::Engines } else { Tool::Python })?;
        let python = install(&build(environment)?, environment)?;
        installed = Some(python.clone());
        test(&python, &paths::python(), &[])
    });
    if with_engines {
        checks.step(STEPS[1], || engines(tools, installed.as_deref(), FEW));
    } else {
        let reason =
            "Spark and Ray are not installed: `cargo xtask setup --for scale`, once, or SOLI_ENGINES=1";
        checks.leave_out(STEPS[1], reason);
    }
}

/// The tests of both engines, with so many pictures each.
fn engines(tools: &Toolbox, python: Option<&Path>, pictures: u32) -> Result<()> {
    tools.path(Tool::Java)?;
    let python = python.context("there is no Python package to try them with")?;
    test(python, &paths::scale(), &[("SOLI_SCALE", pictures.to_string())])
}

/// The wheel, by maturin of the environment whose Python is given. It is the one for users in `test` too: alone, the package needs
/// other features of its dependencies than the workspace does, so that next to nothing of an unoptimised build could be
/// shared, and it would take twice the time, as proc macros are optimised in that.
fn build(environment: &Path) -> Result<PathBuf> {
    let wheels = paths::root().join("target").join("wheels");
    remove(&wheels)?;
    Cmd::new(environment)
        .args(["-m", "maturin", "build", "--quiet", "--release", "--out"])
        .arg(&wheels)
        .dir(&paths::python())
        .run()?;
    let found = fs::read_dir(&wheels).with_context(|| format!("cannot read {}", wheels.display()))?;
    let found: Vec<PathBuf> = found.flatten().map(|entry| entry.path()).collect();
    match &found[..] {
        [wheel] => Ok(wheel.clone()),
        _ => bail!("maturin left {} files in {} instead of one wheel", found.len(), wheels.display()),
    }
}

/// A new environment with the wheel, which sees the packages of the one that is kept in the cache as well: what an
/// earlier build has left behind must not be what is tested. Returns its Python.
fn install(wheel: &Path, environment: &Path) -> Result<PathBuf> {
    let folder = paths::root().join("target").join("python");
    remove(&folder)?;
    // Without pip, which it finds in the other.
    Cmd::new(environment).args(["-m", "venv", "--without-pip"]).arg(&folder).logged("python-venv")?;
    let new = python::executable(&folder);
    let packages = |python: &Path| {
        let script = "import sysconfig; print(sysconfig.get_path('purelib'))";
        Cmd::new(python).args(["-c", script]).output()
    };
    let link = Path::new(&packages(&new)?).join("soli-environment.pth");
    fs::write(&link, packages(environment)?).with_context(|| format!("cannot write {}", link.display()))?;
    Cmd::new(&new)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"])
        .arg(wheel)
        .logged("pip-wheel")?;
    Ok(new)
}

/// pytest in `folder`.
fn test(python: &Path, folder: &Path, variables: &[(&str, String)]) -> Result<()> {
    let pytest =
        Cmd::new(python).args(["-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--durations", "3"]);
    let pytest = variables.iter().fold(pytest, |pytest, (name, value)| pytest.env(name, value));
    pytest.dir(folder).run()
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
