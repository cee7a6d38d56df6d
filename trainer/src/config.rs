//! A training recipe: one TOML file says everything that a run depends on besides its data.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soli::config::{ConfigError, ModelConfig};

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
    #[error("configuration {}: `{key}` is {value}, but must {must}", path.display())]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// What it has to be.
        must: &'static str,
    },
}

/// A training recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Words that occur less often in the training captions are not in the vocabulary.
    pub min_word_count: usize,
    /// The shape of the network.
    pub model: ModelConfig,
    /// The caption stage.
    pub captions: CaptionStage,
}

/// Cross-entropy on captions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionStage {
    /// Passes over the training pictures.
    pub epochs: usize,
    /// Pictures a step; each is encoded once for all its captions.
    pub batch_images: usize,
    /// Peak learning rate of the decoder and the embedding.
    pub learning_rate: f64,
    /// Peak learning rate of the trunk.
    pub trunk_learning_rate: f64,
    /// Epochs in which the trunk stays as it is: its gradient would only chase an untrained decoder.
    pub trunk_frozen_epochs: usize,
    /// Steps over which the rate rises from zero; afterwards it falls to zero along a cosine.
    pub warmup_steps: usize,
    /// Decoupled weight decay of matrices; vectors have none.
    pub weight_decay: f64,
    /// Share of the probability that the loss spreads over all words, 0..1.
    pub label_smoothing: f32,
    /// Dropout in the decoder, 0..1.
    pub dropout: f32,
    /// Longest gradient, over all parameters together; longer ones are shortened to it.
    pub gradient_clip: f64,
    /// Decay a step of the running average of the parameters, which is what is evaluated and exported.
    pub ema_decay: f64,
    /// Mirror half of the pictures whose captions name no side.
    pub flip: bool,
    /// Smallest share of a picture's area that a random crop keeps, above 0 up to 1 (no crop).
    pub crop_area: f64,
    /// Pictures of the dev split captioned after each epoch for the curve.
    pub dev_images: usize,
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
        recipe.validate(path)?;
        Ok(recipe)
    }

    fn validate(&self, path: &Path) -> Result<(), RecipeError> {
        let mut model = self.model.clone();
        // The vocabulary's size is known only once the captions are read.
        model.decoder.vocab_size = model.decoder.vocab_size.max(soli::vocab::SPECIAL_TOKENS.len() + 1);
        model.validate().map_err(|source| RecipeError::Model { path: path.to_owned(), source })?;
        let c = &self.captions;
        let checks: [(&'static str, f64, bool, &'static str); 13] = [
            ("captions.epochs", c.epochs as f64, c.epochs > 0, "be at least 1"),
            ("captions.batch_images", c.batch_images as f64, c.batch_images > 0, "be at least 1"),
            ("captions.learning_rate", c.learning_rate, c.learning_rate > 0.0, "be above 0"),
            (
                "captions.trunk_learning_rate",
                c.trunk_learning_rate,
                c.trunk_learning_rate >= 0.0,
                "be 0 or more",
            ),
            ("captions.weight_decay", c.weight_decay, c.weight_decay >= 0.0, "be 0 or more"),
            (
                "captions.label_smoothing",
                c.label_smoothing.into(),
                (0.0..1.0).contains(&c.label_smoothing),
                "lie in 0..1",
            ),
            ("captions.dropout", c.dropout.into(), (0.0..1.0).contains(&c.dropout), "lie in 0..1"),
            ("captions.gradient_clip", c.gradient_clip, c.gradient_clip > 0.0, "be above 0"),
            ("captions.ema_decay", c.ema_decay, (0.0..1.0).contains(&c.ema_decay), "lie in 0..1"),
            (
                "captions.crop_area",
                c.crop_area,
                c.crop_area > 0.0 && c.crop_area <= 1.0,
                "lie above 0 and up to 1",
            ),
            ("captions.dev_images", c.dev_images as f64, c.dev_images > 0, "be at least 1"),
            ("min_word_count", self.min_word_count as f64, self.min_word_count > 0, "be at least 1"),
            (
                "captions.trunk_frozen_epochs",
                c.trunk_frozen_epochs as f64,
                c.trunk_frozen_epochs <= c.epochs,
                "be at most captions.epochs",
            ),
        ];
        for (key, value, good, must) in checks {
            if !good {
                return Err(RecipeError::OutOfRange { path: path.to_owned(), key, value, must });
            }
        }
        Ok(())
    }
}
