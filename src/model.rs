//! The whole network: pixels to embeddings to words.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use crate::concepts::Concepts;
use crate::config::ModelConfig;
use crate::decoder::Decoder;
use crate::embedding::Embedding;
use crate::encoder::{Form, Trunk};
use crate::likeliest::Likeliest;

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
        Ok(Self {
            trunk: Trunk::new(vb.pp("encoder"), &config.encoder, form)?,
            embedding: Embedding::new(vb.pp("encoder.embedding"), config)?,
            concepts: match &config.concepts {
                Some(concepts) => Some(Concepts::new(vb.pp("concepts"), config, concepts, form)?),
                None => None,
            },
            decoder: Decoder::new(vb.pp("decoder"), &config.decoder)?,
        })
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

/// Names and shapes of the tensors of a network, found by building it: the network stays described once.
///
/// Allocates next to nothing, whatever sizes `config` names.
///
/// # Errors
/// If the network cannot be built from `config`; call [`ModelConfig::validate`] first.
pub fn tensor_shapes(config: &ModelConfig, form: Form) -> Result<BTreeMap<String, Vec<usize>>> {
    let shapes = Shapes::default();
    let vb = VarBuilder::from_backend(Box::new(shapes.clone()), DType::F32, Device::Cpu);
    Model::new(vb, config, form)?;
    let found = shapes.0.lock().map(|shapes| shapes.clone()).unwrap_or_default();
    Ok(found)
}

/// Names and shapes of the tensors of a weights file for `config`.
///
/// # Errors
/// As [`tensor_shapes`].
pub fn expected_tensors(config: &ModelConfig) -> Result<BTreeMap<String, Vec<usize>>> {
    tensor_shapes(config, Form::Inference)
}

/// Writes down what is asked of it, and answers with tensors that take no room.
#[derive(Clone, Default)]
struct Shapes(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl SimpleBackend for Shapes {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        if let Ok(mut shapes) = self.0.lock() {
            shapes.insert(name.to_string(), shape.dims().to_vec());
        }
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        candle_core::bail!("the shape of tensor {name} is not known")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}
