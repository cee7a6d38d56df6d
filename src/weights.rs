//! The weights file: one safetensors file with everything that a captioner needs.
//!
//! Its `__metadata__` holds `format` (`soli`), `format_version` (`1`), `precision` (`f32`, `f16` or `int8`), `config`
//! (the [`ModelConfig`] as JSON, normalisation included), `vocabulary` (the words, one a line), `provenance`
//! ([`Provenance`] as JSON) and, if it is calibrated, `confidence` ([`Confidence`] as JSON). Its tensors are exactly those
//! of [`Network`] in the form for inference, each stored as
//! * `F32` or `F16`, or
//! * `I8` with a companion `NAME.scale` (`F32`) that broadcasts against it, (rows, 1) or (1, columns): the value is
//!   the integer, -127 to 127, times its scale.
//!
//! A file comes from anywhere, so nothing in it is believed: [`WeightsFile::open`] checks all of it before anything is
//! used, says what is wrong, never panics, and takes memory in proportion to the file, whatever sizes the file claims.

mod error;
mod packed;
mod quantise;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::config::ModelConfig;
use crate::layout::{Form, Network, TensorSpec};
use crate::vocab::Vocabulary;

pub use error::WeightsError;
pub use quantise::ScaleAxis;

/// Longest header that is read or written, in bytes. The vocabulary is most of it: 50 kB in practice.
pub const MAX_HEADER_BYTES: usize = 4 << 20;

const FORMAT: &str = "soli";
const FORMAT_VERSION: &str = "1";
const SCALE_SUFFIX: &str = ".scale";

/// The keys of the metadata.
mod key {
    pub const FORMAT: &str = "format";
    pub const FORMAT_VERSION: &str = "format_version";
    pub const PRECISION: &str = "precision";
    pub const CONFIG: &str = "config";
    pub const VOCABULARY: &str = "vocabulary";
    pub const PROVENANCE: &str = "provenance";
    pub const CONFIDENCE: &str = "confidence";
}

/// How the large tensors of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: exact.
    F32,
    /// 16-bit floats; vectors, and what 16 bits cannot hold, stay 32-bit.
    F16,
    /// Matrices as 8-bit integers with a scale for each row or column, small ones as 16-bit floats, vectors as 32-bit.
    Int8,
}

impl Precision {
    /// All of them, in falling size.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// The name in the metadata and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| "must be f32, f16 or int8".to_owned())
    }
}

/// Where weights come from, for those who have to trust or repeat them. All of it is optional, none of it is used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Provenance {
    /// When the training ended: RFC 3339, UTC.
    pub created: Option<String>,
    /// The training configuration, as TOML.
    pub recipe: Option<String>,
    /// The revision of the trainer.
    pub git_revision: Option<String>,
    /// What was learned from.
    pub data: Option<String>,
    /// Under which terms the weights may be used.
    pub terms: Option<String>,
    /// Measured scores by name, such as `dev.cider`; finite.
    pub scores: BTreeMap<String, f64>,
    /// Anything else worth knowing.
    pub notes: BTreeMap<String, String>,
}

/// A tensor in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// As many values as the shape says, row-major.
    pub values: Vec<f32>,
}

/// Weights ready for use: every tensor expanded to `f32`.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The shape of the network.
    pub config: ModelConfig,
    /// The words it can say.
    pub vocabulary: Vocabulary,
    /// How the weights came to be.
    pub provenance: Provenance,
    /// How far captions can be trusted, if that was measured.
    pub confidence: Option<Confidence>,
    /// The tensors of the network by name.
    pub tensors: HashMap<String, FloatTensor>,
}

impl Weights {
    /// Reads and checks a weights file, and expands its tensors to `f32`: at most four times the file's size.
    ///
    /// # Errors
    /// Those of [`WeightsFile::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        Ok(WeightsFile::open(bytes)?.expand())
    }

    /// Writes a weights file. The same weights give the same bytes.
    ///
    /// # Errors
    /// If these weights would not be read back: configuration, vocabulary or provenance that cannot be stored, tensors
    /// that are missing, superfluous, of another shape, or not finite.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, WeightsError> {
        write::write(self, &expected(&self.config)?, precision)
    }
}

/// The values of one tensor as stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// Little-endian `f32`.
    F32(&'a [u8]),
    /// Little-endian IEEE 754 half precision.
    F16(&'a [u8]),
    /// Integers of -127..=127, each to be multiplied by its row's or column's scale.
    Int8 {
        /// The integers in two's complement.
        integers: &'a [u8],
        /// One positive, finite scale a row or column.
        scales: Vec<f32>,
        /// What has a scale each.
        axis: ScaleAxis,
    },
}

/// A tensor in a [`WeightsFile`]: row-major and finite.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor<'a> {
    /// The shape that the network expects.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Values<'a>,
}

impl StoredTensor<'_> {
    /// All values as `f32`.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.values {
            Values::F32(bytes) => read::f32_values(bytes).collect(),
            Values::F16(bytes) => read::f16_values(bytes).collect(),
            Values::Int8 { integers, scales, axis } => {
                let columns = self.shape.last().copied().unwrap_or(1).max(1);
                let value = |(i, &byte): (usize, &u8)| f32::from(byte as i8) * scales[axis.index(i, columns)];
                integers.iter().enumerate().map(value).collect()
            }
        }
    }
}

/// A weights file that was checked from end to end, its tensors still in place and as stored: for kernels that use the
/// 8-bit integers as they are.
#[derive(Debug, Clone)]
pub struct WeightsFile<'a> {
    config: ModelConfig,
    vocabulary: Vocabulary,
    provenance: Provenance,
    confidence: Option<Confidence>,
    precision: Precision,
    tensors: BTreeMap<String, StoredTensor<'a>>,
}

impl<'a> WeightsFile<'a> {
    /// Checks a weights file.
    ///
    /// # Errors
    /// The first thing found wrong, see [`WeightsError`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        read::open(bytes, expected)
    }

    /// The shape of the network.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The words it can say.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How the weights came to be.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// How far captions can be trusted, if that was measured.
    pub fn confidence(&self) -> Option<&Confidence> {
        self.confidence.as_ref()
    }

    /// How the file says that its large tensors are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// A tensor by its name.
    pub(crate) fn tensor(&self, name: &str) -> Option<&StoredTensor<'a>> {
        self.tensors.get(name)
    }

    /// Makes every tensor `f32`.
    pub fn expand(self) -> Weights {
        let tensor = |(name, stored): (String, StoredTensor)| {
            let values = stored.to_f32();
            (name, FloatTensor { shape: stored.shape, values })
        };
        Weights {
            config: self.config,
            vocabulary: self.vocabulary,
            provenance: self.provenance,
            confidence: self.confidence,
            tensors: self.tensors.into_iter().map(tensor).collect(),
        }
    }
}

/// The tensors of a network by name.
type Expected = BTreeMap<String, TensorSpec>;

fn expected(config: &ModelConfig) -> Result<Expected, WeightsError> {
    // Before anything is computed from the numbers of the configuration.
    config.validate()?;
    let tensors = Network::new(config).tensors(Form::Inference);
    Ok(tensors.map(|tensor| (tensor.name.clone(), tensor)).collect())
}

/// The confidence has to fit the embeddings.
fn check_confidence(config: &ModelConfig, confidence: Option<&Confidence>) -> Result<(), WeightsError> {
    let bad = |e: crate::confidence::ConfidenceError| WeightsError::BadMetadata {
        key: key::CONFIDENCE,
        reason: e.to_string(),
    };
    confidence.map_or(Ok(()), |confidence| confidence.validate(config.decoder.width).map_err(bad))
}

/// The vocabulary has to fill the output matrix exactly.
fn check_vocabulary(config: &ModelConfig, vocabulary: &Vocabulary) -> Result<(), WeightsError> {
    let (expected, found) = (config.decoder.vocab_size, vocabulary.len());
    if expected == found { Ok(()) } else { Err(WeightsError::VocabularySize { expected, found }) }
}
