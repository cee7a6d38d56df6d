//! The Siamese stage (SOLI, arXiv 2512.08873): one encoder sees two versions of a picture, and a contrastive loss pulls
//! versions of the same picture together and different pictures apart. No captions are needed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Context;
use super::captions::next_batch;
use super::training::{Objective, Outcome, Step};
use crate::config::{Check, Schedule};
use crate::contrast::{contrastive, other_pictures};
use crate::data::Report;
use crate::data::batches::{Batch, Plan, TokenExample};
use crate::data::views::{Pairing, Views};

/// The table `[siamese]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiameseStage {
    /// Distance at which different pictures are far enough apart (1 in the paper).
    pub margin: f64,
    /// Use pictures without captions beside the captioned ones.
    #[serde(default)]
    pub unlabelled: bool,
    /// Which two views make a pair.
    pub pairing: Pairing,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

impl SiameseStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("siamese.schedule");
        checks.extend(self.views.checks("siamese.views"));
        checks.push(Check::not_negative("siamese", "margin", self.margin));
        checks
    }
}

struct Siamese<'a> {
    context: &'a Context<'a>,
    stage: &'a SiameseStage,
    plan: Plan,
    pictures: Arc<Vec<TokenExample>>,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
}

/// What the stage minimises.
///
/// # Errors
/// None yet; as other stages'.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a SiameseStage) -> Result<Box<dyn Objective + 'a>> {
    let plan = context.plan(&stage.schedule, &stage.views, Some(stage.pairing));
    let mut pictures = context.inputs.train.as_ref().clone();
    if stage.unlabelled {
        pictures.extend(context.inputs.unlabelled.iter().cloned());
    }
    Ok(Box::new(Siamese { context, stage, plan, pictures: Arc::new(pictures), batches: None }))
}

impl Objective for Siamese<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(&self.pictures)
    }

    fn terms(&self) -> &'static [&'static str] {
        &["same", "different"]
    }

    fn describes(&self) -> bool {
        false
    }

    fn begin(&mut self, steps: Range<usize>) {
        self.batches = Some(self.plan.clone().stream(self.pictures.clone(), steps));
    }

    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome> {
        let batch = next_batch(self.batches.as_ref(), report)?;
        let images = batch.indices.len();
        let (Some(paired), true) = (&batch.paired, images > 1) else {
            return Ok(Outcome { loss: None, images, terms: vec![f32::NAN; 2] });
        };
        let embed = |pixels| {
            let features = self.context.model.trunk.forward(pixels)?;
            let features = if step.frozen { features.detach() } else { features };
            self.context.model.embedding.forward(&features)
        };
        let others = other_pictures(images, step.seed);
        let (loss, same, different) =
            contrastive(&embed(&batch.pixels)?, &embed(paired)?, &others, self.stage.margin)?;
        Ok(Outcome { loss: Some(loss), images, terms: vec![same, different] })
    }
}
