//! Self-critical sequence training (Rennie et al. 2017, arXiv 1612.00563): the decoder draws captions, and those that
//! score better in CIDEr than the others drawn for the same picture become more probable (the baseline of Luo 2020,
//! arXiv 2003.09971).
//!
//! CIDEr is computed on token ids with the end token as one of them: without it, captions that stop after "of a" pay.

use std::ops::Range;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use soli::config::ModelConfig;
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::{Dropout, TokenBatch};
use soli::vocab::{END, START, UNKNOWN};

use super::Context;
use super::captions::next_batch;
use super::reading::Reader;
use super::training::{Objective, Outcome, Step};
use crate::config::{Check, Schedule};
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
    /// Random views of the pictures.
    pub views: Views,
    /// How long and how fast.
    pub schedule: Schedule,
}

fn default_temperature() -> f64 {
    1.0
}

impl ScstStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("scst.schedule");
        checks.extend(self.views.checks("scst.views"));
        checks.push(Check::new("scst", "samples", self.samples as f64, self.samples > 1, "be at least 2"));
        checks.push(Check::not_negative("scst", "cross_entropy", self.cross_entropy.into()));
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
        let with_end = |caption: &Vec<u32>| caption.iter().copied().chain([END]).collect::<Vec<u32>>();
        let mut sets: Vec<Vec<Vec<Vec<u32>>>> = Vec::new();
        let mut places = Vec::with_capacity(examples.len());
        for example in examples {
            sets.resize_with(sets.len().max(example.set + 1), Vec::new);
            let set = &mut sets[example.set];
            places.push((example.set, set.len()));
            set.push(example.captions.iter().map(with_end).collect());
        }
        Self { sets: sets.iter().map(|set| Cider::new(set)).collect(), places }
    }

    /// CIDEr (0 to 10) of a sample for training picture `index`.
    pub fn reward(&self, index: usize, sample: &Sample) -> f32 {
        let mut tokens = sample.tokens.clone();
        tokens.extend(sample.ended.then_some(END));
        let (set, place) = self.places[index];
        self.sets[set].score(place, &tokens) as f32
    }
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
    let embeddings = reader.memory(&features, &batch.parts)?;
    let longest = config.decoder.max_tokens;
    let drawn = sample(&model.decoder, &embeddings.detach(), stage.samples, longest, seed)?;
    let rewards: Vec<Vec<f32>> = drawn
        .par_iter()
        .zip(&batch.indices)
        .map(|(samples, &index)| samples.iter().map(|s| references.reward(index, s)).collect())
        .collect();
    let truths = stage.cross_entropy > 0.0;
    // Every token of a sample weighs what the sample is worth; every token of a true caption the same.
    let mut captions: Vec<Vec<&[u32]>> = Vec::with_capacity(drawn.len());
    let (mut weights, mut true_rows) = (Vec::new(), Vec::new());
    let (mut drawn_tokens, mut true_tokens) = (0usize, 0usize);
    for ((samples, rewards), truth) in drawn.iter().zip(&rewards).zip(&batch.captions) {
        let mut of_picture = Vec::with_capacity(samples.len());
        for (sample, advantage) in samples.iter().zip(advantages(rewards)) {
            of_picture.push(sample.tokens.as_slice());
            weights.extend(std::iter::repeat_n(advantage, sample.tokens.len()));
            // An end that was not drawn is not rewarded.
            weights.push(if sample.ended { advantage } else { 0.0 });
            true_rows.resize(weights.len(), false);
            drawn_tokens += sample.tokens.len() + 1;
        }
        if truths {
            for caption in truth {
                let caption = &caption[..caption.len().min(longest - 1)];
                of_picture.push(caption);
                weights.resize(weights.len() + caption.len() + 1, 0.0);
                true_rows.resize(weights.len(), true);
                true_tokens += caption.len() + 1;
            }
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
    let tokens = TokenBatch::new(&captions, config.memory_rows(), longest);
    for (weight, target) in weights.iter_mut().zip(&tokens.targets) {
        // An unknown word of a true caption cannot be learned here.
        if *target == UNKNOWN {
            *weight = 0.0;
        }
    }
    let logits = model.decoder.forward(&tokens, &embeddings, &mut Dropout::off())?;
    let rows = cross_entropy(&without_forbidden(&logits)?, &tokens.targets, 0.0)?;
    let count = rewards.iter().map(Vec::len).sum::<usize>().max(1);
    let mean = rewards.iter().flatten().sum::<f32>() / count as f32;
    let surprises = rows.to_vec1::<f32>()?;
    let drawn_rows = surprises.iter().zip(&true_rows).filter(|(_, truth)| !**truth);
    let entropy = drawn_rows.map(|(surprise, _)| surprise).sum::<f32>() / drawn_tokens.max(1) as f32;
    let weights = Tensor::from_vec(weights, rows.shape(), &Device::Cpu)?;
    Ok(((rows * weights)?.sum_all()?, [mean, entropy]))
}

struct Scst<'a> {
    context: &'a Context<'a>,
    stage: &'a ScstStage,
    plan: Plan,
    references: References,
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
/// If the network cannot be sharpened.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a ScstStage) -> Result<Box<dyn Objective + 'a>> {
    let plan = context.plan(&stage.schedule, &stage.views, None);
    let references = References::new(&context.inputs.train);
    sharpen(context.parameters, stage.temperature)?;
    Ok(Box::new(Scst { context, stage, plan, references, batches: None }))
}

impl Objective for Scst<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.plan.steps_per_epoch(&self.context.inputs.train)
    }

    fn terms(&self) -> &'static [&'static str] {
        &["reward", "entropy"]
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
            return Ok(Outcome { loss: None, images, terms: vec![f32::NAN; 2] });
        }
        let config = &self.context.recipe.model;
        let reader = Reader { model: self.context.model, folds: self.context.folds };
        let (loss, terms) =
            loss(reader, config, &batch, self.stage, &self.references, step.frozen, step.seed)?;
        Ok(Outcome { loss: Some(loss), images, terms: terms.to_vec() })
    }
}
