//! Text-only warm-up: the decoder learns the language of captions before it sees a picture.
//!
//! There are ten times more captions than captioned pictures. The decoder trains on them as a language model, its
//! attention to pictures left out.

use std::ops::Range;

use anyhow::{Result, bail};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::{Dropout, TokenBatch};

use super::Context;
use super::training::{Objective, Outcome, Step};
use crate::config::{Check, Schedule};
use crate::data::Report;

/// The table `[text]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextStage {
    /// Share of the probability that the loss spreads over all words, 0..1.
    pub label_smoothing: f32,
    /// Dropout in the decoder, 0..1.
    pub dropout: f32,
    /// How long and how fast.
    pub schedule: Schedule,
}

impl TextStage {
    /// What its numbers have to be.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.schedule.checks("text.schedule");
        checks.push(Check::below_one("text", "label_smoothing", self.label_smoothing.into()));
        checks.push(Check::below_one("text", "dropout", self.dropout.into()));
        checks
    }
}

struct Text<'a> {
    context: &'a Context<'a>,
    stage: &'a TextStage,
    /// Epoch whose order this is, and the order.
    order: (usize, Vec<usize>),
}

/// What the stage minimises.
///
/// # Errors
/// If there is no text.
pub fn objective<'a>(context: &'a Context<'a>, stage: &'a TextStage) -> Result<Box<dyn Objective + 'a>> {
    if context.inputs.text.is_empty() {
        bail!("the stage [text] needs captions without pictures, one a line: give the files with --text");
    }
    Ok(Box::new(Text { context, stage, order: (usize::MAX, Vec::new()) }))
}

impl Objective for Text<'_> {
    fn schedule(&self) -> &Schedule {
        &self.stage.schedule
    }

    fn steps_per_epoch(&self) -> usize {
        self.context.inputs.text.len().div_ceil(self.stage.schedule.batch)
    }

    fn terms(&self) -> &'static [&'static str] {
        &[]
    }

    fn describes(&self) -> bool {
        false
    }

    fn begin(&mut self, _: Range<usize>) {}

    fn step(&mut self, step: &Step, _: &mut Report) -> Result<Outcome> {
        let text = &self.context.inputs.text;
        let (epoch, place) = (step.number / self.steps_per_epoch(), step.number % self.steps_per_epoch());
        if self.order.0 != epoch {
            let mut order: Vec<usize> = (0..text.len()).collect();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(self.context.recipe.seed ^ (epoch as u64) << 32));
            self.order = (epoch, order);
        }
        let from = place * self.stage.schedule.batch;
        let picked = &self.order.1[from..(from + self.stage.schedule.batch).min(text.len())];
        let captions: Vec<&[u32]> = picked.iter().map(|&i| text[i].as_slice()).collect();
        let images = captions.len();
        let decoder = &self.context.recipe.model.decoder;
        let tokens = TokenBatch::new(&[captions], 1, decoder.max_tokens);
        let mut dropout = Dropout::new(self.stage.dropout, step.seed);
        let logits = self.context.model.decoder.forward_text(&tokens, &mut dropout)?;
        let loss = cross_entropy(&logits, &tokens.targets, self.stage.label_smoothing)?.mean_all()?;
        Ok(Outcome { loss: Some(loss), images, terms: Vec::new() })
    }
}
