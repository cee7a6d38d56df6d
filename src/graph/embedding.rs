//! The embedding: what the encoder knows of a picture, in the form that the decoder reads.
//!
//! One module of its own, because the Siamese loss and any further head shape and read exactly these numbers.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::get;
use super::layers::{Dense, Norm};
use crate::layout;

/// Projects the trunk's features to the decoder's width, normalises them, and marks each cell's place.
pub struct Embedding {
    project: Dense,
    norm: Norm,
    position: Tensor,
}

impl Embedding {
    pub(crate) fn of(vb: &VarBuilder, layout: &layout::Embedding) -> Result<Self> {
        Ok(Self {
            project: Dense::new(vb, &layout.project)?,
            norm: Norm::new(vb, &layout.norm)?,
            position: get(vb, &layout.position)?,
        })
    }

    /// Features (batch, rows, cols, channels) to embeddings (batch, rows * cols, width).
    ///
    /// # Errors
    /// If `features` has another shape or is not `f32` on the CPU.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let (batch, rows, cols, channels) = features.dims4()?;
        let x = features.reshape((batch, rows * cols, channels))?;
        let x = self.project.forward(&x)?;
        self.norm.forward(&x)?.broadcast_add(&self.position)
    }
}
