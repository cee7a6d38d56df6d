//! The network as a graph of candle's, which trains: what [`crate::layout`] describes, with gradients.
//!
//! Behind the feature `train`, as nothing of it captions; [`crate::packed`] does, and `tests/packed.rs` holds the two
//! together.

mod concepts;
mod decoder;
mod embedding;
pub mod kernels;
mod layers;
mod model;
mod trunk;

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::layout::{Start, TensorSpec};
use crate::weights::{FloatTensor, Weights};

pub use concepts::{Classifier, Concepts};
pub use decoder::{Decoder, Dropout, Generation, TokenBatch, search};
pub use embedding::Embedding;
pub use model::Model;
pub use trunk::{Trunk, fold_batch_norm};

/// The tensors of weights by name, on the CPU.
///
/// # Errors
/// If a tensor does not have as many values as its shape says.
pub fn tensors(weights: &Weights) -> Result<HashMap<String, Tensor>> {
    let convert = |(name, tensor): (&String, &FloatTensor)| {
        Ok((name.clone(), Tensor::from_slice(&tensor.values, tensor.shape.as_slice(), &Device::Cpu)?))
    };
    weights.tensors.iter().map(convert).collect()
}

/// Tensors of a graph as those of weights.
///
/// # Errors
/// If a tensor is not `f32` on the CPU.
pub fn plain(tensors: HashMap<String, Tensor>) -> Result<HashMap<String, FloatTensor>> {
    let convert = |(name, tensor): (String, Tensor)| {
        let values = tensor.flatten_all()?.to_vec1()?;
        Ok((name, FloatTensor { shape: tensor.dims().to_vec(), values }))
    };
    tensors.into_iter().map(convert).collect()
}

/// A tensor from `vb`, or with the values that training starts from.
fn get(vb: &VarBuilder, tensor: &TensorSpec) -> Result<Tensor> {
    let init = match tensor.start {
        Start::Constant(value) => Init::Const(value),
        Start::Normal(stdev) => Init::Randn { mean: 0.0, stdev },
    };
    vb.get_with_hints(tensor.shape.as_slice(), &tensor.name, init)
}
