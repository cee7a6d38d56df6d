//! `soli export`: a training run in, a weights file out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use soli::captioner::{CaptionOptions, Captioner};
use soli::graph::plain;
use soli::vocab::Vocabulary;
use soli::weights::{Precision, Provenance, Weights};

use crate::calibrate::{Set, WIDTHS, calibrate};
use crate::checkpoint;
use crate::compact::keep_words;
use crate::config::Recipe;
use crate::data::{Dataset, Example, Report, Split, decode, labelled};
use crate::fold::fold;
use crate::honesty::{Honesty, words};
use crate::kinds::{self, Known};
use crate::optimiser::AdamW;
use crate::parameters::Parameters;
use crate::stages::{self, Stage};

/// Write a run's averaged parameters as a weights file, or a weights file with another confidence.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Export {
    /// The run folder, as given to `soli train`.
    #[arg(long, value_name = "FOLDER", required_unless_present = "weights", conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// A weights file instead: its parameters and what it knows of its making stay, what --kinds and --calibrate measure is new.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// How to store matrices: f32, f16 or int8.
    #[arg(long, value_name = "TYPE", default_value = "int8")]
    precision: Precision,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "www/models/soli.safetensors")]
    out: PathBuf,
    /// What the run learned from, to be kept in the file.
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// Under which terms the weights may be used, to be kept in the file.
    #[arg(long, value_name = "TEXT")]
    terms: Option<String>,
    /// A measured score to be kept in the file, such as dev.cider=52.1; may be repeated.
    #[arg(long = "score", value_name = "NAME=VALUE", value_parser = parse_score)]
    scores: Vec<(String, f64)>,
    /// Measure on this data set's dev split how far captions can be trusted, and keep it in the file. May be repeated.
    #[arg(long, value_name = "PATH")]
    calibrate: Vec<PathBuf>,
    /// Learn to tell photographs from other pictures by this folder's labels.csv (image,kind,label), and keep it in the file.
    /// May be repeated; the training pictures of the --calibrate sets are photographs too.
    #[arg(long, value_name = "FOLDER", requires = "calibrate")]
    kinds: Vec<PathBuf>,
    /// Fit what --calibrate measures on labelled photographs too, those that training leaves out: a table that `soli train --labels`
    /// reads. May be repeated.
    #[arg(long, value_name = "PATH", requires = "calibrate")]
    labels: Vec<PathBuf>,
    /// Keep only so many words: those that the network looks for, and those that the training captions of the --calibrate sets
    /// say most often.
    #[arg(long, value_name = "N", requires = "calibrate")]
    words: Option<usize>,
    /// Write what was measured by --kinds and --calibrate as a document.
    #[arg(long, value_name = "FILE", requires = "calibrate")]
    report: Option<PathBuf>,
    /// A picture to caption with the written file, beside the network as it was trained; may be repeated. The bundled
    /// photographs when not given.
    #[arg(long, value_name = "FILE")]
    check: Vec<PathBuf>,
}

fn parse_score(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && !name.is_empty() => Ok((name.to_owned(), number)),
        _ => Err(format!("{value:?} is not a finite number")),
    }
}

impl Export {
    /// Runs the verb.
    ///
    /// # Errors
    /// If the run has no checkpoint or the file cannot be written.
    pub fn run(self) -> Result<()> {
        let mut weights = match (&self.run, &self.weights) {
            (Some(run), _) => weights_of(run)?,
            (None, Some(file)) => {
                let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                Weights::from_bytes(&bytes).with_context(|| file.display().to_string())?
            }
            (None, None) => bail!("name a run folder (--run) or a weights file (--weights)"),
        };
        let known = &mut weights.provenance;
        known.data = self.data.clone().or(known.data.take());
        known.terms = self.terms.clone().or(known.terms.take());
        known.scores.extend(self.scores.iter().cloned());
        if !self.calibrate.is_empty() {
            let open = |data: &PathBuf| -> Result<_> {
                let name = data.file_name().unwrap_or(data.as_os_str()).to_string_lossy().into_owned();
                let (train, dev) = (Dataset::open(data, Split::Train)?, Dataset::open(data, Split::Dev)?);
                // Some sets have none. Test pictures are looked at only for the report.
                let test = self.report.as_ref().map(|_| Dataset::open(data, Split::Test));
                let test = match test {
                    Some(Ok(test)) => test.examples,
                    Some(Err(why)) => {
                        eprintln!("{name}: no test pictures are measured: {why}");
                        Vec::new()
                    }
                    None => Vec::new(),
                };
                Ok(Set { name, train: train.examples, dev: dev.examples, test, labelled: false })
            };
            let mut sets: Vec<Set> = self.calibrate.iter().map(open).collect::<Result<_>>()?;
            if let Some(count) = self.words {
                weights = keep_words(weights, sets.iter().flat_map(|set| &set.train), count)?;
            }
            // What is measured is what the file will hold.
            let rounded = Weights::from_bytes(&weights.to_bytes(self.precision)?)?;
            let mut fitted = None;
            if !self.kinds.is_empty() {
                let mut known: Vec<Known> = Vec::new();
                for folder in &self.kinds {
                    known.extend(kinds::read(folder)?);
                }
                for set in &sets {
                    let some = set.train.iter().step_by((set.train.len() / PHOTOGRAPHS).max(1));
                    known.extend(some.map(|example| Known::photograph(example.image.clone(), &set.name)));
                }
                let kinds = kinds::fit(&Captioner::new(rounded.clone())?, &known)?;
                eprintln!("{kinds}");
                fitted = Some(kinds);
            }
            sets.extend(self.labelled()?);
            // Kinds are seen by the trunk: what the file knows of them stays, if it is not fitted anew.
            let before = weights.confidence.take().and_then(|confidence| confidence.kinds);
            let head = fitted.as_ref().map(|fitted| fitted.head.clone()).or(before);
            let calibrated = calibrate(&rounded, &sets, head)?;
            eprintln!("{calibrated}");
            weights.confidence = Some(calibrated.confidence.clone());
            if let Some(path) = &self.report {
                let captioner =
                    Captioner::new(Weights { confidence: weights.confidence.clone(), ..rounded })?;
                let mut rows = Vec::new();
                for set in sets.iter().filter(|set| !set.labelled) {
                    let (split, pictures) =
                        if set.test.is_empty() { ("dev", &set.dev) } else { ("test", &set.test) };
                    let name = format!("{} {split}", set.name);
                    rows.extend(words::measure(&captioner, &name, pictures, &WIDTHS)?);
                }
                Honesty { kinds: fitted.as_ref(), confidence: &calibrated, words: &rows }.write(path)?;
            }
        }
        write(&weights, self.precision, &self.out)?;
        let pictures = if self.check.is_empty() {
            BUNDLED.iter().map(PathBuf::from).filter(|path| path.is_file()).collect()
        } else {
            self.check
        };
        check(weights, &self.out, &pictures)
    }
}

impl Export {
    /// Labelled photographs that nothing was learned from, as a set of their own.
    fn labelled(&self) -> Result<Option<Set>> {
        let mut report = Report::default();
        let mut examples: Vec<Example> = Vec::new();
        for table in &self.labels {
            examples
                .extend(labelled::read(table, &mut report)?.iter().filter_map(labelled::Labelled::example));
        }
        if !report.is_clean() {
            eprintln!("{report}");
        }
        let (examples, train): (Vec<Example>, Vec<Example>) =
            examples.into_iter().partition(|example| labelled::is_held_out(&example.name));
        let step = examples.len().div_ceil(LABELLED).max(1);
        let dev: Vec<Example> = examples.into_iter().step_by(step).collect();
        let name = "labelled photographs".to_owned();
        Ok((!dev.is_empty()).then_some(Set { name, train, dev, test: vec![], labelled: true }))
    }
}

/// Training pictures of each data set that show what photographs are.
const PHOTOGRAPHS: usize = 800;

/// Labelled photographs that the confidence is fitted on, at most: as many as other sets have dev pictures.
const LABELLED: usize = 1100;

/// The photographs that come with the project.
const BUNDLED: [&str; 3] = ["www/photos/cat.jpg", "www/photos/astronaut.jpg", "www/photos/coffee.jpg"];

/// Reads the written file back and captions `pictures` with it and with the network as it was trained.
fn check(weights: Weights, written: &Path, pictures: &[PathBuf]) -> Result<()> {
    let bytes = std::fs::read(written).with_context(|| format!("cannot read {} back", written.display()))?;
    let exported = Captioner::from_bytes(&bytes)
        .with_context(|| format!("{} was written, but cannot be used", written.display()))?;
    let trained = Captioner::new(weights)?;
    let options = CaptionOptions::default();
    for picture in pictures {
        let pixels = decode::load(picture)?;
        let ours = exported.caption(&pixels.rgba(), &options)?;
        let before = trained.caption(&pixels.rgba(), &options)?;
        eprintln!("{}: {} ({:.2})", picture.display(), ours.text, ours.score);
        if before.text != ours.text {
            eprintln!("  before rounding: {} ({:.2})", before.text, before.score);
        }
    }
    Ok(())
}

/// Writes a weights file.
///
/// # Errors
/// If the weights do not fit their configuration or the file system refuses.
pub fn write(weights: &Weights, precision: Precision, out: &Path) -> Result<()> {
    let bytes = weights.to_bytes(precision)?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    checkpoint::write_whole(out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    let (words, size) = (weights.vocabulary.len(), bytes.len() as f64 / 1e6);
    eprintln!("{}: {words} words, {size:.2} MB as {}", out.display(), precision.name());
    Ok(())
}

/// The averaged parameters of the last stage of the run in folder `run` that can describe pictures, with what the run
/// itself knows of their provenance.
///
/// # Errors
/// If there is no such stage, or its file is damaged.
pub fn weights_of(run: &Path) -> Result<Weights> {
    let text = std::fs::read_to_string(run.join("config.toml"))
        .with_context(|| format!("{} is no run folder: it has no config.toml", run.display()))?;
    let recipe: Recipe = toml::from_str(&text).context("the run's config.toml")?;
    let (mut seconds, mut steps, mut found) = (0.0, 0, None);
    for stage in Stage::ALL {
        let folder = stages::folder(run, stage);
        let running = checkpoint::load(&folder, checkpoint::RUNNING)?;
        let finished = checkpoint::load(&folder, checkpoint::FINISHED)?;
        let Some((file, tensors, progress)) = finished
            .map(|(tensors, progress)| (checkpoint::FINISHED, tensors, progress))
            .or(running.map(|(tensors, progress)| (checkpoint::RUNNING, tensors, progress)))
        else {
            continue;
        };
        (seconds, steps) = (seconds + progress.seconds, steps + progress.step);
        if stage.describes() || recipe.describes {
            found = Some((folder.join(file), tensors, progress));
        }
    }
    let (path, mut tensors, progress) = found.with_context(|| {
        format!("{}: no stage that describes pictures has a checkpoint yet; train first", run.display())
    })?;
    let vocabulary = Vocabulary::new(progress.words)?;
    if path.ends_with(checkpoint::RUNNING) {
        let parameters = Parameters::new(recipe.seed);
        stages::build(&parameters, &recipe.model)?;
        let mut optimiser = AdamW::new(parameters.vars())?;
        optimiser.restore(&tensors)?;
        tensors = optimiser.averaged()?;
    }
    let mut provenance = Provenance::default();
    // Not the time of the export, so that exporting again gives the same file.
    provenance.created = std::fs::metadata(&path).and_then(|m| m.modified()).ok().map(rfc3339);
    provenance.recipe = Some(text);
    provenance.git_revision = progress.revision;
    provenance.notes = BTreeMap::from([
        ("training.steps".to_owned(), steps.to_string()),
        ("training.seconds".to_owned(), format!("{seconds:.0}")),
    ]);
    Ok(Weights {
        config: recipe.model,
        vocabulary,
        provenance,
        confidence: None,
        tensors: plain(fold(tensors)?)?,
    })
}

/// UTC, to the second. From days to a date after Howard Hinnant's `civil_from_days`.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is their last; eras have 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_utc() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn scores_are_numbers_with_names() {
        assert_eq!(parse_score("dev.cider=52.5"), Ok(("dev.cider".to_owned(), 52.5)));
        for bad in ["", "dev.cider", "=1", "a=b", "a=nan", "a=inf"] {
            assert!(parse_score(bad).is_err(), "{bad}");
        }
    }
}
