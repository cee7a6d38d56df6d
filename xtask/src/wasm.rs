//! `cargo xtask build`: the browser's module, into pkg/wasm.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cmd::Cmd;
use crate::setup::{self, Toolbox};
use crate::tools::Tool;
use crate::tools::wasm_target::TARGET;
use crate::{page, paths, ui};

/// Cargo's profile for the module, and for the tests in browsers: so they share their compiled dependencies.
pub const PROFILE: &str = "wasm";
/// Features of the crate that make its module.
pub const FEATURES: &str = "web";
/// For speed: `-Os` halves the speed of the matrix products, `--all-features` makes modules that do not load.
const OPTIMISE: &str = "-O3";

/// Runs `cargo xtask build`.
///
/// # Errors
/// Names the step that failed.
pub fn run() -> Result<()> {
    let tools = setup::ensure(setup::BUILD)?;
    tools.complete()?;
    build(&tools)
}

/// What a module is compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// Browsers with WebAssembly's 128-bit vectors: all since 2023, most since 2021.
    Vectors,
    /// All others. The same captions, several times slower.
    Plain,
}

impl Variant {
    const ALL: [Self; 2] = [Self::Vectors, Self::Plain];

    /// The module's name in pkg/wasm.
    fn file(self) -> &'static str {
        match self {
            Self::Vectors => "soli_bg.wasm",
            Self::Plain => "soli_plain_bg.wasm",
        }
    }

    /// Cargo's folder: one for each, or one would throw away what the other made.
    fn target(self) -> PathBuf {
        match self {
            Self::Vectors => paths::wasm_target(),
            Self::Plain => paths::wasm_target().join("plain"),
        }
    }

    fn compiled(self) -> PathBuf {
        self.target().join(TARGET).join(PROFILE).join("soli.wasm")
    }
}

/// Builds the modules and prints their sizes.
///
/// # Errors
/// Names the step that failed.
pub fn build(tools: &Toolbox) -> Result<()> {
    let started = Instant::now();
    ui::line("build");
    for variant in Variant::ALL {
        compile(tools, variant)?;
    }
    let folder = paths::root().join("pkg").join("wasm");
    let stamp = paths::wasm_target().join("pkg.stamp");
    let current = fingerprint(tools, &folder).ok();
    if current.is_none() || current != fs::read_to_string(&stamp).ok() {
        // Old output must not outlive a failure.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        for variant in Variant::ALL {
            bind(tools, variant, &folder)?;
        }
        fs::write(&stamp, fingerprint(tools, &folder)?)
            .with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    print_sizes(&folder)?;
    // The page's list of files names the modules by their hashes. Without weights there is no page yet.
    if weights().is_file() {
        page::run()?;
    }
    ui::step("built", "pkg/wasm", started);
    Ok(())
}

fn compile(tools: &Toolbox, variant: Variant) -> Result<()> {
    tools.path(Tool::WasmTarget)?;
    // The cdylib is asked for here, not in Cargo.toml: beside an rlib there it would silently lose its fat LTO.
    let cargo = Cmd::new("cargo")
        .args(["rustc", "--package", "soli", "--lib", "--crate-type", "cdylib", "--target", TARGET])
        .args(["--profile", PROFILE, "--features", FEATURES]);
    let cargo = tools.toolchain.apply(cargo).env("CARGO_TARGET_DIR", variant.target());
    let cargo = match variant {
        Variant::Vectors => cargo,
        // In the place of the flags in .cargo/config.toml.
        Variant::Plain => cargo.env("RUSTFLAGS", "-Ctarget-feature=-simd128"),
    };
    cargo.fix("see the compiler's message above").run()
}

/// Makes a compiled module one for browsers. The glue is the same for all.
fn bind(tools: &Toolbox, variant: Variant, folder: &Path) -> Result<()> {
    let made = variant.target().join("bound");
    Cmd::new(tools.path(Tool::WasmBindgen)?)
        // pkg/engine.js names the module's address, and replaces an instance that trapped by the reset function.
        .args(["--target", "web", "--omit-default-module-path", "--experimental-reset-state-function"])
        .args(["--no-typescript", "--out-name", "soli", "--out-dir"])
        .arg(&made)
        .arg(variant.compiled())
        .fix("its version must be that of wasm-bindgen in Cargo.lock: `cargo xtask setup` sees to that")
        .output()?;
    let flags: &[&str] = if variant == Variant::Plain { &["--disable-simd"] } else { &[] };
    optimise(tools, &made.join("soli_bg.wasm"), flags)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let glue = folder.join("soli.js");
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let text = read(&made.join("soli.js"))?;
    if variant == Variant::Vectors {
        fs::write(&glue, text).with_context(|| format!("cannot write {}", glue.display()))?;
    } else if text != read(&glue)? {
        bail!("{} needs glue of its own: it differs from {}", variant.file(), glue.display());
    }
    let module = folder.join(variant.file());
    fs::copy(made.join("soli_bg.wasm"), &module)
        .map(drop)
        .with_context(|| format!("cannot write {}", module.display()))
}

/// Optimises a module in its place.
///
/// # Errors
/// If the file cannot be moved, or the optimiser fails.
pub fn optimise(tools: &Toolbox, module: &Path, flags: &[&str]) -> Result<()> {
    let unoptimised = module.with_extension("wasm.in");
    fs::rename(module, &unoptimised).with_context(|| format!("cannot move {}", module.display()))?;
    Cmd::new(tools.path(Tool::WasmOpt)?)
        .arg(OPTIMISE)
        .args(flags)
        .arg("-o")
        .arg(module)
        .arg(&unoptimised)
        .fix("`cargo xtask setup` installs the version that is known to work")
        .output()?;
    fs::remove_file(&unoptimised).with_context(|| format!("cannot remove {}", unoptimised.display()))
}

/// What pkg/wasm holds and what it was made of: by the same text next time, nothing has to be done.
fn fingerprint(tools: &Toolbox, folder: &Path) -> Result<String> {
    let mut text = OPTIMISE.to_owned();
    for tool in [Tool::WasmBindgen, Tool::WasmOpt] {
        // The folder of a tool in the cache names its version.
        text += &format!("\n{}", tools.path(tool)?.display());
    }
    let made = Variant::ALL.map(|variant| [variant.compiled(), folder.join(variant.file())]);
    for file in made.into_iter().flatten().chain([folder.join("soli.js")]) {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        text += &format!("\n{:016x}", hasher.finish());
    }
    Ok(text)
}

fn print_sizes(folder: &Path) -> Result<()> {
    for variant in Variant::ALL {
        let module = folder.join(variant.file());
        let raw = fs::metadata(&module).with_context(|| format!("cannot find {}", module.display()))?.len();
        ui::line(format_args!(
            "  size      {} {} raw, {} brotli",
            variant.file(),
            ui::bytes(raw),
            ui::bytes(brotli_size(&module)?)
        ));
    }
    let weights = weights();
    if let Ok(meta) = fs::metadata(&weights) {
        ui::line(format_args!("  size      soli.safetensors {}", ui::bytes(meta.len())));
    }
    Ok(())
}

/// The size that a server would send, by Node's brotli.
fn brotli_size(file: &Path) -> Result<u64> {
    let program = "const z=require('zlib'),f=require('fs');console.log(z.brotliCompressSync(\
                   f.readFileSync(process.argv[1]),{params:{[z.constants.BROTLI_PARAM_SIZE_HINT]:1<<21}}).length)";
    let printed = Cmd::new("node").args(["-e", program]).arg(file).output()?;
    printed.parse().with_context(|| format!("node printed `{printed}` instead of a size"))
}

/// The weights that the page loads.
pub fn weights() -> PathBuf {
    paths::root().join("www").join("models").join("soli.safetensors")
}

/// Fails unless everything that the page loads and no build makes is there.
///
/// # Errors
/// Names the first missing file and where it comes from.
pub fn check_sources() -> Result<()> {
    let root = paths::root();
    check(&root.join("www").join("index.html"), "it is part of the repository")?;
    check(&root.join("pkg").join("index.js"), "it is part of the repository")?;
    check(&weights(), "it is part of the repository, and `soli train` makes another")
}

/// Fails unless everything that the page loads is there.
///
/// # Errors
/// Names the first missing file and where it comes from.
pub fn check_page() -> Result<()> {
    check_sources()?;
    let folder = paths::root().join("pkg").join("wasm");
    for variant in Variant::ALL {
        check(&folder.join(variant.file()), "`cargo xtask build` makes it")?;
    }
    Ok(())
}

fn check(file: &Path, origin: &str) -> Result<()> {
    if !file.is_file() {
        bail!("{} is missing; {origin}", file.strip_prefix(paths::root()).unwrap_or(file).display());
    }
    Ok(())
}
