//! The Python package, and captions of many pictures through engines that are written for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::checks::Checks;
use crate::cmd::Cmd;
use crate::paths;
use crate::setup::{self, Toolbox};
use crate::tools::{Tool, python};

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
        let python = install(&build(environment, true)?, environment)?;
        installed = Some(python.clone());
        test(&python, &paths::python(), &[])
    });
    checks.step("engines", || {
        tools.path(Tool::Java)?;
        let python = installed.as_deref().context("there is no Python package to try them with")?;
        test(python, &paths::scale(), &[("SOLI_SCALE", args.pictures.to_string())])
    });
    Ok(checks.close())
}

/// Builds the package, installs it as a user would, and runs its tests.
pub fn package(tools: &Toolbox) -> Result<()> {
    let environment = tools.path(Tool::Python)?;
    let python = install(&build(environment, false)?, environment)?;
    test(&python, &paths::python(), &[])
}

/// The wheel, by maturin of the environment whose Python is given.
fn build(environment: &Path, release: bool) -> Result<PathBuf> {
    let wheels = paths::root().join("target").join("wheels");
    remove(&wheels)?;
    let mut maturin = Cmd::new(environment).args(["-m", "maturin", "build", "--quiet", "--out"]).arg(&wheels);
    if release {
        maturin = maturin.arg("--release");
    }
    maturin.dir(&paths::python()).run()?;
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
    let pytest = Cmd::new(python).args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations", "3"]);
    let pytest = variables.iter().fold(pytest, |pytest, (name, value)| pytest.env(name, value));
    pytest.dir(folder).run()
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
