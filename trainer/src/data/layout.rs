//! Which layout a path holds.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use super::{DataError, Split};

/// A way in which captions and images are laid out on disk; see the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Karpathy's `dataset_*.json`.
    Karpathy,
    /// `captions.txt` as on Kaggle.
    Kaggle,
    /// `Flickr8k.token.txt` as its authors publish it.
    Flickr8k,
    /// COCO captions JSON.
    Coco,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::Karpathy => "Karpathy",
            Layout::Kaggle => "Kaggle Flickr8k",
            Layout::Flickr8k => "original Flickr8k",
            Layout::Coco => "COCO",
        })
    }
}

/// A layout and its files.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) layout: Layout,
    /// The captions files: one, or several for COCO; never empty.
    pub(super) text: Vec<PathBuf>,
    /// The folders under which images and lists are looked for: that of the captions and, if they lie in a text
    /// folder, the one above.
    pub(super) roots: Vec<PathBuf>,
}

/// Folders that hold only text, beside the images' folder.
const TEXT_FOLDERS: [&str; 3] = ["Flickr8k_text", "annotations", "Flickr8k_text/Flickr8k_text"];

/// Recognises the layout at a folder or captions file.
pub(super) fn detect(path: &Path) -> Result<Found, DataError> {
    let metadata = fs::metadata(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if metadata.is_dir() { detect_folder(path) } else { detect_file(path) }
}

fn detect_folder(folder: &Path) -> Result<Found, DataError> {
    let mut places = vec![folder.to_owned()];
    places.extend(TEXT_FOLDERS.iter().map(|name| folder.join(name)).filter(|place| place.is_dir()));
    let mut listings = Vec::new();
    for place in &places {
        listings.push((place, file_names(place)?));
    }
    for layout in [Layout::Karpathy, Layout::Kaggle, Layout::Flickr8k, Layout::Coco] {
        for (place, names) in &listings {
            let files: Vec<String> =
                names.iter().filter(|name| layout_of(name) == Some(layout)).cloned().collect();
            if files.is_empty() {
                continue;
            }
            if files.len() > 1 && layout != Layout::Coco {
                return Err(DataError::Ambiguous { path: place.to_path_buf(), files });
            }
            let text = files.iter().map(|name| place.join(name)).collect();
            let mut roots = vec![folder.to_owned(), place.to_path_buf()];
            roots.dedup();
            return Ok(Found { layout, text, roots });
        }
    }
    let searched = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut reason = format!(
        "looked in {searched} for captions.csv, captions.txt, *.token.txt, dataset_*.json, captions*.json and found none"
    );
    let other: Vec<&str> = listings
        .iter()
        .flat_map(|(_, names)| names)
        .map(String::as_str)
        .filter(|name| name.ends_with(".csv") || name.ends_with(".json"))
        .collect();
    if let Some(name) = other.first() {
        reason += &format!(
            ". If the captions are in {}, give that file itself, as in {}",
            other.join(" or "),
            folder.join(name).display()
        );
    }
    Err(DataError::UnknownLayout { path: folder.to_owned(), reason })
}

fn detect_file(path: &Path) -> Result<Found, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A file that was named outright may have a name of its user's choice: its ending and its content decide.
    let layout = match layout_of(&name) {
        Some(layout) => layout,
        None if name.ends_with(".csv") => Layout::Kaggle,
        None if name.ends_with(".json") => Layout::Coco,
        None => {
            let reason =
                format!("`{name}` is no captions file by its name (.json, .csv, captions.txt, *.token.txt)");
            return Err(DataError::UnknownLayout { path: path.to_owned(), reason });
        }
    };
    let layout = match layout {
        Layout::Karpathy | Layout::Coco => json_layout(path)?,
        other => other,
    };
    let folder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    };
    let mut roots = vec![folder.clone()];
    let in_text_folder = folder.file_name().is_some_and(|name| TEXT_FOLDERS.iter().any(|text| name == *text));
    if in_text_folder && let Some(above) = folder.parent() {
        roots.push(if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() });
    }
    Ok(Found { layout, text: vec![path.to_owned()], roots })
}

/// The layout that a file name stands for.
fn layout_of(name: &str) -> Option<Layout> {
    if name == "captions.txt" || name == "captions.csv" {
        Some(Layout::Kaggle)
    } else if name.ends_with(".token.txt") && !name.contains("lemma") {
        Some(Layout::Flickr8k)
    } else if name.starts_with("dataset_") && name.ends_with(".json") {
        Some(Layout::Karpathy)
    } else if name.starts_with("captions") && name.ends_with(".json") {
        Some(Layout::Coco)
    } else {
        None
    }
}

/// The split that a COCO file's name stands for, such as `captions_val2014.json`.
pub(super) fn split_of(path: &Path) -> Option<Split> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    if name.contains("train") {
        Some(Split::Train)
    } else if name.contains("val") || name.contains("dev") {
        Some(Split::Dev)
    } else if name.contains("test") {
        Some(Split::Test)
    } else {
        None
    }
}

/// Tells the two JSON layouts apart by their keys: only COCO keeps captions apart from images.
fn json_layout(path: &Path) -> Result<Layout, DataError> {
    #[derive(serde::Deserialize)]
    struct Keys {
        #[serde(default)]
        annotations: Option<serde::de::IgnoredAny>,
    }
    let keys: Keys = read_json(path)?;
    Ok(if keys.annotations.is_some() { Layout::Coco } else { Layout::Karpathy })
}

/// Parses a JSON file.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let text = super::read_text(path)?;
    serde_json::from_str(&text).map_err(|error| DataError::Malformed {
        path: path.to_owned(),
        reason: format!("not the JSON that was expected: {error}"),
    })
}

/// The names of the files in a folder, sorted.
fn file_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let failed = |source| DataError::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
