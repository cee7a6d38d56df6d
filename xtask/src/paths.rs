//! Where things lie: in the repository and in the user's cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one folder below the root")
}

/// Cargo's target folder for everything that is built for wasm32.
///
/// A folder of its own, because the compiler for wasm32 can be another than the native one: in a shared folder the
/// two would take turns in rebuilding the build scripts and procedural macros.
pub fn wasm_target() -> PathBuf {
    root().join("target").join("wasm")
}

/// The folder of the Playwright tests and of their Node packages.
pub fn e2e() -> PathBuf {
    root().join("tests").join("e2e")
}

/// The sources of the browser extension, and of what packs it.
pub fn extension() -> PathBuf {
    root().join("extension")
}

/// The sources of the Python package.
pub fn python() -> PathBuf {
    root().join("python")
}

/// The examples for Spark and Ray, and their tests.
pub fn scale() -> PathBuf {
    root().join("examples").join("scale")
}

/// The user's cache folder for tools, `SOLI_CACHE` if that is set.
pub fn cache() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("SOLI_CACHE") {
        return Ok(folder);
    }
    let base = set("XDG_CACHE_HOME").or_else(|| set("LOCALAPPDATA")).or_else(|| {
        let home = env::home_dir()?;
        Some(if cfg!(target_os = "macos") { home.join("Library/Caches") } else { home.join(".cache") })
    });
    Ok(base.context("no cache folder found: set SOLI_CACHE to a folder that can be written to")?.join("soli"))
}

/// Where one version of one tool is installed.
pub fn tool(name: &str, version: &str) -> Result<PathBuf> {
    Ok(cache()?.join("tools").join(format!("{name}-{version}")))
}

/// Where the output of long installations is kept.
pub fn logs() -> Result<PathBuf> {
    Ok(cache()?.join("logs"))
}
