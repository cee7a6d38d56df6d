//! Fits [`Confidence`]: how likely a caption is to be about right, from its score and how unfamiliar the picture is.
//!
//! A caption counts as about right if its own CIDEr against people's captions is at least [`RIGHT`]; of pictures that
//! are no photographs no caption is. Pictures of every other place in the list are fitted on, the others only measured.

use std::path::PathBuf;

use anyhow::{Result, ensure};
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

/// Fits the confidence of `weights`.
///
/// # Errors
/// If no picture can be read or the weights do not fit.
pub fn calibrate(weights: &Weights, train: &[Example], dev: &[Example]) -> Result<Calibrated> {
    let vb =
        candle_nn::VarBuilder::from_tensors(weights.tensors.clone(), candle_core::DType::F32, &Device::Cpu);
    let model = Model::new(vb, &weights.config, Form::Inference)?;
    let (mean, deviation) = familiar(&model, weights, train)?;
    let captioner = Captioner::new(weights.clone())?;
    let mut trials = Vec::new();
    for width in WIDTHS {
        trials.extend(photos(&captioner, &model, weights, dev, width, &mean, &deviation)?);
    }
    let count = trials.len() * NON_PHOTOS / 10;
    let drawn: Vec<RgbImage> =
        (0..count).map(|i| nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i as u64))).collect();
    let others: Vec<Trial> = drawn
        .par_iter()
        .map(|picture| {
            let (score, unfamiliarity, _) = look(&captioner, &model, weights, picture, &mean, &deviation)?;
            Ok(Trial { score, unfamiliarity, right: false, photo: false })
        })
        .collect::<Result<_>>()?;
    trials.extend(others);
    let half = |start| trials.iter().skip(start).step_by(2).copied().collect::<Vec<Trial>>();
    let (fitted, held) = (half(0), half(1));
    let [bias, score, unfamiliarity] = logistic_regression(&fitted)?;
    let confidence = Confidence { mean, deviation, score, unfamiliarity, bias };
    let probability = |t: &Trial| {
        let logit = confidence.score * t.score + confidence.unfamiliarity * t.unfamiliarity + confidence.bias;
        1.0 / (1.0 + (-logit).exp())
    };
    let held_out = held.into_iter().map(|trial| (trial, probability(&trial))).collect();
    Ok(Calibrated { confidence, held_out })
}

/// Mean and standard deviation of the mean embeddings of training pictures at all sizes.
fn familiar(model: &Model, weights: &Weights, train: &[Example]) -> Result<(Vec<f32>, Vec<f32>)> {
    let views = Views { degraded: 0.7, versions: Versions::AnySize, damaged: 0.1, ..Views::PLAIN };
    let step = (train.len() / FAMILIAR).max(1);
    let some: Vec<&Example> = train.iter().step_by(step).collect();
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

/// Score, unfamiliarity and caption of a picture.
fn look(
    captioner: &Captioner,
    model: &Model,
    weights: &Weights,
    picture: &RgbImage,
    mean: &[f32],
    deviation: &[f32],
) -> Result<(f32, f32, String)> {
    let caption = captioner.caption(&Picture::from(picture).rgba(), &CaptionOptions::default())?;
    let strangeness = unfamiliarity(mean, deviation, &embed(model, weights, picture)?);
    Ok((caption.score, strangeness, caption.text))
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
    let looked: Vec<(f32, f32, String)> = dev
        .par_iter()
        .map(|example| look(captioner, model, weights, &shrunk(&example.image)?, mean, deviation))
        .collect::<Result<_>>()?;
    let candidates: Vec<String> = looked.iter().map(|(_, _, text)| text.clone()).collect();
    let references: Vec<Vec<String>> = dev.iter().map(|example| example.captions.clone()).collect();
    let (_, scores) = metrics::evaluate_each(&candidates, &references)?;
    Ok(looked
        .into_iter()
        .zip(scores)
        .map(|((score, unfamiliarity, _), scores)| Trial {
            score,
            unfamiliarity,
            right: scores.cider >= RIGHT,
            photo: true,
        })
        .collect())
}

/// Bias, weight of the score and weight of the unfamiliarity of the logistic regression of `right`: Newton's method on
/// the likelihood, with next to no shrinkage.
///
/// # Errors
/// If all trials are right or none is.
pub fn logistic_regression(trials: &[Trial]) -> Result<[f32; 3]> {
    let right = trials.iter().filter(|trial| trial.right).count();
    ensure!(
        right > 0 && right < trials.len(),
        "{right} of {} captions are right: nothing to fit",
        trials.len()
    );
    let mut weights = [0f64; 3];
    for _ in 0..50 {
        let mut gradient = weights.map(|w| 1e-6 * w);
        let mut hessian = [[0f64; 3]; 3];
        (0..3).for_each(|i| hessian[i][i] = 1e-6);
        for trial in trials {
            let x = [1.0, f64::from(trial.score), f64::from(trial.unfamiliarity)];
            let logit: f64 = weights.iter().zip(x).map(|(w, x)| w * x).sum();
            let p = 1.0 / (1.0 + (-logit).exp());
            let error = p - f64::from(u8::from(trial.right));
            for i in 0..3 {
                gradient[i] += error * x[i];
                for j in 0..3 {
                    hessian[i][j] += p * (1.0 - p) * x[i] * x[j];
                }
            }
        }
        let step = solve(hessian, gradient);
        weights.iter_mut().zip(step).for_each(|(w, s)| *w -= s);
        if step.iter().all(|s| s.abs() < 1e-9) {
            break;
        }
    }
    ensure!(weights.iter().all(|w| w.is_finite()), "the captions cannot be told apart: the fit diverges");
    Ok(weights.map(|w| w as f32))
}

/// Solves a 3 by 3 system by Gaussian elimination with pivoting.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        let pivot = (i..3).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        for row in i + 1..3 {
            let factor = a[row][i] / a[i][i];
            let pivot = a[i];
            a[row].iter_mut().zip(pivot).skip(i).for_each(|(value, above)| *value -= factor * above);
            b[row] -= factor * b[i];
        }
    }
    for i in (0..3).rev() {
        for column in i + 1..3 {
            b[i] -= a[i][column] * b[column];
        }
        b[i] /= a[i][i];
    }
    b
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
    use rand::RngExt;

    use super::*;

    #[test]
    fn the_regression_finds_the_weights_that_made_the_trials() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let [bias, score, unfamiliarity] = [1.5f32, 2.0, -0.7];
        let trials: Vec<Trial> = (0..40_000)
            .map(|_| {
                let (s, u) = (rng.random_range(-2.0..0.0), rng.random_range(-1.0..3.0));
                let p = 1.0 / (1.0 + (-(bias + score * s + unfamiliarity * u)).exp());
                Trial { score: s, unfamiliarity: u, right: rng.random::<f32>() < p, photo: true }
            })
            .collect();
        let fitted = logistic_regression(&trials).unwrap();
        for (fitted, true_weight) in fitted.iter().zip([bias, score, unfamiliarity]) {
            assert!((fitted - true_weight).abs() < 0.1, "{fitted} {true_weight}");
        }
        // At the optimum the mean probability is the share of right ones.
        let mean: f64 = trials
            .iter()
            .map(|t| {
                1.0 / (1.0
                    + f64::from(-(fitted[0] + fitted[1] * t.score + fitted[2] * t.unfamiliarity)).exp())
            })
            .sum::<f64>()
            / trials.len() as f64;
        let right = trials.iter().filter(|t| t.right).count() as f64 / trials.len() as f64;
        assert!((mean - right).abs() < 1e-4, "{mean} {right}");
        let all = |right| vec![Trial { score: -1.0, unfamiliarity: 0.0, right, photo: true }; 3];
        assert!(logistic_regression(&all(true)).is_err() && logistic_regression(&all(false)).is_err());
    }

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
