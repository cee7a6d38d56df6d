//! soli: a small image captioner that runs in any browser, offline.
//!
//! The network is described once, in this crate; the trainer and the browser share it. Everything is
//! channels-last (NHWC).

pub mod captioner;
pub mod concepts;
pub mod confidence;
pub mod config;
pub mod decoder;
pub mod embedding;
pub mod encoder;
pub mod error;
pub mod image;
pub mod kernels;
pub mod likeliest;
pub mod model;
pub mod packed;
#[cfg(any(test, all(target_arch = "wasm32", not(target_feature = "simd128"))))]
mod resample;
pub mod search;
pub mod vocab;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use captioner::{Caption, CaptionOptions, Captioner};
pub use error::Error;
pub use image::{ImageError, MAX_PIXELS, Rgba};
