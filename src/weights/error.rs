use crate::config::ConfigError;
use crate::vocab::VocabularyError;

/// Why a weights file cannot be used, or cannot be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// There are no bytes.
    #[error("weights: the file is empty")]
    Empty,
    /// The file starts as no safetensors file does.
    #[error("weights: this is not a soli weights file but {found}; check where it comes from")]
    NotWeights {
        /// What the first bytes look like.
        found: &'static str,
    },
    /// The file ends too early.
    #[error("weights: the file is cut off: it has {found} bytes of {expected}; load it again")]
    Truncated {
        /// Length in bytes that the header asks for.
        expected: u64,
        /// Length in bytes.
        found: u64,
    },
    /// The file goes on after its last tensor.
    #[error("weights: {extra} bytes follow the last tensor")]
    TrailingBytes {
        /// Their number.
        extra: u64,
    },
    /// The header is longer than [`super::MAX_HEADER_BYTES`].
    #[error("weights: the header claims {bytes} bytes, more than {}", super::MAX_HEADER_BYTES)]
    HeaderTooLong {
        /// Length claimed.
        bytes: u64,
    },
    /// The header is not the JSON that safetensors prescribes, or its tensors overlap, leave gaps or do not fill their
    /// bytes.
    #[error("weights: broken header: {0}")]
    BadHeader(String),
    /// A safetensors file, but not one of ours.
    #[error("weights: a safetensors file that is not soli's: its metadata does not say `format` = `soli`")]
    NotSoli,
    /// Written by a newer (or no) version of soli.
    #[error("weights: format version {found:?} is not known, only \"1\"; update soli")]
    UnknownVersion {
        /// The version found.
        found: String,
    },
    /// The metadata lacks an entry.
    #[error("weights: the metadata has no `{key}`")]
    MissingMetadata {
        /// The entry.
        key: &'static str,
    },
    /// An entry of the metadata cannot be understood, or cannot be written.
    #[error("weights: `{key}` in the metadata: {reason}")]
    BadMetadata {
        /// The entry.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The configuration is impossible.
    #[error("weights: {0}")]
    Config(#[from] ConfigError),
    /// The vocabulary is impossible.
    #[error("weights: {0}")]
    Vocabulary(#[from] VocabularyError),
    /// Vocabulary and configuration do not belong together.
    #[error("weights: the vocabulary has {found} tokens, but `decoder.vocab_size` is {expected}")]
    VocabularySize {
        /// Tokens by the configuration.
        expected: usize,
        /// Tokens in the vocabulary, the special ones included.
        found: usize,
    },
    /// A tensor that the network needs is not there.
    #[error("weights: tensor `{name}` is missing")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor that the network does not know.
    #[error("weights: tensor `{name}` does not belong to this network")]
    ExtraTensor {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the network needs.
    #[error("weights: tensor `{name}` has shape {found:?}, but needs {expected:?}")]
    WrongShape {
        /// Its name.
        name: String,
        /// The shape needed.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// A tensor is stored in a way that is not allowed for it.
    #[error("weights: tensor `{name}` is stored as {found}, but must be {allowed}")]
    WrongType {
        /// Its name.
        name: String,
        /// The stored type.
        found: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A value is NaN or infinite.
    #[error("weights: tensor `{name}` holds {value} at place {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Place in row-major order.
        index: usize,
        /// The value.
        value: String,
    },
    /// A scale is zero, negative, not finite, or makes its values overflow.
    #[error("weights: `{name}` holds the scale {value} at place {index}; it must be positive and finite")]
    BadScale {
        /// The tensor of scales.
        name: String,
        /// Place in it.
        index: usize,
        /// The value.
        value: f32,
    },
    /// An integer is -128, which no symmetric rounding gives.
    #[error("weights: tensor `{name}` holds -128 at place {index}; integers must lie in -127..=127")]
    BadInteger {
        /// The tensor.
        name: String,
        /// Place in row-major order.
        index: usize,
    },
}

/// A tensor's name as found in a file, made harmless for messages.
pub(super) fn shown(name: &str) -> String {
    shortened(&name.escape_debug().to_string())
}

/// The start of a text that a file may have made arbitrarily long.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
