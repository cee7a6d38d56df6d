//! The loop that all stages share: schedule, optimiser, checkpoints, curve.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use candle_core::Tensor;
use soli::captioner::{CaptionOptions, Captioner};
use soli::graph::plain;
use soli::weights::{Provenance, Weights};

use super::Context;
use crate::checkpoint::{self, Progress};
use crate::config::Schedule;
use crate::data::Report;
use crate::evaluate::score;
use crate::fold::fold;
use crate::metrics_file::{MetricsFile, Row};
use crate::optimiser::{AdamW, StepOptions, warmup_cosine};
use crate::progress::TrainingBar;

/// Time between checkpoints: what a kill costs at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(4 * 60);

/// What a stage minimises.
pub trait Objective {
    /// How long and how fast.
    fn schedule(&self) -> &Schedule;
    /// Steps of one epoch.
    fn steps_per_epoch(&self) -> usize;
    /// Names of the numbers in [`Outcome::terms`], as columns of the metrics file.
    fn terms(&self) -> &'static [&'static str];
    /// Whether the network can be asked for captions while this stage trains.
    fn describes(&self) -> bool;
    /// Names of the parameters that this stage leaves as they are, beside a frozen trunk.
    fn frozen(&self) -> &'static [&'static str] {
        &[]
    }
    /// Says which steps will be asked for, in order: batches may be made ahead.
    fn begin(&mut self, steps: Range<usize>);
    /// The loss of the next step.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome>;
    /// After the last step, when the result is on disk.
    ///
    /// # Errors
    /// If something that is not needed any more cannot be removed.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Which step it is.
pub struct Step {
    /// Counted over all epochs of the stage.
    pub number: usize,
    /// Whether the trunk stays as it is.
    pub frozen: bool,
    /// For the step's random choices.
    pub seed: u64,
}

/// What a step found.
pub struct Outcome {
    /// To be minimised; `None` if there was nothing to learn from.
    pub loss: Option<Tensor>,
    /// Pictures (or texts) seen.
    pub images: usize,
    /// The numbers that [`Objective::terms`] names.
    pub terms: Vec<f32>,
}

/// Trains in the stage's folder, going on from its checkpoint if it has one, and leaves the parameters at their running
/// average.
pub fn train(
    context: &Context,
    folder: &Path,
    name: &str,
    identity: String,
    objective: &mut dyn Objective,
    report: &mut Report,
) -> Result<()> {
    let schedule = objective.schedule().clone();
    ensure!(
        schedule.keep == 0.0 || context.recipe.describes,
        "`{name}.schedule.keep` is a share of what weights know already: name them with --weights, or leave it out"
    );
    let per_epoch = objective.steps_per_epoch();
    let steps = per_epoch * schedule.epochs;
    let mut optimiser = AdamW::new(context.parameters.vars())?;
    optimiser.freeze(objective.frozen());
    optimiser.keep(schedule.keep, context.inputs.known)?;
    let mut progress = Progress {
        recipe: identity,
        words: context.inputs.vocabulary.words().to_vec(),
        step: 0,
        metrics_bytes: 0,
        seconds: 0.0,
        revision: crate::revision::git_revision(),
    };
    if let Some((state, saved)) = checkpoint::resume(folder)? {
        if (&saved.recipe, &saved.words) != (&progress.recipe, &progress.words) {
            bail!(
                "{} holds a run with another configuration or other data; choose another --run folder",
                folder.display()
            );
        }
        optimiser.restore(&state)?;
        progress = saved;
    }
    let mut metrics_file = MetricsFile::open(folder, progress.metrics_bytes, objective.terms())?;
    let bar = TrainingBar::new(steps, progress.step);
    objective.begin(progress.step..steps);
    let mut last_save = Instant::now();
    let started = Instant::now();
    let earlier_seconds = progress.seconds;
    let stage_seed =
        context.recipe.seed ^ name.bytes().fold(0, |h: u64, b| h.wrapping_mul(257) + u64::from(b));
    while progress.step < steps {
        let number = progress.step;
        let epoch = number / per_epoch;
        let frozen = epoch < schedule.trunk_frozen_epochs || schedule.trunk_learning_rate == 0.0;
        let share = warmup_cosine(number, steps, schedule.warmup_steps);
        // The trunk's own warm-up starts when it thaws.
        let thawed = number.saturating_sub(schedule.trunk_frozen_epochs * per_epoch);
        let trunk_share = share * ((thawed + 1) as f64 / schedule.warmup_steps.max(1) as f64).min(1.0);
        let seed = stage_seed ^ (number as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f);
        let outcome = objective.step(&Step { number, frozen, seed }, report)?;
        let mut value = f32::NAN;
        if let Some(loss) = &outcome.loss {
            value = loss.to_scalar::<f32>()?;
            let norm = optimiser.step(
                &loss.backward()?,
                &StepOptions {
                    learning_rate: schedule.learning_rate * share,
                    concept_learning_rate: schedule.concept_learning_rate.unwrap_or(schedule.learning_rate)
                        * share,
                    trunk_learning_rate: if frozen {
                        0.0
                    } else {
                        schedule.trunk_learning_rate * trunk_share
                    },
                    weight_decay: schedule.weight_decay,
                    gradient_clip: schedule.gradient_clip,
                    ema_decay: schedule.ema_decay,
                },
            )?;
            if !value.is_finite() || !norm.is_finite() {
                bail!(
                    "stage {name}, step {number}: the loss is {value} and its gradient {norm} long; lower the \
                     learning rate"
                );
            }
        }
        progress.step += 1;
        progress.seconds = earlier_seconds + started.elapsed().as_secs_f64();
        bar.step(outcome.images, value);
        let at = progress.step as f64 / per_epoch as f64;
        metrics_file.write(&Row::step(progress.step, at, value, share, outcome.images, &outcome.terms))?;
        let epoch_ends = progress.step.is_multiple_of(per_epoch);
        if epoch_ends {
            if objective.describes() && !context.inputs.dev.is_empty() {
                let captioner = captioner(context, &optimiser)?;
                for (set, dev) in &context.inputs.dev {
                    // The same pictures every time: CIDEr's word frequencies depend on the set, so curves must not mix
                    // sizes.
                    let count = context.recipe.dev_images.min(dev.len());
                    let options = CaptionOptions::AS_LEARNED;
                    let (scores, _) = score(&captioner, &dev[..count], None, &options, report)?;
                    bar.say(&format!(
                        "{name}, epoch {}: loss {:.3}, dev of {set} ({count} pictures) CIDEr {}, BLEU-4 {:.1}",
                        epoch + 1,
                        bar.loss(),
                        scores.cider_text(),
                        scores.bleu[3] * 100.0
                    ));
                    // The curve is that of the first set.
                    if set == &context.inputs.dev[0].0 {
                        metrics_file.write(&Row::scores(progress.step, at, &scores))?;
                    }
                }
            } else {
                bar.say(&format!("{name}, epoch {}: loss {:.3}", epoch + 1, bar.loss()));
            }
            metrics_file.plot()?;
        }
        if epoch_ends || last_save.elapsed() > CHECKPOINT_EVERY {
            progress.metrics_bytes = metrics_file.flush()?;
            checkpoint::save(folder, checkpoint::RUNNING, &optimiser.state()?, &progress)?;
            last_save = Instant::now();
        }
    }
    bar.finish();
    let averaged = optimiser.averaged()?;
    checkpoint::save(folder, checkpoint::FINISHED, &averaged, &progress)?;
    checkpoint::remove(folder, checkpoint::RUNNING)?;
    Ok(context.parameters.load(&averaged)?)
}

/// The captioner that these parameters make, as an export would.
fn captioner(context: &Context, optimiser: &AdamW) -> Result<Captioner> {
    Ok(Captioner::new(Weights {
        config: context.recipe.model.clone(),
        vocabulary: context.inputs.vocabulary.clone(),
        provenance: Provenance::default(),
        confidence: None,
        tensors: plain(fold(optimiser.averaged()?)?)?,
    })?)
}
