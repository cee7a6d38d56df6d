//! What the decoder reads while it is trained: a picture's cells, and the words that a classifier finds in it which has
//! not learned from it.

use candle_core::{Result, Tensor};
use rayon::prelude::*;
use soli::model::Model;

use crate::concepts::{Folds, Simulation, Targets};
use crate::data::batches::{Plan, TokenExample};

/// A network with the classifiers through which it reads training pictures.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The network.
    pub model: &'a Model,
    /// Classifiers that have not learned from a part of the pictures each; the network's own reads all of them when absent.
    pub folds: Option<&'a Folds>,
}

impl Reader<'_> {
    /// The memory (pictures, rows, width) of pictures, given the trunk's features and the parts that they belong to. A network
    /// without a concept head reads cells alone.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn memory(&self, features: &Tensor, parts: &[usize]) -> Result<Tensor> {
        match (&self.model.concepts, self.folds) {
            (Some(head), Some(folds)) => {
                let logits = folds.logits(&head.pool(features)?.detach())?;
                self.model.memory_of(features, &folds.likeliest(&logits, parts)?)
            }
            _ => self.model.memory(features),
        }
    }
}

/// Pictures that are looked at to learn what the head finds.
const LOOKED_AT: usize = 1536;

/// Learns from training pictures, in the views of `plan`, what the classifiers find that have not seen them.
///
/// # Errors
/// If a batch does not fit the model.
pub fn simulation(
    model: &Model,
    folds: &Folds,
    targets: &Targets,
    plan: &Plan,
    examples: &[TokenExample],
    read: usize,
) -> Result<Simulation> {
    let mut simulation = Simulation::new(read);
    let Some(head) = &model.concepts else { candle_core::bail!("this network has no concept head") };
    // Another seed: these are not the views that are trained on next.
    let plan = Plan { seed: plan.seed ^ 0x51, ..plan.clone() };
    let steps = (LOOKED_AT / plan.batch_images).clamp(1, plan.steps_per_epoch(examples));
    for step in 0..steps {
        let batch = plan.batch(examples, step)?;
        if batch.indices.is_empty() {
            continue;
        }
        let pooled = head.pool(&model.trunk.forward(&batch.pixels)?)?.detach();
        let logits = folds.unseen(&folds.logits(&pooled)?, &batch.parts)?;
        let said: Vec<_> = batch.captions.par_iter().map(|captions| targets.of(captions)).collect();
        said.iter().zip(&logits).for_each(|(said, logits)| simulation.learn(said, logits));
    }
    Ok(simulation)
}
