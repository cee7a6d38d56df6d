//! Cross-entropy on captions: the decoder learns to describe, and the trunk follows at a lower rate.
//!
//! With sharp views only this is the study's `base`, with degraded ones its `aug`.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, bail};
use candle_core::Tensor;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use soli::config::ModelConfig;
use soli::graph::Model;
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::{Dropout, TokenBatch};

use super::Context;
use super::concepts::head_of;
use super::reading::{self, Reader};
use super::training::{Objective, Outcome, Step};
use crate::concepts::{Folds, Groups, Simulation, Targets};
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
    /// Weight of the concept head's loss; 0 leaves its classifiers as they are.
    #[serde(default)]
    pub concepts: f64,
    /// Dropout of the concept head's pooled features, 0..1.
    #[serde(default)]
    pub concept_dropout: f32,
    /// Groups of captions without a picture a step, read with words as the concept head would find them.
    #[serde(default)]
    pub groups: usize,
    /// Captions of each group that are learned in a step.
    #[serde(default = "default_captions_of_group")]
    pub captions_of_group: usize,
    /// Weight of their cross-entropy beside that of the pictures'.
    #[serde(default = "default_group_weight")]
    pub group_weight: f64,
    /// Share of the pictures of which only the words are read, 0..1.
    #[serde(default)]
    pub without_cells: f64,
    /// Share of the pictures of which only the cells are read, 0..1.
    #[serde(default)]
    pub without_words: f64,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

fn default_captions_of_group() -> usize {
    2
}

/// As much as a picture.
pub(super) fn default_group_weight() -> f64 {
    1.0
}

impl CaptionStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("captions.schedule");
        checks.extend(self.views.checks("captions.views"));
        checks.push(Check::below_one("captions", "label_smoothing", self.label_smoothing.into()));
        checks.push(Check::below_one("captions", "dropout", self.dropout.into()));
        checks.push(Check::below_one("captions", "concept_dropout", self.concept_dropout.into()));
        checks.push(Check::not_negative("captions", "concepts", self.concepts));
        checks.push(Check::not_negative("captions", "group_weight", self.group_weight));
        checks.push(Check::positive("captions", "captions_of_group", self.captions_of_group));
        checks.push(Check::share("captions", "without_cells", self.without_cells));
        let both = self.without_cells + self.without_words;
        checks.push(Check::new(
            "captions",
            "without_words",
            self.without_words,
            self.without_words >= 0.0 && both <= 1.0,
            "be 0 or more, and at most 1 with without_cells",
        ));
        checks
    }
}

/// What the decoder is given to read in a step.
struct Given {
    /// The captions of each picture and of each group.
    captions: Vec<Vec<Vec<u32>>>,
    /// The rows of the memory that they read.
    rows: Vec<Range<usize>>,
    memory: Tensor,
}

struct Captions<'a> {
    context: &'a Context<'a>,
    stage: &'a CaptionStage,
    plan: Plan,
    head: Option<Head<'a>>,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
}

/// What a network that reads words needs beside.
pub struct Head<'a> {
    /// Classifiers that have not seen a part of the pictures.
    pub folds: &'a Folds,
    /// What is taught of captions.
    pub targets: Targets,
    /// What the classifiers find; needed for groups.
    pub simulation: Simulation,
    /// Captions of pictures that are not there.
    pub groups: &'a Groups,
}

/// What the stage minimises.
///
/// # Errors
/// If a text stream is asked for and there is none, or the network cannot read it.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a CaptionStage) -> Result<Box<dyn Objective + 'a>> {
    let plan = context.plan(&stage.schedule, &stage.views, None);
    let mut head = None;
    if context.folds.is_some() {
        let (folds, targets) = head_of(context)?;
        let mut simulation = Simulation::default();
        if stage.groups > 0 {
            if context.inputs.groups.is_empty() {
                bail!(
                    "`captions.groups` needs captions grouped by picture: give a file of lines ID<TAB>CAPTION with --text"
                );
            }
            let read = context.recipe.model.concepts.as_ref().map_or(1, |concepts| concepts.read);
            let examples = &context.inputs.train;
            simulation = reading::simulation(context.model, folds, &targets, &plan, examples, read)?;
        }
        head = Some(Head { folds, targets, simulation, groups: &context.inputs.groups });
    } else if stage.groups > 0 || stage.concepts > 0.0 {
        bail!(
            "`captions.groups` and `captions.concepts` need a concept head: add [model.concepts] to the recipe"
        );
    }
    Ok(Box::new(Captions { context, stage, plan, head, batches: None }))
}

/// The mean cross-entropy of pictures and of texts, and what trains the concept head, weighted and differentiable, and the
/// three by themselves (NaN where there is none).
///
/// # Errors
/// If the batch does not fit the model.
pub fn loss(
    model: &Model,
    head: Option<&Head>,
    config: &ModelConfig,
    batch: &Batch,
    stage: &CaptionStage,
    frozen: bool,
    seed: u64,
) -> candle_core::Result<(Tensor, Vec<f32>)> {
    let mut features = model.trunk.forward(&batch.pixels)?;
    if frozen {
        features = features.detach();
    }
    let given = given(model, head, config, batch, stage, &features, seed)?;
    let tokens = TokenBatch::reading(&given.captions, &given.rows, config.decoder.max_tokens);
    let mut dropout = Dropout::new(stage.dropout, seed);
    let logits = model.decoder.forward_rows(&tokens, &given.memory, &mut dropout)?;
    let rows = cross_entropy(&logits, &tokens.targets, stage.label_smoothing)?;
    let length = |caption: &Vec<u32>| caption.len().min(config.decoder.max_tokens - 1) + 1;
    let of_pictures: usize = given.captions[..batch.captions.len()].iter().flatten().map(length).sum();
    let of_text = rows.dim(0)? - of_pictures;
    let seen = rows.narrow(0, 0, of_pictures)?.mean_all()?;
    let mut terms = vec![seen.to_scalar::<f32>()?, f32::NAN, f32::NAN];
    let mut total = seen;
    if of_text > 0 {
        let read = rows.narrow(0, of_pictures, of_text)?.mean_all()?;
        terms[1] = read.to_scalar()?;
        total = (total + (read * stage.group_weight)?)?;
    }
    if let (Some(head), Some(own), true) = (head, &model.concepts, stage.concepts > 0.0) {
        let pooled = own.pool(&features)?;
        let rate = stage.concept_dropout;
        let words = super::concepts::loss(model, head.folds, &head.targets, batch, &pooled, rate, seed)?;
        terms[2] = words.to_scalar()?;
        total = (total + (words * stage.concepts)?)?;
    }
    Ok((total, terms))
}

/// The memory of the batch's pictures, cells or words left out now and then, and of some groups after them.
fn given(
    model: &Model,
    head: Option<&Head>,
    config: &ModelConfig,
    batch: &Batch,
    stage: &CaptionStage,
    features: &Tensor,
    seed: u64,
) -> candle_core::Result<Given> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let reader = Reader { model, folds: head.map(|head| head.folds) };
    let memory = reader.memory(features, &batch.parts)?;
    let (pictures, all, _) = memory.dims3()?;
    let mut memory = memory.flatten(0, 1)?;
    let cells = config.latents();
    let mut rows = Vec::with_capacity(pictures + stage.groups);
    for first in (0..pictures).map(|i| i * all) {
        let place: f64 = rng.random();
        rows.push(match head {
            Some(_) if place < stage.without_cells => first + cells..first + all,
            Some(_) if place > 1.0 - stage.without_words => first..first + cells,
            _ => first..first + all,
        });
    }
    let mut captions = batch.captions.clone();
    if let (Some(head), true) = (head, stage.groups > 0) {
        let mut words = Vec::with_capacity(stage.groups);
        let mut next = pictures * all;
        for _ in 0..stage.groups {
            let group = &head.groups[rng.random_range(0..head.groups.len())];
            let seen = head.simulation.words(group, &head.targets, &mut rng);
            if !seen.places.is_empty() {
                rows.push(next..next + seen.places.len());
                next += seen.places.len();
                captions.push(group.sample(&mut rng, stage.captions_of_group).cloned().collect());
                words.push(seen);
            }
        }
        if !words.is_empty() {
            memory = Tensor::cat(&[memory, model.read_words(&words)?], 0)?;
        }
    }
    Ok(Given { captions, rows, memory })
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
        self.plan.steps_per_epoch(&self.context.inputs.train)
    }

    fn terms(&self) -> &'static [&'static str] {
        &["picture_loss", "text_loss", "concept_loss"]
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
        if images == 0 {
            return Ok(Outcome { loss: None, images, terms: vec![f32::NAN; 3] });
        }
        let (model, config) = (self.context.model, &self.context.recipe.model);
        let (loss, terms) =
            loss(model, self.head.as_ref(), config, &batch, self.stage, step.frozen, step.seed)?;
        Ok(Outcome { loss: Some(loss), images, terms })
    }
}
