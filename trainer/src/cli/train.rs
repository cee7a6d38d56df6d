//! `soli train`: a recipe and a data set in, a run folder out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use soli::vocab::Vocabulary;
use soli::weights::{Precision, Weights};

use super::export;
use crate::backbone;
use crate::checkpoint;
use crate::config::Recipe;
use crate::data::batches::{tokenise, unlabelled};
use crate::data::{Dataset, Example, Report, Split, tokens};
use crate::parameters::Parameters;
use crate::stages::{self, Inputs};
use crate::warm_start;

/// Train a captioner; goes on where an earlier run in the same folder stopped.
#[derive(Debug, Args)]
pub struct Train {
    /// The recipe (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    sources: Sources,
    /// Start from these weights instead of the backbone: the network and its words are the file's, new words are added, and
    /// the input's side is the recipe's.
    #[arg(long, value_name = "FILE", conflicts_with = "backbone")]
    weights: Option<PathBuf>,
    /// Where the run is kept; runs/NAME-OF-THE-RECIPE when not given.
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    /// Use only the first N training pictures: to try a recipe out.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Train {
    /// Runs the verb.
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub fn run(self) -> Result<()> {
        // All of them now: a mistake in the last one must not show after hours.
        let recipes = Recipe::chain(&self.config)?;
        let Dataset { mut examples, mut report } = Dataset::open(&self.sources.data, Split::Train)?;
        eprintln!("{report}");
        let mut dev = match Dataset::open(&self.sources.data, Split::Dev) {
            Ok(dev) => {
                if !dev.report.is_clean() {
                    eprintln!("for scoring: {}", dev.report);
                }
                dev.examples
            }
            Err(why) => {
                eprintln!("no dev scores will be measured: {why}");
                Vec::new()
            }
        };
        hold_out(&mut examples, &mut dev);
        if let Some(limit) = self.limit {
            examples.truncate(limit.max(1));
        }
        let first = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&recipes[0].0));
        let mut start = self.weights.as_deref().map(read_weights).transpose()?;
        let mut weights = PathBuf::new();
        for (i, (name, recipe)) in recipes.into_iter().enumerate() {
            let run = if i == 0 { first.clone() } else { first.join(&name) };
            if i > 0 {
                eprintln!("next recipe: {name}");
            }
            let trained = self.one(recipe, &run, start.as_ref(), &examples, &dev, &mut report);
            weights = trained.inspect_err(|_| eprintln!("{report}"))?;
            start = Some(read_weights(&weights)?);
        }
        eprintln!("the trained weights: {}", weights.display());
        if !report.is_clean() {
            eprintln!("{report}");
        }
        Ok(())
    }

    /// Trains by one recipe in the folder `run`, from `start` if given, and says where its weights are.
    fn one(
        &self,
        mut recipe: Recipe,
        run: &Path,
        start: Option<&Weights>,
        examples: &[Example],
        dev: &[Example],
        report: &mut Report,
    ) -> Result<PathBuf> {
        std::fs::create_dir_all(run).with_context(|| format!("cannot make the folder {}", run.display()))?;
        let words =
            tokens::build_vocabulary(examples.iter().flat_map(|e| &e.captions), recipe.min_word_count);
        let vocabulary = match start {
            Some(weights) => warm_start::extend(&weights.vocabulary, words)?,
            None => Vocabulary::new(words)?,
        };
        if let Some(weights) = start {
            // How large pictures are looked at is the recipe's choice still.
            let input_side = recipe.model.encoder.input_side;
            recipe.model = weights.config.clone();
            recipe.model.encoder.input_side = input_side;
        }
        recipe.model.decoder.vocab_size = vocabulary.len();
        recipe.model.validate()?;
        std::fs::write(run.join("config.toml"), toml::to_string(&recipe)?)?;
        let provenance = serde_json::json!({
            "command": std::env::args().collect::<Vec<_>>(),
            "revision": checkpoint::git_revision(),
            "version": env!("CARGO_PKG_VERSION"),
            "pictures": examples.len(),
            "words": vocabulary.len(),
        });
        std::fs::write(run.join("provenance.json"), serde_json::to_string_pretty(&provenance)? + "\n")?;
        let text =
            if recipe.needs_text() { self.sources.read_text(examples, &vocabulary)? } else { Vec::new() };
        let pictures = if recipe.needs_unlabelled() { self.sources.find_unlabelled()? } else { Vec::new() };
        let train = Arc::new(tokenise(examples.to_vec(), &vocabulary));
        let captions: usize = examples.iter().map(|example| example.captions.len()).sum();
        let unknown = captions - train.iter().map(|example| example.captions.len()).sum::<usize>();
        if unknown > 0 {
            eprintln!(
                "left out: {unknown} captions have no known word, {} pictures with them",
                examples.len() - train.len()
            );
        }
        eprintln!(
            "{} pictures, {} words, {} texts, {} pictures without captions; run folder {}",
            train.len(),
            vocabulary.len(),
            text.len(),
            pictures.len(),
            run.display()
        );
        let parameters = Parameters::new(recipe.seed);
        soli::model::Model::new(parameters.builder(), &recipe.model, soli::encoder::Form::Training)?;
        match start {
            Some(weights) => warm_start::load(&parameters, weights)?,
            None => {
                if let Some(backbone) = self.sources.backbone_path() {
                    parameters.load(&backbone::load(&backbone, &recipe.model.encoder)?)?;
                }
            }
        }
        let unlabelled = Arc::new(unlabelled(pictures));
        let inputs = Inputs { train, dev: dev.to_vec(), unlabelled, text, vocabulary };
        stages::run(&recipe, &inputs, &parameters, run, report)?;
        let file = run.join("soli.safetensors");
        export::write(&export::weights_of(run)?, Precision::Int8, &file)?;
        Ok(file)
    }
}

/// What a run learns from.
#[derive(Debug, Args)]
pub struct Sources {
    /// The captioned pictures: a folder or captions file in Kaggle's or the original Flickr8k, Karpathy's or COCO's layout.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// The pretrained EfficientNet-Lite0; looked for beside the data (../backbone) when not given. `none` starts from
    /// random numbers, which needs far more pictures.
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Captions without pictures, one a line, for the stage [text]; ../coco-captions/*.txt beside the data when not
    /// given.
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// A folder of pictures without captions, for stages that use them; ../coco-train2014-5k/Images beside the data when
    /// not given.
    #[arg(long, value_name = "FOLDER")]
    unlabelled: Option<PathBuf>,
}

impl Sources {
    /// The texts' captions that have no unknown word, and those of the training pictures.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read_text(&self, examples: &[Example], vocabulary: &Vocabulary) -> Result<Vec<Vec<u32>>> {
        let files = if self.text.is_empty() {
            files_in(&self.data.join("../coco-captions"), &["txt"])
        } else {
            self.text.clone()
        };
        let mut lines: Vec<String> = examples.iter().flat_map(|example| example.captions.clone()).collect();
        for file in &files {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            lines.extend(text.lines().map(str::to_owned));
        }
        let encode = |line: &String| vocabulary.encode(&tokens::words(line));
        let mut text: Vec<Vec<u32>> = lines.par_iter().map(encode).collect();
        text.retain(|ids| !ids.is_empty() && !ids.contains(&soli::vocab::UNKNOWN));
        Ok(text)
    }

    /// The pictures without captions.
    ///
    /// # Errors
    /// If there are none.
    pub fn find_unlabelled(&self) -> Result<Vec<Example>> {
        let folder = match &self.unlabelled {
            Some(folder) => folder.clone(),
            None => self.data.join("../coco-train2014-5k/Images"),
        };
        let files = files_in(&folder, &["jpg", "jpeg", "png", "webp"]);
        if files.is_empty() {
            bail!(
                "the recipe uses pictures without captions, but there are none in {}; give a folder with --unlabelled",
                folder.display()
            );
        }
        let example = |image: PathBuf| Example {
            name: image.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            image,
            captions: Vec::new(),
        };
        Ok(files.into_iter().map(example).collect())
    }

    /// Where the pretrained trunk is; `None` if the run is to start without one.
    pub fn backbone_path(&self) -> Option<PathBuf> {
        const FILE: &str = "efficientnet-lite0.safetensors";
        let beside = self.data.join("../backbone").join(FILE);
        match &self.backbone {
            Some(path) if path == Path::new("none") => None,
            Some(path) => Some(path.clone()),
            None if beside.is_file() => Some(beside),
            None => Some(Path::new("runs/backbone").join(FILE)),
        }
    }
}

/// Pictures that are scored must not be trained on. Where a data set has no splits, so that both lists hold the same
/// pictures, about a tenth of them, always the same, is kept for scoring.
fn hold_out(train: &mut Vec<Example>, dev: &mut Vec<Example>) {
    let trained: HashSet<&Path> = train.iter().map(|example| example.image.as_path()).collect();
    let both = dev.iter().filter(|example| trained.contains(example.image.as_path())).count();
    if both < trained.len() {
        return;
    }
    let held = |example: &Example| Sha256::digest(example.name.as_bytes())[0] < 26;
    let some: Vec<Example> = train.iter().filter(|example| held(example)).cloned().collect();
    if some.len() < train.len() {
        train.retain(|example| !held(example));
        *dev = some;
    } else {
        dev.clear();
    }
    eprintln!(
        "the data has no splits: {} pictures are kept for scoring, {} are trained on",
        dev.len(),
        train.len()
    );
}

/// The files of a folder with one of these extensions, sorted; none if there is no such folder.
fn files_in(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let wanted = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        extensions.contains(&extension.as_str())
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(wanted).collect();
    files.sort();
    files
}

fn read_weights(path: &Path) -> Result<Weights> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Weights::from_bytes(&bytes).with_context(|| format!("the weights {}", path.display()))
}
