//! The concept head learns which words pictures show, on a trunk that stays as it is: its classifier from all training
//! pictures, and those of [`Folds`] from two thirds each.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use soli::kernels::dropout::dropout;
use soli::model::Model;

use super::Context;
use super::captions::next_batch;
use super::training::{Objective, Outcome, Step};
use crate::concepts::{self, Folds, Targets};
use crate::config::{Check, Schedule};
use crate::data::Report;
use crate::data::batches::{Batch, Plan};
use crate::data::views::Views;

/// The table `[concepts]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptStage {
    /// Dropout of the pooled features, 0..1.
    pub dropout: f32,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

impl ConceptStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("concepts.schedule");
        checks.extend(self.views.checks("concepts.views"));
        checks.push(Check::below_one("concepts", "dropout", self.dropout.into()));
        checks
    }
}

/// The loss of the concept head's classifier, which the trunk feels, and of those that have not seen a part of the pictures,
/// which it does not: means over the pictures of sums over the words. `pooled` are the head's pooled features.
///
/// # Errors
/// If the batch does not fit the model, or the model reads no words.
pub fn loss(
    model: &Model,
    folds: &Folds,
    targets: &Targets,
    batch: &Batch,
    pooled: &Tensor,
    rate: f32,
    seed: u64,
) -> candle_core::Result<Tensor> {
    let Some(head) = &model.concepts else { candle_core::bail!("this network has no concept head") };
    let wanted = targets.tensor(&batch.captions)?;
    let thinned = dropout(pooled, rate, seed)?;
    let own = concepts::loss(&head.logits(&thinned)?, &wanted)?.mean_all()?;
    let others = folds.logits(&thinned.detach())?;
    own + folds.loss(&others, &wanted, &batch.parts)?
}

struct Concepts<'a> {
    context: &'a Context<'a>,
    stage: &'a ConceptStage,
    folds: &'a Folds,
    targets: Targets,
    plan: Plan,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
}

/// What the stage minimises.
///
/// # Errors
/// If the network has no concept head.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a ConceptStage) -> Result<Box<dyn Objective + 'a>> {
    let (folds, targets) = head_of(context)?;
    let plan = context.plan(&stage.schedule, &stage.views, None);
    Ok(Box::new(Concepts { context, stage, folds, targets, plan, batches: None }))
}

/// What a stage needs that trains the concept head.
///
/// # Errors
/// If the network has none.
pub(super) fn head_of<'a>(context: &Context<'a>) -> Result<(&'a Folds, Targets)> {
    let concepts = context.recipe.model.concepts.as_ref();
    let (folds, concepts) = context.folds.zip(concepts).context(
        "this stage trains the concept head, but the network has none: add [model.concepts] to the recipe",
    )?;
    Ok((folds, Targets::new(&concepts.tokens)))
}

impl Objective for Concepts<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(&self.context.inputs.train)
    }

    fn terms(&self) -> &'static [&'static str] {
        &[]
    }

    fn describes(&self) -> bool {
        false
    }

    fn begin(&mut self, steps: Range<usize>) {
        self.batches = Some(self.plan.clone().stream(self.context.inputs.train.clone(), steps));
    }

    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome> {
        let batch = next_batch(self.batches.as_ref(), report)?;
        let images = batch.captions.len();
        if images == 0 {
            return Ok(Outcome { loss: None, images, terms: Vec::new() });
        }
        let model = self.context.model;
        let head = model.concepts.as_ref().context("the network has no concept head")?;
        let mut pooled = head.pool(&model.trunk.forward(&batch.pixels)?)?;
        if step.frozen {
            pooled = pooled.detach();
        }
        let rate = self.stage.dropout;
        let loss = loss(model, self.folds, &self.targets, &batch, &pooled, rate, step.seed)?;
        Ok(Outcome { loss: Some(loss), images, terms: Vec::new() })
    }
}
