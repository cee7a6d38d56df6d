//! What the concept head is taught of each picture: by captions, by a label, and by what was known before.
//!
//! Captions say what people find worth saying, so a word that none of them says is taught as absent. A label says one thing and
//! nothing of the rest: there the head keeps to what it said itself of the sharp picture before it learned (as in learning
//! without forgetting, Li and Hoiem 2016, arXiv 1606.09282). What the pretrained classifier sees is taught of both.

use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor};
use soli::graph::Model;
use soli::vocab::Vocabulary;

use super::kept::key;
use super::{ImageNet, Targets};
use crate::data::Report;
use crate::data::batches::{Batch, Plan, TokenExample};
use crate::kept_tensor::{fetch, make_folder, store};
use crate::optimiser::{is_classifier, is_trunk};
use crate::parameters::Parameters;
use crate::progress::TrainingBar;

/// What the classifier says below this probability is not taught of captioned pictures: it must name one of its classes in
/// any picture.
const LEAST: f32 = 0.2;

/// How surely is taught what no caption says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lessons {
    /// Weight of the pretrained classifier's probabilities, 0..=1.
    pub classifier: f32,
    /// Probability of a label's most specific word, 0..=1.
    pub labels: f32,
}

/// Who teaches.
pub struct Teachers<'a> {
    /// What captions and labels say.
    pub targets: &'a Targets,
    /// For labels.
    pub vocabulary: &'a Vocabulary,
    /// Its concept head, as it is now, tells of labelled pictures what else is there.
    pub model: &'a Model,
    /// The pretrained classifier, if it teaches.
    pub imagenet: Option<&'a ImageNet>,
    /// How surely.
    pub lessons: Lessons,
}

/// Probabilities of all concepts for each picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Taught {
    rows: Vec<Vec<f32>>,
}

impl Teachers<'_> {
    /// As [`Teachers::teach`], but what `folder` holds is not asked for again. `parameters` are those of the model.
    ///
    /// # Errors
    /// As [`Teachers::teach`], or if the folder cannot be written.
    pub fn teach_once(
        &self,
        examples: &[TokenExample],
        plan: &Plan,
        parameters: &Parameters,
        folder: &Path,
        report: &mut Report,
    ) -> Result<Taught> {
        make_folder(folder)?;
        let asked = |name: &str| is_trunk(name) || is_classifier(name);
        let rest = format!("{:?} {:?}", self.lessons, self.vocabulary.words());
        let key = key(examples, plan, parameters, asked, &rest)?;
        let path = folder.join(format!("taught-{key}.safetensors"));
        if let Some(kept) = fetch(&path, [examples.len(), self.targets.count()]) {
            return Ok(Taught { rows: kept.to_vec2()? });
        }
        let taught = self.teach(examples, plan, report)?;
        store(&path, taught.tensor(&(0..examples.len()).collect::<Vec<_>>())?)?;
        Ok(taught)
    }

    /// Looks at all pictures as they are. Those without captions have a label in the place of their only caption. Pictures that
    /// cannot be read are named in the report, and are taught what is known without looking.
    ///
    /// # Errors
    /// If a picture does not fit the networks.
    pub fn teach(&self, examples: &[TokenExample], plan: &Plan, report: &mut Report) -> Result<Taught> {
        let mut rows: Vec<Vec<f32>> = examples.iter().map(|example| self.said(example)).collect();
        if let Some(imagenet) = self.imagenet {
            let plan = Plan { encoder: imagenet.encoder().clone(), ..plan.clone() };
            let all: Vec<usize> = (0..examples.len()).collect();
            looking("asking the pretrained classifier", &plan, examples, &all, report, |batch| {
                for (&i, seen) in batch.indices.iter().zip(imagenet.words(&batch.pixels)?) {
                    add(self.lessons.classifier, &mut rows[i], &seen, examples[i].captions.is_empty());
                }
                Ok(())
            })?;
        }
        let labelled: Vec<usize> = (0..examples.len()).filter(|&i| examples[i].captions.is_empty()).collect();
        looking("asking the network itself", plan, examples, &labelled, report, |batch| {
            let head = self.model.concepts.as_ref().context("the network has no concept head")?;
            let pooled = head.pool(&self.model.trunk.forward(&batch.pixels)?)?;
            let known = candle_nn::ops::sigmoid(&head.logits(&pooled)?)?.to_vec2::<f32>()?;
            for (&i, known) in batch.indices.iter().zip(&known) {
                keep(&mut rows[i], known);
            }
            Ok(())
        })?;
        Ok(Taught { rows })
    }

    /// What captions or the label say.
    fn said(&self, example: &TokenExample) -> Vec<f32> {
        let mut row = vec![0f32; self.targets.count()];
        for (place, share) in self.targets.of(&example.captions) {
            row[place as usize] = share;
        }
        if example.captions.is_empty() {
            let label = example.example.captions.first().map_or("", String::as_str);
            for (place, share) in self.targets.of_label(label, self.vocabulary) {
                row[place as usize] = share * self.lessons.labels;
            }
        }
        row
    }
}

/// Adds what the classifier sees to what is said.
fn add(weight: f32, row: &mut [f32], seen: &[f32], labelled: bool) {
    for (value, &seen) in row.iter_mut().zip(seen) {
        if labelled {
            *value = (*value + weight * seen).min(1.0);
        } else if seen > LEAST {
            *value = value.max(weight * seen);
        }
    }
}

/// What was known stays known.
fn keep(row: &mut [f32], known: &[f32]) {
    row.iter_mut().zip(known).for_each(|(value, &known)| *value = value.max(known));
}

/// Shows the pictures with these indices to `look`, some at a time.
fn looking(
    what: &str,
    plan: &Plan,
    examples: &[TokenExample],
    indices: &[usize],
    report: &mut Report,
    mut look: impl FnMut(&Batch) -> Result<()>,
) -> Result<()> {
    if indices.is_empty() {
        return Ok(());
    }
    let bar = TrainingBar::new(indices.len().div_ceil(AT_ONCE), 0);
    bar.say(&format!("{what} about {} pictures", indices.len()));
    for some in indices.chunks(AT_ONCE) {
        let batch = plan.view_of(examples, some, 0)?;
        batch.broken.iter().for_each(|(name, why)| report.add_broken(name, why.clone()));
        if !batch.indices.is_empty() {
            look(&batch)?;
        }
        bar.step(batch.indices.len(), f32::NAN);
    }
    bar.finish();
    Ok(())
}

/// Pictures that the networks look at together.
const AT_ONCE: usize = 32;

impl Taught {
    /// What is taught of these pictures, as a tensor (pictures, concepts).
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn tensor(&self, indices: &[usize]) -> candle_core::Result<Tensor> {
        let concepts = self.rows.first().map_or(0, Vec::len);
        let values: Vec<f32> = indices.iter().flat_map(|&i| &self.rows[i]).copied().collect();
        Tensor::from_vec(values, (indices.len(), concepts), &Device::Cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_stays_known() {
        let mut row = [0.7, 0.0, 0.2];
        keep(&mut row, &[0.1, 0.9, 0.2]);
        assert_eq!(row, [0.7, 0.9, 0.2]);
    }

    #[test]
    fn the_classifier_adds_to_labels_and_stands_beside_captions() {
        let seen = [0.1, 0.4, 0.8, 1.0];
        let mut row = [0.7, 0.0, 0.7, 0.0];
        add(0.5, &mut row, &seen, true);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&row, &[0.75, 0.2, 1.0, 0.5]), "{row:?}");
        // What it hardly sees is not taught where people have said what is there.
        let mut row = [0.0, 0.0, 0.9, 0.2];
        add(0.5, &mut row, &seen, false);
        assert!(near(&row, &[0.0, 0.2, 0.9, 0.5]), "{row:?}");
    }
}
