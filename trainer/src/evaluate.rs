//! Captions for many pictures at once, as evaluation needs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use soli::captioner::{Caption, CaptionOptions, Captioner};
use soli::image::Rgba;

use crate::data::{Example, Report, decode};
use crate::metrics::{self, MetricError, Scores, meteor};

/// A picture to caption.
#[derive(Debug, Clone)]
pub enum Picture {
    /// In a file, as it is.
    File(PathBuf),
    /// In a file, shrunk to a square of this side first: how a photograph of that size would look.
    Shrunk(PathBuf, usize),
}

/// A picture of a data set with what was said of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Described {
    /// The name by which the data set knows the picture.
    pub file: String,
    /// What was said.
    #[serde(flatten)]
    pub caption: Caption,
}

impl Picture {
    fn caption(&self, captioner: &Captioner, options: &CaptionOptions) -> Result<Caption, String> {
        let (path, side) = match self {
            Picture::File(path) => (path, None),
            Picture::Shrunk(path, side) => (path, Some(*side)),
        };
        let picture = decode::load(path).map_err(|e| e.to_string())?;
        let say = |pixels: &Rgba| captioner.caption(pixels, options).map_err(|e| e.to_string());
        let Some(side) = side else { return say(&picture.rgba()) };
        say(&picture.shrunk(side).map_err(|e| e.to_string())?.rgba())
    }
}

/// Captions `pictures`, spread over all threads; in the order given. A picture that cannot be read gives the reason
/// instead.
pub fn caption_all(
    captioner: &Captioner,
    pictures: &[Picture],
    options: &CaptionOptions,
) -> Vec<Result<Caption, String>> {
    pictures.par_iter().map(|picture| picture.caption(captioner, options)).collect()
}

/// Captions of `examples`, each picture shrunk to a square of `side` first if given. Broken pictures are left out and named in
/// `report`.
pub fn describe(
    captioner: &Captioner,
    examples: &[Example],
    side: Option<usize>,
    options: &CaptionOptions,
    report: &mut Report,
) -> Vec<Described> {
    let pictures: Vec<Picture> = examples
        .iter()
        .map(|e| match side {
            Some(side) => Picture::Shrunk(e.image.clone(), side),
            None => Picture::File(e.image.clone()),
        })
        .collect();
    let mut described = Vec::new();
    for (example, caption) in examples.iter().zip(caption_all(captioner, &pictures, options)) {
        match caption {
            Ok(caption) => described.push(Described { file: example.name.clone(), caption }),
            Err(why) => report.add_broken(&example.name, why),
        }
    }
    described
}

/// Scores of a captioner on `examples`, each picture shrunk to `side` first if given.
///
/// # Errors
/// If no picture can be read. Single broken ones are left out and named in `report`.
pub fn score(
    captioner: &Captioner,
    examples: &[Example],
    side: Option<usize>,
    options: &CaptionOptions,
    report: &mut Report,
) -> Result<(Scores, Vec<Described>), MetricError> {
    let described = describe(captioner, examples, side, options, report);
    let candidates: Vec<String> = described.iter().map(|d| d.caption.text.clone()).collect();
    let references: Vec<Vec<String>> =
        references(&described, examples).into_iter().map(<[String]>::to_vec).collect();
    Ok((metrics::evaluate(&candidates, &references)?, described))
}

/// What people said of each picture that [`score`] described, in its order.
///
/// # Panics
/// If a picture is none of `examples`.
pub fn references<'a>(described: &[Described], examples: &'a [Example]) -> Vec<&'a [String]> {
    let said: HashMap<&str, &[String]> =
        examples.iter().map(|example| (example.name.as_str(), &example.captions[..])).collect();
    described.iter().map(|described| said[described.file.as_str()]).collect()
}

/// METEOR of what [`score`] described, by the official program at `jar`, 0 to 1.
///
/// # Errors
/// If the program cannot be run.
pub fn meteor(jar: &Path, described: &[Described], examples: &[Example]) -> Result<f64, MetricError> {
    let candidates: Vec<String> = described.iter().map(|described| described.caption.text.clone()).collect();
    let references: Vec<Vec<String>> =
        references(described, examples).into_iter().map(<[String]>::to_vec).collect();
    Ok(meteor::score(jar, &candidates, &references)?.corpus)
}
