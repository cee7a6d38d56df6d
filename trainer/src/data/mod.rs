//! Captioned photographs on disk: what a data set holds, and how it is read.
//!
//! [`Dataset::open`] finds out by itself which of the usual layouts a path holds:
//!
//! | layout | text | images |
//! |---|---|---|
//! | Karpathy | `dataset_*.json` (splits inside) | `filepath/filename`, or the usual folders |
//! | Kaggle Flickr8k | `captions.txt` (CSV `image,caption`), `Flickr_8k.{train,dev,test}Images.txt` | `Images/` |
//! | a folder of one's own | `captions.csv` with the columns `image,caption` and maybe `split` | `Images/`, or beside it |
//! | original Flickr8k | `Flickr8k.token.txt`, `Flickr_8k.{train,dev,test}Images.txt` | `Flicker8k_Dataset/` |
//! | COCO | `captions_train2014.json`, `captions_val2014.json`, ..., or one `captions.json` | `train2014/`, `val2014/`, `Images/` |
//!
//! Where a folder holds several, the first row that is there wins. Real data sets have blemishes (an image that was
//! never published, a caption that is a lone full stop): such entries are left out and named in the [`Report`].

pub mod batches;
mod coco;
pub mod corruptions;
pub mod degrade;
mod flickr;
mod images;
mod karpathy;
pub mod labelled;
mod layout;
pub mod nonphotos;
mod report;
pub mod tokens;
pub mod views;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use layout::Layout;
pub use report::{Noted, Problem, Report};
pub use soli_decode as decode;

use images::ImageFinder;

/// One photograph with its captions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The image file. It was there when the data set was opened; whether it decodes is found out on use.
    pub image: PathBuf,
    /// The name by which the data set knows the image: its file name.
    pub name: String,
    /// The captions as their authors wrote them, with outer blanks removed and inner line breaks turned into
    /// spaces. Never empty, and each holds a letter or a digit.
    pub captions: Vec<String>,
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// What the network learns from. Includes Karpathy's `restval`, as in published results.
    Train,
    /// What choices are made on (`dev`, `val`).
    Dev,
    /// What results are published on.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        })
    }
}

impl FromStr for Split {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        // As people and tools write them; Karpathy's `restval` is the part of COCO's validation images that everybody
        // trains on.
        match name.trim().to_lowercase().as_str() {
            "train" | "training" | "restval" => Ok(Split::Train),
            "dev" | "development" | "val" | "valid" | "validation" => Ok(Split::Dev),
            "test" | "testing" => Ok(Split::Test),
            _ => Err(DataError::UnknownSplit(name.to_owned())),
        }
    }
}

/// Why a data set cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Not the name of a split.
    #[error("`{0}` is not a split: use train, dev (or val, valid, validation) or test (or testing)")]
    UnknownSplit(String),
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No layout is recognised at the path.
    #[error("no captions found at {}: {reason}. {UNDERSTOOD}", path.display())]
    UnknownLayout {
        /// The path that was given.
        path: PathBuf,
        /// What was looked for.
        reason: String,
    },
    /// Several files could be meant.
    #[error("{} holds several data sets ({}): give the path of the one to use", path.display(), files.join(", "))]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// The names of the candidates, sorted.
        files: Vec<String>,
    },
    /// The list that says which images belong to the split is absent.
    #[error(
        "{} has captions but no list of the {split} images: {file} was looked for in {}. The lists are part of \
         Flickr8k_text.zip; put them beside the captions",
        path.display(),
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and ")
    )]
    NoSplitList {
        /// The captions file.
        path: PathBuf,
        /// The split that was asked for.
        split: Split,
        /// The name of the list.
        file: &'static str,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// The data set has no such part.
    #[error(
        "{} has no {split} split: it has {}{}",
        path.display(),
        if available.is_empty() { "none" } else { available },
        report.left_out()
    )]
    NoSuchSplit {
        /// The file or folder.
        path: PathBuf,
        /// The split that was asked for.
        split: Split,
        /// The splits that are there, as text.
        available: String,
        /// What was wrong with the entries.
        report: Box<Report>,
    },
    /// A file is not what its name says.
    #[error("{} cannot be understood: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where there is one.
        reason: String,
    },
    /// Every entry of the split had to be left out.
    #[error(
        "nothing usable in the {split} split of {} ({layout} layout). Images were looked for in {}.\n{report}",
        path.display(),
        folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NothingUsable {
        /// The captions file.
        path: PathBuf,
        /// The layout that was recognised.
        layout: Layout,
        /// The split that was asked for.
        split: Split,
        /// Where images were looked for.
        folders: Vec<PathBuf>,
        /// What was wrong with the entries.
        report: Box<Report>,
    },
}

const UNDERSTOOD: &str = "Understood are: a folder of one's own (captions.csv with the columns \
    image,caption and maybe split, beside the pictures or Images/), the Kaggle Flickr8k folder (captions.txt, Flickr_8k.*Images.txt, Images/), \
    the original one (Flickr8k.token.txt, Flickr_8k.*Images.txt, Flicker8k_Dataset/), Karpathy's dataset_*.json, and \
    COCO captions (captions_train2014.json, captions_val2014.json or captions.json, train2014/, val2014/ or Images/)";

/// The usable part of one split, and what was left out of it.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The examples, in the order in which the data set lists them; never empty.
    pub examples: Vec<Example>,
    /// What was left out and why.
    pub report: Report,
}

impl Dataset {
    /// Reads the split of the data set at `path`: its folder, or its captions file itself.
    ///
    /// # Errors
    /// [`DataError`] if no layout is recognised, the split is absent, a file cannot be read or parsed as a whole, or
    /// no entry is usable. Single bad entries are no error: they are in the report.
    pub fn open(path: &Path, split: Split) -> Result<Dataset, DataError> {
        let found = layout::detect(path)?;
        let mut report = Report::default();
        let (raw, finder) = match found.layout {
            Layout::Kaggle | Layout::Flickr8k => flickr::read(&found, split, &mut report)?,
            Layout::Karpathy => karpathy::read(&found, split, &mut report)?,
            Layout::Coco => coco::read(&found, split, &mut report)?,
        };
        let examples: Vec<Example> =
            raw.into_iter().filter_map(|entry| entry.into_example(&finder, &mut report)).collect();
        report.examples = examples.len();
        report.captions = examples.iter().map(|example| example.captions.len()).sum();
        if examples.is_empty() {
            return Err(DataError::NothingUsable {
                path: found.text[0].clone(),
                layout: found.layout,
                split,
                folders: finder.folders().to_vec(),
                report: Box::new(report),
            });
        }
        Ok(Dataset { examples, report })
    }
}

/// An entry as the captions file has it, before its image is looked for.
struct RawEntry {
    /// The image's file name.
    name: String,
    /// The folder that the entry itself names, if any.
    folder: Option<String>,
    captions: Vec<String>,
}

impl RawEntry {
    /// Checks the entry; what is wrong with it goes to the report.
    fn into_example(self, finder: &ImageFinder, report: &mut Report) -> Option<Example> {
        if !images::is_safe(&self.name)
            || self.folder.as_deref().is_some_and(|folder| !images::is_safe(folder))
        {
            report.add(Problem::Malformed, self.name, "the image's path leads out of the data set");
            return None;
        }
        let listed = self.captions.len();
        let captions: Vec<String> =
            self.captions.iter().filter_map(|caption| clean_caption(caption)).collect();
        if captions.len() < listed {
            let why = format!("{} of {listed}", listed - captions.len());
            report.add_many(Problem::EmptyCaption, listed - captions.len(), &self.name, &why);
        }
        if captions.is_empty() {
            report.add(Problem::NoCaption, self.name, "");
            return None;
        }
        let Some(image) = finder.find(self.folder.as_deref(), &self.name) else {
            report.add(Problem::MissingImage, self.name, "");
            return None;
        };
        Some(Example { image, name: self.name, captions })
    }
}

/// The caption on one line without outer blanks; `None` if nothing in it is a letter or a digit.
fn clean_caption(caption: &str) -> Option<String> {
    caption
        .chars()
        .any(char::is_alphanumeric)
        .then(|| caption.split(['\n', '\r']).map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
}

/// The text of a file with plain line ends. Bytes that are not UTF-8 become U+FFFD, for old lists are sometimes Latin-1
/// and one strange letter in one caption is no reason to refuse all; [`note_strange_letters`] says where. A byte-order
/// mark is removed, and one of UTF-16 (as spreadsheets save "Unicode text") says how to read the rest.
fn read_text(path: &Path) -> Result<String, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    let wide = |to_unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> =
            bytes[2..].chunks(2).map(|c| to_unit([c[0], c.get(1).copied().unwrap_or(0)])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes.as_slice() {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Notes the lines of `path`'s text that lost letters when it was read.
fn note_strange_letters(path: &Path, text: &str, report: &mut Report) {
    for (index, line) in text.lines().enumerate() {
        if line.contains(char::REPLACEMENT_CHARACTER) {
            report.add(Problem::StrangeLetters, line_of(path, index + 1), "");
        }
    }
}

/// How a report names a line, counted from 1.
fn line_of(path: &Path, line: usize) -> String {
    format!("{} line {line}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The splits that a file's entries name, and how often: what a user needs who asked for another.
#[derive(Default)]
struct SplitNames(std::collections::BTreeMap<String, usize>);

impl SplitNames {
    fn add(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for SplitNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> =
            self.0.iter().take(10).map(|(name, count)| format!("`{name}` ({count})")).collect();
        write!(f, "{}{}", names.join(", "), if self.0.len() > 10 { ", ..." } else { "" })
    }
}

#[cfg(test)]
mod tests;
