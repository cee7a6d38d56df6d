//! What careful and neutral words cost, and what they save.

use std::fmt;

use anyhow::Result;
use soli::captioner::{CaptionOptions, Captioner};
use soli::people::neutral;

use crate::data::{Example, Report, tokens};
use crate::evaluate::{self, score};
use crate::metrics;
use crate::right::wrong_words;

/// How captions can be worded, and what they are called in the table.
fn ways() -> [(&'static str, CaptionOptions); 3] {
    let learned = CaptionOptions::AS_LEARNED;
    let neutral = learned.with_neutral(true);
    let careful = neutral.with_careful(true);
    [("as learned", learned), ("people neutral", neutral), ("and unsure details left out", careful)]
}

/// The captions of one set at one width in one way.
pub struct Row {
    name: String,
    way: &'static str,
    cider: f64,
    /// Against references that are worded neutrally too.
    neutral: f64,
    wrong: usize,
    words: usize,
    captions: usize,
}

/// Captions the pictures of a set in each way at each width.
///
/// # Errors
/// If no picture can be read.
pub fn measure(
    captioner: &Captioner,
    name: &str,
    examples: &[Example],
    widths: &[usize],
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &width in widths {
        for (way, options) in ways() {
            let (scores, described) =
                score(captioner, examples, Some(width), &options, &mut Report::default())?;
            let references = evaluate::references(&described, examples);
            let captions: Vec<String> = described.iter().map(|d| d.caption.text.clone()).collect();
            let reworded: Vec<Vec<String>> =
                references.iter().map(|of| of.iter().map(|text| reword(text)).collect()).collect();
            let (mut wrong, mut words) = (0, 0);
            for (caption, references) in captions.iter().zip(&references) {
                let (w, all) = wrong_words(&reword(caption), references);
                (wrong, words) = (wrong + w, words + all);
            }
            rows.push(Row {
                name: format!("{name} at {width} px"),
                way,
                cider: scores.cider,
                neutral: metrics::evaluate(&captions, &reworded)?.cider,
                wrong,
                words,
                captions: captions.len(),
            });
        }
    }
    Ok(rows)
}

/// A description as it would be worded by default.
fn reword(text: &str) -> String {
    neutral(&tokens::words(text)).join(" ")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.1} | {:.1} | {:.1} | {:.1} % |",
            self.name,
            self.way,
            100.0 * self.cider,
            100.0 * self.neutral,
            self.words as f64 / self.captions.max(1) as f64,
            100.0 * self.wrong as f64 / self.words.max(1) as f64,
        )
    }
}
