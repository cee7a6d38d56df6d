//! The stages of a training run, one file each, and how they follow each other.
//!
//! | stage | learns | from |
//! |---|---|---|
//! | [`text`] | the language | captions without pictures |
//! | [`siamese`] | to see the same in every version of a picture | pairs of versions |
//! | [`concepts`] | which words pictures show | pictures with captions |
//! | [`captions`] | to describe | pictures with captions |
//! | [`joint`] | both at once | pairs of versions with captions |
//! | [`scst`] | to score well | pictures with captions |

pub mod captions;
pub mod concepts;
pub mod joint;
pub mod reading;
pub mod scst;
pub mod siamese;
pub mod text;
mod training;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use soli::config::ModelConfig;
use soli::graph::Model;
use soli::layout::Form;
use soli::vocab::Vocabulary;

use crate::checkpoint;
use crate::concepts::{Folds, Groups};
use crate::config::{Check, Recipe, Schedule};
use crate::data::batches::{Plan, TokenExample};
use crate::data::views::{Pairing, Views};
use crate::data::{Example, Report};
use crate::parameters::Parameters;

/// A stage. Another one is a file here, a table of [`Recipe`] and a member of this; the compiler names the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// [`text`]
    Text,
    /// [`siamese`]
    Siamese,
    /// [`concepts`]
    Concepts,
    /// [`captions`]
    Captions,
    /// [`joint`]
    Joint,
    /// [`scst`]
    Scst,
}

impl Stage {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 6] =
        [Self::Text, Self::Siamese, Self::Concepts, Self::Captions, Self::Joint, Self::Scst];

    /// Its table in a recipe, and its folder in a run.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Siamese => "siamese",
            Self::Concepts => "concepts",
            Self::Captions => "captions",
            Self::Joint => "joint",
            Self::Scst => "scst",
        }
    }

    /// Whether the network can describe pictures after it.
    pub fn describes(self) -> bool {
        match self {
            Self::Text | Self::Siamese | Self::Concepts => false,
            Self::Captions | Self::Joint | Self::Scst => true,
        }
    }

    /// What the numbers of its table have to be, if the recipe has one.
    pub fn checks(self, recipe: &Recipe) -> Option<Vec<Check>> {
        match self {
            Self::Text => recipe.text.as_ref().map(text::TextStage::checks),
            Self::Siamese => recipe.siamese.as_ref().map(siamese::SiameseStage::checks),
            Self::Concepts => recipe.concepts.as_ref().map(concepts::ConceptStage::checks),
            Self::Captions => recipe.captions.as_ref().map(captions::CaptionStage::checks),
            Self::Joint => recipe.joint.as_ref().map(joint::JointStage::checks),
            Self::Scst => recipe.scst.as_ref().map(scst::ScstStage::checks),
        }
    }

    /// Runs it if the recipe has its table.
    fn run(self, context: &Context, run: &Path, report: &mut Report) -> Result<()> {
        let recipe = context.recipe;
        macro_rules! with {
            ($settings:expr, $objective:path) => {
                match &$settings {
                    Some(stage) => one(context, run, self, stage, report, |_, _| $objective(context, stage)),
                    None => Ok(()),
                }
            };
        }
        match self {
            Self::Text => with!(recipe.text, text::objective),
            Self::Siamese => with!(recipe.siamese, siamese::objective),
            Self::Concepts => match &recipe.concepts {
                Some(stage) => one(context, run, self, stage, report, |folder, report| {
                    concepts::objective(context, stage, folder, report)
                }),
                None => Ok(()),
            },
            Self::Captions => with!(recipe.captions, captions::objective),
            Self::Joint => with!(recipe.joint, joint::objective),
            Self::Scst => with!(recipe.scst, scst::objective),
        }
    }
}

/// What the stages work on.
pub struct Inputs {
    /// Training pictures with their captions.
    pub train: Arc<Vec<TokenExample>>,
    /// Dev pictures of each data set, with its name; may be empty, then no scores are measured.
    pub dev: Vec<(String, Vec<Example>)>,
    /// Pictures without captions; empty where no stage wants them.
    pub unlabelled: Arc<Vec<TokenExample>>,
    /// Labelled pictures: their example's only caption is the label. Where there are none, captions alone teach the concept head.
    pub labelled: Vec<TokenExample>,
    /// Where the pretrained trunk and its classifier are, for a stage that asks it.
    pub pretrained: Option<PathBuf>,
    /// Captions without pictures, as token ids; empty where no stage wants them.
    pub text: Vec<Vec<u32>>,
    /// Captions of pictures that are not there, grouped by picture; empty where no stage wants them.
    pub groups: Groups,
    /// The words.
    pub vocabulary: Vocabulary,
    /// Tokens, the first ones, that the weights knew which are started from; all of them where there are none.
    pub known: usize,
}

/// What a stage is given.
pub struct Context<'a> {
    /// The whole recipe.
    pub recipe: &'a Recipe,
    /// Pictures and texts.
    pub inputs: &'a Inputs,
    /// The network's numbers.
    pub parameters: &'a Parameters,
    /// The network, reading `parameters`.
    pub model: &'a Model,
    /// Classifiers that say which words are read while the network is trained, if it reads words.
    pub folds: Option<&'a Folds>,
}

impl Context<'_> {
    /// How a stage's batches of training pictures are drawn.
    fn plan(&self, schedule: &Schedule, views: &Views, pairing: Option<Pairing>) -> Plan {
        Plan {
            seed: self.recipe.seed,
            batch_images: schedule.batch,
            encoder: self.recipe.model.encoder.clone(),
            views: views.clone(),
            pairing,
        }
    }
}

/// The network and what only its training needs, with the numbers of `parameters`.
///
/// # Errors
/// If `parameters` are those of another network.
pub fn build(parameters: &Parameters, config: &ModelConfig) -> candle_core::Result<(Model, Option<Folds>)> {
    let model = Model::new(parameters.builder(), config, Form::Training)?;
    let folds = match &config.concepts {
        Some(concepts) => Some(Folds::new(parameters.builder(), concepts)?),
        None => None,
    };
    Ok((model, folds))
}

/// The folder of a stage in the run folder `run`.
pub fn folder(run: &Path, stage: Stage) -> PathBuf {
    run.join(stage.name())
}

/// Runs the recipe's stages in the run folder `run`, going on where an earlier call stopped, and leaves the parameters
/// at the last stage's running average.
///
/// # Errors
/// If the folder holds a run with another configuration, the loss stops being a number, nothing can be read, or the
/// folder cannot be written.
pub fn run(
    recipe: &Recipe,
    inputs: &Inputs,
    parameters: &Parameters,
    run: &Path,
    report: &mut Report,
) -> Result<()> {
    let (model, folds) = build(parameters, &recipe.model)?;
    let context = Context { recipe, inputs, parameters, model: &model, folds: folds.as_ref() };
    Stage::ALL.into_iter().try_for_each(|stage| stage.run(&context, run, report))
}

/// One stage: does nothing but load its result if an earlier call finished it.
fn one<'a, S: Serialize>(
    context: &Context,
    run: &Path,
    stage: Stage,
    settings: &S,
    report: &mut Report,
    objective: impl FnOnce(&Path, &mut Report) -> Result<Box<dyn training::Objective + 'a>>,
) -> Result<()> {
    let (name, folder) = (stage.name(), folder(run, stage));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // What the stage depends on, and no more: later stages may be changed while earlier ones are kept.
    let recipe = context.recipe;
    let identity = toml::to_string(&serde_json::json!({
        "seed": recipe.seed, "min_word_count": recipe.min_word_count, "dev_images": recipe.dev_images,
        "model": recipe.model, name: settings,
    }))?;
    if let Some((parameters, progress)) = checkpoint::load(&folder, checkpoint::FINISHED)? {
        if progress.recipe != identity || progress.words != context.inputs.vocabulary.words() {
            bail!(
                "{} holds a finished stage with another configuration or other data; choose another --run folder",
                folder.display()
            );
        }
        eprintln!("stage {name}: finished earlier");
        return Ok(context.parameters.load(&parameters)?);
    }
    eprintln!("stage {name}");
    let mut objective = objective(&folder, report)?;
    training::train(context, &folder, name, identity, &mut *objective, report)?;
    objective.end()
}
