//! What the study compares: `trainer/configs/study-paper.toml`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// The study's plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The report's title.
    pub title: String,
    /// The row that all others are compared with.
    pub baseline: String,
    /// Each is a run of every row. Rows of one seed begin at the same numbers and see the same captions in the same order.
    pub seeds: Vec<u64>,
    /// The source widths in pixels that are measured beside the ten versions, the largest first.
    pub px: Vec<u16>,
    /// Words that occur less often in the training captions are not said.
    pub min_word_count: usize,
    /// Network and training, the same for all rows.
    pub network: Settings,
    /// What is compared.
    pub rows: Vec<Row>,
}

/// The network and how it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Values of the embedding of a picture, and of a word.
    pub embedding: usize,
    /// Values of the LSTM's state.
    pub hidden: usize,
    /// LSTMs above each other.
    pub layers: usize,
    /// Words of a caption at most, its end among them.
    pub max_words: usize,
    /// Dropout of what the LSTM gives, 0..1.
    pub dropout: f32,
    /// Passes over the training pictures with captions; one caption of each picture a pass.
    pub epochs: usize,
    /// Pictures a step.
    pub batch: usize,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Margin of the contrastive loss.
    pub margin: f64,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name in the tables.
    pub name: String,
    /// What it is, in a few words.
    pub what: String,
    /// Which versions of a picture a step shows.
    pub views: Views,
    /// Passes with the contrastive loss alone, before those with captions.
    #[serde(default)]
    pub siamese_epochs: usize,
    /// Weight of the contrastive loss beside the cross-entropy; only for pairs.
    #[serde(default)]
    pub contrastive: f64,
    /// Whether different pictures are pushed apart, or the same ones pulled together only.
    #[serde(default = "yes")]
    pub negatives: bool,
    /// How often the study's number of passes.
    #[serde(default = "one")]
    pub passes: usize,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

/// Which versions of a picture are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Views {
    /// The original.
    Original,
    /// One of the ten.
    Version,
    /// Two different ones of the ten, captions of both.
    Pair,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// Names the file, and the key and line of a mistake.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let plan: Self = toml::from_str(&text).with_context(|| format!("the study {}", path.display()))?;
        let file = path.display();
        ensure!(!plan.seeds.is_empty(), "{file}: there is no seed");
        ensure!(!plan.px.is_empty(), "{file}: no width is measured");
        ensure!(plan.px.is_sorted_by(|a, b| a > b), "{file}: `px` must fall");
        ensure!(
            plan.rows.iter().any(|row| row.name == plan.baseline),
            "{file}: the baseline `{}` is no row",
            plan.baseline
        );
        for row in &plan.rows {
            let pairs = row.views == Views::Pair;
            ensure!(row.passes > 0, "{file}, row `{}`: `passes` must be at least 1", row.name);
            ensure!(
                row.contrastive >= 0.0 && (pairs || row.contrastive == 0.0),
                "{file}, row `{}`: `contrastive` must be 0 or more, and needs `views = \"pair\"`",
                row.name
            );
        }
        let Settings { embedding, hidden, layers, max_words, dropout, epochs, batch, .. } = plan.network;
        let positive =
            [embedding, hidden, layers, max_words, epochs, batch].into_iter().all(|value| value > 0);
        ensure!(positive, "{file}: all numbers of [network] must be above 0");
        ensure!((0.0..1.0).contains(&dropout), "{file}: `network.dropout` must lie in 0..1");
        Ok(plan)
    }
}
