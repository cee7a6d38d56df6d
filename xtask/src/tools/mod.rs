//! The tools that the chores need, and where each one is found or how it is installed.
//!
//! A suitable tool that the machine has is used as it is. What is missing goes into a folder of the user's cache;
//! only browsers and the Debian route to wasm32 are installed system-wide, with apt, by root.

pub mod apt;
pub mod browsers;
pub mod crates;
pub mod debian_wasm;
pub mod node;
pub mod python;
pub mod wasm_target;

use std::path::{Path, PathBuf};

use crate::cmd::Cmd;

/// A tool that a chore can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// A compiler with the standard library for wasm32.
    WasmTarget,
    /// Clippy for that compiler.
    WasmClippy,
    /// Writes the JavaScript around the module.
    WasmBindgen,
    /// Optimises the module.
    WasmOpt,
    /// Runs tests in browsers.
    WasmPack,
    /// Chromium or Chrome.
    Chromium,
    /// The driver of the same major version.
    Chromedriver,
    /// Firefox.
    Firefox,
    /// Firefox's driver.
    Geckodriver,
    /// WebKit's driver, its small browser and a screen for them.
    WebKit,
    /// Node and the packages of tests/e2e.
    NodePackages,
    /// The packages that pack and check the browser extension.
    ExtensionPackages,
    /// Python with what builds and tests the Python package.
    Python,
    /// The same with Spark and Ray.
    Engines,
    /// A Java runtime, for Spark.
    Java,
}

impl Tool {
    /// The name to print.
    pub fn name(self) -> &'static str {
        match self {
            Self::WasmTarget => "wasm32 target",
            Self::WasmClippy => "wasm32 clippy",
            Self::WasmBindgen => "wasm-bindgen",
            Self::WasmOpt => "wasm-opt",
            Self::WasmPack => "wasm-pack",
            Self::Chromium => "chromium",
            Self::Chromedriver => "chromedriver",
            Self::Firefox => "firefox",
            Self::Geckodriver => "geckodriver",
            Self::WebKit => "webkit",
            Self::NodePackages => "node packages",
            Self::ExtensionPackages => "for extension",
            Self::Python => "python",
            Self::Engines => "engines",
            Self::Java => "java",
        }
    }

    /// Whether the tests leave out what needs it, where it is missing: it cannot be had everywhere.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::WebKit | Self::Python)
    }
}

/// A tool that is ready to be used.
#[derive(Debug, Clone)]
pub struct Found {
    /// The executable, or the folder for things that are no executable.
    pub path: PathBuf,
    /// Version and origin, to print.
    pub note: String,
}

/// A version: the numbers between dots, as many as there are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    /// The first thing in `text` that looks like a version (`ChromeDriver 156.0.8078.79 (...)`).
    pub fn find(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches(['v', '(']);
            let digits = word.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(word.len());
            let numbers: Result<Vec<u64>, _> =
                word[..digits].trim_end_matches('.').split('.').map(str::parse).collect();
            numbers.ok().map(Self)
        })
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.0[0]
    }

    /// The version from its numbers.
    pub fn of(numbers: &[u64]) -> Self {
        Self(numbers.to_vec())
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// The version that a program gives for itself, if it runs at all.
pub fn version_of(program: &Path) -> Option<Version> {
    Version::find(&Cmd::new(program).args(["--version"]).output().ok()?)
}

/// The executable of this name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    which::which(name).ok()
}

/// The executable that an environment variable names.
pub fn from_env(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("Chromium 156.0.8078.79 built on Debian GNU/Linux 12", "156.0.8078.79"),
            ("ChromeDriver 156.0.8078.79 (abc-refs/branch-heads/8078@{#1})", "156.0.8078.79"),
            ("Mozilla Firefox 153.3.0esr", "153.3.0"),
            ("wasm-bindgen 0.2.130", "0.2.130"),
            ("wasm-opt version 132 (version_132)", "132"),
            ("v20.20.2", "20.20.2"),
            ("rustc 1.96.0 (ac68faa20 2026-05-25)", "1.96.0"),
        ] {
            assert_eq!(Version::find(text).map(|v| v.to_string()).as_deref(), Some(version), "{text}");
        }
        assert_eq!(Version::find("no version here"), None);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(Version::of(&[0, 15, 1]) > Version::of(&[0, 9, 9]));
        assert!(Version::of(&[1, 96]) < Version::of(&[1, 96, 0]));
    }
}
