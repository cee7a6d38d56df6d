//! From a run's weights to its record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use soli::captioner::{CaptionOptions, Captioner};
use soli::graph::Model;
use soli::image::to_input;
use soli::weights::Weights;

use super::record::{Distances, Said, Scored};
use crate::contrast::squared_distances;
use crate::data::{Example, Report, decode};
use crate::evaluate::{self, score};

/// Pictures embedded at a time.
const BATCH: usize = 16;

/// Scores on `examples` by source width.
///
/// # Errors
/// If no picture can be read, or METEOR cannot be run.
pub fn scores(
    captioner: &Captioner,
    examples: &[Example],
    px: &[u16],
    beam: usize,
    meteor_jar: Option<&Path>,
    report: &mut Report,
) -> Result<BTreeMap<u16, Scored>> {
    let options = CaptionOptions::AS_LEARNED.with_beam(beam);
    let mut scored = BTreeMap::new();
    for &side in px {
        let (scores, described) = score(captioner, examples, Some(side.into()), &options, report)?;
        let meteor = match meteor_jar {
            None => None,
            Some(jar) => Some(evaluate::meteor(jar, &described, examples)?),
        };
        let (bleu4, rouge_l, cider) = (scores.bleu[3], scores.rouge_l, scores.cider);
        scored.insert(side, Scored { bleu4, rouge_l, cider, meteor });
    }
    Ok(scored)
}

/// A picture's pixels as the network's input, shrunk to a square of `side` first.
fn input(path: &Path, side: u16, config: &soli::config::EncoderConfig) -> Result<Vec<f32>> {
    Ok(to_input(&decode::load(path)?.shrunk(side.into())?.rgba(), config)?)
}

/// Mean distances of embeddings from those at the first of `px`, by source width: of the same pictures, and of each
/// picture and the next.
///
/// # Errors
/// If a picture cannot be read or the weights do not fit.
pub fn distances(weights: &Weights, pictures: &[PathBuf], px: &[u16]) -> Result<BTreeMap<u16, Distances>> {
    let model = Model::of(weights)?;
    let side = weights.config.encoder.input_side;
    let embed = |width: u16| -> Result<Tensor> {
        let mut parts = Vec::new();
        for batch in pictures.chunks(BATCH) {
            let inputs: Vec<Vec<f32>> = batch
                .par_iter()
                .map(|path| input(path, width, &weights.config.encoder))
                .collect::<Result<_>>()?;
            let pixels = Tensor::from_vec(inputs.concat(), (batch.len(), side, side, 3), &Device::Cpu)?;
            parts.push(model.embed(&pixels)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    };
    let sharp = embed(*px.first().context("no width to measure")?)?;
    let next: Vec<u32> = (0..pictures.len() as u32).map(|i| (i + 1) % pictures.len() as u32).collect();
    let next = Tensor::new(next, &Device::Cpu)?;
    let mean = |a: &Tensor, b: &Tensor| -> Result<f64> {
        let distances = squared_distances(a, b)?.sqrt()?.to_vec1::<f32>()?;
        Ok(distances.iter().map(|d| f64::from(*d)).sum::<f64>() / distances.len().max(1) as f64)
    };
    px.iter()
        .map(|&width| {
            let there = embed(width)?;
            let (same, different) = (mean(&sharp, &there)?, mean(&sharp, &there.index_select(&next, 0)?)?);
            Ok((width, Distances { same, different }))
        })
        .collect()
}

/// What is said of example pictures, by file name and source width.
///
/// # Errors
/// If a picture cannot be read.
pub fn examples(
    captioner: &Captioner,
    pictures: &[PathBuf],
    px: &[u16],
    beam: usize,
) -> Result<BTreeMap<String, BTreeMap<u16, Said>>> {
    let options = CaptionOptions::AS_LEARNED.with_beam(beam);
    pictures
        .iter()
        .map(|path| {
            let picture = decode::load(path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let said = px
                .iter()
                .map(|&side| {
                    let caption = captioner.caption(&picture.shrunk(side.into())?.rgba(), &options)?;
                    Ok((side, Said { text: caption.text, score: caption.score }))
                })
                .collect::<Result<_>>()?;
            Ok((name, said))
        })
        .collect()
}
