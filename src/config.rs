//! The shape of a network: what has to be known, beside the tensors, to run it.
//!
//! Stored as JSON in the metadata of the weights file and as `[model]` in a training configuration.

use serde::{Deserialize, Serialize};

/// Most words that a concept head can look for.
pub const MAX_CONCEPTS: usize = 8192;

/// Why a [`ModelConfig`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A number lies outside the range that the network supports.
    #[error("model configuration: `{key}` is {value}, but must lie in {min}..={max}")]
    OutOfRange {
        /// The key, as written in the configuration.
        key: &'static str,
        /// The value found.
        value: usize,
        /// The smallest value allowed.
        min: usize,
        /// The largest value allowed.
        max: usize,
    },
    /// A normalisation constant is unusable.
    #[error("model configuration: `{key}` must be finite{}, but holds {value}", if *.positive { " and above zero" } else { "" })]
    BadNormalisation {
        /// The key, as written in the configuration.
        key: &'static str,
        /// The value found, as text.
        value: String,
        /// Whether the value must be above zero too.
        positive: bool,
    },
    /// A concept is no word of the vocabulary, or comes twice.
    #[error(
        "model configuration: `concepts.tokens[{place}]` is {token}, but must be a word of the vocabulary that is not in the list yet"
    )]
    BadConcept {
        /// Place in the list, from 0.
        place: usize,
        /// The token there.
        token: u32,
    },
    /// The decoder's width does not split into its heads.
    #[error("model configuration: `decoder.width` {width} is not a multiple of `decoder.heads` {heads}")]
    HeadsDoNotDivideWidth {
        /// Width of the decoder.
        width: usize,
        /// Number of attention heads.
        heads: usize,
    },
}

/// The convolutional trunk of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trunk {
    /// EfficientNet-Lite0 without head and classifier: stride 32, 320 channels out.
    #[default]
    EfficientnetLite0,
}

/// The encoder: pixels to a grid of embeddings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// The convolutional trunk.
    #[serde(default)]
    pub trunk: Trunk,
    /// Whether EfficientNet's own head, pretrained like the trunk, widens the features to 1280 channels before they are
    /// embedded.
    #[serde(default)]
    pub head: bool,
    /// Side of the square input in pixels; a multiple of 32.
    pub input_side: usize,
    /// Subtracted from each 0..=255 RGB value.
    #[serde(default = "lite_mean")]
    pub mean: [f32; 3],
    /// Divides each RGB value after the subtraction.
    #[serde(default = "lite_std")]
    pub std: [f32; 3],
}

fn lite_mean() -> [f32; 3] {
    [127.0; 3]
}

fn lite_std() -> [f32; 3] {
    [128.0; 3]
}

/// The decoder: a small pre-norm transformer that reads the encoder's grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream, and of the embedding that the encoder hands over.
    pub width: usize,
    /// Attention heads; divides `width`.
    pub heads: usize,
    /// Width of the hidden layer of the feed-forward blocks.
    pub ffn_width: usize,
    /// Longest caption in tokens, the end token included.
    pub max_tokens: usize,
    /// Tokens in the vocabulary, the special ones included. Filled in by the trainer.
    #[serde(default)]
    pub vocab_size: usize,
}

/// The concept head: which words of the vocabulary the network looks for in a picture, and how many of them the decoder
/// reads beside the cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptConfig {
    /// Words that are looked for: at most this many, the most frequent ones of the training captions. Used by the trainer.
    pub most: usize,
    /// Width of the layer between the pooled features and the words.
    pub rank: usize,
    /// The likeliest words of a picture that the decoder reads.
    pub read: usize,
    /// The words, as token ids. Filled in by the trainer.
    #[serde(default)]
    pub tokens: Vec<u32>,
}

/// Everything that determines the shapes of a model's tensors and how pixels are fed to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Pixels to embeddings.
    pub encoder: EncoderConfig,
    /// Embeddings to words.
    pub decoder: DecoderConfig,
    /// Pixels to single words, which the decoder reads beside the embeddings; a network without it reads the embeddings
    /// alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concepts: Option<ConceptConfig>,
}

impl ModelConfig {
    /// Checks every number against the range that the code supports.
    ///
    /// # Errors
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let d = &self.decoder;
        for (key, value, min, max) in [
            ("encoder.input_side", self.encoder.input_side, 32, 1024),
            ("encoder.input_side modulo 32", self.encoder.input_side % 32, 0, 0),
            ("decoder.layers", d.layers, 1, 24),
            ("decoder.width", d.width, 8, 2048),
            ("decoder.heads", d.heads, 1, 64),
            ("decoder.ffn_width", d.ffn_width, 8, 8192),
            ("decoder.max_tokens", d.max_tokens, 2, 256),
            ("decoder.vocab_size", d.vocab_size, crate::vocab::SPECIAL_TOKENS.len() + 1, 65_536),
        ] {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::OutOfRange { key, value, min, max });
            }
        }
        if !d.width.is_multiple_of(d.heads) {
            return Err(ConfigError::HeadsDoNotDivideWidth { width: d.width, heads: d.heads });
        }
        if let Some(concepts) = &self.concepts {
            if self.encoder.head {
                // The concept head widens the trunk's own channels.
                return Err(ConfigError::OutOfRange {
                    key: "encoder.head beside concepts",
                    value: 1,
                    min: 0,
                    max: 0,
                });
            }
            self.validate_concepts(concepts)?;
        }
        for (key, values, positive) in
            [("encoder.mean", self.encoder.mean, false), ("encoder.std", self.encoder.std, true)]
        {
            if values.iter().any(|v| !v.is_finite() || (positive && *v <= 0.0)) {
                return Err(ConfigError::BadNormalisation { key, value: format!("{values:?}"), positive });
            }
        }
        Ok(())
    }

    fn validate_concepts(&self, concepts: &ConceptConfig) -> Result<(), ConfigError> {
        let count = concepts.tokens.len();
        for (key, value, min, max) in [
            ("concepts.most", concepts.most, 1, MAX_CONCEPTS),
            ("concepts.rank", concepts.rank, 8, 2048),
            ("concepts.tokens", count, 0, concepts.most),
            ("concepts.read", concepts.read, 1, if count == 0 { concepts.most } else { count }),
        ] {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::OutOfRange { key, value, min, max });
            }
        }
        let mut seen = std::collections::HashSet::new();
        for (place, &token) in concepts.tokens.iter().enumerate() {
            let words = crate::vocab::SPECIAL_TOKENS.len()..self.decoder.vocab_size;
            if !words.contains(&(token as usize)) || !seen.insert(token) {
                return Err(ConfigError::BadConcept { place, token });
            }
        }
        Ok(())
    }

    /// Number of rows that the decoder reads of a picture: its embeddings, then the likeliest words.
    pub fn memory_rows(&self) -> usize {
        self.latents() + self.concepts.as_ref().map_or(0, |concepts| concepts.read)
    }

    /// Number of embeddings that the encoder hands to the decoder: the cells of the trunk's last grid.
    pub fn latents(&self) -> usize {
        let cells = self.encoder.input_side / 32;
        cells * cells
    }
}
