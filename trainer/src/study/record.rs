//! What is kept of a run of the study: everything that the report says of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::write_whole;

/// A run and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The row that it belongs to.
    pub row: String,
    /// What the row is.
    pub what: String,
    /// Every random choice followed from it.
    pub seed: u64,
    /// The recipe, as TOML.
    pub recipe: String,
    /// Passes of views through the trunk; see [`super::plan::budget`].
    pub budget: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// The source's revision when the training began.
    pub revision: Option<String>,
    /// SHA-256 of the weights file that was measured.
    pub weights_sha256: String,
    /// Captions followed side by side.
    pub beam: usize,
    /// Test pictures scored.
    pub pictures: usize,
    /// Scores by source width in pixels.
    pub scores: BTreeMap<u16, Scored>,
    /// Distances of embeddings by source width in pixels.
    pub distances: BTreeMap<u16, Distances>,
    /// What was said of the example pictures: by file name, then by source width.
    pub examples: BTreeMap<String, BTreeMap<u16, Said>>,
}

/// Scores as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// BLEU-4.
    pub bleu4: f64,
    /// ROUGE-L.
    pub rouge_l: f64,
    /// CIDEr.
    pub cider: f64,
    /// METEOR, where the jar was given.
    pub meteor: Option<f64>,
}

/// Mean distances (see [`crate::contrast`]) from the sharp pictures' embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// To those of the same pictures at this width.
    pub same: f64,
    /// To those of other pictures at this width.
    pub different: f64,
}

/// A caption with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The caption.
    pub text: String,
    /// Mean log-probability of its tokens.
    pub score: f32,
}

impl Record {
    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is no record.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        read(path)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        write(self, path)
    }
}

/// Reads a record of any study.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("the record {}", path.display())).map(Some)
}

/// Writes a record of any study.
pub(super) fn write(record: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(record)? + "\n";
    write_whole(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
