//! The `dataset_*.json` files of Karpathy and Fei-Fei (2015): images, captions and splits in one file.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    DataError, Problem, RawEntry, Report, Split,
    images::ImageFinder,
    layout::{Found, read_json},
};

#[derive(Deserialize)]
struct File {
    images: Vec<Lenient<Image>>,
}

#[derive(Deserialize)]
struct Image {
    filename: String,
    #[serde(default)]
    filepath: Option<String>,
    split: String,
    #[serde(default)]
    sentences: Vec<Lenient<Sentence>>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

/// An object that is taken if it has the right keys and passed over if not, so that one bad entry costs one entry.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Lenient<T> {
    Good(T),
    Bad(serde::de::IgnoredAny),
}

/// Reads the split's images in the file's order.
pub(super) fn read(
    found: &Found,
    split: Split,
    report: &mut Report,
) -> Result<(Vec<RawEntry>, ImageFinder), DataError> {
    let path = &found.text[0];
    let file: File = read_json(path)?;
    let mut splits = BTreeSet::new();
    let mut entries = Vec::new();
    for (index, image) in file.images.into_iter().enumerate() {
        let Lenient::Good(image) = image else {
            report.add(Problem::Malformed, format!("images[{index}]"), "needs filename and split");
            continue;
        };
        let belongs = match image.split.as_str() {
            // Karpathy's `restval` is the part of COCO's validation images that everybody trains on.
            "train" | "restval" => Some(Split::Train),
            "val" | "dev" => Some(Split::Dev),
            "test" => Some(Split::Test),
            _ => None,
        };
        if belongs != Some(split) {
            splits.insert(image.split);
            continue;
        }
        let mut captions = Vec::new();
        for sentence in image.sentences {
            match sentence {
                Lenient::Good(sentence) => captions.push(sentence.raw),
                Lenient::Bad(_) => report.add(Problem::Malformed, &image.filename, "a sentence without text"),
            }
        }
        entries.push(RawEntry { name: image.filename, folder: image.filepath, captions });
    }
    if entries.is_empty() && report.noted(Problem::Malformed).count == 0 {
        let available = splits.into_iter().collect::<Vec<_>>().join(", ");
        return Err(DataError::NoSuchSplit { path: path.clone(), split, available });
    }
    Ok((entries, ImageFinder::new(&found.roots, &[])))
}
