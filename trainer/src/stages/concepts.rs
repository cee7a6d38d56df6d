//! The concept head learns which words pictures show: its classifier from all training pictures, and those of [`Folds`] from
//! two thirds each. Captions, labels and the pretrained classifier teach it (see [`Taught`]).

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use candle_core::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use soli::graph::kernels::dropout::dropout;
use soli::graph::{self, Model};

use super::Context;
use super::captions::next_batch;
use super::training::{Objective, Outcome, Step};
use crate::concepts::{self, Folds, ImageNet, Kept, Lessons, Targets, Taught, Teachers, fold_of};
use crate::config::{Check, Schedule, is_default};
use crate::data::Report;
use crate::data::batches::{Batch, Plan, TokenExample};
use crate::data::views::Views;
use crate::parameters::Parameters;

/// The table `[concepts]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConceptStage {
    /// Dropout of the pooled features, 0..1.
    pub dropout: f32,
    /// How surely the words are taught that the pretrained classifier sees, 0..=1; 0 asks it nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub classifier: f32,
    /// Probability with which a label's most specific word is taught, above 0 up to 1, and twice that of its others; 0.7 when not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<f32>,
    /// Views of each picture that are made once and gone over in each pass, of a trunk that stays as it is; when absent every
    /// pass makes new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_views: Option<usize>,
    /// Only the classifiers learn that have not seen a part of the pictures, from random numbers: those of weights began as the
    /// head's own, which has seen all of them. What is trained next then reads words as surely as they are found in other pictures.
    #[serde(default, skip_serializing_if = "is_default")]
    pub only_folds: bool,
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
        checks.push(Check::share("concepts", "classifier", self.classifier.into()));
        let labels = self.labels();
        let good = labels > 0.0 && labels <= 1.0;
        checks.push(Check::new("concepts", "labels", labels.into(), good, "lie above 0 and up to 1"));
        if let Some(views) = self.kept_views {
            checks.push(Check::positive("concepts", "kept_views", views));
            let rate = self.schedule.trunk_learning_rate;
            let must =
                "be 0 where views are kept: what is kept is right only for a trunk that stays as it is";
            checks.push(Check::new("concepts.schedule", "trunk_learning_rate", rate, rate == 0.0, must));
        }
        checks
    }

    fn labels(&self) -> f32 {
        self.labels.unwrap_or(0.7)
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
    own_loss(head, &wanted, &thinned)? + folds_loss(folds, &wanted, &batch.parts, &thinned)?
}

/// The loss of the head's own classifier for the probabilities (pictures, concepts) `wanted`.
fn own_loss(head: &graph::Concepts, wanted: &Tensor, pooled: &Tensor) -> candle_core::Result<Tensor> {
    concepts::loss(&head.logits(pooled)?, wanted)?.mean_all()
}

/// That of those that have not seen a part of the pictures, which are in the parts `parts`.
fn folds_loss(
    folds: &Folds,
    wanted: &Tensor,
    parts: &[usize],
    pooled: &Tensor,
) -> candle_core::Result<Tensor> {
    folds.loss(&folds.logits(&pooled.detach())?, wanted, parts)
}

struct Concepts<'a> {
    context: &'a Context<'a>,
    stage: &'a ConceptStage,
    folds: &'a Folds,
    examples: Arc<Vec<TokenExample>>,
    taught: Taught,
    plan: Plan,
    seen: Seen,
    folder: PathBuf,
}

/// Where the pictures' features come from.
enum Seen {
    /// Each step makes views of its own.
    New(Option<Receiver<candle_core::Result<Batch>>>),
    /// They are there.
    Kept(Kept),
}

/// What the stage minimises.
///
/// # Errors
/// If the network has no concept head, the pretrained classifier is wanted and cannot be read, or nothing can be kept in the
/// stage's folder.
pub fn objective<'a>(
    context: &'a Context<'a>,
    stage: &'a ConceptStage,
    folder: &Path,
    report: &mut Report,
) -> Result<Box<dyn Objective + 'a>> {
    let (folds, targets) = head_of(context)?;
    if stage.only_folds {
        afresh(context)?;
    }
    let inputs = context.inputs;
    let mut examples = inputs.train.to_vec();
    examples.extend(inputs.labelled.iter().cloned());
    let plan = context.plan(&stage.schedule, &stage.views, None);
    let plain = Plan { views: Views::PLAIN, ..plan.clone() };
    let imagenet = match stage.classifier > 0.0 {
        true => {
            let path = inputs.pretrained.as_deref().context(
                "the recipe learns from the pretrained classifier (classifier in [concepts]): name its file with --pretrained",
            )?;
            Some(ImageNet::load(path, &targets, &inputs.vocabulary)?)
        }
        false => None,
    };
    let teachers = Teachers {
        targets: &targets,
        vocabulary: &inputs.vocabulary,
        model: context.model,
        imagenet: imagenet.as_ref(),
        lessons: Lessons { classifier: stage.classifier, labels: stage.labels() },
    };
    let folder = folder.join("kept");
    let taught = teachers.teach_once(&examples, &plain, context.parameters, &folder, report)?;
    let seen = match stage.kept_views {
        None => Seen::New(None),
        Some(views) => {
            let network = (context.model, context.parameters);
            Seen::Kept(Kept::look(views, &examples, &plan, network, &folder, report)?)
        }
    };
    let examples = Arc::new(examples);
    Ok(Box::new(Concepts { context, stage, folds, examples, taught, plan, seen, folder }))
}

/// Puts random numbers into the classifiers that have not seen a part of the pictures.
fn afresh(context: &Context) -> Result<()> {
    let random = Parameters::new(context.recipe.seed);
    if let Some(concepts) = &context.recipe.model.concepts {
        Folds::new(random.builder(), concepts)?;
    }
    Ok(context.parameters.load(&random.values()?)?)
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
        self.plan.steps_per_epoch(&self.examples)
    }

    fn terms(&self) -> &'static [&'static str] {
        &[]
    }

    fn describes(&self) -> bool {
        false
    }

    fn begin(&mut self, steps: Range<usize>) {
        if let Seen::New(batches) = &mut self.seen {
            *batches = Some(self.plan.clone().stream(self.examples.clone(), steps));
        }
    }

    fn step(&mut self, step: &Step, report: &mut Report) -> Result<Outcome> {
        let model = self.context.model;
        let (pooled, indices, parts) = match &self.seen {
            Seen::New(batches) => {
                let batch = next_batch(batches.as_ref(), report)?;
                if batch.indices.is_empty() {
                    return Ok(Outcome { loss: None, images: 0, terms: Vec::new() });
                }
                let head = model.concepts.as_ref().context("the network has no concept head")?;
                let pooled = head.pool(&model.trunk.forward(&batch.pixels)?)?;
                (if step.frozen { pooled.detach() } else { pooled }, batch.indices, batch.parts)
            }
            Seen::Kept(kept) => {
                let mut indices = self.plan.pictures_of(step.number, &self.examples);
                indices.retain(|&i| kept.has(i));
                if indices.is_empty() {
                    return Ok(Outcome { loss: None, images: 0, terms: Vec::new() });
                }
                let mut rng = ChaCha8Rng::seed_from_u64(step.seed);
                let mut view = |&i: &usize| (i, rng.random_range(0..kept.views()));
                let pooled = kept.pooled(&indices.iter().map(&mut view).collect::<Vec<_>>())?;
                let parts = indices.iter().map(|&i| fold_of(&self.examples[i].example.name)).collect();
                (pooled, indices, parts)
            }
        };
        let wanted = self.taught.tensor(&indices)?;
        let rate = self.stage.dropout;
        let thinned = dropout(&pooled, rate, step.seed)?;
        let mut loss = folds_loss(self.folds, &wanted, &parts, &thinned)?;
        if !self.stage.only_folds {
            let head = model.concepts.as_ref().context("the network has no concept head")?;
            loss = (loss + own_loss(head, &wanted, &thinned)?)?;
        }
        Ok(Outcome { loss: Some(loss), images: indices.len(), terms: Vec::new() })
    }

    fn end(&mut self) -> Result<()> {
        // Hundreds of megabytes that nobody needs any more.
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("cannot remove the folder {}", self.folder.display()))
    }
}
