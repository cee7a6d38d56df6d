//! Labelled photographs of neither domain: whether what is said of them, or one of the words seen, names the label.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use rayon::prelude::*;
use soli::captioner::{CaptionOptions, Captioner};

use crate::data::{decode, tokens};
use crate::labels;

/// Words seen that are looked at beside the caption.
const WORDS: usize = 3;
/// Lower ends of the confidences that are told apart.
const FROM: [f32; 5] = [0.8, 0.6, 0.5, 0.25, 0.0];

/// How the photographs of one range of confidences were described.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    all: usize,
    named: usize,
}

/// What was said of labelled photographs at 224 px, by confidence.
pub struct Labelled {
    by_confidence: [Counts; FROM.len()],
    refused: usize,
    /// The surest that do not name the label: confidence, label, caption.
    surest: Vec<(f32, String, String)>,
}

/// Captions photographs with their labels.
///
/// # Errors
/// If a picture cannot be read.
pub fn measure(captioner: &Captioner, photographs: &[(PathBuf, String)]) -> Result<Labelled> {
    let one = |(path, label): &(PathBuf, String)| -> Result<Option<(f32, bool, String, String)>> {
        let picture = decode::load(path)?;
        let caption = captioner.caption(&picture.rgba(), &CaptionOptions::default())?;
        // No description was looked for: it was taken for no photograph.
        if caption.signs.is_none() {
            return Ok(None);
        }
        let mut said = tokens::words(&caption.text);
        said.extend(caption.words.iter().take(WORDS).map(|word| word.word.clone()));
        let named = labels::names(label, &said);
        Ok(Some((caption.confidence.unwrap_or(0.0), named, label.clone(), caption.text)))
    };
    let all: Vec<Option<_>> = photographs.par_iter().map(one).collect::<Result<_>>()?;
    let mut labelled = Labelled {
        by_confidence: Default::default(),
        refused: all.iter().filter(|one| one.is_none()).count(),
        surest: Vec::new(),
    };
    for (confidence, named, label, text) in all.into_iter().flatten() {
        let place = FROM.iter().position(|from| confidence >= *from).unwrap_or(FROM.len() - 1);
        labelled.by_confidence[place].all += 1;
        labelled.by_confidence[place].named += usize::from(named);
        if !named && confidence >= FROM[0] {
            labelled.surest.push((confidence, label, text));
        }
    }
    labelled.surest.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(labelled)
}

impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| confidence | photographs | of which the label or its parent is named |\n|---|---|---|"
        )?;
        for (place, (from, counts)) in FROM.iter().zip(&self.by_confidence).enumerate() {
            let to = if place == 0 { 1.0 } else { FROM[place - 1] };
            let share = 100.0 * counts.named as f64 / counts.all.max(1) as f64;
            writeln!(f, "| {from:.2} to {to:.2} | {} | {share:.0} % |", counts.all)?;
        }
        writeln!(f, "\n{} were taken for no photographs.", self.refused)?;
        if !self.surest.is_empty() {
            writeln!(f, "\nSaid with 0.8 or more without naming the label:\n")?;
            for (confidence, label, text) in &self.surest {
                writeln!(f, "- {label}: {text} ({confidence:.2})")?;
            }
        }
        Ok(())
    }
}
