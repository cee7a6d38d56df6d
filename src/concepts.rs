//! The concept head: which words of the vocabulary a picture shows, before a sentence is made of them.
//!
//! EfficientNet's own pretrained head widens the trunk's features, their mean over the cells is normalised, and two
//! dense layers turn it into a probability for each word. The decoder reads the likeliest words beside the picture's
//! cells, as entity prompts do (ViECap, arXiv 2307.16525; concept tokens: LightCap, arXiv 2212.08985), so that it can
//! name what the captions of its training pictures never showed it, and text without pictures can teach it.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::config::{ConceptConfig, ModelConfig};
use crate::decoder::{Decoder, Dense, Norm};
use crate::encoder::{Conv, Form, HEAD_CHANNELS, TRUNK_CHANNELS};
use crate::kernels::linear::{Activation, linear};
use crate::likeliest::{Likeliest, signals};

/// A linear classifier of low rank on normalised pooled features.
pub struct Classifier {
    norm: Norm,
    hidden: Dense,
    output: Dense,
}

impl Classifier {
    /// Takes the tensors of a classifier of `count` words from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: VarBuilder, rank: usize, count: usize) -> Result<Self> {
        Ok(Self {
            norm: Norm::new(vb.pp("norm"), HEAD_CHANNELS)?,
            hidden: Dense::new(vb.pp("hidden"), HEAD_CHANNELS, rank, 1.0)?,
            // Of a thousand words, captions say about ten.
            output: Dense::with_bias(vb.pp("output"), rank, count, 1.0, -4.0)?,
        })
    }

    /// Logits (batch, words) of pooled features (batch, [`HEAD_CHANNELS`]).
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn forward(&self, pooled: &Tensor) -> Result<Tensor> {
        self.output.forward(&self.hidden.forward(&self.norm.forward(pooled)?)?)
    }
}

/// Features to words, and words to what the decoder reads.
pub struct Concepts {
    head: Conv,
    classifier: Classifier,
    word: Dense,
    probability: Tensor,
    norm: Norm,
    tokens: Vec<u32>,
    count: usize,
}

impl Concepts {
    /// Takes the head's tensors from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: VarBuilder, config: &ModelConfig, concepts: &ConceptConfig, form: Form) -> Result<Self> {
        let width = config.decoder.width;
        let read = vb.pp("read");
        Ok(Self {
            head: Conv::new(vb.pp("head"), TRUNK_CHANNELS, TRUNK_CHANNELS, HEAD_CHANNELS, form)?,
            classifier: Classifier::new(vb.clone(), concepts.rank, concepts.tokens.len())?,
            // Word embeddings are small: four times as large, their mean square is about that of the rest.
            word: Dense::new(read.clone(), width, width, 4.0)?,
            probability: read.get_with_hints(
                (2, width),
                "probability",
                Init::Randn { mean: 0.0, stdev: 0.1 },
            )?,
            norm: Norm::new(read.pp("norm"), width)?,
            tokens: concepts.tokens.clone(),
            count: concepts.read,
        })
    }

    /// The trunk's features (batch, rows, cols, 320) widened by EfficientNet's head and averaged over the cells: (batch,
    /// [`HEAD_CHANNELS`]).
    ///
    /// # Errors
    /// If `features` has another shape or is not `f32` on the CPU.
    pub fn pool(&self, features: &Tensor) -> Result<Tensor> {
        let (batch, rows, cols, channels) = features.dims4()?;
        let (weight, bias) = self.head.folded()?;
        let cells = features.reshape((batch, rows * cols, channels))?;
        linear(&cells, &weight, &bias, Activation::Relu6)?.mean(1)?.contiguous()
    }

    /// Logits (batch, words) of pooled features.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn logits(&self, pooled: &Tensor) -> Result<Tensor> {
        self.classifier.forward(pooled)
    }

    /// The words that the decoder is to read of each picture, given logits (batch, words).
    ///
    /// # Errors
    /// If the logits are not `f32`.
    pub fn likeliest(&self, logits: &Tensor) -> Result<Vec<Likeliest>> {
        let choose = |logits: &Vec<f32>| {
            let mut words = Likeliest::default();
            words.choose(logits, self.count);
            words
        };
        Ok(logits.to_vec2::<f32>()?.iter().map(choose).collect())
    }

    /// What the decoder reads of words: (all words, width). `decoder` knows their embeddings.
    ///
    /// # Errors
    /// If a place is outside the list of concepts.
    pub fn read(&self, words: &[Likeliest], decoder: &Decoder) -> Result<Tensor> {
        let mut tokens = Vec::new();
        let mut values = Vec::new();
        for likeliest in words {
            for (&place, &probability) in likeliest.places.iter().zip(&likeliest.probabilities) {
                let token = self.tokens.get(place as usize);
                tokens.push(*token.ok_or_else(|| candle_core::Error::Msg(format!("no concept {place}")))?);
                values.extend(signals(probability));
            }
        }
        let values = Tensor::from_vec(values, (tokens.len(), 2), self.probability.device())?;
        let words = self.word.forward(&decoder.words(&tokens)?)?;
        self.norm.forward(&(words + values.matmul(&self.probability)?)?)
    }
}
