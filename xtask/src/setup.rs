//! `cargo xtask setup`: makes sure that the tools are there, each found or installed, one line each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::tools::python::Environment;
use crate::tools::wasm_target::Toolchain;
use crate::tools::{Found, Tool, browsers, crates, node, python, wasm_target};
use crate::ui;

/// What `build` needs.
pub const BUILD: &[Tool] = &[Tool::WasmTarget, Tool::WasmBindgen, Tool::WasmOpt];
/// What `demo` needs.
pub const DEMO: &[Tool] =
    &[Tool::WasmTarget, Tool::WasmBindgen, Tool::WasmOpt, Tool::Chromium, Tool::NodePackages];
/// What `extension` needs.
pub const EXTENSION: &[Tool] = &[Tool::WasmTarget, Tool::WasmBindgen, Tool::WasmOpt, Tool::ExtensionPackages];
/// What `bench` needs; its Node packages are its own.
pub const BENCH: &[Tool] =
    &[Tool::WasmTarget, Tool::WasmBindgen, Tool::WasmOpt, Tool::Chromium, Tool::NodePackages];
/// What `lint` needs.
pub const LINT: &[Tool] = &[Tool::WasmTarget, Tool::WasmClippy];
/// What `scale` needs.
pub const SCALE: &[Tool] = &[Tool::Engines, Tool::Java];
/// What `test` needs beside [`crate::python::tools`]: everything but Spark and Ray, which are large.
pub const TEST: &[Tool] = &[
    Tool::WasmTarget,
    Tool::WasmClippy,
    Tool::WasmBindgen,
    Tool::WasmPack,
    Tool::Geckodriver,
    Tool::WasmOpt,
    Tool::NodePackages,
    Tool::ExtensionPackages,
    Tool::Chromium,
    Tool::Chromedriver,
    Tool::Firefox,
    Tool::WebKit,
];

/// Which verb's tools to install.
#[derive(clap::Args)]
pub struct Args {
    /// Only what this verb needs.
    #[arg(long = "for", value_enum, default_value_t = Verb::Test)]
    verb: Verb,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Verb {
    Build,
    Demo,
    Extension,
    Lint,
    Scale,
    Test,
}

/// Runs `cargo xtask setup`.
///
/// # Errors
/// Names the first tool that is missing and how to get it.
pub fn run(args: &Args) -> Result<()> {
    let tools = match args.verb {
        Verb::Build => BUILD,
        Verb::Demo => DEMO,
        Verb::Extension => EXTENSION,
        Verb::Lint => LINT,
        Verb::Scale => SCALE,
        Verb::Test => &[TEST, crate::python::tools()].concat(),
    };
    ensure(tools)?.complete()
}

/// The tools of one verb, each found or with the reason why it is missing.
pub struct Toolbox {
    tools: BTreeMap<Tool, std::result::Result<Found, String>>,
    /// The compiler for wasm32 builds.
    pub toolchain: Toolchain,
}

impl Toolbox {
    /// The path of a tool.
    ///
    /// # Errors
    /// One line that says what is missing and how to get it.
    pub fn path(&self, tool: Tool) -> Result<&Path> {
        match self.tools.get(&tool) {
            Some(Ok(found)) => Ok(&found.path),
            Some(Err(reason)) => Err(anyhow!("{reason}")),
            None => Err(anyhow!("{} is not part of this verb's tools", tool.name())),
        }
    }

    /// Fails unless every tool is there, but for optional ones.
    ///
    /// # Errors
    /// Names every missing tool.
    pub fn complete(&self) -> Result<()> {
        let missing: Vec<&str> = self
            .tools
            .iter()
            .filter(|(tool, _)| !tool.is_optional())
            .filter_map(|(_, found)| found.as_ref().err())
            .map(String::as_str)
            .collect();
        if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("\n       ")) }
    }
}

/// Finds or installs tools; a missing one is reported, and the others are still seen to.
///
/// # Errors
/// When `SOLI_WASM_TOOLCHAIN` is wrong.
pub fn ensure(tools: &[Tool]) -> Result<Toolbox> {
    let started = Instant::now();
    ui::line("setup");
    // Wrong settings are better told before the long installations.
    Toolchain::choose()?;
    let done = Mutex::new(BTreeMap::new());
    // Three lanes, as what comes ready-made waits for the network while the others compile or unpack.
    let (built, others): (Vec<Tool>, Vec<Tool>) =
        tools.iter().partition(|tool| matches!(tool, Tool::WasmBindgen | Tool::WasmPack | Tool::Geckodriver));
    let (packed, ready): (Vec<Tool>, Vec<Tool>) =
        others.into_iter().partition(|tool| matches!(tool, Tool::Python | Tool::Engines));
    thread::scope(|scope| {
        for lane in [built, packed, ready] {
            let done = &done;
            scope.spawn(move || {
                for tool in lane {
                    let outcome = see_to(tool);
                    done.lock().expect("no lane panics").insert(tool, outcome);
                }
            });
        }
    });
    let tools = done.into_inner().expect("no lane panics");
    ui::line(format_args!("setup took {}", ui::seconds(started.elapsed())));
    Ok(Toolbox { tools, toolchain: Toolchain::choose()? })
}

fn see_to(tool: Tool) -> std::result::Result<Found, String> {
    let started = Instant::now();
    let outcome = match tool {
        Tool::WasmTarget => wasm_target::ensure(),
        Tool::WasmClippy => wasm_target::ensure_clippy(),
        Tool::WasmBindgen => crates::wasm_bindgen(),
        Tool::WasmOpt => node::wasm_opt(),
        Tool::WasmPack => crates::wasm_pack(),
        Tool::Chromium => browsers::chromium(),
        Tool::Chromedriver => browsers::chromedriver(),
        Tool::Firefox => browsers::firefox(),
        Tool::Geckodriver => crates::geckodriver(),
        Tool::WebKit => browsers::webkit(),
        Tool::NodePackages => node::packages(),
        Tool::ExtensionPackages => node::extension_packages(),
        Tool::Python => Environment::Package.ensure(),
        Tool::Engines => Environment::Engines.ensure(),
        Tool::Java => python::java(),
    };
    match outcome {
        Ok(found) => {
            ui::step("ready", format_args!("{:<14} {}", tool.name(), found.note), started);
            Ok(found)
        }
        Err(error) => {
            let reason = format!("{}: {error:#}", tool.name());
            ui::step("MISSING", &reason, started);
            Err(reason)
        }
    }
}
