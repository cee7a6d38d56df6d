//! soli: a small image captioner that runs anywhere, offline, in a browser too.
//!
//! A [`Captioner`] takes the bytes of a weights file and then one picture after the other, as pixels. It needs no
//! framework, no network and no particular hardware; what decodes files to pixels is yours to choose.
//!
//! ```
//! use soli::{CaptionOptions, Captioner, Rgba};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weights = "www/models/soli.safetensors"; // from the repository, 8 MB
//! # // A package from the registry does not have them.
//! # let weights = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(weights);
//! # if !weights.exists() { return Ok(()); }
//! let captioner = Captioner::from_bytes(&std::fs::read(weights)?)?;
//!
//! // 64 x 48 pixels: red, green, blue and alpha of each, row by row from the top.
//! let (width, height) = (64, 48);
//! let pixels: Vec<u8> = (0..width * height).flat_map(|i| [0, 128, (i / width * 5) as u8, 255]).collect();
//! let picture = Rgba::new(width, height, &pixels)?;
//!
//! let caption = captioner.caption(&picture, &CaptionOptions::default())?;
//! println!("{} (score {:.2})", caption.text, caption.score);
//! for word in caption.words.iter().take(3) {
//!     println!("  {} {:.0} %", word.word, word.probability * 100.0);
//! }
//!
//! // Quicker and a little worse: one caption is considered instead of three.
//! let quick = captioner.caption(&picture, &CaptionOptions::default().with_beam(1))?;
//! assert!(!quick.text.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! A captioner may be shared by threads: each picture takes working memory from a pool. Everything that can be wrong with
//! weights, pictures or options is an [`Error`]; the weights file is not trusted.
//!
//! # Features
//! All are off by default; what captions needs none of them.
//! * `train`: the network as a graph of candle's with its gradients, and the modules of this crate, for soli's trainer.
//! * `web`: the WebAssembly module of the npm package `soli-captioner`.
//! * `bench`: the kernels, and what the benchmarks ask of the WebAssembly module.
//!
//! With `train` and `bench` comes no promise that anything stays as it is.

#![deny(missing_docs)]
// Modules are private without it, so that what the trainer and the tests alone use looks unused.
#![cfg_attr(not(feature = "train"), allow(dead_code, unused_imports))]

#[cfg(feature = "train")]
pub mod graph;
#[cfg(any(test, all(target_arch = "wasm32", not(target_feature = "simd128"))))]
mod resample;
#[cfg(all(feature = "web", target_arch = "wasm32"))]
mod web;

#[cfg(not(feature = "train"))]
mod captioner;
#[cfg(feature = "train")]
pub mod captioner;
#[cfg(not(feature = "train"))]
mod confidence;
#[cfg(feature = "train")]
pub mod confidence;
#[cfg(not(feature = "train"))]
mod config;
#[cfg(feature = "train")]
pub mod config;
#[cfg(not(feature = "train"))]
mod details;
#[cfg(feature = "train")]
pub mod details;
#[cfg(not(feature = "train"))]
mod error;
#[cfg(feature = "train")]
pub mod error;
#[cfg(not(feature = "train"))]
mod image;
#[cfg(feature = "train")]
pub mod image;
#[cfg(not(any(feature = "train", feature = "bench")))]
mod kernels;
#[cfg(any(feature = "train", feature = "bench"))]
pub mod kernels;
#[cfg(not(feature = "train"))]
mod kind;
#[cfg(feature = "train")]
pub mod kind;
#[cfg(not(any(feature = "train", feature = "bench")))]
mod layout;
#[cfg(any(feature = "train", feature = "bench"))]
pub mod layout;
#[cfg(not(feature = "train"))]
mod likeliest;
#[cfg(feature = "train")]
pub mod likeliest;
#[cfg(not(feature = "train"))]
mod packed;
#[cfg(feature = "train")]
pub mod packed;
#[cfg(not(feature = "train"))]
mod people;
#[cfg(feature = "train")]
pub mod people;
#[cfg(not(feature = "train"))]
mod search;
#[cfg(feature = "train")]
pub mod search;
#[cfg(not(feature = "train"))]
mod vocab;
#[cfg(feature = "train")]
pub mod vocab;
#[cfg(not(feature = "train"))]
mod weights;
#[cfg(feature = "train")]
pub mod weights;

pub use captioner::{Caption, CaptionOptions, Captioner, MAX_BEAM, Word};
pub use confidence::{Certainty, Confidence, ConfidenceError, Signs};
pub use config::{
    ConceptConfig, ConfigError, DecoderConfig, EncoderConfig, MAX_CONCEPTS, ModelConfig, Trunk,
};
pub use error::Error;
pub use image::{ImageError, MAX_PIXELS, Rgba};
pub use kind::{Kind, KindHead, KindHeadError};
pub use packed::source::BadTensor;
pub use vocab::{MAX_WORD_BYTES, SPECIAL_TOKENS, Vocabulary, VocabularyError};
#[cfg(all(feature = "web", target_arch = "wasm32"))]
#[doc(hidden)]
pub use web::WebCaptioner;
pub use weights::{FloatTensor, MAX_HEADER_BYTES, Precision, Provenance, Weights, WeightsError, WeightsFile};
