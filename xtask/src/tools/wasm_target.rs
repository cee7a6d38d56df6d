//! A compiler with the standard library for wasm32.
//!
//! Usually `rustup target add` is all it takes. Machines that only reach package registries take the Debian route
//! ([`super::debian_wasm`]); `SOLI_WASM_TOOLCHAIN=debian` forces it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::{Found, debian_wasm, on_path};
use crate::cmd::Cmd;
use crate::ui;

/// The target of the browser's module.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Which compiler builds for wasm32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The same as for native code.
    Native,
    /// Debian's, linked into rustup as [`debian_wasm::TOOLCHAIN`].
    Debian,
}

impl Toolchain {
    /// The one to use: as `SOLI_WASM_TOOLCHAIN` says (`native`, `debian` or nothing), else the first that is ready.
    ///
    /// # Errors
    /// When the variable holds anything else.
    pub fn choose() -> Result<Self> {
        match wish()? {
            Some(toolchain) => Ok(toolchain),
            None if std_folder(Self::Native).is_none() && std_folder(Self::Debian).is_some() => {
                Ok(Self::Debian)
            }
            None => Ok(Self::Native),
        }
    }

    /// Makes `cmd` use this toolchain; the target folder and the flags are those of wasm builds.
    pub fn apply(self, cmd: Cmd) -> Cmd {
        // A RUSTFLAGS of the user's would take the place of the simd128 flag in .cargo/config.toml.
        let cmd = cmd
            .env("CARGO_TARGET_DIR", crate::paths::wasm_target())
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        match self {
            Self::Native => cmd,
            Self::Debian => cmd.env("RUSTUP_TOOLCHAIN", debian_wasm::TOOLCHAIN),
        }
    }
}

fn wish() -> Result<Option<Toolchain>> {
    match std::env::var("SOLI_WASM_TOOLCHAIN").as_deref() {
        Err(_) | Ok("") => Ok(None),
        Ok("native") => Ok(Some(Toolchain::Native)),
        Ok("debian") => Ok(Some(Toolchain::Debian)),
        Ok(other) => bail!("SOLI_WASM_TOOLCHAIN is `{other}`; it may be `native`, `debian` or unset"),
    }
}

/// Makes sure that a compiler for wasm32 is there.
///
/// # Errors
/// Says what was tried.
pub fn ensure() -> Result<Found> {
    let toolchain = Toolchain::choose()?;
    if let Some(path) = std_folder(toolchain) {
        return Ok(Found { path, note: note(toolchain, "found") });
    }
    if wish()? != Some(Toolchain::Debian) {
        match rustup_target_add() {
            Ok(path) => return Ok(Found { path, note: note(Toolchain::Native, "added by rustup") }),
            Err(error) if !debian_wasm::possible() => {
                return Err(error.context(format!("no standard library for {TARGET}")));
            }
            Err(error) => ui::line(format_args!("  trying    Debian's compiler for {TARGET}: {error:#}")),
        }
    }
    let path = debian_wasm::install()?;
    Ok(Found { path, note: note(Toolchain::Debian, "built from Debian's sources") })
}

fn note(toolchain: Toolchain, how: &str) -> String {
    match toolchain {
        Toolchain::Native => how.to_owned(),
        Toolchain::Debian => format!("{how}, toolchain {}", debian_wasm::TOOLCHAIN),
    }
}

fn rustup_target_add() -> Result<PathBuf> {
    let advice = format!("with rustup from https://rustup.rs: `rustup target add {TARGET}`");
    if on_path("rustup").is_none() {
        bail!("rustup not found; {advice}");
    }
    Cmd::new("rustup").args(["target", "add", TARGET]).fix(advice).logged("rustup-target")?;
    std_folder(Toolchain::Native).ok_or_else(|| {
        anyhow!("rustup added {TARGET}, but rustc does not find it: is another rustc first on PATH?")
    })
}

/// The folder of the standard library for wasm32, if the toolchain has one.
fn std_folder(toolchain: Toolchain) -> Option<PathBuf> {
    let rustc = Cmd::new("rustc").args(["--print", "target-libdir", "--target", TARGET]);
    let folder = PathBuf::from(toolchain.apply(rustc).output().ok()?);
    // A sysroot of an earlier Debian compiler is as good as none.
    let current = toolchain == Toolchain::Native || debian_wasm::library().is_some_and(|now| now == folder);
    (current && has_std(&folder)).then_some(folder)
}

/// Whether a library folder holds a standard library.
pub fn has_std(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Makes sure that there is a clippy for the wasm32 compiler.
///
/// # Errors
/// Says what was tried.
pub fn ensure_clippy() -> Result<Found> {
    let toolchain = Toolchain::choose()?;
    let version = || {
        let cmd = toolchain.apply(Cmd::new("cargo").args(["clippy", "--version"]));
        cmd.output().ok().map(|text| Found { path: PathBuf::new(), note: text })
    };
    if let Some(found) = version() {
        return Ok(found);
    }
    match toolchain {
        Toolchain::Debian => debian_wasm::install_clippy()?,
        Toolchain::Native => {
            let fix = "add clippy to the Rust toolchain";
            Cmd::new("rustup").args(["component", "add", "clippy"]).fix(fix).logged("rustup-clippy")?;
        }
    }
    version()
        .ok_or_else(|| anyhow!("clippy for {TARGET} was installed, but `cargo clippy` still does not run"))
}
