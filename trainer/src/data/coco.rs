//! COCO captions: images and annotations as two lists in one JSON file, one file a split.

use std::{collections::HashMap, path::PathBuf};

use serde::Deserialize;

use super::{
    DataError, Problem, RawEntry, Report, Split,
    images::ImageFinder,
    karpathy::Lenient,
    layout::{Found, read_json, split_of},
};

#[derive(Deserialize)]
struct File {
    images: Vec<Lenient<Image>>,
    annotations: Vec<Lenient<Annotation>>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    caption: String,
}

/// Reads the split's files in the order of their names, each in its own order.
pub(super) fn read(
    found: &Found,
    split: Split,
    report: &mut Report,
) -> Result<(Vec<RawEntry>, ImageFinder), DataError> {
    let mut entries = Vec::new();
    for path in files_of(found, split)? {
        let file: File = read_json(&path)?;
        let mut captions: HashMap<u64, Vec<String>> = HashMap::new();
        for (index, annotation) in file.annotations.into_iter().enumerate() {
            match annotation {
                Lenient::Good(Annotation { image_id, caption }) => {
                    captions.entry(image_id).or_default().push(caption);
                }
                Lenient::Bad(_) => {
                    report.add(
                        Problem::Malformed,
                        format!("annotations[{index}]"),
                        "needs image_id and caption",
                    );
                }
            }
        }
        for (index, image) in file.images.into_iter().enumerate() {
            match image {
                Lenient::Good(Image { id, file_name }) => {
                    let captions = captions.remove(&id).unwrap_or_default();
                    entries.push(RawEntry { name: file_name, folder: None, captions });
                }
                Lenient::Bad(_) => {
                    report.add(Problem::Malformed, format!("images[{index}]"), "needs id and file_name");
                }
            }
        }
        for (id, captions) in sorted(captions) {
            let why = format!("{} captions for an image that is not listed", captions.len());
            report.add(Problem::Malformed, format!("image id {id}"), &why);
        }
    }
    let folders: &[&str] = match split {
        Split::Train => &["train2014", "train2017"],
        Split::Dev => &["val2014", "val2017"],
        Split::Test => &["test2014", "test2017", "val2014"],
    };
    Ok((entries, ImageFinder::new(&found.roots, folders)))
}

/// Those of the files that belong to the split: by name; if no name tells, a file serves whatever split is asked.
fn files_of(found: &Found, split: Split) -> Result<Vec<PathBuf>, DataError> {
    let named: Vec<PathBuf> =
        found.text.iter().filter(|path| split_of(path) == Some(split)).cloned().collect();
    if !named.is_empty() {
        return Ok(named);
    }
    let unnamed: Vec<PathBuf> = found.text.iter().filter(|path| split_of(path).is_none()).cloned().collect();
    if unnamed.is_empty() {
        let available = found
            .text
            .iter()
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(DataError::NoSuchSplit {
            path: found.roots[0].clone(),
            split,
            available,
            report: Box::default(),
        });
    }
    Ok(unnamed)
}

/// In the order of the ids: a report that changes from run to run is hard to compare.
fn sorted(captions: HashMap<u64, Vec<String>>) -> Vec<(u64, Vec<String>)> {
    let mut left: Vec<_> = captions.into_iter().collect();
    left.sort_unstable_by_key(|(id, _)| *id);
    left
}
