//! `soli study` on a plan of whole networks (see [`crate::study::ladder`]).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use soli::captioner::{CaptionOptions, Captioner};
use soli::weights::{Precision, Weights};

use super::export;
use super::study::{Study, run_name};
use super::train::{Sources, Train};
use crate::config::Recipe;
use crate::data::{Dataset, Example, Report, Split};
use crate::evaluate::{references, score};
use crate::kept_tensor::hex;
use crate::metrics::objects;
use crate::study::ladder::{Measured, Plan, Record, Row, Scored, differences, markdown};

/// Pictures that are measured on, and what their set is called.
struct TestSet {
    name: String,
    examples: Vec<Example>,
}

impl Study {
    /// Trains and measures what has no record yet, and writes the document.
    pub(super) fn run_ladder(&self) -> Result<()> {
        let plan = Plan::load(&self.config)?;
        self.begin(plan.rows.iter().map(|row| row.name.as_str()))?;
        let record = |row: &Row, seed: u64| self.out.join(format!("{}.json", run_name(&row.name, seed)));
        let mut report = Report::default();
        if !self.report_only {
            let wanted = |row: &&Row| self.row.is_empty() || self.row.contains(&row.name);
            // A run of every row before the second of any: a study that is not finished says something.
            let mut todo: Vec<(usize, &Row, u64)> = plan
                .rows
                .iter()
                .filter(wanted)
                .flat_map(|row| row.seeds.iter().enumerate().map(move |(i, &seed)| (i, row, seed)))
                .filter(|(_, row, seed)| !record(row, *seed).exists())
                .collect();
            todo.sort_by_key(|(i, ..)| *i);
            let sets = if todo.is_empty() { Vec::new() } else { self.test_sets()? };
            for (_, row, seed) in todo {
                eprintln!("row {}, seed {seed}", row.name);
                self.measure(&plan, row, seed, &sets, &mut report)?.save(&record(row, seed))?;
            }
        }
        let runs = plan.rows.iter().flat_map(|row| row.seeds.iter().map(move |seed| (row, *seed)));
        let records = self.records(
            runs.map(|(row, seed)| (record(row, seed), format!("{}, seed {seed}", row.name))),
            Record::load,
        )?;
        self.write_document(&markdown(&plan, &records, &self.folder(), &self.command()))?;
        differences(&self.out.join("differences.svg"), &plan, &records)?;
        if !report.is_clean() {
            eprintln!("{report}");
        }
        Ok(())
    }

    /// The pictures that are measured on; a set without the split that was asked for has its dev pictures measured.
    fn test_sets(&self) -> Result<Vec<TestSet>> {
        let mut sets = Vec::new();
        for (path, _) in &self.sources.data {
            let (split, dataset) = match Dataset::open(path, self.split) {
                Ok(dataset) => (self.split, dataset),
                Err(_) if !sets.is_empty() => (Split::Dev, Dataset::open(path, Split::Dev)?),
                Err(why) => return Err(why.into()),
            };
            let mut examples = dataset.examples;
            examples.truncate(self.limit.unwrap_or(usize::MAX).max(2));
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            sets.push(TestSet { name: format!("{name} {split}"), examples });
        }
        Ok(sets)
    }

    /// Where a row's weights are.
    fn weights_of(&self, plan: &Plan, row: &Row, seed: u64) -> Result<PathBuf> {
        let Some(recipe) = &row.recipe else {
            return row.weights.clone().context("a row without a recipe names its weights");
        };
        let run = self.runs.join(run_name(&row.name, seed));
        let file = run.join("soli.safetensors");
        if file.exists() {
            return Ok(file);
        }
        let start = match &row.from {
            None => row.weights.clone(),
            Some(from) => {
                let from = plan.rows.iter().find(|other| &other.name == from);
                let from = from.context("a row goes on from a row of the study")?;
                let seed = if from.seeds.contains(&seed) { seed } else { from.seeds[0] };
                Some(self.weights_of(plan, from, seed)?)
            }
        };
        let mut recipe = Recipe::load(recipe)?;
        ensure!(recipe.next.is_none(), "the row `{}`: a row's recipe has no `next`: make it a row", row.name);
        recipe.seed = seed;
        Train::of_study(self.sources.clone(), self.limit).row(recipe, row, &run, start.as_deref())
    }

    fn measure(
        &self,
        plan: &Plan,
        row: &Row,
        seed: u64,
        sets: &[TestSet],
        report: &mut Report,
    ) -> Result<Record> {
        let file = self.weights_of(plan, row, seed)?;
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let provenance = Weights::from_bytes(&bytes)?.provenance;
        let seconds = provenance.notes.get("training.seconds").and_then(|seconds| seconds.parse().ok());
        let captioner = Captioner::from_bytes(&bytes)?;
        let float = match (&row.recipe, row.float) {
            (Some(_), true) => {
                let run = self.runs.join(run_name(&row.name, seed));
                let file = run.join("soli-f32.safetensors");
                export::write(&export::weights_of(&run)?, Precision::F32, &file)?;
                Some(Captioner::from_bytes(&std::fs::read(&file)?)?)
            }
            _ => None,
        };
        let recipe = self.runs.join(run_name(&row.name, seed)).join("config.toml");
        let recipe = row.recipe.as_ref().and_then(|_| std::fs::read_to_string(recipe).ok());
        let options = CaptionOptions::AS_LEARNED.with_beam(plan.beam);
        let mut measured = |set: &TestSet| -> Result<Measured> {
            let mut measured = Measured {
                name: set.name.clone(),
                pictures: set.examples.len(),
                scores: Default::default(),
                float_cider: Default::default(),
            };
            for &px in &plan.px {
                let side = Some(usize::from(px));
                let (scores, described) = score(&captioner, &set.examples, side, &options, report)?;
                let (mut found, mut things) = (0, 0);
                for (d, said) in described.iter().zip(references(&described, &set.examples)) {
                    let words: Vec<&str> = d.caption.words.iter().map(|word| word.word.as_str()).collect();
                    let (f, all) = objects::recall(&d.caption.text, &words, said);
                    (found, things) = (found + f, things + all);
                }
                let object_recall = found as f64 / things.max(1) as f64;
                let (cider, bleu4, rouge_l) = (scores.cider, scores.bleu[3], scores.rouge_l);
                measured.scores.insert(px, Scored { cider, bleu4, rouge_l, object_recall });
                if let Some(float) = &float {
                    let (scores, _) = score(float, &set.examples, side, &options, report)?;
                    measured.float_cider.insert(px, scores.cider);
                }
            }
            Ok(measured)
        };
        let sets = sets.iter().map(&mut measured).collect::<Result<_>>()?;
        Ok(Record {
            row: row.name.clone(),
            seed,
            recipe,
            seconds: seconds.unwrap_or(0.0),
            revision: crate::revision::git_revision(),
            weights_sha256: hex(&Sha256::digest(&bytes)),
            weights_bytes: bytes.len() as u64,
            beam: plan.beam,
            sets,
        })
    }
}

impl Train {
    /// Trains by `recipe` what `row` says, in the folder `run`, from the weights at `start` if given, and says where its
    /// weights are.
    ///
    /// # Errors
    /// As `soli train`.
    fn row(mut self, recipe: Recipe, row: &Row, run: &Path, start: Option<&Path>) -> Result<PathBuf> {
        let sources: &mut Sources = &mut self.sources;
        sources.data.truncate(row.data.unwrap_or(usize::MAX).max(1));
        if !row.text {
            sources.text.clear();
        }
        if !row.labels {
            sources.labels.clear();
        }
        self.train(recipe, run, start)
    }
}
