//! Node, the packages of tests/e2e, and wasm-opt, which comes as a Node package.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};

use super::{Found, Version, on_path, version_of};
use crate::cmd::Cmd;
use crate::paths;

/// The version of binaryen that is known to write working modules. Much older ones (Debian's 108) do not.
const BINARYEN: u64 = 132;
/// The oldest Node that runs the tests.
const NODE: u64 = 20;

/// Node itself.
///
/// # Errors
/// When it is missing or too old.
pub fn node() -> Result<Found> {
    let advice = "install Node 20.19 or newer with npm (https://nodejs.org)";
    let path = on_path("node").ok_or_else(|| anyhow!("node not found; {advice}"))?;
    let version = version_of(&path).ok_or_else(|| anyhow!("{} does not run; {advice}", path.display()))?;
    if version.major() < NODE {
        bail!("node {version} is too old; {advice}");
    }
    if on_path("npm").is_none() {
        bail!("npm not found; {advice}");
    }
    Ok(Found { path, note: version.to_string() })
}

/// The packages that tests/e2e/package.json names; the path is their folder.
///
/// # Errors
/// When npm cannot install them.
pub fn packages() -> Result<Found> {
    packages_of(&paths::e2e(), "npm-e2e")
}

/// The packages that extension/package.json names; the path is their folder.
///
/// # Errors
/// When npm cannot install them.
pub fn extension_packages() -> Result<Found> {
    packages_of(&paths::extension(), "npm-extension")
}

fn packages_of(folder: &Path, log: &str) -> Result<Found> {
    let node = node()?;
    let installed = folder.join("node_modules");
    let stamp = modified(&installed.join(".package-lock.json"));
    let wanted = [folder.join("package.json"), folder.join("package-lock.json")];
    let fresh =
        stamp.is_some_and(|stamp| wanted.iter().all(|file| modified(file).is_none_or(|time| time <= stamp)));
    if !fresh {
        Cmd::npm()
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .dir(folder)
            .fix("check that the npm registry can be reached")
            .logged(log)?;
    }
    let how = if fresh { "found" } else { "installed" };
    Ok(Found { path: installed, note: format!("{how}, node {}", node.note) })
}

/// wasm-opt of [`BINARYEN`].
///
/// # Errors
/// When npm cannot install it.
pub fn wasm_opt() -> Result<Found> {
    if let Some(path) = on_path("wasm-opt")
        && version_of(&path).is_some_and(|version| version.major() == BINARYEN)
    {
        return Ok(Found { path, note: format!("{BINARYEN}, on PATH") });
    }
    node()?;
    let folder = paths::tool("binaryen", &BINARYEN.to_string())?;
    let name = if cfg!(windows) { "wasm-opt.cmd" } else { "wasm-opt" };
    let path: PathBuf = folder.join("node_modules").join(".bin").join(name);
    if path.is_file() {
        return Ok(Found { path, note: format!("{BINARYEN}, in the cache") });
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Cmd::npm()
        .args(["install", "--no-audit", "--no-fund", "--no-save", &format!("binaryen@{BINARYEN}")])
        .arg("--prefix")
        .arg(&folder)
        .dir(&folder)
        .fix("check that the npm registry can be reached")
        .logged("npm-binaryen")?;
    match version_of(&path) {
        Some(version) if version == Version::of(&[BINARYEN]) => {
            Ok(Found { path, note: format!("{BINARYEN}, installed") })
        }
        _ => bail!("npm installed binaryen, but {} does not run", path.display()),
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}
