//! Captions for many pictures at once, as evaluation needs them.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use soli::config::ModelConfig;
use soli::image::{Rgba, to_input};
use soli::model::Model;
use soli::search::{SearchOptions, search};
use soli::vocab::Vocabulary;

use crate::data::decode;

/// A picture to caption.
#[derive(Debug, Clone)]
pub enum Picture {
    /// In a file, as it is.
    File(PathBuf),
    /// In a file, shrunk to a square of this side first: how a photograph of that size would look.
    Shrunk(PathBuf, usize),
}

/// A caption with its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The caption.
    pub text: String,
    /// Mean log-probability of its tokens.
    pub score: f32,
}

impl Picture {
    fn input(&self, config: &ModelConfig) -> Result<Vec<f32>, String> {
        let encoder = &config.encoder;
        match self {
            Picture::File(path) => {
                let picture = decode::load(path).map_err(|e| e.to_string())?;
                to_input(&picture.rgba(), encoder).map_err(|e| e.to_string())
            }
            Picture::Shrunk(path, side) => {
                let picture = decode::load(path).map_err(|e| e.to_string())?;
                let small = soli::image::to_square(&picture.rgba(), *side).map_err(|e| e.to_string())?;
                let rgba: Vec<u8> = small.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], u8::MAX]).collect();
                let small = Rgba::new(*side as u32, *side as u32, &rgba).map_err(|e| e.to_string())?;
                to_input(&small, encoder).map_err(|e| e.to_string())
            }
        }
    }
}

/// Captions `pictures` with a beam of `beam`, spread over all threads; in the order given. A picture that cannot be
/// read gives the reason instead.
///
/// # Errors
/// If the model itself fails.
pub fn caption_all(
    model: &Model,
    config: &ModelConfig,
    vocabulary: &Vocabulary,
    pictures: &[Picture],
    beam: usize,
) -> candle_core::Result<Vec<Result<Said, String>>> {
    let side = config.encoder.input_side;
    let options = SearchOptions { beam, max_tokens: config.decoder.max_tokens };
    pictures
        .par_iter()
        .map(|picture| {
            let pixels = match picture.input(config) {
                Ok(pixels) => pixels,
                Err(why) => return Ok(Err(why)),
            };
            let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &Device::Cpu)?;
            let embeddings = model.embed(&pixels)?.squeeze(0)?;
            let best = search(&model.decoder, &embeddings, options)?;
            Ok(Ok(Said { text: vocabulary.decode(&best.tokens), score: best.score() }))
        })
        .collect()
}
