//! What is kept of a run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::study::record;

/// A run and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The row that it belongs to.
    pub row: String,
    /// Every random choice followed from it.
    pub seed: u64,
    /// The recipe, as TOML; nothing if the weights were measured as they were.
    pub recipe: Option<String>,
    /// Seconds of training, without those of the rows that it goes on from.
    pub seconds: f64,
    /// The source's revision when it was measured.
    pub revision: Option<String>,
    /// SHA-256 of the weights file that was measured.
    pub weights_sha256: String,
    /// Size of that file in bytes.
    pub weights_bytes: u64,
    /// Captions followed side by side.
    pub beam: usize,
    /// What was measured on each data set.
    pub sets: Vec<Measured>,
}

/// What was measured on the pictures of one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The data set and the split.
    pub name: String,
    /// How many pictures.
    pub pictures: usize,
    /// Scores by source width in pixels.
    pub scores: BTreeMap<u16, Scored>,
    /// CIDEr with 32-bit numbers, by source width in pixels, where it was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub float_cider: BTreeMap<u16, f64>,
}

/// Scores as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// CIDEr.
    pub cider: f64,
    /// BLEU-4.
    pub bleu4: f64,
    /// ROUGE-L.
    pub rouge_l: f64,
    /// Share of the things that at least three of five people name that are in the caption or among its words.
    pub object_recall: f64,
}

impl Record {
    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is no record.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        record::read(path)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        record::write(self, path)
    }
}
