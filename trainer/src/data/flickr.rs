//! Flickr8k, as on Kaggle and as its authors publish it: captions in one text file, splits in three lists.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    DataError, Problem, RawEntry, Report, Split,
    images::ImageFinder,
    layout::{Found, Layout},
    read_text,
};

type Captions = HashMap<String, Vec<String>>;

/// Reads the captions of the split's images, in the order of the split's list.
///
/// The published captions name an image `2258277193_586949ec62.jpg.1` that no list and no archive has: captions of
/// images outside the split are not looked at further.
pub(super) fn read(
    found: &Found,
    split: Split,
    report: &mut Report,
) -> Result<(Vec<RawEntry>, ImageFinder), DataError> {
    let path = &found.text[0];
    let mut captions = match found.layout {
        Layout::Kaggle => read_csv(path, report)?,
        _ => read_tokens(path, report)?,
    };
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for line in split_list(found, split)?.lines() {
        let name = line.trim();
        if !name.is_empty() && seen.insert(name.to_owned()) {
            let captions = captions.remove(name).unwrap_or_default();
            entries.push(RawEntry { name: name.to_owned(), folder: None, captions });
        }
    }
    Ok((entries, ImageFinder::new(&found.roots, &[])))
}

/// The text of the split's list of image names.
fn split_list(found: &Found, split: Split) -> Result<String, DataError> {
    let file = match split {
        Split::Train => "Flickr_8k.trainImages.txt",
        Split::Dev => "Flickr_8k.devImages.txt",
        Split::Test => "Flickr_8k.testImages.txt",
    };
    let mut folders = found.roots.clone();
    folders
        .extend(found.roots.iter().map(|root| root.join("Flickr8k_text")).filter(|folder| folder.is_dir()));
    match folders.iter().map(|folder| folder.join(file)).find(|list| list.is_file()) {
        Some(list) => read_text(&list),
        None => Err(DataError::NoSplitList { path: found.text[0].clone(), split, file, folders }),
    }
}

/// CSV with the columns `image` and `caption`, in any order and among others.
fn read_csv(path: &Path, report: &mut Report) -> Result<Captions, DataError> {
    let text = read_text(path)?;
    let malformed = |reason: String| DataError::Malformed { path: path.to_owned(), reason };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| malformed(error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    let (Some(image), Some(caption)) = (column("image"), column("caption")) else {
        let header = header.iter().collect::<Vec<_>>().join(",");
        return Err(malformed(format!(
            "its first line must name the columns image,caption, but is `{header}`"
        )));
    };
    let mut captions = Captions::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                report.add(Problem::Malformed, file_name(path), &error.to_string());
                continue;
            }
        };
        match (record.get(image).map(str::trim), record.get(caption)) {
            (Some(name), Some(text)) if !name.is_empty() => {
                captions.entry(name.to_owned()).or_default().push(text.to_owned());
            }
            _ => {
                let line = record.position().map_or(0, csv::Position::line);
                report.add(
                    Problem::Malformed,
                    format!("{} line {line}", file_name(path)),
                    "no image or no caption",
                );
            }
        }
    }
    Ok(captions)
}

/// Lines of `name.jpg#0<TAB>caption`.
fn read_tokens(path: &Path, report: &mut Report) -> Result<Captions, DataError> {
    let text = read_text(path)?;
    let mut captions = Captions::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let name =
            line.split_once('\t').and_then(|(key, caption)| Some((key.rsplit_once('#')?.0.trim(), caption)));
        match name {
            Some((name, caption)) if !name.is_empty() => {
                captions.entry(name.to_owned()).or_default().push(caption.to_owned());
            }
            _ => {
                let place = format!("{} line {}", file_name(path), index + 1);
                report.add(Problem::Malformed, place, "not `name.jpg#0<TAB>caption`");
            }
        }
    }
    Ok(captions)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
