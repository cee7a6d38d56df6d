//! The arithmetic of inference: no gradients, no tensors, no allocation; weights packed beforehand, and what follows a
//! sum done while it is in a register. Each is written once and compiled for every [`Level`].

// Indices here are numbers of lanes, rows and taps, which iterators would hide.
#![allow(clippy::needless_range_loop)]

mod attention;
mod buffer;
mod depthwise;
mod gemm;
mod gemm_i8;
mod product;
mod rows;
mod simd;
mod warm_up;

pub use attention::{Memory, attend};
pub use buffer::{Buffer, Number};
pub use depthwise::{Depthwise, Sink};
pub use gemm::Matrix;
pub use gemm_i8::{Matrix as MatrixI8, limit};
pub use product::{Finish, Placement};
pub use rows::{gelu, layer_norm, log_softmax, quantise};
pub use simd::Level;
pub use warm_up::warm_up;
