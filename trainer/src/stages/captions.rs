//! Cross-entropy on captions: the decoder learns to describe, and the trunk follows at a lower rate.
//!
//! With sharp views only this is the study's `base`, with degraded ones its `aug`.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use soli::config::ModelConfig;
use soli::decoder::{Dropout, TokenBatch};
use soli::kernels::cross_entropy::cross_entropy;
use soli::model::Model;

use super::Context;
use super::training::{Objective, Outcome, Step};
use crate::config::{Check, Schedule};
use crate::data::Report;
use crate::data::batches::{Batch, Plan};
use crate::data::views::Views;

/// The table `[captions]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionStage {
    /// Share of the probability that the loss spreads over all words, 0..1.
    pub label_smoothing: f32,
    /// Dropout in the decoder, 0..1.
    pub dropout: f32,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

impl CaptionStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("captions.schedule");
        checks.extend(self.views.checks("captions.views"));
        checks.push(Check::below_one("captions", "label_smoothing", self.label_smoothing.into()));
        checks.push(Check::below_one("captions", "dropout", self.dropout.into()));
        checks
    }
}

/// One step's loss, differentiable: the mean over all tokens of the batch.
///
/// # Errors
/// If the batch does not fit the model.
pub fn loss(
    model: &Model,
    config: &ModelConfig,
    batch: &Batch,
    stage: &CaptionStage,
    frozen: bool,
    seed: u64,
) -> candle_core::Result<Tensor> {
    let mut features = model.trunk.forward(&batch.pixels)?;
    if frozen {
        features = features.detach();
    }
    let embeddings = model.embedding.forward(&features)?;
    let tokens = TokenBatch::new(&batch.captions, config.latents(), config.decoder.max_tokens);
    let logits = model.decoder.forward(&tokens, &embeddings, &mut Dropout::new(stage.dropout, seed))?;
    cross_entropy(&logits, &tokens.targets, stage.label_smoothing)?.mean_all()
}

struct Captions<'a> {
    context: &'a Context<'a>,
    stage: &'a CaptionStage,
    plan: Plan,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
}

/// What the stage minimises.
///
/// # Errors
/// None yet; as other stages'.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a CaptionStage) -> Result<Box<dyn Objective + 'a>> {
    let plan = Plan {
        seed: context.recipe.seed,
        batch_images: stage.schedule.batch,
        encoder: context.recipe.model.encoder.clone(),
        views: stage.views.clone(),
        pairing: None,
    };
    Ok(Box::new(Captions { context, stage, plan, batches: None }))
}

/// The next batch of a stream; its broken pictures go to the report.
pub(super) fn next_batch(
    batches: Option<&Receiver<candle_core::Result<Batch>>>,
    report: &mut Report,
) -> Result<Batch> {
    let received = batches.and_then(|batches| batches.recv().ok());
    let batch = received.context("the thread that makes batches has died")??;
    for (name, why) in &batch.broken {
        report.add_broken(name, why);
    }
    Ok(batch)
}

impl Objective for Captions<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(self.context.inputs.train.len())
    }

    fn terms(&self) -> &'static [&'static str] {
        &[]
    }

    fn describes(&self) -> bool {
        true
    }

    fn begin(&mut self, steps: Range<usize>) {
        self.batches = Some(self.plan.clone().stream(self.context.inputs.train.clone(), steps));
    }

    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome> {
        let batch = next_batch(self.batches.as_ref(), report)?;
        let images = batch.captions.len();
        let loss = if images == 0 {
            None
        } else {
            let config = &self.context.recipe.model;
            Some(loss(self.context.model, config, &batch, self.stage, step.frozen, step.seed)?)
        };
        Ok(Outcome { loss, images, terms: Vec::new() })
    }
}
