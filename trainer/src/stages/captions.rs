//! Cross-entropy on captions: the decoder learns to describe, and the trunk follows at a lower rate.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use soli::captioner::{CaptionOptions, Captioner};
use soli::config::ModelConfig;
use soli::decoder::{Dropout, TokenBatch};
use soli::encoder::Form;
use soli::kernels::cross_entropy::cross_entropy;
use soli::model::Model;
use soli::vocab::Vocabulary;
use soli::weights::{Provenance, Weights};

use crate::checkpoint::{self, Progress};
use crate::config::{CaptionStage, Recipe};
use crate::data::augment::Augmentation;
use crate::data::batches::{Batch, Plan, TokenExample};
use crate::data::{Example, Report};
use crate::evaluate::score;
use crate::fold::fold;
use crate::optimiser::{AdamW, StepOptions, warmup_cosine};
use crate::parameters::Parameters;
use crate::run::{Meter, MetricsFile, Row};

/// Time between checkpoints: what a kill costs at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(4 * 60);

/// What the stage works on.
pub struct Inputs {
    /// Training pictures with their captions.
    pub train: Arc<Vec<TokenExample>>,
    /// Dev pictures; may be empty, then no scores are measured.
    pub dev: Vec<Example>,
    /// The words.
    pub vocabulary: Vocabulary,
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

/// Trains in the run folder `run`, going on from its checkpoint if it has one, and leaves the parameters at their
/// running average.
///
/// # Errors
/// If the loss stops being a number, nothing can be read, or the run folder cannot be written.
pub fn train(
    recipe: &Recipe,
    inputs: &Inputs,
    parameters: &Parameters,
    run: &Path,
    report: &mut Report,
) -> Result<()> {
    let stage = &recipe.captions;
    let config = &recipe.model;
    let model = Model::new(parameters.builder(), config, Form::Training)?;
    let mut optimiser = AdamW::new(parameters.vars())?;
    let plan = Plan {
        seed: recipe.seed,
        batch_images: stage.batch_images,
        encoder: config.encoder.clone(),
        augmentation: Augmentation { flip: stage.flip, crop_area: stage.crop_area },
    };
    let per_epoch = plan.steps_per_epoch(inputs.train.len());
    let steps = per_epoch * stage.epochs;
    let mut progress = Progress {
        recipe: toml::to_string(recipe)?,
        words: inputs.vocabulary.words().to_vec(),
        step: 0,
        metrics_bytes: 0,
        seconds: 0.0,
    };
    if let Some((state, saved)) = checkpoint::load(run)? {
        if (&saved.recipe, &saved.words) != (&progress.recipe, &progress.words) {
            bail!(
                "{} holds a run with another configuration or other data; choose another --run folder",
                run.display()
            );
        }
        optimiser.restore(&state)?;
        progress = saved;
    }
    let mut metrics_file = MetricsFile::open(run, progress.metrics_bytes)?;
    let meter = Meter::new(steps, progress.step);
    let batches = plan.stream(inputs.train.clone(), progress.step..steps);
    let mut last_save = Instant::now();
    let started = Instant::now();
    let earlier_seconds = progress.seconds;
    while progress.step < steps {
        let step = progress.step;
        let batch = batches.recv().context("the thread that makes batches has died")??;
        for (name, why) in &batch.broken {
            report.add_broken(name, why);
        }
        let epoch = step / per_epoch;
        let frozen = epoch < stage.trunk_frozen_epochs || stage.trunk_learning_rate == 0.0;
        let share = warmup_cosine(step, steps, stage.warmup_steps);
        // The trunk's own warm-up starts when it thaws.
        let thawed = step.saturating_sub(stage.trunk_frozen_epochs * per_epoch);
        let trunk_share = share * ((thawed + 1) as f64 / stage.warmup_steps.max(1) as f64).min(1.0);
        let mut value = f32::NAN;
        if !batch.captions.is_empty() {
            let seed = recipe.seed ^ (step as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f);
            let loss = loss(&model, config, &batch, stage, frozen, seed)?;
            value = loss.to_scalar::<f32>()?;
            let norm = optimiser.step(
                &loss.backward()?,
                &StepOptions {
                    learning_rate: stage.learning_rate * share,
                    trunk_learning_rate: if frozen { 0.0 } else { stage.trunk_learning_rate * trunk_share },
                    weight_decay: stage.weight_decay,
                    gradient_clip: stage.gradient_clip,
                    ema_decay: stage.ema_decay,
                },
            )?;
            if !value.is_finite() || !norm.is_finite() {
                bail!(
                    "step {step}: the loss is {value} and its gradient {norm} long; lower the learning rate"
                );
            }
        }
        progress.step += 1;
        progress.seconds = earlier_seconds + started.elapsed().as_secs_f64();
        meter.step(batch.captions.len(), value);
        metrics_file.write(&Row::step(
            progress.step,
            progress.step as f64 / per_epoch as f64,
            value,
            share,
            batch.captions.len(),
        ))?;
        let epoch_ends = progress.step.is_multiple_of(per_epoch);
        if epoch_ends && !inputs.dev.is_empty() {
            // The same pictures every time: CIDEr's word frequencies depend on the set, so curves must not mix sizes.
            let count = stage.dev_images.min(inputs.dev.len());
            let captioner = captioner(recipe, inputs, &optimiser)?;
            let (scores, _) =
                score(&captioner, &inputs.dev[..count], None, &CaptionOptions::default(), report)?;
            meter.say(&format!(
                "epoch {}: loss {:.3}, dev ({count} pictures) CIDEr {:.1}, BLEU-4 {:.1}",
                epoch + 1,
                meter.loss(),
                scores.cider * 100.0,
                scores.bleu[3] * 100.0
            ));
            metrics_file.write(&Row::scores(
                progress.step,
                progress.step as f64 / per_epoch as f64,
                &scores,
            ))?;
            metrics_file.plot()?;
        }
        if epoch_ends || last_save.elapsed() > CHECKPOINT_EVERY {
            progress.metrics_bytes = metrics_file.flush()?;
            checkpoint::save(run, &optimiser.state()?, &progress)?;
            last_save = Instant::now();
        }
    }
    meter.finish();
    parameters.load(&optimiser.averaged()?)?;
    Ok(())
}

/// The captioner that these parameters make, as an export would.
fn captioner(recipe: &Recipe, inputs: &Inputs, optimiser: &AdamW) -> Result<Captioner> {
    Ok(Captioner::new(Weights {
        config: recipe.model.clone(),
        vocabulary: inputs.vocabulary.clone(),
        provenance: Provenance::default(),
        tensors: fold(optimiser.averaged()?)?,
    })?)
}
