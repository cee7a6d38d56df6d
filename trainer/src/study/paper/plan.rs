//! What such a study compares: `trainer/configs/study-paper.toml`, `study-few.toml`, `study-domain.toml`.

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
    /// How many of the training pictures have captions; all of them if nothing is said.
    #[serde(default)]
    pub shares: Vec<Share>,
    /// Whether the training pictures of all data sets but the first are looked at without their captions.
    #[serde(default)]
    pub withhold: bool,
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

/// A share of the training pictures that have captions, and how often they are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Above 0, up to 1. The pictures are drawn by the seed; those of a smaller share are among those of a larger one.
    pub captioned: f64,
    /// Passes over those pictures.
    pub epochs: usize,
}

impl Share {
    /// Its name in tables: per cent.
    pub fn name(self) -> String {
        format!("{} %", (1000.0 * self.captioned).round() / 10.0)
    }
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
    /// Passes over all pictures with the objective on pairs alone, before those with captions.
    #[serde(default)]
    pub siamese_epochs: usize,
    /// Weight of the objective on pairs beside the cross-entropy. Rows that learn captions from pairs have it on those, others
    /// on as many pictures drawn from all there are, with and without captions.
    #[serde(default)]
    pub weight: f64,
    /// What the objective on pairs is.
    #[serde(default)]
    pub objective: Objective,
    /// Margin of the contrastive loss, if it is not the study's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Temperature of InfoNCE.
    #[serde(default = "temperature")]
    pub temperature: f64,
    /// Whether the picture that each is contrasted with is the nearest other one of the batch, or any.
    #[serde(default)]
    pub hard: bool,
    /// Whose embedding of the sharp picture the degraded ones are distilled to.
    #[serde(default)]
    pub teacher: Teacher,
    /// What is compared.
    #[serde(default)]
    pub layer: Layer,
    /// On whose versions a network learns first to give the sharp picture's features (`restorer.rs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// How often the study's number of passes.
    #[serde(default = "one")]
    pub passes: usize,
}

fn one() -> usize {
    1
}

fn temperature() -> f64 {
    0.1
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

/// A loss on two views of the same pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The paper's: the same pictures are pulled together, as many different ones pushed apart up to a margin.
    #[default]
    Contrastive,
    /// Its half that pulls.
    Positives,
    /// Each picture is to be found among the batch's.
    InfoNce,
    /// Variance, invariance, covariance.
    Vicreg,
    /// Degraded pictures are pulled to the sharp ones, which stay where they are.
    Distillation,
}

/// Whose embedding a degraded picture's is distilled to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Teacher {
    /// The head as it is.
    #[default]
    Same,
    /// Its running average.
    Ema,
    /// The head as it is after half of the passes; nothing is distilled before.
    Frozen,
}

/// The pictures that features are learned to be restored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restored {
    /// All there are, with and without captions.
    All,
    /// Those with captions.
    Captioned,
}

/// What the objective on pairs compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Embeddings.
    #[default]
    Embedding,
    /// The LSTM's state after it has read them.
    State,
}

impl Plan {
    /// The shares of the training pictures that have captions, at least one.
    pub fn shares(&self) -> Vec<Share> {
        if self.shares.is_empty() {
            return vec![Share { captioned: 1.0, epochs: self.network.epochs }];
        }
        self.shares.clone()
    }

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
        for share in &plan.shares {
            ensure!(
                share.captioned > 0.0 && share.captioned <= 1.0 && share.epochs > 0,
                "{file}: `captioned` of a share must lie above 0 and up to 1, and its `epochs` above 0"
            );
        }
        for row in &plan.rows {
            ensure!(row.passes > 0, "{file}, row `{}`: `passes` must be at least 1", row.name);
            ensure!(
                row.weight.is_finite() && row.weight >= 0.0,
                "{file}, row `{}`: `weight` must be 0 or more",
                row.name
            );
            ensure!(
                row.margin.is_none_or(|margin| margin.is_finite() && margin > 0.0)
                    && row.temperature.is_finite()
                    && row.temperature > 0.0,
                "{file}, row `{}`: `margin` and `temperature` must be above 0",
                row.name
            );
            ensure!(
                !row.hard || row.objective == Objective::Contrastive,
                "{file}, row `{}`: only `objective = \"contrastive\"` has `hard` negatives",
                row.name
            );
            ensure!(
                row.teacher == Teacher::Same || row.objective == Objective::Distillation,
                "{file}, row `{}`: only `objective = \"distillation\"` has a `teacher`",
                row.name
            );
            ensure!(
                row.layer == Layer::Embedding || row.teacher == Teacher::Same,
                "{file}, row `{}`: a `teacher` is a head: it has no `layer = \"state\"`",
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
