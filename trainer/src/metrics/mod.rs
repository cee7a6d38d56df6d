//! Caption metrics: the figures that captioning results are published in.
//!
//! All of them equal pycocoevalcap 1.2 on the same captions (see `tests/reference/metrics.py`), with which nearly all
//! published figures were made. [`evaluate`] takes captions as people write them; the modules take tokenised ones.
//! Figures are fractions; print them times 100, as papers do.

pub mod bleu;
pub mod cider;
pub mod meteor;
pub mod named;
pub mod objects;
pub mod rouge_l;
pub mod tokenise;

use std::{fmt, io, path::PathBuf};

use tokenise::tokenise;

/// Why captions could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum MetricError {
    /// Nothing to score.
    #[error("no captions to score: at least one candidate with its references is needed")]
    Empty,
    /// Candidates and reference lists do not pair up.
    #[error(
        "{candidates} candidates, but references for {references} images: there must be one candidate an image"
    )]
    Mismatch {
        /// Number of candidates.
        candidates: usize,
        /// Number of reference lists.
        references: usize,
    },
    /// An image has no reference to compare with.
    #[error("image {image} (counted from 0) has no reference caption")]
    NoReferences {
        /// The image's place in the lists.
        image: usize,
    },
    /// The METEOR jar is not there.
    #[error("METEOR needs its official jar, but {} is no file. meteor-1.5.jar comes with pycocoevalcap, with its data folder beside it", path.display())]
    JarMissing {
        /// The path that was given.
        path: PathBuf,
    },
    /// No Java to run the jar with.
    #[error(
        "METEOR runs in Java, but `java` cannot be started ({source}): install a Java runtime (8 or newer)"
    )]
    JavaMissing {
        /// What the system said.
        source: io::Error,
    },
    /// The jar did not answer as expected.
    #[error("METEOR failed: {reason}")]
    Meteor {
        /// What went wrong, with what the process wrote to its standard error.
        reason: String,
    },
}

/// The figures of a set of candidates, as fractions. CIDEr alone may exceed 1, up to 10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// BLEU-1 to BLEU-4 of the whole set, 0 to 1.
    pub bleu: [f64; 4],
    /// ROUGE-L, the mean over the images, 0 to 1.
    pub rouge_l: f64,
    /// CIDEr, the mean over the images, 0 to 10; 0 where it is not defined.
    pub cider: f64,
    /// Whether CIDEr is defined: it is not for one image alone, nor where all have the same references, for it weighs
    /// words by how few of the images have them.
    pub cider_defined: bool,
    /// METEOR of the whole set, 0 to 1, if it was asked for (see [`meteor::score`]).
    pub meteor: Option<f64>,
}

/// The figures of one image's candidate, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageScores {
    /// BLEU-1 to BLEU-4 of this caption alone.
    pub bleu: [f64; 4],
    /// ROUGE-L.
    pub rouge_l: f64,
    /// CIDEr, with the document frequencies of the whole set.
    pub cider: f64,
}

impl Scores {
    /// CIDEr times 100 as text, `-` where it is not defined.
    pub fn cider_text(&self) -> String {
        if self.cider_defined { format!("{:.1}", 100.0 * self.cider) } else { "-".to_owned() }
    }
}

impl fmt::Display for Scores {
    /// A table of two lines, times 100.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BLEU-1  BLEU-2  BLEU-3  BLEU-4  ROUGE-L  CIDEr")?;
        f.write_str(if self.meteor.is_some() { "  METEOR\n" } else { "\n" })?;
        for bleu in self.bleu {
            write!(f, "{:6.1}  ", 100.0 * bleu)?;
        }
        write!(f, "{:7.1}  {:>5}", 100.0 * self.rouge_l, self.cider_text())?;
        if let Some(meteor) = self.meteor {
            write!(f, "  {:6.1}", 100.0 * meteor)?;
        }
        if !self.cider_defined {
            write!(
                f,
                "\nCIDEr is not defined here: it weighs words by how few of the pictures have them, and needs two or more"
            )?;
        }
        Ok(())
    }
}

/// Scores one candidate an image against all of the image's references; METEOR is left out.
///
/// # Errors
/// [`MetricError`] if there is nothing to score, the lists differ in length or an image has no reference.
pub fn evaluate(candidates: &[String], references: &[Vec<String>]) -> Result<Scores, MetricError> {
    evaluate_each(candidates, references).map(|(scores, _)| scores)
}

/// [`evaluate`], and the figures of each image in the same order.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_each(
    candidates: &[String],
    references: &[Vec<String>],
) -> Result<(Scores, Vec<ImageScores>), MetricError> {
    check(candidates, references)?;
    let candidates: Vec<String> = candidates.iter().map(|caption| tokenise(caption)).collect();
    let references: Vec<Vec<String>> = references
        .iter()
        .map(|captions| captions.iter().map(|caption| tokenise(caption)).collect())
        .collect();

    let bleu = bleu::score(&candidates, &references);
    let split: Vec<Vec<Vec<&str>>> = references
        .iter()
        .map(|captions| captions.iter().map(|caption| caption.split_whitespace().collect()).collect())
        .collect();
    let cider = cider::Cider::new(&split);
    let images: Vec<ImageScores> = candidates
        .iter()
        .zip(&references)
        .enumerate()
        .map(|(image, (candidate, references))| ImageScores {
            bleu: bleu.each[image],
            rouge_l: rouge_l::score(candidate, references),
            cider: cider.score(image, &candidate.split_whitespace().collect::<Vec<_>>()),
        })
        .collect();
    let mean = |figure: fn(&ImageScores) -> f64| images.iter().map(figure).sum::<f64>() / images.len() as f64;
    let scores = Scores {
        bleu: bleu.corpus,
        rouge_l: mean(|image| image.rouge_l),
        cider: mean(|image| image.cider),
        cider_defined: cider.is_defined(),
        meteor: None,
    };
    Ok((scores, images))
}

fn check(candidates: &[String], references: &[Vec<String>]) -> Result<(), MetricError> {
    if candidates.len() != references.len() {
        return Err(MetricError::Mismatch { candidates: candidates.len(), references: references.len() });
    }
    if candidates.is_empty() {
        return Err(MetricError::Empty);
    }
    match references.iter().position(Vec::is_empty) {
        Some(image) => Err(MetricError::NoReferences { image }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
