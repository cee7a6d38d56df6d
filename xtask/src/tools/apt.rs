//! Debian packages, on machines where this user may install them.

use std::sync::Mutex;

use anyhow::{Result, bail};

use super::on_path;
use crate::cmd::Cmd;

/// Whether the package lists have been renewed by this process.
static UPDATED: Mutex<bool> = Mutex::new(false);

/// Why apt cannot be used here, if it cannot.
fn obstacle() -> Option<&'static str> {
    if on_path("apt-get").is_none() {
        return Some("there is no apt-get here");
    }
    let root = Cmd::new("id").args(["-u"]).output().is_ok_and(|id| id == "0");
    if root { None } else { Some("installing packages needs root") }
}

/// Whether [`install`] can do anything on this machine.
pub fn usable() -> bool {
    obstacle().is_none()
}

/// What a user of a Debian who is not root can type, to put before other advice.
pub fn advice(packages: &[&str]) -> String {
    match on_path("apt-get") {
        Some(_) => format!("`sudo apt-get install {}`, or ", packages.join(" ")),
        None => String::new(),
    }
}

/// Installs packages, without the recommended ones.
///
/// # Errors
/// Says why apt cannot be used, or what it complained about.
pub fn install(packages: &[&str]) -> Result<()> {
    if let Some(reason) = obstacle() {
        bail!("{reason}");
    }
    // Two apt-get at once would fight for its lock.
    let mut updated = UPDATED.lock().expect("no holder panics");
    if !*updated {
        Cmd::new("apt-get").args(["update", "-qq"]).fix("check the network").logged("apt-update")?;
        *updated = true;
    }
    Cmd::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .fix("see whether this system has these packages")
        .logged(&format!("apt-{}", packages[0]))
}
