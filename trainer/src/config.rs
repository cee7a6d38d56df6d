//! A training recipe: one TOML file says everything that a run depends on besides its data.
//!
//! A recipe names the network and any of the stages `text`, `siamese`, `concepts`, `captions`, `joint` and `scst`, which run in
//! this order, each going on from the last one's averaged parameters. What a stage's table says is described with the
//! stage, in [`crate::stages`].

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soli::config::{ConfigError, ModelConfig};

use crate::data::views::Views;
use crate::stages::Stage;
use crate::stages::captions::CaptionStage;
use crate::stages::concepts::ConceptStage;
use crate::stages::joint::JointStage;
use crate::stages::scst::ScstStage;
use crate::stages::siamese::SiameseStage;
use crate::stages::text::TextStage;

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or a key is unknown, missing or of the wrong type.
    #[error("configuration {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Names the key and the line.
        source: Box<toml::de::Error>,
    },
    /// A number of the network's shape is out of range.
    #[error("configuration {}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Names the key.
        source: ConfigError,
    },
    /// A number of the training is out of range.
    #[error("configuration {}{}: `{key}` is {value}, but must {must}", path.display(), at_line(*line))]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The line of the key, if it was found in the file.
        line: Option<usize>,
        /// The key, with its table.
        key: String,
        /// Its value.
        value: f64,
        /// What it has to be.
        must: &'static str,
    },
    /// A recipe is its own successor, through others or by itself.
    #[error("configuration {}: `next` leads back to it, so the training would never end", .0.display())]
    Circle(PathBuf),
    /// No stage is configured.
    #[error("configuration {}: it names no stage; add one of [{}]", .0.display(), Stage::ALL.map(Stage::name).join("], ["))]
    NoStage(PathBuf),
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

/// A training recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Words that occur less often in the training captions are not in the vocabulary.
    pub min_word_count: usize,
    /// Words that occur at least this often in all captions, those without pictures among them, are in the vocabulary too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_text_word_count: Option<usize>,
    /// Pictures of the dev split captioned after each epoch for the curve. CIDEr's word frequencies depend on the
    /// set: only figures of the same number compare.
    pub dev_images: usize,
    /// A recipe, named from this one's folder, that goes on from the weights that this one gives, as
    /// `soli train --weights` would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<PathBuf>,
    /// Share of the pretrained trunk in the mean of its numbers and those of the weights that are started from, 0..=1:
    /// what tuning has unlearned comes back, and most of what it has learned stays (WiSE-FT, arXiv 2109.01903).
    #[serde(default, alias = "backbone_share", skip_serializing_if = "is_default")]
    pub pretrained_share: f64,
    /// Whether the network could describe before the first stage, as it was started from weights: `soli train` notes it in the
    /// run's folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub describes: bool,
    /// The shape of the network.
    pub model: ModelConfig,
    /// The decoder learns the language from text alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextStage>,
    /// The encoder learns to see the same in every version of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub siamese: Option<SiameseStage>,
    /// The concept head learns which words pictures show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concepts: Option<ConceptStage>,
    /// Cross-entropy on captions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captions: Option<CaptionStage>,
    /// Cross-entropy on two versions and their embeddings' distance, in one step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointStage>,
    /// Self-critical sequence training on CIDEr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scst: Option<ScstStage>,
}

/// How long a stage trains and how far each step goes; AdamW (see [`crate::optimiser`]) under a warm-up and a cosine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Passes over the training pictures (or texts).
    pub epochs: usize,
    /// Pictures (or texts) a step; each picture is encoded once for all its captions.
    pub batch: usize,
    /// Peak learning rate of the decoder and the embedding.
    pub learning_rate: f64,
    /// Peak learning rate of the classifiers that find words; that of the decoder when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concept_learning_rate: Option<f64>,
    /// Peak learning rate of the trunk; 0 leaves it as it is.
    #[serde(default)]
    pub trunk_learning_rate: f64,
    /// Epochs in which the trunk stays as it is: its gradient would only chase an untrained decoder.
    #[serde(default)]
    pub trunk_frozen_epochs: usize,
    /// Steps over which the rate rises from zero; afterwards it falls to zero along a cosine.
    pub warmup_steps: usize,
    /// Decoupled weight decay of matrices; vectors have none.
    pub weight_decay: f64,
    /// Longest gradient, over all parameters together; longer ones are shortened to it.
    pub gradient_clip: f64,
    /// Decay a step of the running average of the parameters, which is what is evaluated and handed on.
    pub ema_decay: f64,
    /// Share of the parameters that the stage begins with in their mean with that average, 0..=1: what few pictures would make
    /// the network forget comes back. See [`crate::keep`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep: f64,
}

/// One number of a recipe and what it has to be.
pub struct Check {
    key: String,
    value: f64,
    good: bool,
    must: &'static str,
}

impl Check {
    /// `table.key` must be at least 1.
    pub fn positive(table: &str, key: &str, value: usize) -> Self {
        Self::new(table, key, value as f64, value > 0, "be at least 1")
    }

    /// `table.key` must be 0 or more, and a number.
    pub fn not_negative(table: &str, key: &str, value: f64) -> Self {
        Self::new(table, key, value, value >= 0.0 && value.is_finite(), "be 0 or more")
    }

    /// `table.key` must lie in 0..1, without 1.
    pub fn below_one(table: &str, key: &str, value: f64) -> Self {
        Self::new(table, key, value, (0.0..1.0).contains(&value), "lie in 0..1")
    }

    /// `table.key` must be a probability.
    pub fn share(table: &str, key: &str, value: f64) -> Self {
        Self::new(table, key, value, (0.0..=1.0).contains(&value), "lie in 0..=1")
    }

    /// Any other condition.
    pub fn new(table: &str, key: &str, value: f64, good: bool, must: &'static str) -> Self {
        let key = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        Self { key, value, good, must }
    }
}

impl Schedule {
    /// What its numbers have to be; `table` is where it stands.
    pub fn checks(&self, table: &str) -> Vec<Check> {
        let positive = |key, value: f64| Check::new(table, key, value, value > 0.0, "be above 0");
        vec![
            Check::positive(table, "epochs", self.epochs),
            Check::positive(table, "batch", self.batch),
            positive("learning_rate", self.learning_rate),
            Check::not_negative(table, "trunk_learning_rate", self.trunk_learning_rate),
            Check::not_negative(table, "weight_decay", self.weight_decay),
            Check::not_negative(
                table,
                "concept_learning_rate",
                self.concept_learning_rate.unwrap_or_default(),
            ),
            positive("gradient_clip", self.gradient_clip),
            Check::below_one(table, "ema_decay", self.ema_decay),
            Check::share(table, "keep", self.keep),
            Check::new(
                table,
                "trunk_frozen_epochs",
                self.trunk_frozen_epochs as f64,
                self.trunk_frozen_epochs <= self.epochs,
                "be at most epochs",
            ),
        ]
    }
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// Names the file, and the key and line of a mistake.
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Io { path: path.to_owned(), source })?;
        let recipe: Self = toml::from_str(&text)
            .map_err(|source| RecipeError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        recipe.validate(path, &text)?;
        Ok(recipe)
    }

    /// The recipe at `path` and all that follow it, each with the name of its file without extension.
    ///
    /// # Errors
    /// As [`Recipe::load`], for any of them; or if one follows itself.
    pub fn chain(path: &Path) -> Result<Vec<(String, Self)>, RecipeError> {
        let (mut chain, mut names, mut path) = (Vec::new(), HashSet::new(), path.to_owned());
        loop {
            let recipe = Self::load(&path)?;
            let name = path.file_stem().unwrap_or("run".as_ref()).to_string_lossy().into_owned();
            // Runs are kept by their recipes' names, so that two of one name would get in each other's way too.
            if !names.insert(name.clone()) {
                return Err(RecipeError::Circle(path));
            }
            let next = recipe.next.as_ref().map(|next| path.with_file_name(next));
            chain.push((name, recipe));
            match next {
                Some(next) => path = next,
                None => return Ok(chain),
            }
        }
    }

    fn validate(&self, path: &Path, text: &str) -> Result<(), RecipeError> {
        let mut model = self.model.clone();
        // The vocabulary's size is known only once the captions are read.
        model.decoder.vocab_size = model.decoder.vocab_size.max(soli::vocab::SPECIAL_TOKENS.len() + 1);
        model.validate().map_err(|source| RecipeError::Model { path: path.to_owned(), source })?;
        let mut checks = vec![
            Check::positive("", "min_word_count", self.min_word_count),
            Check::positive("", "dev_images", self.dev_images),
            Check::share("", "pretrained_share", self.pretrained_share),
        ];
        let stages = Stage::ALL.map(|stage| stage.checks(self));
        if stages.iter().all(Option::is_none) {
            return Err(RecipeError::NoStage(path.to_owned()));
        }
        checks.extend(stages.into_iter().flatten().flatten());
        match checks.into_iter().find(|check| !check.good) {
            None => Ok(()),
            Some(Check { key, value, must, .. }) => {
                let line = line_of(text, &key);
                Err(RecipeError::OutOfRange { path: path.to_owned(), line, key, value, must })
            }
        }
    }

    /// Whether a stage wants text beside the captions.
    pub fn needs_text(&self) -> bool {
        self.text.is_some()
    }

    /// Whether a stage wants captions of pictures that are not there, grouped by picture.
    pub fn needs_groups(&self) -> bool {
        self.captions.as_ref().is_some_and(|captions| captions.groups > 0)
            || self.scst.as_ref().is_some_and(|scst| scst.groups > 0)
    }

    /// Whether a stage wants pictures without captions.
    pub fn needs_unlabelled(&self) -> bool {
        self.siamese.as_ref().is_some_and(|s| s.unlabelled)
            || self.joint.as_ref().is_some_and(|j| j.unlabelled > 0)
    }
}

/// Whether `value` is what a file that does not name it means: such values are not written, so that a configuration of before they
/// existed stays the same text, and with it the same run.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The line, counted from 1, at which `table.key = ...` stands in `text`: a parsed number no longer knows its place.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = "";
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.trim();
        } else if current == table && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return Some(i + 1);
        }
    }
    None
}

impl Views {
    /// What its numbers have to be; `table` is where it stands.
    pub fn checks(&self, table: &str) -> Vec<Check> {
        vec![
            Check::new(
                table,
                "crop_area",
                self.crop_area,
                self.crop_area > 0.0 && self.crop_area <= 1.0,
                "lie above 0 and up to 1",
            ),
            Check::below_one(table, "jitter", self.jitter.into()),
            Check::share(table, "degraded", self.degraded),
            Check::share(table, "corrupted", self.corrupted),
        ]
    }
}
