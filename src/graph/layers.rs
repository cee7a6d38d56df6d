//! The layers that all parts of the graph are made of.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::get;
use super::kernels::layer_norm::layer_norm;
use super::kernels::linear::{Activation, linear};
use crate::layout;

/// A matrix product with a bias.
pub(crate) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    pub(crate) fn new(vb: &VarBuilder, layout: &layout::Linear) -> Result<Self> {
        Ok(Self { weight: get(vb, &layout.weight())?, bias: get(vb, &layout.bias())? })
    }

    /// `x` (..., inputs) to (..., outputs).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias, Activation::None)
    }
}

/// A layer norm.
pub(crate) struct Norm {
    gamma: Tensor,
    beta: Tensor,
}

impl Norm {
    pub(crate) fn new(vb: &VarBuilder, layout: &layout::Norm) -> Result<Self> {
        Ok(Self { gamma: get(vb, &layout.gamma())?, beta: get(vb, &layout.beta())? })
    }

    /// `x` (..., width) to the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.gamma, &self.beta)
    }
}
