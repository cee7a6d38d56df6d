//! Tools that are built from crates.io into the user's cache.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Found, Version, on_path, version_of};
use crate::cmd::Cmd;
use crate::{paths, ui};

/// The version of wasm-pack that is known to work.
const WASM_PACK: &str = "0.15.1";
/// The version of geckodriver that is known to work.
const GECKODRIVER: &str = "0.37.1";

/// A tool of crates.io.
struct CrateTool<'a> {
    package: &'a str,
    version: &'a str,
    /// The executables that it brings; the first one knows `--version`.
    executables: &'a [&'a str],
    /// Further arguments of `cargo install`.
    options: &'a [&'a str],
}

/// wasm-bindgen in exactly the version of the crate in Cargo.lock: other versions refuse the module.
///
/// # Errors
/// When Cargo.lock does not name the crate, or the build fails.
pub fn wasm_bindgen() -> Result<Found> {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let version = locked_version(&lock, "wasm-bindgen").context("Cargo.lock does not name wasm-bindgen")?;
    let wanted = Version::find(version).context("wasm-bindgen's version in Cargo.lock has no numbers")?;
    CrateTool {
        package: "wasm-bindgen-cli",
        version,
        executables: &["wasm-bindgen", "wasm-bindgen-test-runner"],
        // Its own lock file names a yanked crate: let cargo choose.
        options: &["--no-default-features"],
    }
    .ensure(|found| *found == wanted)
}

/// wasm-pack, 0.15 or newer.
///
/// # Errors
/// When the build fails.
pub fn wasm_pack() -> Result<Found> {
    CrateTool {
        package: "wasm-pack",
        version: WASM_PACK,
        executables: &["wasm-pack"],
        options: &["--locked"],
    }
    .ensure(|found| *found >= Version::of(&[0, 15]))
}

/// geckodriver, any version on PATH.
///
/// # Errors
/// When the build fails.
pub fn geckodriver() -> Result<Found> {
    CrateTool {
        package: "geckodriver",
        version: GECKODRIVER,
        executables: &["geckodriver"],
        options: &["--locked"],
    }
    .ensure(|_| true)
}

impl CrateTool<'_> {
    fn ensure(&self, suits: impl Fn(&Version) -> bool) -> Result<Found> {
        let main = self.executables[0];
        if let Some(path) = on_path(main)
            && let Some(version) = version_of(&path)
            && suits(&version)
            && self.executables.iter().all(|name| path.with_file_name(exe(name)).is_file())
        {
            return Ok(Found { path, note: format!("{version}, on PATH") });
        }
        let folder = paths::tool(self.package, self.version)?;
        let path = folder.join("bin").join(exe(main));
        if path.is_file() {
            return Ok(Found { path, note: format!("{}, in the cache", self.version) });
        }
        ui::line(format_args!("  building  {} {} (some minutes, once)", self.package, self.version));
        self.install(&folder)?;
        Ok(Found { path, note: format!("{}, built", self.version) })
    }

    fn install(&self, folder: &Path) -> Result<()> {
        // These tools are not hot: a light optimisation saves two thirds of the build, and one target folder lets
        // them share what they have in common.
        Cmd::new("cargo")
            .args(["install", "--debug", "--force", "--version", self.version, self.package])
            .args(self.options)
            .arg("--root")
            .arg(folder)
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", paths::cache()?.join("build"))
            .env_remove("RUSTFLAGS")
            .dir(&outside()?)
            .fix(format!(
                "check the network and the C compiler, or put {} {} on PATH",
                self.executables[0], self.version
            ))
            .logged(self.package)
    }
}

/// A folder outside the repository, so that its Cargo configuration does not reach the tools.
fn outside() -> Result<PathBuf> {
    let folder = paths::cache()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// The version of a package in the text of a Cargo.lock.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_gives_the_exact_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.9\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
