//! The arithmetic of the network, each piece with its gradient, as candle custom operations.
//!
//! Everything works on `f32`, on the CPU, channels last. candle's own layer norm and softmax cut gradients
//! silently and its grouped convolution runs one channel at a time; these do neither. Each file has the plain
//! function over slices first and the candle operation around it second, so that the functions can be used
//! without candle's graph. The faster ones without gradients, for inference, are in [`crate::kernels`].

pub mod attention;
pub mod cross_entropy;
pub mod depthwise;
pub mod dropout;
pub mod gelu;
pub mod inverted_residual;
pub mod layer_norm;
pub mod linear;
pub mod lstm;
mod math;
pub mod matmul;
mod parallel;
mod storage;
