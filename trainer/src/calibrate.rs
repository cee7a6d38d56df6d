//! Fits [`Confidence`]: how likely a caption is to be about right, from its score and how unfamiliar the picture is.
//!
//! A caption counts as about right if its own CIDEr against people's captions is at least [`RIGHT`]; of pictures that
//! are no photographs no caption is. Pictures of every other place in the list are fitted on, the others only measured.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::captioner::{CaptionOptions, Captioner};
use soli::confidence::{Confidence, pooled, unfamiliarity};
use soli::encoder::Form;
use soli::model::Model;
use soli::weights::Weights;

use crate::data::decode::{self, Picture};
use crate::data::views::{Versions, Views, input};
use crate::data::{Example, nonphotos};
use crate::metrics;
use crate::regression::logistic_regression;

/// Least CIDEr (1 is 100 in tables) of a caption that is about right: it then shares its subject and more with what
/// people said. About half of what people reach against each other.
pub const RIGHT: f64 = 0.4;

/// Widths in pixels at which each picture is captioned.
const WIDTHS: [usize; 4] = [224, 100, 50, 25];
/// Training pictures whose embeddings say what is familiar.
const FAMILIAR: usize = 1000;
/// Pictures that are no photographs, for each ten captions of photographs.
const NON_PHOTOS: usize = 2;

/// One caption: what is known of it, and whether it is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Its score.
    pub score: f32,
    /// How unfamiliar the picture is.
    pub unfamiliarity: f32,
    /// How far the concept head saw what the caption says.
    pub support: f32,
    /// Whether it is about right.
    pub right: bool,
    /// Whether the picture is a photograph.
    pub photo: bool,
}

/// A calibration and what it is worth on trials that it was not fitted on.
pub struct Calibrated {
    /// To be kept with the weights.
    pub confidence: Confidence,
    /// The trials that were not fitted on, each with its probability.
    pub held_out: Vec<(Trial, f32)>,
}

/// Fits the confidence of `weights` on the dev pictures of data sets, each given by its training and its dev pictures.
///
/// # Errors
/// If no picture can be read or the weights do not fit.
pub fn calibrate(weights: &Weights, sets: &[(Vec<Example>, Vec<Example>)]) -> Result<Calibrated> {
    let vb =
        candle_nn::VarBuilder::from_tensors(weights.tensors.clone(), candle_core::DType::F32, &Device::Cpu);
    let model = Model::new(vb, &weights.config, Form::Inference)?;
    let (mean, deviation) = familiar(&model, weights, sets)?;
    let captioner = Captioner::new(weights.clone())?;
    let mut trials = Vec::new();
    for (_, dev) in sets {
        for width in WIDTHS {
            trials.extend(photos(&captioner, &model, weights, dev, width, &mean, &deviation)?);
        }
    }
    let count = trials.len() * NON_PHOTOS / 10;
    let drawn: Vec<RgbImage> =
        (0..count).map(|i| nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i as u64))).collect();
    let others: Vec<Trial> = drawn
        .par_iter()
        .map(|picture| {
            let looked = look(&captioner, &model, weights, picture, &mean, &deviation)?;
            Ok(looked.trial(false, false))
        })
        .collect::<Result<_>>()?;
    trials.extend(others);
    let half = |start| trials.iter().skip(start).step_by(2).copied().collect::<Vec<Trial>>();
    let (fitted, held) = (half(0), half(1));
    let signs = |t: &Trial| [1.0, t.score.into(), t.unfamiliarity.into(), t.support.into()];
    let rows: Vec<([f64; 4], bool)> = fitted.iter().map(|t| (signs(t), t.right)).collect();
    let [bias, score, unfamiliarity, support] =
        logistic_regression(&rows).context("no confidence can be fitted")?.map(|weight| weight as f32);
    let confidence = Confidence { mean, deviation, score, unfamiliarity, support, bias };
    let probability = |t: &Trial| confidence.of_signs(t.score, t.unfamiliarity, t.support);
    let held_out = held.into_iter().map(|trial| (trial, probability(&trial))).collect();
    Ok(Calibrated { confidence, held_out })
}

/// Mean and standard deviation of the mean embeddings of training pictures at all sizes.
fn familiar(
    model: &Model,
    weights: &Weights,
    sets: &[(Vec<Example>, Vec<Example>)],
) -> Result<(Vec<f32>, Vec<f32>)> {
    let views = Views { degraded: 0.7, versions: Versions::AnySize, damaged: 0.1, ..Views::PLAIN };
    // As many of each set, whatever their sizes.
    let share = FAMILIAR.div_ceil(sets.len().max(1));
    let of_set = |(train, _): &'_ (Vec<Example>, Vec<Example>)| {
        let step = (train.len() / share).max(1);
        train.iter().step_by(step).cloned().collect::<Vec<Example>>()
    };
    let some: Vec<Example> = sets.iter().flat_map(of_set).collect();
    let pooled: Vec<Vec<f32>> = some
        .par_iter()
        .enumerate()
        .filter_map(|(i, example)| {
            let picture = decode::load(&example.image).ok()?.rgb();
            let view = views.one(&picture, false, &mut ChaCha8Rng::seed_from_u64(i as u64));
            embed(model, weights, &view).ok()
        })
        .collect();
    ensure!(pooled.len() > 1, "too few training pictures can be read to know what is familiar");
    let count = pooled.len() as f32;
    let width = weights.config.decoder.width;
    let mean: Vec<f32> =
        (0..width).map(|c| pooled.iter().map(|values| values[c]).sum::<f32>() / count).collect();
    let deviation = (0..width)
        .map(|c| {
            let variance = pooled.iter().map(|values| (values[c] - mean[c]).powi(2)).sum::<f32>() / count;
            variance.sqrt().max(1e-4)
        })
        .collect();
    Ok((mean, deviation))
}

fn embed(model: &Model, weights: &Weights, picture: &RgbImage) -> Result<Vec<f32>> {
    let side = weights.config.encoder.input_side;
    let values = input(picture, &weights.config.encoder)?;
    let pixels = Tensor::from_vec(values, (1, side, side, 3), &Device::Cpu)?;
    let embeddings = model.embed(&pixels)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(pooled(&embeddings, weights.config.decoder.width))
}

/// What is known of a picture's caption before it is compared.
struct Looked {
    score: f32,
    unfamiliarity: f32,
    support: f32,
    text: String,
}

impl Looked {
    fn trial(&self, right: bool, photo: bool) -> Trial {
        let Self { score, unfamiliarity, support, .. } = *self;
        Trial { score, unfamiliarity, support, right, photo }
    }
}

fn look(
    captioner: &Captioner,
    model: &Model,
    weights: &Weights,
    picture: &RgbImage,
    mean: &[f32],
    deviation: &[f32],
) -> Result<Looked> {
    let caption = captioner.caption(&Picture::from(picture).rgba(), &CaptionOptions::default())?;
    let unfamiliarity = unfamiliarity(mean, deviation, &embed(model, weights, picture)?);
    Ok(Looked { score: caption.score, unfamiliarity, support: caption.support, text: caption.text })
}

fn photos(
    captioner: &Captioner,
    model: &Model,
    weights: &Weights,
    dev: &[Example],
    width: usize,
    mean: &[f32],
    deviation: &[f32],
) -> Result<Vec<Trial>> {
    let shrunk = |path: &PathBuf| -> Result<RgbImage> { Ok(decode::load(path)?.shrunk(width)?.rgb()) };
    let looked: Vec<Looked> = dev
        .par_iter()
        .map(|example| look(captioner, model, weights, &shrunk(&example.image)?, mean, deviation))
        .collect::<Result<_>>()?;
    let candidates: Vec<String> = looked.iter().map(|looked| looked.text.clone()).collect();
    let references: Vec<Vec<String>> = dev.iter().map(|example| example.captions.clone()).collect();
    let (_, scores) = metrics::evaluate_each(&candidates, &references)?;
    Ok(looked.iter().zip(scores).map(|(looked, scores)| looked.trial(scores.cider >= RIGHT, true)).collect())
}

impl std::fmt::Display for Calibrated {
    /// A reliability table of the trials that were not fitted on.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "confidence   captions   said   about right")?;
        let mut error = 0.0;
        for bin in 0..5 {
            let (low, high) = (bin as f32 / 5.0, (bin + 1) as f32 / 5.0);
            let of: Vec<&(Trial, f32)> =
                self.held_out.iter().filter(|(_, p)| *p >= low && (*p < high || bin == 4)).collect();
            if of.is_empty() {
                continue;
            }
            let said = of.iter().map(|(_, p)| f64::from(*p)).sum::<f64>() / of.len() as f64;
            let right = of.iter().filter(|(t, _)| t.right).count() as f64 / of.len() as f64;
            error += (said - right).abs() * of.len() as f64 / self.held_out.len() as f64;
            writeln!(
                f,
                "{low:.1} to {high:.1}   {:8}   {:3.0} %   {:3.0} %",
                of.len(),
                said * 100.0,
                right * 100.0
            )?;
        }
        let share = |photo: bool| {
            let of: Vec<f32> =
                self.held_out.iter().filter(|(t, _)| t.photo == photo).map(|(_, p)| *p).collect();
            of.iter().filter(|p| **p >= 0.5).count() as f64 / of.len().max(1) as f64 * 100.0
        };
        writeln!(f, "expected calibration error {:.1} points", error * 100.0)?;
        write!(
            f,
            "at least 0.5 for {:.0} % of the photographs at all widths, and {:.1} % of what is no photograph",
            share(true),
            share(false)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_no_photographs_differ() {
        let drawn: Vec<RgbImage> =
            (0..60).map(|i| nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i))).collect();
        let mut different: Vec<&[u8]> = drawn.iter().map(|picture| picture.as_raw().as_slice()).collect();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 45, "{}", different.len());
        assert!(drawn.iter().all(|picture| picture.dimensions() == (224, 224)));
    }
}
