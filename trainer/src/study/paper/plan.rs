//! What such a study compares: `trainer/configs/study-paper.toml`, `study-few.toml`, `study-domain.toml`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
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
    pub shares: Vec<PlannedShare>,
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

/// What is made of a share.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedShare {
    /// As in [`Share::captioned`].
    pub captioned: f64,
    /// As in [`Share::epochs`].
    pub epochs: usize,
    /// How many of the study's seeds it is run with, if not with all.
    pub seeds: Option<usize>,
    /// The names of the rows that it is run with, if not with all.
    #[serde(default)]
    pub rows: Vec<String>,
}

impl PlannedShare {
    /// What is recorded of it.
    pub fn share(&self) -> Share {
        Share { captioned: self.captioned, epochs: self.epochs }
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
        self.shares.iter().map(PlannedShare::share).collect()
    }

    /// All runs of the study: a seed of all rows and shares before the next one, so that a study that is not finished says
    /// something.
    pub fn runs(&self) -> Vec<(&Row, Share, u64)> {
        let planned: Vec<(Share, usize, &[String])> = match self.shares.as_slice() {
            [] => self.shares().into_iter().map(|share| (share, usize::MAX, &[][..])).collect(),
            shares => shares
                .iter()
                .map(|planned| {
                    (planned.share(), planned.seeds.unwrap_or(usize::MAX), planned.rows.as_slice())
                })
                .collect(),
        };
        let mut runs = Vec::new();
        for (place, &seed) in self.seeds.iter().enumerate() {
            for &(share, _, rows) in planned.iter().filter(|(_, seeds, _)| place < *seeds) {
                let some = self.rows.iter().filter(|row| rows.is_empty() || rows.contains(&row.name));
                runs.extend(some.map(|row| (row, share, seed)));
            }
        }
        runs
    }

    /// Whether the document tells the scores of each of the ten versions. Of a study of several shares or data sets it tells
    /// what can be taken in.
    pub fn shows_versions(&self) -> bool {
        self.shares.len() < 2 && !self.withhold
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
            ensure!(share.seeds != Some(0), "{file}: the `seeds` of a share must be above 0, or left out");
            if let Some(unknown) =
                share.rows.iter().find(|name| !plan.rows.iter().any(|row| &row.name == *name))
            {
                bail!("{file}: a share has the row `{unknown}`, which the study does not have");
            }
            ensure!(
                share.rows.is_empty() || share.rows.contains(&plan.baseline),
                "{file}: a share lacks the baseline `{}` among its rows",
                plan.baseline
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        title = "x"
        baseline = "a"
        seeds = [7, 8]
        px = [224, 25]
        min_word_count = 1
        network = { embedding = 1, hidden = 1, layers = 1, max_words = 1, dropout = 0.1, epochs = 3, batch = 1, learning_rate = 1.0, weight_decay = 0.0, margin = 1.0 }
        rows = [{ name = "a", what = "", views = "version" }, { name = "b", what = "", views = "pair" }]
    "#;

    fn load(more: &str) -> Result<Plan> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, format!("{PLAN}{more}"))?;
        Plan::load(&path)
    }

    #[test]
    fn a_share_may_have_fewer_seeds_and_rows() {
        let runs = |plan: &Plan| -> Vec<(String, f64, u64)> {
            plan.runs().iter().map(|(row, share, seed)| (row.name.clone(), share.captioned, *seed)).collect()
        };
        let plan = load("").unwrap();
        assert!(plan.shows_versions());
        let all = [("a", 1.0, 7), ("b", 1.0, 7), ("a", 1.0, 8), ("b", 1.0, 8)];
        assert_eq!(runs(&plan), all.map(|(row, share, seed)| (row.to_owned(), share, seed)));
        let plan = load(
            "\n[[shares]]\ncaptioned = 0.5\nepochs = 2\nseeds = 1\n[[shares]]\ncaptioned = 0.1\nepochs = 9\nrows = ['a']\n",
        )
        .unwrap();
        assert!(!plan.shows_versions());
        let some = [("a", 0.5, 7), ("b", 0.5, 7), ("a", 0.1, 7), ("a", 0.1, 8)];
        assert_eq!(runs(&plan), some.map(|(row, share, seed)| (row.to_owned(), share, seed)));
    }

    #[test]
    fn a_share_names_rows_that_there_are_and_the_baseline() {
        for (more, expected) in
            [("rows = ['c', 'a']", "`c`"), ("rows = ['b']", "lacks"), ("seeds = 0", "above 0")]
        {
            let error = load(&format!("\n[[shares]]\ncaptioned = 0.5\nepochs = 2\n{more}\n"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
