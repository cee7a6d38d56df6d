//! Python with what builds and tests the package `soli-captioner` and runs the engines of examples/scale, and Java for
//! one of those.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::{Found, Version, apt, on_path, version_of};
use crate::cmd::Cmd;
use crate::paths;

/// A virtual environment that is kept in the cache.
#[derive(Clone, Copy)]
pub enum Environment {
    /// With what builds and tests the Python package.
    Package,
    /// The same with Spark and Ray.
    Engines,
}

impl Environment {
    fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Engines => "engines",
        }
    }

    /// The oldest Python that all of its packages run on.
    fn oldest(self) -> Version {
        match self {
            Self::Package => Version::of(&[3, 9]),
            Self::Engines => Version::of(&[3, 10]),
        }
    }

    /// The lists of its packages.
    fn lists(self) -> Vec<PathBuf> {
        let folders = match self {
            Self::Package => vec![paths::python()],
            Self::Engines => vec![paths::python(), paths::scale()],
        };
        folders.into_iter().map(|folder| folder.join("requirements.txt")).collect()
    }

    fn folder(self) -> Result<PathBuf> {
        paths::tool("python", self.name())
    }

    /// What its lists say.
    fn wanted(self) -> Result<String> {
        let read = |list: PathBuf| {
            fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))
        };
        self.lists().into_iter().map(read).collect()
    }

    /// Its Python and that one's version, if all of its packages are there.
    pub fn installed(self) -> Option<(PathBuf, Version)> {
        let folder = self.folder().ok()?;
        let python = executable(&folder);
        let stamp = fs::read_to_string(stamp(&folder)).ok()?;
        let version = version_of(&python)?;
        (stamp == self.wanted().ok()?).then_some((python, version))
    }

    /// Finds or makes it; the path is its Python.
    ///
    /// # Errors
    /// When there is no Python for it, or pip cannot install its packages.
    pub fn ensure(self) -> Result<Found> {
        if let Some((path, version)) = self.installed() {
            return Ok(Found { path, note: format!("{version}, in the cache") });
        }
        let folder = self.folder()?;
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        Cmd::new(&interpreter(&self.oldest())?)
            .args(["-m", "venv"])
            .arg(&folder)
            .logged(&format!("python-{}", self.name()))?;
        let python = executable(&folder);
        let pip = Cmd::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        self.lists()
            .iter()
            .fold(pip, |pip, list| pip.arg("--requirement").arg(list))
            .fix("check that the package index can be reached")
            .logged(&format!("pip-{}", self.name()))?;
        // Last, so that an installation that broke off is done again.
        let stamp = stamp(&folder);
        fs::write(&stamp, self.wanted()?).with_context(|| format!("cannot write {}", stamp.display()))?;
        let version = version_of(&python).ok_or_else(|| anyhow!("{} does not run", python.display()))?;
        Ok(Found { path: python, note: format!("{version}, installed") })
    }
}

/// Says what was installed.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("requirements.txt")
}

/// Why the Python package cannot be tried on this machine, if it has no Python for that.
pub fn missing() -> Option<String> {
    interpreter(&Environment::Package.oldest()).err().map(|error| error.to_string())
}

/// The machine's Python, if it is new enough and can make virtual environments.
fn interpreter(oldest: &Version) -> Result<PathBuf> {
    let advice = format!("install Python {oldest} or newer with its module venv");
    // Debian's comes without what makes environments.
    let venv = |path: &Path| Cmd::new(path).args(["-c", "import ensurepip, venv"]).output().is_ok();
    let mut found = Vec::new();
    for path in ["python3", "python"].into_iter().filter_map(on_path) {
        match version_of(&path) {
            Some(version) if version < *oldest => found.push(format!("{version} is too old")),
            Some(version) if !venv(&path) => found.push(format!("{version} comes without venv")),
            Some(_) => return Ok(path),
            None => {}
        }
    }
    let found = if found.is_empty() { "no Python found".to_owned() } else { found.join(", ") };
    bail!("{found}; {advice}")
}

/// The oldest Java that Spark runs on.
const JAVA: u64 = 17;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_too_old_or_missing_is_said_in_one_line() {
        let said = interpreter(&Version::of(&[99, 1])).unwrap_err().to_string();
        assert!(said.contains("too old") || said.contains("no Python found"), "{said}");
        assert!(said.ends_with("; install Python 99.1 or newer with its module venv"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
