//! Self-critical sequence training (Rennie et al. 2017, arXiv 1612.00563): the decoder draws captions, and those that
//! score better in CIDEr than the others drawn for the same picture become more probable (the baseline of Luo 2020,
//! arXiv 2003.09971).
//!
//! CIDEr is computed on token ids with the end token as one of them: without it, captions that stop after "of a" pay.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result, bail};
use candle_core::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use soli::config::ModelConfig;
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::{Dropout, Model, TokenBatch};
use soli::vocab::{END, START, UNKNOWN};

use super::Context;
use super::captions::{default_group_weight, next_batch};
use super::concepts::head_of;
use super::reading::{self, Reader};
use super::training::{Objective, Outcome, Step};
use crate::concepts::{Groups, Simulation, Targets};
use crate::config::{Check, Schedule, is_default};
use crate::data::Report;
use crate::data::batches::{Batch, Plan, TokenExample};
use crate::data::views::Views;
use crate::metrics::cider::Cider;
use crate::optimiser::WORD_TABLES;
use crate::parameters::Parameters;
use crate::sample::{Sample, sample};

/// The table `[scst]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScstStage {
    /// Captions drawn for each picture, at least 2: each is compared with the mean of the others.
    pub samples: usize,
    /// Temperature, above 0, at which the captioner draws. Label smoothing has taught it to give every word a little
    /// probability, so that at 1 most captions drawn hold a word that makes no sense, and there is little to compare. The
    /// network is sharpened to it once, at the start: what draws is what is trained, and what describes afterwards.
    #[serde(default = "default_temperature")]
    pub temperature: f64,
    /// Weight of the cross-entropy on the true captions beside the reward, which keeps the language natural.
    #[serde(default)]
    pub cross_entropy: f32,
    /// Groups of captions without a picture a step: captions are drawn for words as the concept head would find them in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub groups: usize,
    /// Weight of their reward beside that of the pictures'.
    #[serde(default = "default_group_weight", skip_serializing_if = "is_one")]
    pub group_weight: f64,
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

fn default_temperature() -> f64 {
    1.0
}

fn is_one(value: &f64) -> bool {
    *value == 1.0
}

impl ScstStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("scst.schedule");
        checks.extend(self.views.checks("scst.views"));
        checks.push(Check::new("scst", "samples", self.samples as f64, self.samples > 1, "be at least 2"));
        checks.push(Check::not_negative("scst", "cross_entropy", self.cross_entropy.into()));
        checks.push(Check::not_negative("scst", "group_weight", self.group_weight));
        checks.push(Check::new(
            "scst",
            "temperature",
            self.temperature,
            self.temperature > 0.0,
            "be above 0",
        ));
        checks
    }
}

/// The references of the training pictures: of each data set by itself, since how much an n-gram is worth depends on how
/// many pictures of the set it is said of.
pub struct References {
    sets: Vec<Cider<u32>>,
    /// Set and place in it of each picture.
    places: Vec<(usize, usize)>,
}

impl References {
    /// Those of all training pictures, each caption with its end token.
    pub fn new(examples: &[TokenExample]) -> Self {
        let mut sets: Vec<Vec<Vec<Vec<u32>>>> = Vec::new();
        let mut places = Vec::with_capacity(examples.len());
        for example in examples {
            sets.resize_with(sets.len().max(example.set + 1), Vec::new);
            let set = &mut sets[example.set];
            places.push((example.set, set.len()));
            set.push(example.captions.iter().map(|caption| with_end(caption)).collect());
        }
        Self { sets: sets.iter().map(|set| Cider::new(set)).collect(), places }
    }

    /// CIDEr (0 to 10) of a sample for training picture `index`.
    pub fn reward(&self, index: usize, sample: &Sample) -> f32 {
        let (set, place) = self.places[index];
        reward(&self.sets[set], place, sample)
    }
}

/// A caption with the end token, which a sample that ran into the longest length lacks.
fn with_end(caption: &[u32]) -> Vec<u32> {
    caption.iter().copied().chain([END]).collect()
}

fn reward(references: &Cider<u32>, place: usize, sample: &Sample) -> f32 {
    let tokens = match sample.ended {
        true => with_end(&sample.tokens),
        false => sample.tokens.clone(),
    };
    references.score(place, &tokens) as f32
}

/// How much better each reward is than the mean of the others.
pub fn advantages(rewards: &[f32]) -> Vec<f32> {
    let total: f32 = rewards.iter().sum();
    let others = (rewards.len() as f32 - 1.0).max(1.0);
    rewards.iter().map(|reward| reward - (total - reward) / others).collect()
}

/// Logits in which no probability is left for what is never drawn. The reward would not hold it back: whatever those
/// tokens took from the others, drawing without them would hide.
fn without_forbidden(logits: &Tensor) -> candle_core::Result<Tensor> {
    let mut mask = vec![0f32; logits.dim(1)?];
    for token in [START, UNKNOWN] {
        mask[token as usize] = -1e9;
    }
    let len = mask.len();
    logits.broadcast_add(&Tensor::from_vec(mask, (1, len), logits.device())?)
}

/// A step's loss, differentiable, with the mean reward of what was drawn and its mean negative log-probability a token.
///
/// # Errors
/// If the batch does not fit the model.
pub fn loss(
    reader: Reader,
    config: &ModelConfig,
    batch: &Batch,
    stage: &ScstStage,
    references: &References,
    frozen: bool,
    seed: u64,
) -> candle_core::Result<(Tensor, [f32; 2])> {
    let model = reader.model;
    let features = model.trunk.forward(&batch.pixels)?;
    let features = if frozen { features.detach() } else { features };
    let memory = reader.memory(&features, &batch.parts)?;
    let reward = |row: usize, sample: &Sample| references.reward(batch.indices[row], sample);
    let truths = if stage.cross_entropy > 0.0 { &batch.captions[..] } else { &[] };
    let longest = config.decoder.max_tokens;
    reinforced(model, &memory, reward, truths, stage, longest, seed)
}

/// The loss of captions drawn for each row of the memory (pictures, rows, width), with what `reward` gives each of them, and of the
/// true captions `truths` of the pictures (none, or those of every picture); then as [`loss`].
fn reinforced(
    model: &Model,
    memory: &Tensor,
    reward: impl Fn(usize, &Sample) -> f32 + Sync,
    truths: &[Vec<Vec<u32>>],
    stage: &ScstStage,
    longest: usize,
    seed: u64,
) -> candle_core::Result<(Tensor, [f32; 2])> {
    let drawn = sample(&model.decoder, &memory.detach(), stage.samples, longest, seed)?;
    let rewards: Vec<Vec<f32>> = drawn
        .par_iter()
        .enumerate()
        .map(|(row, samples)| samples.iter().map(|sample| reward(row, sample)).collect())
        .collect();
    // Every token of a sample weighs what the sample is worth; every token of a true caption the same.
    let mut captions: Vec<Vec<&[u32]>> = Vec::with_capacity(drawn.len());
    let (mut weights, mut true_rows) = (Vec::new(), Vec::new());
    let (mut drawn_tokens, mut true_tokens) = (0usize, 0usize);
    for (row, (samples, rewards)) in drawn.iter().zip(&rewards).enumerate() {
        let mut of_picture = Vec::with_capacity(samples.len());
        for (sample, advantage) in samples.iter().zip(advantages(rewards)) {
            of_picture.push(sample.tokens.as_slice());
            weights.extend(std::iter::repeat_n(advantage, sample.tokens.len()));
            // An end that was not drawn is not rewarded.
            weights.push(if sample.ended { advantage } else { 0.0 });
            true_rows.resize(weights.len(), false);
            drawn_tokens += sample.tokens.len() + 1;
        }
        for caption in truths.get(row).into_iter().flatten() {
            let caption = &caption[..caption.len().min(longest - 1)];
            of_picture.push(caption);
            weights.resize(weights.len() + caption.len() + 1, 0.0);
            true_rows.resize(weights.len(), true);
            true_tokens += caption.len() + 1;
        }
        captions.push(of_picture);
    }
    for (weight, truth) in weights.iter_mut().zip(&true_rows) {
        *weight = if *truth {
            stage.cross_entropy / true_tokens.max(1) as f32
        } else {
            *weight / drawn_tokens.max(1) as f32
        };
    }
    let tokens = TokenBatch::new(&captions, memory.dim(1)?, longest);
    for (weight, target) in weights.iter_mut().zip(&tokens.targets) {
        // An unknown word of a true caption cannot be learned here.
        if *target == UNKNOWN {
            *weight = 0.0;
        }
    }
    let logits = model.decoder.forward(&tokens, memory, &mut Dropout::off())?;
    let rows = cross_entropy(&without_forbidden(&logits)?, &tokens.targets, 0.0)?;
    let count = rewards.iter().map(Vec::len).sum::<usize>().max(1);
    let mean = rewards.iter().flatten().sum::<f32>() / count as f32;
    let surprises = rows.to_vec1::<f32>()?;
    let drawn_rows = surprises.iter().zip(&true_rows).filter(|(_, truth)| !**truth);
    let entropy = drawn_rows.map(|(surprise, _)| surprise).sum::<f32>() / drawn_tokens.max(1) as f32;
    let weights = Tensor::from_vec(weights, rows.shape(), &Device::Cpu)?;
    Ok(((rows * weights)?.sum_all()?, [mean, entropy]))
}

/// Captions of pictures that are not there, and what is needed to be rewarded for describing them from words alone.
pub struct Unseen<'a> {
    groups: &'a Groups,
    references: Cider<u32>,
    targets: Targets,
    simulation: Simulation,
    /// Words that are read of a picture.
    read: usize,
}

impl<'a> Unseen<'a> {
    /// For captions grouped by picture, and words as `simulation` makes them, `read` for each picture.
    pub fn new(groups: &'a Groups, targets: Targets, simulation: Simulation, read: usize) -> Self {
        let ended: Vec<Vec<Vec<u32>>> =
            groups.iter().map(|group| group.iter().map(|caption| with_end(caption)).collect()).collect();
        Self { groups, references: Cider::new(&ended), targets, simulation, read }
    }

    /// The loss of captions drawn for random groups, differentiable, and their mean reward; `None` where no group has words enough.
    ///
    /// # Errors
    /// If the words do not fit the model.
    pub fn loss(
        &self,
        model: &Model,
        stage: &ScstStage,
        longest: usize,
        seed: u64,
    ) -> candle_core::Result<Option<(Tensor, f32)>> {
        if self.groups.is_empty() {
            return Ok(None);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut places, mut words) = (Vec::new(), Vec::new());
        for _ in 0..stage.groups {
            let place = rng.random_range(0..self.groups.len());
            let found = self.simulation.words(&self.groups[place], &self.targets, &mut rng);
            // All have as many rows in the memory.
            if found.places.len() == self.read {
                places.push(place);
                words.push(found);
            }
        }
        if words.is_empty() {
            return Ok(None);
        }
        let rows = model.read_words(&words)?;
        let memory = rows.reshape((words.len(), self.read, rows.dim(1)?))?;
        let reward = |row: usize, sample: &Sample| reward(&self.references, places[row], sample);
        let (loss, [reward, _]) = reinforced(model, &memory, reward, &[], stage, longest, seed)?;
        Ok(Some((loss, reward)))
    }
}

struct Scst<'a> {
    context: &'a Context<'a>,
    stage: &'a ScstStage,
    plan: Plan,
    references: References,
    unseen: Option<Unseen<'a>>,
    batches: Option<Receiver<candle_core::Result<Batch>>>,
}

/// Divides the logits by `temperature`: they are linear in the last norm's scale and shift and the output's bias.
///
/// # Errors
/// If the parameters lack one of them.
pub fn sharpen(parameters: &Parameters, temperature: f64) -> Result<()> {
    let vars = parameters.vars();
    for name in ["decoder.norm.gamma", "decoder.norm.beta", "decoder.output.bias"] {
        let var = vars.get(name).with_context(|| format!("the network has no parameter `{name}`"))?;
        var.set(&(var.as_tensor() / temperature)?)?;
    }
    Ok(())
}

/// What the stage minimises. Sharpens the network to the stage's temperature; a checkpoint's values, if there is one,
/// replace it afterwards.
///
/// # Errors
/// If the network cannot be sharpened; if groups are asked for and there are none, or the network cannot read their words.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a ScstStage) -> Result<Box<dyn Objective + 'a>> {
    let plan = context.plan(&stage.schedule, &stage.views, None);
    let references = References::new(&context.inputs.train);
    let unseen = match stage.groups > 0 {
        true => Some(unseen(context, &plan)?),
        false => None,
    };
    sharpen(context.parameters, stage.temperature)?;
    Ok(Box::new(Scst { context, stage, plan, references, unseen, batches: None }))
}

fn unseen<'a>(context: &'a Context<'a>, plan: &Plan) -> Result<Unseen<'a>> {
    let groups = &context.inputs.groups;
    if groups.is_empty() {
        bail!(
            "`scst.groups` needs captions grouped by picture: give a file of lines ID<TAB>CAPTION with --text"
        );
    }
    let (folds, targets) = head_of(context)?;
    let read = context.recipe.model.concepts.as_ref().map_or(1, |concepts| concepts.read);
    let examples = &context.inputs.train;
    let simulation = reading::simulation(context.model, folds, &targets, plan, examples, read)?;
    Ok(Unseen::new(groups, targets, simulation, read))
}

impl Objective for Scst<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(&self.context.inputs.train)
    }

    fn terms(&self) -> &'static [&'static str] {
        &["reward", "entropy", "text_reward"]
    }

    /// Words that are hardly ever drawn get hardly any gradient here, of whatever sign the batch's mean advantage has,
    /// and AdamW makes full steps of it all the same. Cross-entropy would hold them down, the reward does not.
    fn frozen(&self) -> &'static [&'static str] {
        &WORD_TABLES
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
        let config = &self.context.recipe.model;
        let reader = Reader { model: self.context.model, folds: self.context.folds };
        let (mut total, [reward, entropy]) =
            loss(reader, config, &batch, self.stage, &self.references, step.frozen, step.seed)?;
        let mut text_reward = f32::NAN;
        if let Some(unseen) = &self.unseen {
            let longest = config.decoder.max_tokens;
            if let Some((loss, reward)) = unseen.loss(reader.model, self.stage, longest, step.seed)? {
                total = (total + (loss * self.stage.group_weight)?)?;
                text_reward = reward;
            }
        }
        Ok(Outcome { loss: Some(total), images, terms: vec![reward, entropy, text_reward] })
    }
}
