//! The embedding: what the encoder knows of a picture, in the form that the decoder reads.
//!
//! One module of its own, because the Siamese loss and any further head shape and read exactly these numbers.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::config::ModelConfig;
use crate::encoder::feature_channels;
use crate::kernels::layer_norm::layer_norm;
use crate::kernels::linear::{Activation, linear};

/// Projects the trunk's features to the decoder's width, normalises them, and marks each cell's place.
pub struct Embedding {
    weight: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    position: Tensor,
}

impl Embedding {
    /// Takes the module's tensors from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: VarBuilder, config: &ModelConfig) -> Result<Self> {
        let width = config.decoder.width;
        let channels = feature_channels(&config.encoder);
        let stdev = (1.0 / channels as f64).sqrt();
        Ok(Self {
            weight: vb.get_with_hints((channels, width), "weight", Init::Randn { mean: 0.0, stdev })?,
            bias: vb.get_with_hints(width, "bias", Init::Const(0.0))?,
            gamma: vb.get_with_hints(width, "norm.gamma", Init::Const(1.0))?,
            beta: vb.get_with_hints(width, "norm.beta", Init::Const(0.0))?,
            position: vb.get_with_hints(
                (config.latents(), width),
                "position",
                Init::Randn { mean: 0.0, stdev: 0.02 },
            )?,
        })
    }

    /// Features (batch, rows, cols, [`feature_channels`]) to embeddings (batch, rows * cols, width).
    ///
    /// # Errors
    /// If `features` has another shape or is not `f32` on the CPU.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let (batch, rows, cols, channels) = features.dims4()?;
        let x = features.reshape((batch, rows * cols, channels))?;
        let x = linear(&x, &self.weight, &self.bias, Activation::None)?;
        layer_norm(&x, &self.gamma, &self.beta)?.broadcast_add(&self.position)
    }
}
