//! What is kept of a run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::plan::{Row, Settings, Share};
use crate::study::record;

/// A run and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was trained.
    pub row: Row,
    /// How many of the training pictures had captions.
    pub share: Share,
    /// The network, and how it was trained.
    pub network: Settings,
    /// Every random choice followed from it.
    pub seed: u64,
    /// Seconds of training, without the encoder's.
    pub seconds: f64,
    /// The source's revision.
    pub revision: Option<String>,
    /// What was measured on each data set.
    pub sets: Vec<Measured>,
}

/// What was measured on the pictures of one data set, by the condition's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The data set.
    pub name: String,
    /// How many pictures.
    pub pictures: usize,
    /// Scores of the captions.
    pub scores: BTreeMap<String, Scored>,
    /// Distances of embeddings before the training.
    pub before: BTreeMap<String, Distances>,
    /// The same after it.
    pub after: BTreeMap<String, Distances>,
    /// Share of the likeliest words, read from embeddings, that are those of the original, 0 to 1.
    pub agreement: BTreeMap<String, f64>,
}

/// Scores as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Words, five references.
    pub cider: f64,
    /// Words, five references.
    pub bleu4: f64,
    /// Words, five references.
    pub rouge_l: f64,
    /// Characters, the first reference: what the paper measures.
    pub character_bleu4: f64,
}

/// Mean Euclidean distances from the originals' embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// To those of the same pictures.
    pub same: f64,
    /// To those of other pictures.
    pub different: f64,
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
