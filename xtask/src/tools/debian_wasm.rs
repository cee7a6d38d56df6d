//! The Debian route to wasm32: Debian's own recent compiler, with the standard library built from its sources.
//!
//! For machines that reach package registries but not the servers of rustup. The result is a small sysroot folder,
//! mostly links, in the user's cache, linked into rustup as a toolchain that only wasm32 builds use.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::wasm_target::{TARGET, has_std};
use super::{Version, apt, on_path, version_of};
use crate::cmd::Cmd;
use crate::{paths, ui};

/// The name under which rustup knows the sysroot.
pub const TOOLCHAIN: &str = "debian-wasm";

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LIBRARY_SOURCES: &str = "/usr/lib/rustlib/src/rust/library";
const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "libstd-rust-web-dev", "rust-web-src", "lld-22"];
const CLIPPY_PACKAGE: &str = "rust-web-clippy";
/// The oldest compiler that builds this project.
const OLDEST: [u64; 2] = [1, 95];

/// Whether this machine could go this way at all.
pub fn possible() -> bool {
    cfg!(target_os = "linux") && on_path("rustup").is_some() && (apt::usable() || compiler().is_some())
}

/// Builds the sysroot if it is missing, links it into rustup, and returns the folder of its wasm32 library.
///
/// # Errors
/// Says which step failed.
pub fn install() -> Result<PathBuf> {
    if on_path("rustup").is_none() {
        bail!("the Debian route to {TARGET} needs rustup; get it from https://rustup.rs");
    }
    if compiler().is_none() {
        ui::line("  getting   Debian's compiler for wasm32");
        let wanted = PACKAGES.join(" ");
        apt::install(&PACKAGES).with_context(|| format!("cannot install {wanted}"))?;
    }
    let compiler = compiler().ok_or_else(|| {
        anyhow!(
            "{RUSTC} is older than {}.{} or has no sources: this Debian cannot build {TARGET}",
            OLDEST[0],
            OLDEST[1]
        )
    })?;
    let sysroot = sysroot(&compiler)?;
    let library = library_of(&sysroot);
    if !has_std(&library) {
        ui::line("  building  the standard library for wasm32 (a minute, once)");
        // Built aside and moved, so that a half-built sysroot is never taken for a whole one.
        let aside = sysroot.with_extension(format!("partial-{}", std::process::id()));
        let built = build_sysroot(&compiler, &aside, &sysroot);
        if built.is_ok() {
            remove(&sysroot)?;
            fs::rename(&aside, &sysroot).with_context(|| format!("cannot create {}", sysroot.display()))?;
        }
        remove(&aside)?;
        built?;
    }
    link_clippy(&sysroot)?;
    Cmd::new("rustup").args(["toolchain", "link", TOOLCHAIN]).arg(&sysroot).output()?;
    Ok(library)
}

/// The folder of the wasm32 library for the compiler that is installed now, built or not.
pub fn library() -> Option<PathBuf> {
    Some(library_of(&sysroot(&compiler()?).ok()?))
}

fn sysroot(compiler: &Compiler) -> Result<PathBuf> {
    paths::tool(TOOLCHAIN, &compiler.version.to_string())
}

fn library_of(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Adds Debian's clippy to the sysroot.
///
/// # Errors
/// When apt cannot install it.
pub fn install_clippy() -> Result<()> {
    if !Path::new("/usr/bin/clippy-driver").exists() {
        apt::install(&[CLIPPY_PACKAGE]).with_context(|| format!("cannot install {CLIPPY_PACKAGE}"))?;
    }
    install().map(drop)
}

/// Debian's compiler.
struct Compiler {
    version: Version,
    host: String,
    lld: PathBuf,
}

/// The system's compiler, if it is recent enough, has its library's sources, and there is a linker.
fn compiler() -> Option<Compiler> {
    let version = version_of(Path::new(RUSTC)).filter(|version| *version >= Version::of(&OLDEST))?;
    let about = Cmd::new(RUSTC).args(["-vV"]).output().ok()?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
    let ready = Path::new(LIBRARY_SOURCES).is_dir() && Path::new(CARGO).is_file();
    ready.then_some(())?;
    Some(Compiler { version, host, lld: newest_lld()? })
}

/// The linker of the newest LLVM that is installed.
fn newest_lld() -> Option<PathBuf> {
    let llvms = Path::new("/usr/lib").read_dir().ok()?.flatten().filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.strip_prefix("llvm-")?.parse().ok()?;
        let lld = entry.path().join("bin/lld");
        lld.exists().then_some((number, lld))
    });
    llvms.max().map(|(_, lld)| lld)
}

/// Fills `folder` with what will be the sysroot `home`.
fn build_sysroot(compiler: &Compiler, folder: &Path, home: &Path) -> Result<()> {
    remove(folder)?;
    let library = library_of(folder);
    let host = folder.join("lib/rustlib").join(&compiler.host);
    for new in [&library, &host.join("bin"), &folder.join("bin")] {
        fs::create_dir_all(new).with_context(|| format!("cannot create {}", new.display()))?;
    }
    build_std(&folder.join("seed"), &library)?;
    remove(&folder.join("seed"))?;
    link(&PathBuf::from("/usr/lib/rustlib").join(&compiler.host).join("lib"), &host.join("lib"))?;
    link(Path::new("/usr/lib/rustlib/src"), &folder.join("lib/rustlib/src"))?;
    link(&compiler.lld, &host.join("bin/rust-lld"))?;
    link(Path::new(CARGO), &folder.join("bin/cargo"))?;
    for tool in ["rustc", "rustdoc"] {
        let text = format!("#!/bin/sh\nexec /usr/bin/{tool} --sysroot '{}' \"$@\"\n", home.display());
        script(&folder.join("bin").join(tool), &text)?;
    }
    Ok(())
}

/// Builds the standard library in an empty crate and copies it to `library`.
fn build_std(seed: &Path, library: &Path) -> Result<()> {
    let manifest = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
                    [profile.release]\ncodegen-units = 1\npanic = \"abort\"\n";
    fs::create_dir_all(seed.join("src")).context("cannot create the seed crate")?;
    fs::write(seed.join("Cargo.toml"), manifest).context("cannot write the seed crate")?;
    fs::write(seed.join("src/lib.rs"), "").context("cannot write the seed crate")?;
    // embed-bitcode lets the module's fat LTO look into std.
    Cmd::new(CARGO)
        .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,test,proc_macro"])
        .dir(seed)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", RUSTC)
        .env("RUSTFLAGS", "-Cembed-bitcode=yes -Cstrip=debuginfo")
        .env("CARGO_TARGET_DIR", seed.join("target"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .fix("check that crates.io can be reached")
        .logged("debian-wasm-std")?;
    let built = seed.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&built).with_context(|| format!("cannot read {}", built.display()))?.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libseed-") {
            fs::copy(entry.path(), library.join(&name))
                .with_context(|| format!("cannot copy {text} to {}", library.display()))?;
        }
    }
    if !has_std(library) {
        bail!("Debian's cargo built no standard library for {TARGET}");
    }
    Ok(())
}

/// Puts Debian's clippy, if installed, into the sysroot.
fn link_clippy(sysroot: &Path) -> Result<()> {
    let bin = sysroot.join("bin");
    if !Path::new("/usr/bin/clippy-driver").exists() || bin.join("clippy-driver").exists() {
        return Ok(());
    }
    // Copied, not linked: it looks for the driver beside the place where it really lies.
    fs::copy("/usr/bin/cargo-clippy", bin.join("cargo-clippy")).context("cannot copy cargo-clippy")?;
    // The driver must get the compiler's path as its first argument, so the sysroot goes by the environment.
    let text = format!("#!/bin/sh\nSYSROOT='{}' exec /usr/bin/clippy-driver \"$@\"\n", sysroot.display());
    script(&bin.join("clippy-driver"), &text)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, at).with_context(|| format!("cannot create the link {}", at.display()))
}

#[cfg(unix)]
fn script(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let write = || {
        fs::write(path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(not(unix))]
fn link(_: &Path, at: &Path) -> Result<()> {
    bail!("cannot create the link {}: the Debian route is for Debian", at.display())
}

#[cfg(not(unix))]
fn script(path: &Path, _: &str) -> Result<()> {
    bail!("cannot write {}: the Debian route is for Debian", path.display())
}
