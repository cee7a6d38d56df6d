//! `soli eval`: weights and a data set in, caption metrics out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use soli::captioner::{CaptionOptions, Captioner};

use super::caption::load_captioner;
use crate::data::{Dataset, Example, Report, Split};
use crate::evaluate::score;
use crate::metrics::meteor;

/// Measure a captioner on the pictures of a data set.
#[derive(Debug, Args)]
pub struct Eval {
    /// The captioned pictures, in any layout that `soli train` reads.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
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
        let Dataset { examples, mut report } = Dataset::open(&self.data, self.split)?;
        let measured = self.measure(&captioner, examples, &mut report);
        // Also where an error ends it: what was left out is often the reason.
        if !report.is_clean() {
            eprintln!("{report}");
        }
        measured
    }

    /// Captions and scores the pictures.
    fn measure(self, captioner: &Captioner, mut examples: Vec<Example>, report: &mut Report) -> Result<()> {
        examples.truncate(self.limit.unwrap_or(usize::MAX).max(1));
        let options = CaptionOptions { beam: usize::from(self.beam), max_tokens: None };
        let sides: Vec<Option<usize>> = match self.px.as_slice() {
            [] => vec![None],
            sides => sides.iter().map(|side| Some(usize::from(*side))).collect(),
        };
        let mut lines = String::new();
        for side in sides {
            let (mut scores, described) = score(captioner, &examples, side, &options, report)?;
            if let Some(jar) = &self.meteor_jar {
                let kept: std::collections::HashSet<&str> =
                    described.iter().map(|d| d.file.as_str()).collect();
                let references: Vec<Vec<String>> = examples
                    .iter()
                    .filter(|e| kept.contains(e.name.as_str()))
                    .map(|e| e.captions.clone())
                    .collect();
                let candidates: Vec<String> = described.iter().map(|d| d.caption.text.clone()).collect();
                scores.meteor = Some(meteor::score(jar, &candidates, &references)?.corpus);
            }
            let size = side.map_or("as they are".to_owned(), |side| format!("at {side} px"));
            if self.json {
                let line = json!({
                    "split": self.split.to_string(), "px": side, "beam": self.beam, "images": described.len(),
                    "bleu": scores.bleu, "rouge_l": scores.rouge_l, "cider": scores.cider_defined.then_some(scores.cider), "meteor": scores.meteor,
                });
                println!("{line}");
            } else {
                println!("{} {} pictures {size}, beam {}\n{scores}", described.len(), self.split, self.beam);
            }
            for d in &described {
                let mut line = serde_json::to_value(d)?;
                line["px"] = json!(side);
                lines.push_str(&format!("{line}\n"));
            }
        }
        if let Some(path) = &self.captions {
            std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
