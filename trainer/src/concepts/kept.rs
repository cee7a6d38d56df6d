//! Views of pictures that are looked at once: on a trunk that stays as it is their pooled features do not change, and a
//! classifier can go over them a hundred times in the time that the trunk needs for one pass.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};
use soli::graph::Model;
use soli::layout::HEAD_CHANNELS;

use super::{Taught, taught::Teachers};
use crate::checkpoint::write_whole;
use crate::data::Report;
use crate::data::batches::{Plan, TokenExample};
use crate::optimiser::{is_classifier, is_trunk};
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
        make(folder)?;
        let key = key(examples, plan, parameters, is_trunk, "")?;
        let (mut views, mut read) = (Vec::with_capacity(count), vec![true; examples.len()]);
        let all: Vec<usize> = (0..examples.len()).collect();
        let passes = examples.len().div_ceil(AT_ONCE);
        let bar = TrainingBar::new(count * passes, 0);
        for view in 0..count {
            let path = folder.join(format!("{key}-{view}.safetensors"));
            let shape = [examples.len(), HEAD_CHANNELS];
            if let Some(kept) = fetch(&path, "pooled").filter(|kept| kept.dims() == shape) {
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
            store(&path, "pooled", pooled)?;
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

/// What is taught of the pictures; what `folder` holds is not asked for again.
///
/// # Errors
/// As [`Teachers::teach`], or if the folder cannot be written.
pub fn taught(
    teachers: &Teachers,
    examples: &[TokenExample],
    plan: &Plan,
    parameters: &Parameters,
    folder: &Path,
    report: &mut Report,
) -> Result<Taught> {
    make(folder)?;
    let asked = |name: &str| is_trunk(name) || is_classifier(name);
    let rest = format!("{:?} {:?}", teachers.lessons, teachers.vocabulary.words());
    let path = folder.join(format!("taught-{}.safetensors", key(examples, plan, parameters, asked, &rest)?));
    if let Some(kept) = fetch(&path, "taught").filter(|kept| kept.dim(0).is_ok_and(|n| n == examples.len())) {
        return Ok(Taught::of_tensor(&kept)?);
    }
    let taught = teachers.teach(examples, plan, report)?;
    store(&path, "taught", taught.to_tensor()?)?;
    Ok(taught)
}

/// What kept files are named after: they are of use only to the same pictures, views and numbers.
fn key(
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
    Ok(hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

fn store(path: &Path, name: &str, tensor: Tensor) -> Result<()> {
    let tensors = HashMap::from([(name.to_owned(), tensor)]);
    let bytes = safetensors::serialize(&tensors, None)?;
    write_whole(path, &bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn fetch(path: &Path, name: &str) -> Option<Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).ok()?.remove(name)
}
