//! `soli eval`: weights and a data set in, caption metrics out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use soli::captioner::{CaptionOptions, Captioner};

use super::caption::load_captioner;
use super::print;
use crate::data::{Dataset, Example, Report, Split, labelled};
use crate::evaluate::{self, Described, describe, score};
use crate::metrics::named::{self, Told};
use crate::metrics::objects;
use crate::right::wrong_words;

/// Measure a captioner on the pictures of a data set.
#[derive(Debug, Args)]
pub struct Eval {
    /// The captioned pictures, in any layout that `soli train` reads. May be repeated: each set is measured by itself.
    #[arg(long, value_name = "PATH", required_unless_present = "labels")]
    data: Vec<PathBuf>,
    /// Labelled photographs, in a table that `soli train --labels` reads: how often their label is named. Measured are those that
    /// training leaves out. May be repeated.
    #[arg(long, value_name = "PATH")]
    labels: Vec<PathBuf>,
    /// Which part of them: train, dev or test.
    #[arg(long, default_value = "dev")]
    split: Split,
    /// Shrink each picture to a square of this many pixels first; several sizes separated by commas.
    #[arg(long, value_name = "SIDES", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1024))]
    px: Vec<u16>,
    /// The weights; www/models/soli.safetensors when not given.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Captions considered at each step, 1 to 8.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    beam: u8,
    /// Say "person" and "child" where the network guesses gender and age, as captioners do by default; people's captions,
    /// which are compared with, do guess.
    #[arg(long)]
    neutral: bool,
    /// Leave out numbers, colours and actions that the network is unsure of, as captioners do by default.
    #[arg(long)]
    careful: bool,
    /// Use only the first N pictures.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Measure METEOR too, with the official meteor-1.5.jar (needs Java).
    #[arg(long, value_name = "FILE")]
    meteor_jar: Option<PathBuf>,
    /// Write each caption as one JSON object a line.
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// Print the scores as one JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Eval {
    /// Runs the verb.
    ///
    /// # Errors
    /// If the data or the weights cannot be used, or METEOR was asked for and cannot be run.
    pub fn run(self) -> Result<()> {
        let captioner = load_captioner(self.weights.as_deref())?;
        let mut lines = String::new();
        for data in &self.data {
            self.one(&captioner, data, &mut lines)?;
        }
        for table in &self.labels {
            self.labelled(&captioner, table, &mut lines)?;
        }
        if let Some(path) = &self.captions {
            std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Prints a line. That nobody reads any more ends the work, unless it is for a file too.
    fn say(&self, text: impl std::fmt::Display) -> Result<()> {
        match print::line(text) {
            Err(error) if error.is::<print::Closed>() && self.captions.is_some() => Ok(()),
            said => said,
        }
    }

    /// Measures one data set; its captions are appended to `lines`.
    fn one(&self, captioner: &Captioner, data: &Path, lines: &mut String) -> Result<()> {
        let Dataset { examples, mut report } = Dataset::open(data, self.split)?;
        let measured = self.measure(captioner, data, examples, &mut report, lines);
        // Also where an error ends it: what was left out is often the reason.
        if !report.is_clean() {
            eprintln!("{}: {report}", data.display());
        }
        measured
    }

    /// Measures how often the labels of photographs are named, in captions and among the likeliest words.
    fn labelled(&self, captioner: &Captioner, table: &Path, lines: &mut String) -> Result<()> {
        let mut report = Report::default();
        let found = labelled::read(table, &mut report)?;
        let mut examples: Vec<Example> = found.iter().filter_map(labelled::Labelled::example).collect();
        examples.retain(|example| labelled::is_held_out(&example.name));
        ensure!(!examples.is_empty(), "{}: no labelled photograph is kept for measuring", table.display());
        examples.truncate(self.limit.unwrap_or(usize::MAX).max(1));
        let tokens = captioner.config().concepts.iter().flat_map(|concepts| &concepts.tokens);
        let known: Vec<&str> = tokens.filter_map(|&token| captioner.vocabulary().word(token)).collect();
        for side in self.sides() {
            let described = describe(captioner, &examples, side, &self.options(), &mut report);
            let labels = evaluate::references(&described, &examples);
            let told: Vec<Told> = described
                .iter()
                .zip(labels)
                .map(|(d, labels)| Told {
                    label: labels.first().map_or("", String::as_str),
                    caption: &d.caption.text,
                    words: d.caption.words.iter().map(|word| word.word.clone()).collect(),
                })
                .collect();
            let named = named::measure(&told, &known);
            if self.json {
                self.say(json!({
                    "labels": table, "px": side, "beam": self.beam, "images": described.len(),
                    "named_in_caption": named.in_caption, "named_in_5_words": named.in_5_words,
                    "own_in_12_words": named.own_in_12_words, "with_own_word": named.with_own_word,
                }))?;
            } else {
                let (count, beam) = (described.len(), self.beam);
                self.say(format_args!(
                    "{}: {count} labelled photographs {}, beam {beam}\n{named}\n",
                    table.display(),
                    size(side)
                ))?;
            }
            append(lines, &described, side)?;
        }
        if !report.is_clean() {
            eprintln!("{}: {report}", table.display());
        }
        Ok(())
    }

    fn options(&self) -> CaptionOptions {
        let options = CaptionOptions::default().with_beam(usize::from(self.beam)).with_neutral(self.neutral);
        options.with_careful(self.careful)
    }

    fn sides(&self) -> Vec<Option<usize>> {
        match self.px.as_slice() {
            [] => vec![None],
            sides => sides.iter().map(|side| Some(usize::from(*side))).collect(),
        }
    }

    /// Captions and scores the pictures of one data set.
    fn measure(
        &self,
        captioner: &Captioner,
        data: &Path,
        mut examples: Vec<Example>,
        report: &mut Report,
        lines: &mut String,
    ) -> Result<()> {
        examples.truncate(self.limit.unwrap_or(usize::MAX).max(1));
        for side in self.sides() {
            let (mut scores, described) = score(captioner, &examples, side, &self.options(), report)?;
            if let Some(jar) = &self.meteor_jar {
                scores.meteor = Some(evaluate::meteor(jar, &described, &examples)?);
            }
            let (mut found, mut things, mut wrong, mut words_said) = (0, 0, 0, 0);
            for (d, references) in described.iter().zip(evaluate::references(&described, &examples)) {
                let words: Vec<&str> = d.caption.words.iter().map(|w| w.word.as_str()).collect();
                let (f, all) = objects::recall(&d.caption.text, &words, references);
                (found, things) = (found + f, things + all);
                let (w, all) = wrong_words(&d.caption.text, references);
                (wrong, words_said) = (wrong + w, words_said + all);
            }
            let recall = found as f64 / things.max(1) as f64;
            let wrong = f64::from(wrong as u32) / words_said.max(1) as f64;
            if self.json {
                let line = json!({
                    "data": data, "split": self.split.to_string(), "px": side, "beam": self.beam,
                    "images": described.len(), "bleu": scores.bleu, "rouge_l": scores.rouge_l,
                    "cider": scores.cider_defined.then_some(scores.cider),
                    "meteor": scores.meteor, "object_recall": recall, "objects": things,
                    "wrong_words": wrong,
                });
                self.say(line)?;
            } else {
                let (count, split, beam) = (described.len(), self.split, self.beam);
                self.say(format_args!(
                    "{}: {count} {split} pictures {}, beam {beam}\n{scores}\n\
                     of {things} things that most people name, {:.1} % are named\n\
                     of {words_said} words that say something, nobody said {:.1} %\n",
                    data.display(),
                    size(side),
                    recall * 100.0,
                    wrong * 100.0
                ))?;
            }
            append(lines, &described, side)?;
        }
        Ok(())
    }
}

fn size(side: Option<usize>) -> String {
    side.map_or("as they are".to_owned(), |side| format!("at {side} px"))
}

/// Adds captions as a JSON object a line.
fn append(lines: &mut String, described: &[Described], side: Option<usize>) -> Result<()> {
    for d in described {
        let mut line = serde_json::to_value(d)?;
        line["px"] = json!(side);
        lines.push_str(&format!("{line}\n"));
    }
    Ok(())
}
