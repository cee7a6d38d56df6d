//! Captions and the Siamese objective in one step (SOLI's "joint" or "parallel" order, arXiv 2512.08873): cross-entropy
//! on both versions of a picture and a loss on their embeddings.
//!
//! The paper's form is cross-entropy on two of the ten versions plus the contrastive loss, equally weighted. Beyond it:
//! pairs of the sharp picture and a degraded one, distillation of embeddings and of words from the first to the second,
//! InfoNCE, cross-entropy on the degraded view alone (the sharp one is then a teacher that costs a forward pass only),
//! and pictures without captions.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Result, bail};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use soli::config::ModelConfig;
use soli::graph::Model;
use soli::graph::kernels::cross_entropy::{cross_entropy, soft_cross_entropy};
use soli::graph::{Dropout, TokenBatch};

use super::Context;
use super::captions::next_batch;
use super::training::{Objective, Outcome, Step};
use crate::config::{Check, Schedule};
use crate::contrast::{contrastive, distillation, info_nce, other_pictures};
use crate::data::Report;
use crate::data::batches::{Batch, Plan};
use crate::data::views::{Pairing, Views};
use crate::parameters::Parameters;

/// The table `[joint]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointStage {
    /// Share of the probability that the loss spreads over all words, 0..1.
    pub label_smoothing: f32,
    /// Dropout in the decoder, 0..1.
    pub dropout: f32,
    /// Weight of the contrastive loss; 1 in the paper.
    pub contrastive: f64,
    /// Its margin; 1 in the paper.
    pub margin: f64,
    /// Weight of the distillation from the first view's embedding to the second's.
    #[serde(default)]
    pub distillation: f64,
    /// Weight of the distillation from the words said of the first view to those said of the second: cross-entropy
    /// against the probabilities of the first (Hinton et al. 2015, arXiv 1503.02531), at temperature 1.
    #[serde(default)]
    pub word_distillation: f64,
    /// Whose embedding and words of the first view are distilled.
    #[serde(default)]
    pub teacher: Teacher,
    /// Weight of InfoNCE between the two views.
    #[serde(default)]
    pub info_nce: f64,
    /// Temperature of InfoNCE.
    #[serde(default = "default_temperature")]
    pub temperature: f64,
    /// Which two views make a pair.
    pub pairing: Pairing,
    /// The views whose captions are learned.
    pub captions_on: CaptionsOn,
    /// Pictures without captions a step, for the losses that need none.
    #[serde(default)]
    pub unlabelled: usize,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

fn default_temperature() -> f64 {
    0.1
}

/// The views of a pair whose captions are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptionsOn {
    /// Both.
    Both,
    /// The second; the first is only embedded, and nothing is learned through it.
    Second,
}

/// Who says what a degraded picture should be seen as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Teacher {
    /// The network itself, as it is at this step.
    #[default]
    Itself,
    /// The network as it was when the stage began, without dropout (born again: Furlanello et al. 2018, arXiv
    /// 1805.04770). It costs a forward pass.
    Start,
}

impl JointStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("joint.schedule");
        checks.extend(self.views.checks("joint.views"));
        checks.push(Check::below_one("joint", "label_smoothing", self.label_smoothing.into()));
        checks.push(Check::below_one("joint", "dropout", self.dropout.into()));
        for (key, value) in [
            ("contrastive", self.contrastive),
            ("margin", self.margin),
            ("distillation", self.distillation),
            ("word_distillation", self.word_distillation),
            ("info_nce", self.info_nce),
        ] {
            checks.push(Check::not_negative("joint", key, value));
        }
        checks.push(Check::new(
            "joint",
            "temperature",
            self.temperature,
            self.temperature > 0.0,
            "be above 0",
        ));
        checks
    }
}

/// A step's loss and its parts.
pub struct JointLoss {
    /// Their weighted sum, differentiable.
    pub total: Tensor,
    /// Mean cross-entropy a token, and mean distances of embeddings of the same and of different pictures.
    pub terms: [f32; 3],
}

/// The loss of a batch of pairs; the last `unlabelled` pictures of the batch have no captions. What is distilled is
/// `teacher`'s, or, without one, the network's own.
///
/// # Errors
/// If the batch holds no pairs or does not fit the model.
pub fn loss(
    model: &Model,
    teacher: Option<&Model>,
    config: &ModelConfig,
    batch: &Batch,
    stage: &JointStage,
    frozen: bool,
    seed: u64,
) -> Result<JointLoss> {
    let Some(paired) = &batch.paired else { bail!("the joint stage needs pairs") };
    let pictures = batch.captions.len();
    let read = |model: &Model, pixels: &Tensor| {
        let features = model.trunk.forward(pixels)?;
        model.memory(&if frozen { features.detach() } else { features })
    };
    let taught = teacher.map(|teacher| read(teacher, &batch.pixels)).transpose()?;
    let taught = taught.map(|sharp| sharp.detach());
    let (first, second, memory, captions) = match stage.captions_on {
        CaptionsOn::Both => {
            let both = read(model, &Tensor::cat(&[&batch.pixels, paired], 0)?)?;
            let captions = [batch.captions.clone(), batch.captions.clone()].concat();
            (both.narrow(0, 0, pictures)?, both.narrow(0, pictures, pictures)?, both, captions)
        }
        CaptionsOn::Second => {
            let second = read(model, paired)?;
            let first = match &taught {
                Some(sharp) => sharp.clone(),
                None => read(model, &batch.pixels)?.detach(),
            };
            (first, second.clone(), second, batch.captions.clone())
        }
    };
    let tokens = TokenBatch::new(&captions, config.memory_rows(), config.decoder.max_tokens);
    let logits = model.decoder.forward(&tokens, &memory, &mut Dropout::new(stage.dropout, seed))?;
    let caption_loss = cross_entropy(&logits, &tokens.targets, stage.label_smoothing)?.mean_all()?;
    let mut total = caption_loss.clone();
    if stage.word_distillation > 0.0 {
        let rows = match stage.captions_on {
            CaptionsOn::Both => logits.dim(0)? / 2,
            CaptionsOn::Second => logits.dim(0)?,
        };
        let pupil = logits.narrow(0, logits.dim(0)? - rows, rows)?;
        let said = match (teacher, stage.captions_on) {
            (None, CaptionsOn::Both) => logits.narrow(0, 0, rows)?,
            (teacher, _) => {
                let rows = config.memory_rows();
                let tokens = TokenBatch::new(&batch.captions, rows, config.decoder.max_tokens);
                let sharp = taught.as_ref().unwrap_or(&first);
                teacher.unwrap_or(model).decoder.forward(&tokens, sharp, &mut Dropout::off())?
            }
        };
        let words = soft_cross_entropy(&pupil, &said.detach())?.mean_all()?;
        total = (total + (words * stage.word_distillation)?)?;
    }
    // Words that are read are no part of what is pulled together: which they are is not differentiable.
    let cells = |memory: &Tensor| memory.narrow(1, 0, config.latents())?.contiguous();
    let taught = taught.as_ref().map(cells).transpose()?;
    let (first, second) = (cells(&first)?, cells(&second)?);
    let (mut same, mut different) = (f32::NAN, f32::NAN);
    if pictures > 1 {
        let others = other_pictures(pictures, seed);
        let (loss, s, d) = contrastive(&first, &second, &others, stage.margin)?;
        (same, different) = (s, d);
        if stage.contrastive > 0.0 {
            total = (total + (loss * stage.contrastive)?)?;
        }
        if stage.info_nce > 0.0 {
            total = (total + (info_nce(&first, &second, stage.temperature)? * stage.info_nce)?)?;
        }
    }
    if stage.distillation > 0.0 {
        total = (total + (distillation(&second, taught.as_ref().unwrap_or(&first))? * stage.distillation)?)?;
    }
    Ok(JointLoss { total, terms: [caption_loss.to_scalar()?, same, different] })
}

struct Joint<'a> {
    context: &'a Context<'a>,
    stage: &'a JointStage,
    teacher: Option<Model>,
    plan: Plan,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
    unlabelled: Option<Receiver<candle_core::Result<Batch>>>,
}

/// What the stage minimises.
///
/// # Errors
/// If pictures without captions are asked for and there are none.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a JointStage) -> Result<Box<dyn Objective + 'a>> {
    if stage.unlabelled > 0 && context.inputs.unlabelled.is_empty() {
        bail!("`joint.unlabelled` needs pictures without captions: give their folder with --unlabelled");
    }
    let plan = context.plan(&stage.schedule, &stage.views, Some(stage.pairing));
    // A run that goes on has the stage's first numbers here too: its own are restored later.
    let teacher = match stage.teacher {
        Teacher::Itself => None,
        Teacher::Start => {
            let parameters = Parameters::new(context.recipe.seed);
            // With what only training needs, as the values have it too.
            let (model, _) = super::build(&parameters, &context.recipe.model)?;
            parameters.load(&context.parameters.values()?)?;
            Some(model)
        }
    };
    Ok(Box::new(Joint { context, stage, teacher, plan, batches: None, unlabelled: None }))
}

/// Two batches as one.
fn together(a: Batch, b: Batch) -> Result<Batch> {
    let paired = match (&a.paired, &b.paired) {
        (Some(a), Some(b)) => Some(Tensor::cat(&[a, b], 0)?),
        _ => None,
    };
    Ok(Batch {
        pixels: Tensor::cat(&[&a.pixels, &b.pixels], 0)?,
        paired,
        captions: [a.captions, b.captions].concat(),
        indices: [a.indices, b.indices].concat(),
        parts: [a.parts, b.parts].concat(),
        broken: Vec::new(),
    })
}

impl Objective for Joint<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(&self.context.inputs.train)
    }

    fn terms(&self) -> &'static [&'static str] {
        &["caption_loss", "same", "different"]
    }

    fn describes(&self) -> bool {
        true
    }

    fn begin(&mut self, steps: Range<usize>) {
        self.batches = Some(self.plan.clone().stream(self.context.inputs.train.clone(), steps.clone()));
        if self.stage.unlabelled > 0 {
            let plan = Plan { batch_images: self.stage.unlabelled, ..self.plan.clone() };
            self.unlabelled = Some(plan.stream(self.context.inputs.unlabelled.clone(), steps));
        }
    }

    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome> {
        let mut batch = next_batch(self.batches.as_ref(), report)?;
        let images = batch.captions.len();
        if self.unlabelled.is_some() {
            batch = together(batch, next_batch(self.unlabelled.as_ref(), report)?)?;
        }
        if images == 0 {
            return Ok(Outcome { loss: None, images, terms: vec![f32::NAN; 3] });
        }
        let config = &self.context.recipe.model;
        let teacher = self.teacher.as_ref();
        let loss = loss(self.context.model, teacher, config, &batch, self.stage, step.frozen, step.seed)?;
        Ok(Outcome { loss: Some(loss.total), images, terms: loss.terms.to_vec() })
    }
}
