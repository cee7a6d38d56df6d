//! Fits [`Confidence`]: how likely a caption is to be right, from what the captioner knows of it and its picture.
//!
//! Right is what [`is_right`] says; of pictures that are no photographs no description is. Pictures of every other place in
//! the list are fitted on, the others only measured.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::captioner::{Caption, CaptionOptions, Captioner};
use soli::confidence::{Certainty, Confidence, Signs};
use soli::kind::KindHead;
use soli::weights::Weights;

use crate::data::decode::{self, Picture};
use crate::data::views::{Versions, Views};
use crate::data::{Example, nonphotos};
use crate::regression::logistic_regression;
use crate::right::is_right;

/// Widths in pixels at which each picture is captioned.
const WIDTHS: [usize; 4] = [224, 100, 50, 25];

/// Training pictures whose embeddings say what is familiar.
const FAMILIAR: usize = 1000;

/// Drawn pictures that are no photographs, for each ten captions of photographs.
const NON_PHOTOS: usize = 2;

/// A data set to calibrate on.
pub struct Set {
    /// Its name, for the report.
    pub name: String,
    /// Pictures that the network learned from.
    pub train: Vec<Example>,
    /// Pictures that it did not.
    pub dev: Vec<Example>,
}

/// One caption: what is known of it, and whether it is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What the confidence is computed from.
    pub signs: Signs,
    /// Whether it is right.
    pub right: bool,
    /// Place of its data set, and its width in pixels; `None` of a picture that is no photograph.
    pub of: Option<(usize, usize)>,
}

/// A calibration and what it is worth on trials that it was not fitted on.
pub struct Calibrated {
    /// To be kept with the weights.
    pub confidence: Confidence,
    /// The trials that were not fitted on, each with its probability.
    pub held_out: Vec<(Trial, f32)>,
    names: Vec<String>,
}

/// Fits the confidence of `weights` on the dev pictures of data sets; what `kinds` refuses is no trial.
///
/// # Errors
/// If no picture can be read or the weights do not fit.
pub fn calibrate(weights: &Weights, sets: &[Set], kinds: Option<KindHead>) -> Result<Calibrated> {
    let (mean, deviation) = familiar(&Captioner::new(weights.clone())?, sets)?;
    let mut confidence = Confidence {
        mean,
        deviation,
        score: 0.0,
        unfamiliarity: 0.0,
        support: 0.0,
        size: 0.0,
        bias: 0.0,
        kinds,
    };
    let captioner = Captioner::new(Weights { confidence: Some(confidence.clone()), ..weights.clone() })?;
    let mut trials = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        for width in WIDTHS {
            let of_width = set.dev.par_iter().map(|example| {
                let picture = decode::load(&example.image)?.shrunk(width)?;
                let caption = captioner.caption(&picture.rgba(), &CaptionOptions::default())?;
                Ok(trial(&caption, is_right(&caption.text, &example.captions), Some((place, width))))
            });
            trials.extend(of_width.collect::<Result<Vec<_>>>()?.into_iter().flatten());
        }
    }
    let drawn = (0..trials.len() * NON_PHOTOS / 10).into_par_iter().map(|i| {
        let picture = nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i as u64));
        let caption = captioner.caption(&Picture::from(&picture).rgba(), &CaptionOptions::default())?;
        Ok(trial(&caption, false, None))
    });
    trials.extend(drawn.collect::<Result<Vec<_>>>()?.into_iter().flatten());
    let half = |start| trials.iter().skip(start).step_by(2).cloned().collect::<Vec<Trial>>();
    let (fitted, held) = (half(0), half(1));
    let row = |s: &Signs| [1.0, s.score.into(), s.unfamiliarity.into(), s.support.into(), s.size.into()];
    let rows: Vec<([f64; 5], bool)> = fitted.iter().map(|t| (row(&t.signs), t.right)).collect();
    let [bias, score, unfamiliarity, support, size] =
        logistic_regression(&rows).context("no confidence can be fitted")?.map(|weight| weight as f32);
    confidence = Confidence { score, unfamiliarity, support, size, bias, ..confidence };
    let held_out =
        held.into_iter().map(|trial| (trial.clone(), confidence.probability(&trial.signs))).collect();
    Ok(Calibrated { confidence, held_out, names: sets.iter().map(|set| set.name.clone()).collect() })
}

fn trial(caption: &Caption, right: bool, of: Option<(usize, usize)>) -> Option<Trial> {
    caption.signs.map(|signs| Trial { signs, right, of })
}

/// Mean and standard deviation of the mean embeddings of training pictures at all sizes.
fn familiar(captioner: &Captioner, sets: &[Set]) -> Result<(Vec<f32>, Vec<f32>)> {
    let views = Views { degraded: 0.7, versions: Versions::AnySize, corrupted: 0.1, ..Views::PLAIN };
    // As many of each set, whatever their sizes.
    let share = FAMILIAR.div_ceil(sets.len().max(1));
    let of_set = |set: &'_ Set| {
        let step = (set.train.len() / share).max(1);
        set.train.iter().step_by(step).cloned().collect::<Vec<Example>>()
    };
    let some: Vec<Example> = sets.iter().flat_map(of_set).collect();
    let pooled: Vec<Vec<f32>> = some
        .par_iter()
        .enumerate()
        .filter_map(|(i, example)| {
            let picture = decode::load(&example.image).ok()?.rgb();
            let view: RgbImage = views.one(&picture, false, &mut ChaCha8Rng::seed_from_u64(i as u64));
            captioner.mean_embedding(&Picture::from(&view).rgba()).ok()
        })
        .collect();
    ensure!(pooled.len() > 1, "too few training pictures can be read to know what is familiar");
    let count = pooled.len() as f32;
    let width = captioner.config().decoder.width;
    let mean: Vec<f32> =
        (0..width).map(|c| short(pooled.iter().map(|values| values[c]).sum::<f32>() / count)).collect();
    let deviation = (0..width)
        .map(|c| {
            let variance = pooled.iter().map(|values| (values[c] - mean[c]).powi(2)).sum::<f32>() / count;
            short(variance.sqrt()).max(1e-4)
        })
        .collect();
    Ok((mean, deviation))
}

/// As many digits as matter, so that the file stays small.
fn short(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}

/// Mean difference of what is said and what is found in ten bins of equally many trials, 0 to 1 (Nguyen and O'Connor 2015).
pub fn calibration_error(trials: &[(f32, bool)]) -> f64 {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = sorted.len().div_ceil(10).max(1);
    let gap = |bin: &[(f32, bool)]| {
        let said: f64 = bin.iter().map(|(p, _)| f64::from(*p)).sum();
        (said - bin.iter().filter(|(_, right)| *right).count() as f64).abs()
    };
    sorted.chunks(size).map(gap).sum::<f64>() / sorted.len().max(1) as f64
}

/// How often a right trial has a higher probability than a wrong one: the area under the ROC curve, ties half.
pub fn auroc(trials: &[(f32, bool)]) -> f64 {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wrong_before, mut sum) = (0.0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let right = equal.iter().filter(|(_, right)| *right).count() as f64;
        let wrong = equal.len() as f64 - right;
        sum += right * (wrong_before + wrong / 2.0);
        wrong_before += wrong;
    }
    sum / (wrong_before * (trials.len() as f64 - wrong_before)).max(1.0)
}

/// Share of wrong ones, of all trials and of the half with the highest probabilities.
pub fn risks(trials: &[(f32, bool)]) -> (f64, f64) {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let wrong =
        |of: &[(f32, bool)]| of.iter().filter(|(_, right)| !right).count() as f64 / of.len().max(1) as f64;
    (wrong(&sorted), wrong(&sorted[..sorted.len().div_ceil(2)]))
}

impl fmt::Display for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "captions that were not fitted on    right   said   calibration error   AUROC   wrong, of all and of the surer half"
        )?;
        let mut line = |name: &str, of: &dyn Fn(&Trial) -> bool| {
            let some: Vec<(f32, bool)> = self
                .held_out
                .iter()
                .filter(|(trial, _)| of(trial))
                .map(|(trial, p)| (*p, trial.right))
                .collect();
            if some.is_empty() {
                return Ok(());
            }
            let (wrong, surer) = risks(&some);
            let said = some.iter().map(|(p, _)| f64::from(*p)).sum::<f64>() / some.len() as f64;
            writeln!(
                f,
                "{name:28} {:5}   {:3.0} %   {:3.0} %   {:16.3}   {:5.2}   {:3.0} %   {:3.0} %",
                some.len(),
                100.0 * (1.0 - wrong),
                100.0 * said,
                calibration_error(&some),
                auroc(&some),
                100.0 * wrong,
                100.0 * surer
            )
        };
        for (place, name) in self.names.iter().enumerate() {
            for width in WIDTHS {
                line(&format!("{name} at {width} px"), &|trial| trial.of == Some((place, width)))?;
            }
        }
        line("no photographs", &|trial| trial.of.is_none())?;
        line("all", &|_| true)?;
        let share = |certainty: Certainty| {
            let of = self.held_out.iter().filter(|(_, p)| Certainty::of(*p) == certainty).count();
            100.0 * of as f64 / self.held_out.len().max(1) as f64
        };
        let [likely, unsure, no] = [Certainty::Likely, Certainty::Unsure, Certainty::No].map(share);
        write!(f, "told as it is: {likely:.0} %, as a guess: {unsure:.0} %, not told: {no:.0} %")
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

    #[test]
    fn measures_are_those_of_their_definitions() {
        let trials = [(0.9, true), (0.8, true), (0.8, false), (0.3, true), (0.1, false), (0.2, false)];
        // Of the nine pairs 0.9 wins three, 0.8 two and a half, 0.3 two.
        assert!((auroc(&trials) - 7.5 / 9.0).abs() < 1e-9);
        // Six bins of one trial each.
        let gaps = 0.1 + 0.2 + 0.8 + 0.7 + 0.1 + 0.2;
        assert!((calibration_error(&trials) - gaps / 6.0).abs() < 1e-6);
        assert_eq!(risks(&trials), (0.5, 1.0 / 3.0));
    }
}
