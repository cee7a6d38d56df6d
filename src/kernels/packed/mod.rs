//! Kernels for inference alone: no gradients, no tensors, no allocation; weights packed beforehand, and what follows a
//! sum done while it is in a register. Each is written once and compiled for every [`Level`].

// Indices here are numbers of lanes, rows and taps, which iterators would hide.
#![allow(clippy::needless_range_loop)]

mod buffer;
mod filter;
mod gemm;
mod gemm_i8;
mod product;
mod rows;
mod simd;
mod warm_up;

pub use buffer::{Buffer, Number};
pub use filter::{Filter, Sink};
pub use gemm::Matrix;
pub use gemm_i8::{Matrix as MatrixI8, limit};
pub use product::{Finish, Placement};
pub use rows::{Memory, attend, gelu, layer_norm, log_softmax, quantise};
pub use simd::Level;
pub use warm_up::warm_up;
