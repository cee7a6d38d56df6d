//! Python with what builds and tests the package `soli-captioner` and runs the engines of examples/scale, and Java for
//! one of those.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::{Found, Version, apt, on_path, version_of};
use crate::cmd::Cmd;
use crate::paths;

/// The oldest Python that all of the packages run on.
const PYTHON: [u64; 2] = [3, 10];
/// The oldest Java that Spark runs on.
const JAVA: u64 = 17;

/// A virtual environment in the cache with what builds and tests the Python package; the path is its Python.
///
/// # Errors
/// When there is no Python or pip cannot install them.
pub fn package() -> Result<Found> {
    environment("package", &[paths::python()])
}

/// The same with Spark and Ray.
///
/// # Errors
/// Those of [`package`].
pub fn engines() -> Result<Found> {
    environment("engines", &[paths::python(), paths::scale()])
}

/// A virtual environment with the packages of the `requirements.txt` in each folder.
fn environment(name: &str, folders: &[PathBuf]) -> Result<Found> {
    let lists: Vec<PathBuf> = folders.iter().map(|folder| folder.join("requirements.txt")).collect();
    let mut wanted = String::new();
    for list in &lists {
        wanted += &fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    }
    let folder = paths::tool("python", name)?;
    let python = executable(&folder);
    let stamp = folder.join("requirements.txt");
    if let (Some(version), Ok(installed)) = (version_of(&python), fs::read_to_string(&stamp))
        && installed == wanted
    {
        return Ok(Found { path: python, note: format!("{version}, in the cache") });
    }
    create(&folder)?;
    let pip = Cmd::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    lists
        .iter()
        .fold(pip, |pip, list| pip.arg("--requirement").arg(list))
        .fix("check that the package index can be reached")
        .logged(&format!("pip-{name}"))?;
    // Last, so that an installation that broke off is done again.
    fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    let version = version_of(&python).ok_or_else(|| anyhow!("{} does not run", python.display()))?;
    Ok(Found { path: python, note: format!("{version}, installed") })
}

fn create(folder: &Path) -> Result<()> {
    let advice = "install Python 3.10 or newer with its module venv";
    let found = ["python3", "python"].into_iter().filter_map(on_path).find_map(|path| {
        let version = version_of(&path)?;
        (version >= Version::of(&PYTHON)).then_some(path)
    });
    let python = match found {
        Some(python) => python,
        None => {
            apt::install(&["python3", "python3-venv"])
                .with_context(|| format!("python3 not found; {advice}"))?;
            on_path("python3").ok_or_else(|| anyhow!("python3 not found; {advice}"))?
        }
    };
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let make = || Cmd::new(&python).args(["-m", "venv"]).arg(folder).fix(advice).logged("python-venv");
    // Debian's Python comes without what venv needs.
    make().or_else(|error| {
        apt::install(&["python3-venv"]).map_err(|_| error)?;
        make()
    })
}

/// The interpreter of a virtual environment.
pub fn executable(environment: &Path) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join("python.exe")
    } else {
        environment.join("bin").join("python")
    }
}

/// A Java runtime of [`JAVA`] or newer; the path is the program's.
///
/// # Errors
/// When there is none and it cannot be installed.
pub fn java() -> Result<Found> {
    let advice = format!("install a Java runtime, {JAVA} or newer");
    let find = || {
        let path = on_path("java")?;
        let told = Cmd::new(&path).args(["--version"]).output().ok()?;
        Some((path, Version::find(&told)?))
    };
    let found = match find() {
        Some(found) => Some(found),
        None => {
            apt::install(&["default-jre-headless"]).with_context(|| format!("java not found; {advice}"))?;
            find()
        }
    };
    match found {
        Some((path, version)) if version.major() >= JAVA => Ok(Found { path, note: version.to_string() }),
        Some((_, version)) => bail!("java {version} is too old; {advice}"),
        None => bail!("java not found; {advice}"),
    }
}
