//! `cargo xtask test`: everything, natively and in real browsers.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::checks::{self, Checks};
use crate::cmd::Cmd;
use crate::serve::Site;
use crate::setup::{self, Toolbox};
use crate::tools::Tool;
use crate::{extension, page, paths, python, wasm};

/// Seconds that one browser may take for tests/web.rs: a busy machine is slow, a hanging one must end.
const BROWSER_SECONDS: &str = "600";

/// Runs `cargo xtask test`.
///
/// # Errors
/// When a setting is wrong; failed steps show in the exit code.
pub fn run() -> Result<ExitCode> {
    let for_python = python::tools();
    let tools = setup::ensure(&[setup::TEST, for_python].concat())?;
    let mut checks = Checks::default();
    checks::read_code(&mut checks, &tools);
    checks.step("native tests", || Cmd::new("cargo").args(["test", "--workspace"]).run());
    python::steps(&mut checks, &tools, for_python);
    checks.step("wasm module", || wasm::build(&tools));
    checks.step("wasm tests in Chromium", || wasm_pack(&tools, "chrome", Tool::Chromium, Tool::Chromedriver));
    checks.step("wasm tests in Firefox", || wasm_pack(&tools, "firefox", Tool::Firefox, Tool::Geckodriver));
    checks.step("types of the npm package", || {
        tools.path(Tool::NodePackages)?;
        Cmd::npm().args(["run", "--silent", "types"]).dir(&paths::e2e()).run()
    });
    checks.step("browser extension", || extension::pack(&tools));
    checks.step("end to end", || end_to_end(&tools));
    Ok(checks.close())
}

/// tests/web.rs in a headless browser.
fn wasm_pack(tools: &Toolbox, browser: &str, executable: Tool, driver: Tool) -> Result<()> {
    tools.path(Tool::WasmTarget)?;
    tools.path(executable)?;
    // `--mode no-install`: wasm-pack takes wasm-bindgen from PATH instead of downloading it.
    let cmd = Cmd::new(tools.path(Tool::WasmPack)?)
        .args(["test", "--mode", "no-install", "--headless", &format!("--{browser}")])
        .arg(format!("--{}driver", if browser == "firefox" { "gecko" } else { browser }))
        .arg(tools.path(driver)?)
        .args(["--", "--profile", wasm::PROFILE, "--features", wasm::FEATURES, "--test", "web"])
        .env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_SECONDS)
        .path_first(&[folder_of(tools, Tool::WasmBindgen)?])?;
    tools.toolchain.apply(cmd).run()
}

/// The page, the npm package and the extension, by the tests in tests/e2e.
fn end_to_end(tools: &Toolbox) -> Result<()> {
    tools.path(Tool::NodePackages)?;
    tools.path(Tool::ExtensionPackages)?;
    wasm::check_page()?;
    page::run()?;
    let site = Site::start(0)?;
    Cmd::npm()
        .args(["test", "--silent"])
        .env("SOLI_CHROMIUM", tools.path(Tool::Chromium)?)
        .env("SOLI_FIREFOX", tools.path(Tool::Firefox)?)
        .env("SOLI_GECKODRIVER", tools.path(Tool::Geckodriver)?)
        .env("SOLI_URL", &site.url)
        .dir(&paths::e2e())
        .run()
}

fn folder_of(tools: &Toolbox, tool: Tool) -> Result<PathBuf> {
    let path = tools.path(tool)?;
    Ok(path.parent().with_context(|| format!("{} lies in no folder", path.display()))?.to_owned())
}
