//! `soli train`: a recipe and a data set in, a run folder out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use soli::vocab::Vocabulary;
use soli::weights::{Precision, Weights};

use super::export;
use crate::concepts::{self, Groups};
use crate::config::Recipe;
use crate::data::batches::{TokenExample, labelled, tokenise, unlabelled};
use crate::data::{Dataset, Example, Report, Split, labelled as tables, tokens};
use crate::parameters::Parameters;
use crate::stages::{self, Inputs};
use crate::warm_start;
use crate::{checkpoint, pretrained, revision};

/// Train a captioner; goes on where an earlier run in the same folder stopped.
#[derive(Debug, Args)]
pub struct Train {
    /// The recipe (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    pub(super) sources: Sources,
    /// Start from these weights instead of the pretrained trunk: the network and its words are the file's, new words are added, and
    /// the input's side is the recipe's.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Where the run is kept; runs/NAME-OF-THE-RECIPE when not given.
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    /// Use only the first N training pictures: to try a recipe out.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Train {
    /// Training as a row of a study.
    pub(super) fn of_study(sources: Sources, limit: Option<usize>) -> Self {
        Self { config: PathBuf::new(), sources, weights: None, run: None, limit }
    }

    /// Trains by one recipe in the folder `run`, from the weights at `start` if given, and says where its weights are.
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub(super) fn train(&self, recipe: Recipe, run: &Path, start: Option<&Path>) -> Result<PathBuf> {
        let mut report = Report::default();
        let sets = self.open()?;
        let start = start.map(read_weights).transpose()?;
        let trained = self.one(recipe, run, start.as_ref(), &sets, &mut report);
        if !report.is_clean() {
            eprintln!("{report}");
        }
        trained
    }

    /// The data sets, or the first pictures of each.
    fn open(&self) -> Result<Vec<Captioned>> {
        let mut sets = self.sources.open()?;
        if let Some(limit) = self.limit {
            sets.iter_mut().for_each(|set| set.train.truncate(limit.max(1)));
        }
        Ok(sets)
    }

    /// Runs the verb.
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub fn run(self) -> Result<()> {
        // All of them now: a mistake in the last one must not show after hours.
        let recipes = Recipe::chain(&self.config)?;
        let mut report = Report::default();
        let sets = self.open()?;
        let first = self.run.clone().unwrap_or_else(|| Path::new("runs").join(&recipes[0].0));
        let mut start = self.weights.as_deref().map(read_weights).transpose()?;
        let mut weights = PathBuf::new();
        for (i, (name, recipe)) in recipes.into_iter().enumerate() {
            let run = if i == 0 { first.clone() } else { first.join(&name) };
            if i > 0 {
                eprintln!("next recipe: {name}");
            }
            let trained = self.one(recipe, &run, start.as_ref(), &sets, &mut report);
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
        sets: &[Captioned],
        report: &mut Report,
    ) -> Result<PathBuf> {
        std::fs::create_dir_all(run).with_context(|| format!("cannot make the folder {}", run.display()))?;
        let texts = match recipe.needs_text() || recipe.needs_groups() {
            true => self.sources.read_texts()?,
            false => Texts::default(),
        };
        let captions = sets.iter().flat_map(|set| &set.train).flat_map(|example| &example.captions);
        let words = tokens::build_vocabulary(captions, recipe.min_word_count);
        let words = match recipe.min_text_word_count {
            None => words,
            Some(at_least) => {
                let all = texts.lines.iter().chain(texts.groups.iter().flatten());
                let captions = sets.iter().flat_map(|set| &set.train).flat_map(|example| &example.captions);
                let more = tokens::build_vocabulary(captions.chain(all), at_least);
                let known: HashSet<String> = words.iter().cloned().collect();
                words.into_iter().chain(more.into_iter().filter(|word| !known.contains(word))).collect()
            }
        };
        let vocabulary = match start {
            Some(weights) => warm_start::extend(&weights.vocabulary, words)?,
            None => Vocabulary::new(words)?,
        };
        if let Some(weights) = start {
            // How large pictures are looked at is the recipe's choice still, and it may add a concept head.
            let (input_side, concepts) = (recipe.model.encoder.input_side, recipe.model.concepts.take());
            recipe.model = weights.config.clone();
            recipe.model.encoder.input_side = input_side;
            recipe.model.concepts = recipe.model.concepts.or(concepts);
            recipe.describes = true;
        }
        recipe.model.decoder.vocab_size = vocabulary.len();
        let mut train = Vec::new();
        for (number, set) in sets.iter().enumerate() {
            train.extend(tokenise(set.train.clone(), &vocabulary, number, set.weight));
        }
        let groups = texts.encode_groups(&vocabulary);
        if let Some(concepts) = recipe.model.concepts.as_mut().filter(|concepts| concepts.tokens.is_empty()) {
            let of_pictures = train.iter().map(|example| &example.captions);
            concepts.tokens = concepts::choose(
                of_pictures.chain(&groups),
                &vocabulary,
                concepts.most,
                recipe.min_word_count,
            );
        }
        recipe.model.validate()?;
        write(run, "config.toml", &toml::to_string(&recipe)?)?;
        let provenance = serde_json::json!({
            "command": std::env::args().collect::<Vec<_>>(),
            "revision": revision::git_revision(),
            "version": env!("CARGO_PKG_VERSION"),
            "pictures": train.len(),
            "words": vocabulary.len(),
        });
        write(run, "provenance.json", &(serde_json::to_string_pretty(&provenance)? + "\n"))?;
        let examples = sets.iter().flat_map(|set| &set.train);
        let text = if recipe.needs_text() { texts.encode_lines(examples, &vocabulary) } else { Vec::new() };
        if recipe.needs_text() && texts.lines.is_empty() && texts.groups.is_empty() {
            eprintln!(
                "no texts were named with --text: the language is learned from the pictures' captions alone"
            );
        }
        let pictures = if recipe.needs_unlabelled() { self.sources.find_unlabelled()? } else { Vec::new() };
        let captions: usize =
            sets.iter().flat_map(|set| &set.train).map(|example| example.captions.len()).sum();
        let unknown = captions - train.iter().map(|example| example.captions.len()).sum::<usize>();
        if unknown > 0 {
            let pictures: usize = sets.iter().map(|set| set.train.len()).sum();
            eprintln!(
                "left out: {unknown} captions have no known word, {} pictures with them",
                pictures - train.len()
            );
        }
        eprintln!(
            "{} pictures, {} words, {} texts, {} groups, {} pictures without captions, {} concepts; run folder {}",
            train.len(),
            vocabulary.len(),
            text.len(),
            groups.len(),
            pictures.len(),
            recipe.model.concepts.as_ref().map_or(0, |concepts| concepts.tokens.len()),
            run.display()
        );
        let parameters = Parameters::new(recipe.seed);
        stages::build(&parameters, &recipe.model)?;
        let pretrained = match self.sources.pretrained_path() {
            Some(path) if start.is_none() || warm_start::needs_pretrained(&recipe, start) => {
                pretrained::load(&path, &recipe.model)?
            }
            _ => HashMap::new(),
        };
        match start {
            Some(weights) => {
                warm_start::load(&parameters, weights)?;
                warm_start::blend(&parameters, weights, pretrained, recipe.pretrained_share)?;
            }
            None => parameters.load(&pretrained)?,
        }
        let dev = sets.iter().filter(|set| !set.dev.is_empty());
        let dev = dev.map(|set| (set.name.clone(), set.dev.clone())).collect();
        let unlabelled = Arc::new(unlabelled(pictures));
        let labelled = match recipe.concepts {
            Some(_) => self.sources.find_labelled(start.is_some(), self.limit, report)?,
            None => Vec::new(),
        };
        let pretrained = self.sources.pretrained_path();
        let train = Arc::new(train);
        let known = start.map_or(vocabulary.len(), |weights| weights.vocabulary.len());
        let inputs = Inputs { train, dev, unlabelled, labelled, pretrained, text, groups, vocabulary, known };
        stages::run(&recipe, &inputs, &parameters, run, report)?;
        let file = run.join("soli.safetensors");
        export::write(&export::weights_of(run)?, Precision::Int8, &file)?;
        Ok(file)
    }
}

/// Writes a text into the run's folder, whole or not at all: `soli export` reads a run that was killed at any time.
fn write(run: &Path, name: &str, text: &str) -> Result<()> {
    let path = run.join(name);
    checkpoint::write_whole(&path, text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// One data set of a run.
pub struct Captioned {
    /// Its path, as it was given.
    pub name: String,
    /// How often each of its pictures is drawn in a pass.
    pub weight: f64,
    /// What is learned from.
    pub train: Vec<Example>,
    /// What choices are made on; may be empty.
    pub dev: Vec<Example>,
}

/// What a run learns from. Nothing is read that is not named here.
#[derive(Debug, Clone, Args)]
pub struct Sources {
    /// Captioned pictures: a folder or captions file in Kaggle's or the original Flickr8k, Karpathy's or COCO's layout. May be
    /// repeated; PATH=WEIGHT draws its pictures WEIGHT times in each pass.
    #[arg(long, value_name = "PATH[=WEIGHT]", required = true, value_parser = weighted)]
    pub data: Vec<(PathBuf, f64)>,
    /// The pretrained EfficientNet-Lite0, runs/pretrained/efficientnet-lite0.safetensors when not given. `none` starts from
    /// random numbers, which needs far more pictures.
    #[arg(long, alias = "backbone", value_name = "FILE")]
    pretrained: Option<PathBuf>,
    /// Captions without pictures: one a line, or lines of an id, a tab and a caption, where those of one id describe the same picture.
    /// May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(super) text: Vec<PathBuf>,
    /// A folder of pictures without captions, for stages that use them. May be repeated.
    #[arg(long, value_name = "FOLDER")]
    unlabelled: Vec<PathBuf>,
    /// Photographs with a label each, which teach the concept head of --weights: a table with the columns image,label and maybe kind,
    /// or the folder of a labels.csv. A fifth of them is never learned from, so that it can be measured on. May be repeated, with a
    /// weight as in --data.
    #[arg(long, value_name = "PATH[=WEIGHT]", value_parser = weighted)]
    pub(super) labels: Vec<(PathBuf, f64)>,
}

impl Sources {
    /// Adds the options that name pictures and captions to a command line as others would write it: without the folders that lead to
    /// them.
    pub(super) fn write_names(&self, command: &mut String) {
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let weighted = |(path, weight): &(PathBuf, f64)| match *weight {
            1.0 => name(path),
            weight => format!("{}={weight}", name(path)),
        };
        // Pictures alone may lie in a folder `Images`, which says nothing.
        let pictures = |path: &PathBuf| match path.parent() {
            Some(folder) if name(path) == "Images" && folder.file_name().is_some() => {
                format!("{}/Images", name(folder))
            }
            _ => name(path),
        };
        let named = self.data.iter().map(|data| ("data", weighted(data)));
        let named = named.chain(self.text.iter().map(|text| ("text", name(text))));
        let named = named.chain(self.unlabelled.iter().map(|folder| ("unlabelled", pictures(folder))));
        let named = named.chain(self.labels.iter().map(|labels| ("labels", weighted(labels))));
        named.for_each(|(option, value)| *command += &format!(" --{option} {value}"));
    }
}

/// Captions without pictures.
#[derive(Debug, Default)]
pub struct Texts {
    /// Those of which nothing more is known.
    pub lines: Vec<String>,
    /// Those that are known to describe the same picture.
    pub groups: Vec<Vec<String>>,
}

impl Texts {
    /// All captions that have no unknown word, those of the training pictures first.
    pub fn encode_lines<'a>(
        &'a self,
        examples: impl Iterator<Item = &'a Example>,
        vocabulary: &Vocabulary,
    ) -> Vec<Vec<u32>> {
        let all: Vec<&String> = examples
            .flat_map(|example| &example.captions)
            .chain(&self.lines)
            .chain(self.groups.iter().flatten())
            .collect();
        all.par_iter().map(|line| vocabulary.encode(&tokens::words(line))).filter(|ids| known(ids)).collect()
    }

    /// The groups, without captions that have an unknown word.
    pub fn encode_groups(&self, vocabulary: &Vocabulary) -> Groups {
        let encode = |group: &Vec<String>| -> Vec<Vec<u32>> {
            group
                .iter()
                .map(|line| vocabulary.encode(&tokens::words(line)))
                .filter(|ids| known(ids))
                .collect()
        };
        self.groups.par_iter().map(encode).filter(|group| !group.is_empty()).collect()
    }
}

fn known(ids: &[u32]) -> bool {
    !ids.is_empty() && !ids.contains(&soli::vocab::UNKNOWN)
}

/// PATH or PATH=WEIGHT. A path may hold `=` itself: what follows the last one is a weight only if it is a number.
fn weighted(text: &str) -> Result<(PathBuf, f64), String> {
    match text.rsplit_once('=').map(|(path, weight)| (path, weight.parse::<f64>())) {
        Some((path, Ok(weight))) if weight.is_finite() && weight > 0.0 && weight <= 1000.0 => {
            Ok((PathBuf::from(path), weight))
        }
        Some((_, Ok(weight))) => Err(format!("the weight {weight} must lie above 0 and up to 1000")),
        _ => Ok((PathBuf::from(text), 1.0)),
    }
}

impl Sources {
    /// The captioned pictures of all data sets.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn open(&self) -> Result<Vec<Captioned>> {
        let mut sets = Vec::new();
        for (path, weight) in &self.data {
            let name = path.display().to_string();
            let Dataset { examples: mut train, report: found } = Dataset::open(path, Split::Train)?;
            eprintln!("{name}: {found}");
            let mut dev = match Dataset::open(path, Split::Dev) {
                Ok(dev) => {
                    if !dev.report.is_clean() {
                        eprintln!("{name}, for scoring: {}", dev.report);
                    }
                    dev.examples
                }
                Err(why) => {
                    eprintln!("no dev scores will be measured on {name}: {why}");
                    Vec::new()
                }
            };
            hold_out(&mut train, &mut dev);
            sets.push(Captioned { name, weight: *weight, train, dev });
        }
        Ok(sets)
    }

    /// The captions without pictures.
    ///
    /// # Errors
    /// If a file cannot be read, or only some of its lines have an id.
    pub fn read_texts(&self) -> Result<Texts> {
        let mut texts = Texts::default();
        for file in &self.text {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            if !lines.iter().any(|line| line.contains('\t')) {
                texts.lines.extend(lines.into_iter().map(str::to_owned));
                continue;
            }
            // By file and id: two files may number their pictures alike.
            let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let Some((id, caption)) = line.split_once('\t') else {
                    bail!(
                        "{}, line {}: it has no tab, but other lines have an id, a tab and a caption",
                        file.display(),
                        number + 1
                    );
                };
                groups.entry(id.trim()).or_default().push(caption.to_owned());
            }
            texts.groups.extend(groups.into_values());
        }
        Ok(texts)
    }

    /// The pictures without captions.
    ///
    /// # Errors
    /// If there are none.
    pub fn find_unlabelled(&self) -> Result<Vec<Example>> {
        let files: Vec<PathBuf> = self
            .unlabelled
            .iter()
            .flat_map(|folder| files_in(folder, &["jpg", "jpeg", "png", "webp"]))
            .collect();
        if files.is_empty() {
            let folders: Vec<String> = self.unlabelled.iter().map(|f| f.display().to_string()).collect();
            match folders.is_empty() {
                true => bail!(
                    "the recipe uses pictures without captions: give a folder of them with --unlabelled"
                ),
                false => bail!("there are no pictures in {}", folders.join(" and ")),
            }
        }
        let example = |image: PathBuf| Example {
            name: image.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            image,
            captions: Vec::new(),
        };
        Ok(files.into_iter().map(example).collect())
    }

    /// The labelled photographs that are learned from.
    ///
    /// # Errors
    /// If a table cannot be read, or there is no network yet that knows what else such pictures show.
    fn find_labelled(
        &self,
        has_start: bool,
        limit: Option<usize>,
        report: &mut Report,
    ) -> Result<Vec<TokenExample>> {
        ensure!(
            self.labels.is_empty() || has_start,
            "a label says nothing of the rest of its picture, so a network learns from labels only after captions: train \
             without --labels first, and then with --weights and --labels"
        );
        let mut all = Vec::new();
        for (path, weight) in &self.labels {
            let found = tables::read(path, report)?;
            let count = found.len();
            let mut shown: Vec<Example> = found.iter().filter_map(tables::Labelled::example).collect();
            let photographs = shown.len();
            shown.retain(|example| !tables::is_held_out(&example.name));
            shown.truncate(limit.unwrap_or(usize::MAX).max(1));
            eprintln!(
                "{}: {count} pictures, {photographs} of them labelled photographs, {} learned from",
                path.display(),
                shown.len()
            );
            all.extend(labelled(shown, *weight));
        }
        Ok(all)
    }

    /// Where the pretrained trunk is; `None` if the run is to start without one.
    pub fn pretrained_path(&self) -> Option<PathBuf> {
        match &self.pretrained {
            Some(path) if path == Path::new("none") => None,
            Some(path) => Some(path.clone()),
            None => Some(Path::new("runs/pretrained/efficientnet-lite0.safetensors").to_owned()),
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
