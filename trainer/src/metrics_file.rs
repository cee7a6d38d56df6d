//! `metrics.csv` of a run: a row a step and an evaluation, whole after a kill at any moment.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::curve;
use crate::metrics::Scores;

/// A line of the metrics file. Fields that do not apply stay empty.
pub struct Row<'a> {
    step: usize,
    epoch: f64,
    loss: Option<f32>,
    rate: Option<f64>,
    images: Option<usize>,
    cider: Option<f64>,
    bleu4: Option<f64>,
    rouge_l: Option<f64>,
    terms: &'a [f32],
}

impl<'a> Row<'a> {
    /// After a training step: the loss, share of the peak learning rate, pictures in the step, and the stage's own
    /// numbers.
    pub fn step(step: usize, epoch: f64, loss: f32, rate: f64, images: usize, terms: &'a [f32]) -> Self {
        let (loss, rate, images) = (Some(loss), Some(rate), Some(images));
        Self { step, epoch, loss, rate, images, cider: None, bleu4: None, rouge_l: None, terms }
    }

    /// After an evaluation on dev pictures.
    pub fn scores(step: usize, epoch: f64, scores: &Scores) -> Self {
        let cider = scores.cider_defined.then_some(scores.cider);
        let (bleu4, rouge_l) = (Some(scores.bleu[3]), Some(scores.rouge_l));
        Self { step, epoch, loss: None, rate: None, images: None, cider, bleu4, rouge_l, terms: &[] }
    }
}

const HEADER: &str = "step,epoch,loss,rate,images,dev_cider,dev_bleu4,dev_rouge_l";

/// `metrics.csv` of a run.
pub struct MetricsFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// Columns beyond those of [`HEADER`].
    terms: usize,
}

impl MetricsFile {
    /// Opens the run's file and cuts it to the `keep` bytes that its checkpoint knows of: what a killed run wrote
    /// after its last checkpoint will be computed, and written, again. Of those bytes only whole rows are kept: a power
    /// cut can tear the file, and a torn row must not end the run.
    ///
    /// `terms` names the stage's own columns.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn open(run: &Path, keep: u64, terms: &[&str]) -> Result<Self> {
        let path = run.join("metrics.csv");
        let refused = || format!("cannot write {}", path.display());
        let columns: Vec<&str> = HEADER.split(',').chain(terms.iter().copied()).collect();
        let header = columns.join(",");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = file.with_context(refused)?;
        let mut known = Vec::new();
        Read::by_ref(&mut file).take(keep).read_to_end(&mut known).with_context(refused)?;
        let (kept, lost) = whole_rows(&known, &header);
        if keep > 0 && (lost || (known.len() as u64) < keep) {
            eprintln!(
                "{} was damaged, as by a power cut: its whole rows are kept, the others are missing from the curve",
                path.display()
            );
        }
        if kept.as_bytes() == known {
            file.set_len(known.len() as u64).with_context(refused)?;
        } else {
            drop(file);
            crate::checkpoint::write_whole(&path, kept.as_bytes()).with_context(refused)?;
            file = OpenOptions::new().write(true).open(&path).with_context(refused)?;
        }
        file.seek(SeekFrom::End(0)).with_context(refused)?;
        Ok(Self { path, file: BufWriter::new(file), terms: terms.len() })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn write(&mut self, row: &Row) -> Result<()> {
        fn text<T: ToString>(value: Option<T>) -> String {
            value.map(|v| v.to_string()).unwrap_or_default()
        }
        let Row { step, epoch, loss, rate, images, cider, bleu4, rouge_l, terms } = row;
        let mut fields =
            vec![text(*loss), text(*rate), text(*images), text(*cider), text(*bleu4), text(*rouge_l)];
        fields.extend((0..self.terms).map(|i| text(terms.get(i).copied())));
        writeln!(self.file, "{step},{epoch:.4},{}", fields.join(","))?;
        Ok(())
    }

    /// Puts everything on disk and returns the file's length in bytes.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn flush(&mut self) -> Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.file.get_ref().metadata()?.len())
    }

    /// Draws loss and dev CIDEr over the epochs into `curve.svg` beside the file.
    ///
    /// # Errors
    /// If the file cannot be read back or the picture cannot be written.
    pub fn plot(&mut self) -> Result<()> {
        self.file.flush()?;
        let (mut loss, mut cider) = (Vec::new(), Vec::new());
        let failed = || format!("cannot read {} back", self.path.display());
        let mut reader = csv::Reader::from_path(&self.path).with_context(failed)?;
        for record in reader.records() {
            let record = record.with_context(failed)?;
            let number = |i: usize| {
                record.get(i).and_then(|field| field.parse::<f64>().ok()).filter(|v| v.is_finite())
            };
            if let (Some(epoch), Some(value)) = (number(1), number(2)) {
                loss.push((epoch, value));
            }
            if let (Some(epoch), Some(value)) = (number(1), number(5)) {
                cider.push((epoch, value * 100.0));
            }
        }
        curve::draw(&self.path.with_file_name("curve.svg"), &loss, &cider)
            .map_err(|e| anyhow!("cannot draw the curve: {e}"))
    }
}

/// The header and those rows of a metrics file that are whole, and whether something else was in it.
fn whole_rows(known: &[u8], header: &str) -> (String, bool) {
    let text = String::from_utf8_lossy(known);
    let mut kept = format!("{header}\n");
    let mut lost = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let row = line.strip_suffix('\n');
        if index == 0 && row == Some(header) {
            continue;
        }
        let number = |(column, field): (usize, &str)| {
            (column > 1 && field.is_empty()) || field.parse().is_ok_and(|value: f64| !is_absurd(value))
        };
        let whole = row.is_some_and(|row| {
            row.split(',').count() == header.split(',').count() && row.split(',').enumerate().all(number)
        });
        if whole { kept.push_str(line) } else { lost = true }
    }
    (kept, lost)
}

/// Whether no run writes this: a step that there was nothing to learn from has no number for its loss, but infinities and
/// the like are what is left of a damaged file, and no axis can be drawn up to them.
fn is_absurd(value: f64) -> bool {
    value.abs() > 1e12
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(run: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// A run that lost any part of its file's end, or has zeros there, as file systems leave them, goes on.
    #[test]
    fn a_torn_file_keeps_its_whole_rows() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let mut file = MetricsFile::open(run, 0, &["own"]).unwrap();
        for step in 1..=3 {
            file.write(&Row::step(step, step as f64 / 3.0, 0.125, 1.0, 16, &[0.5])).unwrap();
        }
        let known = file.flush().unwrap();
        let whole = std::fs::read(run.join("metrics.csv")).unwrap();
        let all = rows(run);
        assert_eq!(all.len(), 4);
        for end in 0..=whole.len() {
            for zeros in [0, whole.len() - end] {
                let torn = [&whole[..end], &vec![0; zeros]].concat();
                std::fs::write(run.join("metrics.csv"), &torn).unwrap();
                let mut file = MetricsFile::open(run, known, &["own"]).unwrap();
                file.write(&Row::step(4, 4.0 / 3.0, 0.125, 1.0, 16, &[0.5])).unwrap();
                file.flush().unwrap();
                file.plot().unwrap();
                let found = rows(run);
                let expected = whole[..end].iter().filter(|byte| **byte == b'\n').count().max(1);
                assert_eq!(found.len(), expected + 1, "{end} of {} bytes, {zeros} zeros", whole.len());
                assert_eq!(found[..expected], all[..expected]);
                assert!(found[expected].starts_with("4,1.3333,0.125,"));
            }
        }
    }

    #[test]
    fn a_score_that_is_not_defined_stays_empty() {
        let run = tempfile::tempdir().unwrap();
        let mut file = MetricsFile::open(run.path(), 0, &[]).unwrap();
        let mut scores =
            Scores { bleu: [0.5; 4], rouge_l: 0.5, cider: 0.0, cider_defined: false, meteor: None };
        file.write(&Row::scores(1, 0.5, &scores)).unwrap();
        scores.cider_defined = true;
        file.write(&Row::scores(2, 1.0, &scores)).unwrap();
        file.flush().unwrap();
        let rows = rows(run.path());
        assert_eq!(&rows[rows.len() - 2..], ["1,0.5000,,,,,0.5,0.5", "2,1.0000,,,,0,0.5,0.5"]);
    }

    /// What no run writes is damage: it is left out, and the curve is drawn of the rest, in an instant.
    #[test]
    fn absurd_numbers_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let good = "1,0.3333,0.125,1,16,,,\n2,0.6667,NaN,1,16,,,\n";
        for absurd in ["inf", "-inf", "1e308", "-1e308", "1e13"] {
            for row in [
                format!("3,{absurd},0.125,1,16,,,\n"),
                format!("3,1,{absurd},1,16,,,\n"),
                format!("3,1,,,,{absurd},1,1\n"),
            ] {
                std::fs::write(run.join("metrics.csv"), format!("{HEADER}\n{good}{row}")).unwrap();
                let mut file = MetricsFile::open(run, u64::MAX, &[]).unwrap();
                file.plot().unwrap();
                assert_eq!(
                    std::fs::read_to_string(run.join("metrics.csv")).unwrap(),
                    format!("{HEADER}\n{good}"),
                    "{row}"
                );
                assert!(!std::fs::read_to_string(run.join("curve.svg")).unwrap().contains("NaN"));
            }
        }
    }

    #[test]
    fn rows_after_the_checkpoint_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = MetricsFile::open(folder.path(), 0, &[]).unwrap();
        file.write(&Row::step(1, 0.5, 0.125, 1.0, 16, &[])).unwrap();
        let known = file.flush().unwrap();
        file.write(&Row::step(2, 1.0, 0.125, 1.0, 16, &[])).unwrap();
        file.flush().unwrap();
        drop(MetricsFile::open(folder.path(), known, &[]).unwrap());
        assert_eq!(rows(folder.path()).len(), 2);
    }
}
