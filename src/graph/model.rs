//! The whole network: pixels to embeddings to words.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::concepts::Concepts;
use super::decoder::Decoder;
use super::embedding::Embedding;
use super::tensors;
use super::trunk::Trunk;
use crate::config::ModelConfig;
use crate::layout::{Form, Network};
use crate::likeliest::Likeliest;
use crate::weights::Weights;

/// Trunk, embedding, concept head and decoder.
pub struct Model {
    /// Pixels to features.
    pub trunk: Trunk,
    /// Features to what the decoder reads.
    pub embedding: Embedding,
    /// Features to single words.
    pub concepts: Option<Concepts>,
    /// Embeddings to words.
    pub decoder: Decoder,
}

impl Model {
    /// Takes all tensors from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: VarBuilder, config: &ModelConfig, form: Form) -> Result<Self> {
        let (vb, layout) = (&vb, Network::new(config));
        Ok(Self {
            trunk: Trunk::of(vb, &layout.trunk, form)?,
            embedding: Embedding::of(vb, &layout.embedding)?,
            concepts: match (&layout.concepts, &config.concepts) {
                (Some(layout), Some(config)) => Some(Concepts::of(vb, layout, config, form)?),
                _ => None,
            },
            decoder: Decoder::of(vb, &layout.decoder, &config.decoder)?,
        })
    }

    /// The network of a weights file.
    ///
    /// # Errors
    /// If the weights lack a tensor or hold one of another shape.
    pub fn of(weights: &Weights) -> Result<Self> {
        let vb = VarBuilder::from_tensors(tensors(weights)?, DType::F32, &Device::Cpu);
        Self::new(vb, &weights.config, Form::Inference)
    }

    /// Embeddings (batch, latents, width) of normalised pixels (batch, side, side, 3).
    ///
    /// # Errors
    /// If `pixels` has another shape or is not `f32` on the CPU.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        self.embedding.forward(&self.trunk.forward(pixels)?)
    }

    /// What the decoder reads of pictures, (batch, [`ModelConfig::memory_rows`], width), given the trunk's features
    /// (batch, rows, cols, channels): their embeddings, then their likeliest words.
    ///
    /// # Errors
    /// If `features` has another shape or is not `f32` on the CPU.
    pub fn memory(&self, features: &Tensor) -> Result<Tensor> {
        match &self.concepts {
            None => self.embedding.forward(features),
            Some(concepts) => {
                let words = concepts.likeliest(&concepts.logits(&concepts.pool(features)?)?)?;
                self.memory_of(features, &words)
            }
        }
    }

    /// [`Model::memory`] with the words given: as many for each picture.
    ///
    /// # Errors
    /// As [`Model::memory`], or if the network reads no words, or they are not as many for each picture.
    pub fn memory_of(&self, features: &Tensor, words: &[Likeliest]) -> Result<Tensor> {
        let cells = self.embedding.forward(features)?;
        let (batch, _, width) = cells.dims3()?;
        Tensor::cat(&[cells, self.read_words(words)?.reshape((batch, (), width))?], 1)
    }

    /// What the decoder reads of words (words, width), those of all pictures one after the other.
    ///
    /// # Errors
    /// If the network reads no words, or a word is not one of its concepts.
    pub fn read_words(&self, words: &[Likeliest]) -> Result<Tensor> {
        match &self.concepts {
            Some(concepts) => concepts.read(words, &self.decoder),
            None => candle_core::bail!("this network has no concept head"),
        }
    }
}
