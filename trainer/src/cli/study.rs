//! `soli study`: trains and measures every row of the study that has no record yet, and writes the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};
use soli::captioner::Captioner;
use soli::graph::Model;
use soli::layout::Form;
use soli::vocab::Vocabulary;
use soli::weights::{Precision, Weights};

use super::export;
use super::train::Sources;
use crate::checkpoint;
use crate::config::Recipe;
use crate::data::batches::{tokenise, unlabelled};
use crate::data::{Dataset, Report, Split, tokens};
use crate::kept_tensor::hex;
use crate::parameters::Parameters;
use crate::pretrained;
use crate::stages::{self, Inputs};
use crate::study::ladder::Plan as Ladder;
use crate::study::plan::{Plan, PlannedRow, budget};
use crate::study::record::Record;
use crate::study::{charts, measure, report};

const CONFIG: &str = "trainer/configs/study.toml";
const RUNS: &str = "runs/study";
const OUT: &str = "docs/study";

/// Train and measure the rows of the study that have no record yet, and write docs/study.md from the records.
#[derive(Debug, Args)]
pub struct Study {
    /// What is compared (TOML).
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) sources: Sources,
    /// Where the runs are kept.
    #[arg(long, value_name = "FOLDER", default_value = RUNS)]
    pub(super) runs: PathBuf,
    /// Where the records and pictures are kept; the report is beside it.
    #[arg(long, value_name = "FOLDER", default_value = OUT)]
    pub(super) out: PathBuf,
    /// Only this row, and only its training and measuring unless it is the last without a record; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(super) row: Vec<String>,
    /// Train nothing: write the report from the records that are there.
    #[arg(long)]
    pub(super) report_only: bool,
    /// Which pictures a study of the paper's regime is measured on; choices are made on dev.
    #[arg(long, default_value = "test")]
    pub(super) split: Split,
    /// Measure METEOR too, with the official meteor-1.5.jar (needs Java).
    #[arg(long, value_name = "FILE")]
    meteor_jar: Option<PathBuf>,
    /// Use only the first N pictures of each split: to try a study out.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

impl Study {
    /// Runs the verb.
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub fn run(self) -> Result<()> {
        if is_paper(&self.config) {
            return self.run_paper();
        }
        if Ladder::is_at(&self.config) {
            return self.run_ladder();
        }
        let plan = Plan::load(&self.config)?;
        self.begin(plan.rows.iter().map(|row| row.name.as_str()))?;
        let wanted = |row: &&PlannedRow| self.row.is_empty() || self.row.contains(&row.name);
        if !self.report_only {
            let missing = |row: &PlannedRow, seed: u64| !self.record_path(&row.name, seed).exists();
            let todo: Vec<(&PlannedRow, u64)> = plan
                .rows
                .iter()
                .filter(wanted)
                .flat_map(|row| row.seeds.iter().map(move |seed| (row, *seed)))
                .filter(|(row, seed)| missing(row, *seed))
                .collect();
            if !todo.is_empty() {
                self.train(&plan, &todo)?;
            }
        }
        self.report(&plan)
    }

    fn record_path(&self, row: &str, seed: u64) -> PathBuf {
        self.out.join(format!("{}.json", run_name(row, seed)))
    }

    fn train(&self, plan: &Plan, todo: &[(&PlannedRow, u64)]) -> Result<()> {
        let open = |split| -> Result<Dataset> {
            let [(data, _)] = self.sources.data.as_slice() else { bail!("a study is made on one --data") };
            let mut dataset = Dataset::open(data, split)?;
            dataset.examples.truncate(self.limit.unwrap_or(usize::MAX).max(2));
            Ok(dataset)
        };
        let Dataset { examples, mut report } = open(Split::Train)?;
        let (dev, test) = (open(Split::Dev)?.examples, open(Split::Test)?.examples);
        let mut start = Recipe::load(&plan.start)?;
        let words = tokens::build_vocabulary(examples.iter().flat_map(|e| &e.captions), start.min_word_count);
        let vocabulary = Vocabulary::new(words)?;
        start.model.decoder.vocab_size = vocabulary.len();
        let text = self.sources.read_texts()?.encode_lines(examples.iter(), &vocabulary);
        let pictures = Arc::new(unlabelled(self.sources.find_unlabelled()?));
        let train = Arc::new(tokenise(examples, &vocabulary, 0, 1.0));
        let dev = vec![("dev".to_owned(), dev)];
        let groups = Vec::new();
        let inputs = Inputs {
            train,
            dev,
            unlabelled: pictures,
            labelled: Vec::new(),
            pretrained: self.sources.pretrained_path(),
            text,
            groups,
            known: vocabulary.len(),
            vocabulary,
        };
        let begin = |seed: u64, recipe: &Recipe| -> Result<Parameters> {
            let parameters = Parameters::new(seed);
            Model::new(parameters.builder(), &recipe.model, Form::Training)?;
            Ok(parameters)
        };
        // Every seed begins at the same numbers: rows differ by what they train, seeds by the order and the views.
        let common = begin(start.seed, &start)?;
        if let Some(pretrained) = self.sources.pretrained_path() {
            common.load(&pretrained::load(&pretrained, &start.model)?)?;
        }
        run_stages(&start, &inputs, &common, &self.runs.join("start"), &mut report)?;
        let common = common.values()?;
        for (row, seed) in todo {
            let mut recipe = Recipe::load(&row.recipe)?;
            recipe.seed = *seed;
            recipe.model.decoder.vocab_size = inputs.vocabulary.len();
            if recipe.model != start.model {
                bail!("{}: the network is not that of {}", row.recipe.display(), plan.start.display());
            }
            eprintln!("row {}, seed {seed}", row.name);
            let run = self.runs.join(run_name(&row.name, *seed));
            let parameters = begin(*seed, &recipe)?;
            parameters.load(&common)?;
            run_stages(&recipe, &inputs, &parameters, &run, &mut report)?;
            let weights = export::weights_of(&run)?;
            let file = run.join("soli.safetensors");
            export::write(&weights, Precision::Int8, &file)?;
            let bytes = std::fs::read(&file)?;
            let weights = Weights::from_bytes(&bytes)?;
            let captioner = Captioner::from_bytes(&bytes)?;
            let some: Vec<PathBuf> =
                test.iter().take(plan.distance_pictures).map(|example| example.image.clone()).collect();
            let jar = self.meteor_jar.as_deref();
            let seconds = weights.provenance.notes.get("training.seconds").and_then(|s| s.parse().ok());
            Record {
                row: row.name.clone(),
                what: row.what.clone(),
                seed: *seed,
                recipe: toml::to_string(&recipe)?,
                budget: budget(&recipe),
                seconds: seconds.unwrap_or(0.0),
                revision: weights.provenance.git_revision.clone(),
                weights_sha256: hex(&Sha256::digest(&bytes)),
                beam: plan.beam,
                pictures: test.len(),
                scores: measure::scores(&captioner, &test, &plan.px, plan.beam, jar, &mut report)?,
                distances: measure::distances(&weights, &some, &plan.px)?,
                examples: measure::examples(&captioner, &plan.examples, &plan.px, plan.beam)?,
            }
            .save(&self.record_path(&row.name, *seed))?;
        }
        if !report.is_clean() {
            eprintln!("{report}");
        }
        Ok(())
    }

    fn report(&self, plan: &Plan) -> Result<()> {
        let runs = plan.rows.iter().flat_map(|row| row.seeds.iter().map(|seed| (row.name.as_str(), *seed)));
        let records = self.records(
            runs.map(|(row, seed)| (self.record_path(row, seed), format!("{row}, seed {seed}"))),
            Record::load,
        )?;
        let names: Vec<String> = plan.rows.iter().map(|row| row.name.clone()).collect();
        let rows = report::rows(&names, records);
        charts::cider(&self.out.join("cider.svg"), &rows)?;
        charts::distances(&self.out.join("distances.svg"), &rows)?;
        let shown: Vec<&report::Row> = [rows.first(), rows.last()].into_iter().flatten().collect();
        charts::sheet(&self.out.join("examples.svg"), &plan.examples, &shown)?;
        let command = self.command();
        let folder = self.folder();
        let text = report::markdown(
            &rows,
            &report::Heading {
                title: &plan.title,
                from: &plan.from,
                baseline: &plan.baseline,
                folder: &folder,
                command: &command,
            },
        );
        self.write_document(&text)
    }

    /// Makes the folder of the records, and refuses a `--row` that is not among `names`.
    pub(super) fn begin<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<()> {
        let names: Vec<&str> = names.collect();
        if let Some(unknown) = self.row.iter().find(|name| !names.contains(&name.as_str())) {
            bail!("the study has no row `{unknown}`; it has {}", names.join("; "));
        }
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make the folder {}", self.out.display()))
    }

    /// The records of `runs`, each a file and what is missing without it.
    pub(super) fn records<R>(
        &self,
        runs: impl Iterator<Item = (PathBuf, String)>,
        load: impl Fn(&Path) -> Result<Option<R>>,
    ) -> Result<Vec<R>> {
        let (mut records, mut missing) = (Vec::new(), Vec::new());
        for (path, name) in runs {
            match load(&path)? {
                Some(record) => records.push(record),
                None => missing.push(name),
            }
        }
        if records.is_empty() {
            bail!("{} has no records yet", self.out.display());
        }
        eprintln!("{}: {} runs", self.out.display(), records.len());
        if !missing.is_empty() {
            eprintln!("not measured yet: {}", missing.join("; "));
        }
        Ok(records)
    }

    /// What the document calls the folder of its records.
    pub(super) fn folder(&self) -> String {
        self.out.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Writes the document beside the folder of its records.
    pub(super) fn write_document(&self, text: &str) -> Result<()> {
        let path = self.out.with_extension("md");
        checkpoint::write_whole(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
        Ok(())
    }

    /// What the report says that wrote it.
    pub(super) fn command(&self) -> String {
        let mut command = "soli study".to_owned();
        self.sources.write_names(&mut command);
        for (flag, value, default) in
            [("config", &self.config, CONFIG), ("runs", &self.runs, RUNS), ("out", &self.out, OUT)]
        {
            if value.as_path() != Path::new(default) {
                command += &format!(" --{flag} {}", value.display());
            }
        }
        if self.split != Split::Test {
            command += &format!(" --split {}", self.split);
        }
        command
    }
}

/// Whether a plan has a network of its own, as those of [`crate::study::paper`] do.
fn is_paper(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str::<toml::Table>(&text).is_ok_and(|plan| plan.contains_key("network"))
}

fn run_stages(
    recipe: &Recipe,
    inputs: &Inputs,
    parameters: &Parameters,
    run: &Path,
    report: &mut Report,
) -> Result<()> {
    std::fs::create_dir_all(run).with_context(|| format!("cannot make the folder {}", run.display()))?;
    std::fs::write(run.join("config.toml"), toml::to_string(recipe)?)?;
    stages::run(recipe, inputs, parameters, run, report)
}

/// A row's name and a seed as a file name.
pub(super) fn run_name(row: &str, seed: u64) -> String {
    let words = row.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    format!("{}-{seed}", words.collect::<Vec<_>>().join("-"))
}
