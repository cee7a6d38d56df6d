//! Flickr8k, as on Kaggle and as its authors publish it: captions in one text file, splits in three lists. Also a CSV
//! file of one's own, with the splits in a column or none at all.

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
    let finder = ImageFinder::new(&found.roots, &[]);
    let list = split_list(found, split);
    let own = found.layout == Layout::Kaggle && path.extension().is_some_and(|extension| extension == "csv");
    if own && list.is_err() {
        return Ok((read_own_csv(path, split, report)?, finder));
    }
    let mut captions = match found.layout {
        Layout::Kaggle => by_name(read_csv(path, report)?),
        _ => read_tokens(path, report)?,
    };
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for line in list?.lines() {
        let name = line.trim();
        if !name.is_empty() && seen.insert(name.to_owned()) {
            let captions = captions.remove(name).unwrap_or_default();
            entries.push(RawEntry { name: name.to_owned(), folder: None, captions });
        }
    }
    Ok((entries, finder))
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

/// A line of a captions file in CSV.
struct CsvLine {
    image: String,
    caption: String,
    split: Option<String>,
}

/// The captions of each image.
fn by_name(lines: Vec<CsvLine>) -> Captions {
    let mut captions = Captions::new();
    for line in lines {
        captions.entry(line.image).or_default().push(line.caption);
    }
    captions
}

/// The images of a CSV file that no lists belong to, in the file's order: those whose column `split` names the split,
/// or, without such a column, all of them whatever split is asked for.
fn read_own_csv(path: &Path, split: Split, report: &mut Report) -> Result<Vec<RawEntry>, DataError> {
    let lines = read_csv(path, report)?;
    let has_splits = lines.iter().any(|line| line.split.is_some());
    let (mut entries, mut places) = (Vec::<RawEntry>::new(), HashMap::new());
    for line in lines {
        let of = line.split.as_deref().unwrap_or("train");
        match of.parse::<Split>() {
            Ok(of) if has_splits && of != split => continue,
            Ok(_) => {}
            Err(why) => {
                report.add(Problem::Malformed, &line.image, &why.to_string());
                continue;
            }
        }
        let place = *places.entry(line.image.clone()).or_insert_with(|| {
            entries.push(RawEntry { name: line.image.clone(), folder: None, captions: Vec::new() });
            entries.len() - 1
        });
        entries[place].captions.push(line.caption);
    }
    if entries.is_empty() && has_splits {
        let available = "others in its column `split`".to_owned();
        return Err(DataError::NoSuchSplit { path: path.to_owned(), split, available });
    }
    Ok(entries)
}

/// CSV with the columns `image` and `caption`, and maybe `split`, in any order and among others.
fn read_csv(path: &Path, report: &mut Report) -> Result<Vec<CsvLine>, DataError> {
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
    let split = column("split");
    let mut lines = Vec::new();
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
                let split = split.and_then(|column| record.get(column)).map(str::trim);
                lines.push(CsvLine {
                    image: name.to_owned(),
                    caption: text.to_owned(),
                    split: split.filter(|split| !split.is_empty()).map(str::to_owned),
                });
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
    Ok(lines)
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
