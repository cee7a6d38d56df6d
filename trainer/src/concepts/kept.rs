//! Views of pictures that are looked at once: on a trunk that stays as it is their pooled features do not change, and a
//! classifier can go over them a hundred times in the time that the trunk needs for one pass.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};
use soli::graph::Model;
use soli::layout::HEAD_CHANNELS;

use crate::data::Report;
use crate::data::batches::{Plan, TokenExample};
use crate::kept_tensor::{fetch, hex, make_folder, store};
use crate::optimiser::is_trunk;
use crate::parameters::Parameters;
use crate::progress::TrainingBar;

/// Pictures of a trunk's pass.
const AT_ONCE: usize = 32;

/// Pooled features of several views of each picture, kept in a folder so that a killed run need not look again.
pub struct Kept {
    /// By view, then by picture.
    views: Vec<Vec<f32>>,
    /// Whether a picture could be read.
    read: Vec<bool>,
}

impl Kept {
    /// Looks at `count` views of each picture, those that `folder` does not hold yet.
    ///
    /// # Errors
    /// If the network has no concept head, or the folder cannot be written.
    pub fn look(
        count: usize,
        examples: &[TokenExample],
        plan: &Plan,
        (model, parameters): (&Model, &Parameters),
        folder: &Path,
        report: &mut Report,
    ) -> Result<Self> {
        let head = model.concepts.as_ref().context("the network has no concept head")?;
        make_folder(folder)?;
        let key = key(examples, plan, parameters, is_trunk, "")?;
        let (mut views, mut read) = (Vec::with_capacity(count), vec![true; examples.len()]);
        let all: Vec<usize> = (0..examples.len()).collect();
        let passes = examples.len().div_ceil(AT_ONCE);
        let bar = TrainingBar::new(count * passes, 0);
        for view in 0..count {
            let path = folder.join(format!("{key}-{view}.safetensors"));
            let shape = [examples.len(), HEAD_CHANNELS];
            if let Some(kept) = fetch(&path, shape) {
                // A picture that could not be read has no number.
                let kept = kept.to_vec2::<f32>()?;
                read.iter_mut().zip(&kept).for_each(|(read, row)| *read &= row[0].is_finite());
                views.push(kept.concat());
                (0..passes).for_each(|_| bar.step(0, f32::NAN));
                continue;
            }
            let mut values = vec![f32::NAN; examples.len() * HEAD_CHANNELS];
            for some in all.chunks(AT_ONCE) {
                let batch = plan.view_of(examples, some, view)?;
                if view == 0 {
                    batch.broken.iter().for_each(|(name, why)| report.add_broken(name, why.clone()));
                }
                if !batch.indices.is_empty() {
                    let pooled = head.pool(&model.trunk.forward(&batch.pixels)?)?.to_vec2::<f32>()?;
                    for (&i, row) in batch.indices.iter().zip(pooled) {
                        values[i * HEAD_CHANNELS..][..HEAD_CHANNELS].copy_from_slice(&row);
                    }
                }
                bar.step(batch.indices.len(), f32::NAN);
            }
            let pooled = Tensor::from_slice(&values, (examples.len(), HEAD_CHANNELS), &Device::Cpu)?;
            store(&path, pooled)?;
            let rows = values.chunks_exact(HEAD_CHANNELS);
            read.iter_mut().zip(rows).for_each(|(read, row)| *read &= row[0].is_finite());
            views.push(values);
        }
        bar.finish();
        ensure!(read.contains(&true), "none of the {} pictures can be read\n{report}", examples.len());
        Ok(Self { views, read })
    }

    /// Whether the picture could be read.
    pub fn has(&self, picture: usize) -> bool {
        self.read[picture]
    }

    /// Views of each picture.
    pub fn views(&self) -> usize {
        self.views.len()
    }

    /// Pooled features (pictures, [`HEAD_CHANNELS`]) of some pictures in some of their views.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn pooled(&self, pictures: &[(usize, usize)]) -> candle_core::Result<Tensor> {
        let row =
            |&(picture, view): &(usize, usize)| &self.views[view][picture * HEAD_CHANNELS..][..HEAD_CHANNELS];
        let values = pictures.iter().flat_map(row).copied().collect();
        Tensor::from_vec(values, (pictures.len(), HEAD_CHANNELS), &Device::Cpu)
    }
}

/// What kept files are named after: they are of use only to the same pictures, views and numbers.
pub(super) fn key(
    examples: &[TokenExample],
    plan: &Plan,
    parameters: &Parameters,
    of: impl Fn(&str) -> bool,
    rest: &str,
) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {:?} {rest}", plan.seed, plan.encoder.input_side, plan.views));
    for example in examples {
        hash.update(format!("{}\0{:?}\0", example.example.image.display(), example.example.captions));
    }
    for (name, var) in parameters.vars().iter().filter(|(name, _)| of(name)) {
        hash.update(name.as_bytes());
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        hash.update(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    }
    Ok(hex(&hash.finalize()[..8]))
}
