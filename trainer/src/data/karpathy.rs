//! The `dataset_*.json` files of Karpathy and Fei-Fei (2015): images, captions and splits in one file.

use serde::Deserialize;

use super::{
    DataError, Problem, RawEntry, Report, Split, SplitNames,
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
    let mut splits = SplitNames::default();
    let mut entries = Vec::new();
    for (index, image) in file.images.into_iter().enumerate() {
        let Lenient::Good(image) = image else {
            report.add(Problem::Malformed, format!("images[{index}]"), "needs filename and split");
            continue;
        };
        splits.add(&image.split);
        match image.split.parse::<Split>() {
            Ok(of) if of == split => {}
            Ok(_) => continue,
            Err(why) => {
                report.add(
                    Problem::Malformed,
                    format!("images[{index}] {}", image.filename),
                    &why.to_string(),
                );
                continue;
            }
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
    if entries.is_empty() {
        let (available, report) = (splits.to_string(), Box::new(report.clone()));
        return Err(DataError::NoSuchSplit { path: path.clone(), split, available, report });
    }
    Ok((entries, ImageFinder::new(&found.roots, &[])))
}
