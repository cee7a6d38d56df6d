//! Chromium, Firefox and chromedriver.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::{Found, apt, from_env, on_path, version_of};
use crate::ui;

const CHROMIUM_NAMES: [&str; 5] =
    ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome"];
const CHROMIUM_PLACES: [&str; 4] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
];
const FIREFOX_NAMES: [&str; 2] = ["firefox", "firefox-esr"];
const FIREFOX_PLACES: [&str; 2] =
    ["/Applications/Firefox.app/Contents/MacOS/firefox", r"C:\Program Files\Mozilla Firefox\firefox.exe"];

/// Chromium or Chrome: `SOLI_CHROMIUM`, on PATH, in the usual places, or from apt.
///
/// # Errors
/// Says how to install it.
pub fn chromium() -> Result<Found> {
    if let Some(found) = named_by("SOLI_CHROMIUM")? {
        return Ok(found);
    }
    let find = || browser(&CHROMIUM_NAMES, &CHROMIUM_PLACES);
    found_or_apt("chromium", &["chromium"], find, || {
        "install Chromium or Chrome (https://www.google.com/chrome), or set SOLI_CHROMIUM to its executable"
            .into()
    })
}

/// Firefox: `SOLI_FIREFOX`, on PATH, in the usual places, or from apt.
///
/// # Errors
/// Says how to install it.
pub fn firefox() -> Result<Found> {
    if let Some(found) = named_by("SOLI_FIREFOX")? {
        return Ok(found);
    }
    let find = || browser(&FIREFOX_NAMES, &FIREFOX_PLACES);
    found_or_apt("firefox", &["firefox-esr"], find, || {
        "install Firefox (https://www.firefox.com), or set SOLI_FIREFOX to its executable".into()
    })
}

/// The chromedriver of Chromium's major version: `SOLI_CHROMEDRIVER`, on PATH, beside Chromium, or from apt.
///
/// # Errors
/// Says how to install it.
pub fn chromedriver() -> Result<Found> {
    if let Some(found) = named_by("SOLI_CHROMEDRIVER")? {
        return Ok(found);
    }
    let chromium = chromium()?;
    let wanted = version_of(&chromium.path).map(|version| version.major());
    let beside = chromium.path.parent().map(|folder| folder.join("chromedriver"));
    let find = || {
        let places = [on_path("chromedriver"), beside.clone()];
        places.into_iter().flatten().find_map(|path| {
            let version = version_of(&path)?;
            let fits = wanted.is_none_or(|major| version.major() == major);
            fits.then(|| Found { note: format!("{version}, {}", path.display()), path })
        })
    };
    found_or_apt("chromedriver", &["chromium-driver"], find, || {
        let version = wanted.map_or("stable".into(), |major| major.to_string());
        format!(
            "`npx @puppeteer/browsers install chromedriver@{version}` gets it; put it on PATH or set SOLI_CHROMEDRIVER"
        )
    })
}

/// WebKit's driver, the MiniBrowser that comes with it, and Xvfb: from apt, as no other system has them ready-made.
///
/// # Errors
/// Says how to install it.
pub fn webkit() -> Result<Found> {
    let find = || {
        on_path("Xvfb")?;
        let path = on_path("WebKitWebDriver")?;
        Some(Found { note: path.display().to_string(), path })
    };
    found_or_apt("webkit", &["webkit2gtk-driver", "xvfb"], find, || {
        "go on without it: the tests leave WebKit out".into()
    })
}

fn found_or_apt(
    name: &str,
    packages: &[&str],
    find: impl Fn() -> Option<Found>,
    advice: impl Fn() -> String,
) -> Result<Found> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let tried = match apt::usable() {
        true => {
            ui::line(format_args!("  getting   {} with apt-get", packages.join(" ")));
            apt::install(packages).err()
        }
        false => None,
    };
    find().ok_or_else(|| match tried {
        Some(error) => anyhow!("{name} not found and not installed ({error:#}); {}", advice()),
        None => anyhow!("{name} not found; {}{}", apt::advice(packages), advice()),
    })
}

/// The executable that the user names, which must run: another one in its place would be a surprise.
fn named_by(variable: &str) -> Result<Option<Found>> {
    let Some(path) = from_env(variable) else { return Ok(None) };
    match describe(&path) {
        Some(note) => Ok(Some(Found { path, note })),
        None => bail!("{variable} is {}, which does not run: correct it or unset it", path.display()),
    }
}

fn browser(names: &[&str], places: &[&str]) -> Option<Found> {
    let named = names.iter().filter_map(|name| on_path(name));
    let placed = places.iter().map(PathBuf::from).filter(|path| path.is_file());
    named.chain(placed).find_map(|path| {
        let note = describe(&path)?;
        Some(Found { path, note })
    })
}

/// The browser's version and place; nothing if it does not start, as the stubs of some distributions.
fn describe(path: &Path) -> Option<String> {
    if cfg!(windows) {
        // There `--version` opens a window instead.
        return Some(path.display().to_string());
    }
    Some(format!("{}, {}", version_of(path)?, path.display()))
}
