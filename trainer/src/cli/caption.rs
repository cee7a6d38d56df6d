//! `soli caption`: pictures in, captions out; a few files, or a stream of any length.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use soli::captioner::{CaptionOptions, Captioner};

use crate::stream::output::{self, Format, Output};
use crate::stream::sources::{Columns, Input, ReadOptions};
use crate::stream::{self, Done, Row, StreamError, StreamOptions, Summary};

/// Where the published weights lie in the repository.
const DEFAULT_WEIGHTS: &str = "www/models/soli.safetensors";

/// Describe pictures: JPEG, PNG, WebP, GIF or BMP files, folders of them, or archives (tar, zip, Parquet).
///
/// A few files are printed for people. With --from, --out or --format a row is written for each picture, one that cannot
/// be captioned included: its row has the reason, and the exit status stays 0. It is 1 if an archive or a list could
/// not be read to its end, or the output not be written.
#[derive(Debug, Args)]
pub struct Caption {
    /// The weights; www/models/soli.safetensors when not given, looked for here and beside the program.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Captions considered at each step, 1 to 8; 1 is greedy.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    beam: u8,
    /// Longest caption in tokens, the end included; as long as the model can when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..))]
    max_tokens: Option<u16>,
    /// Print one JSON object a line: file, all fields of the caption, partial and ms, or file and error.
    #[arg(long, conflicts_with_all = ["format", "out"])]
    json: bool,
    /// A list of pictures, `-` for standard input: paths, or NDJSON with `{"id", "file"}` or `{"id", "bytes"}` (base64).
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// The file to write: .ndjson, .csv or .parquet; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to write rows; as the name of --out says, or NDJSON, when not given.
    #[arg(long, value_name = "FORMAT")]
    format: Option<RowFormat>,
    /// Go on with the output that is there: what it has is not done again.
    #[arg(long, requires = "out")]
    resume: bool,
    /// Go through folders with all that is in them, archives included.
    #[arg(long, short)]
    recursive: bool,
    /// Write rows as they are ready, not in the order of the pictures.
    #[arg(long)]
    unordered: bool,
    /// Caption identical bytes once.
    #[arg(long)]
    dedupe: bool,
    /// Pictures decoded and captioned at the same time; as many as there are cores when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// The column of a Parquet file that has the pictures' bytes; found by itself when not given.
    #[arg(long, value_name = "NAME")]
    bytes_column: Option<String>,
    /// The column of a Parquet file that says what the pictures are called; found by itself when not given.
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// Pass on guesses at people's gender and age: "man", "girl" instead of "person", "child".
    #[arg(long)]
    gendered: bool,
    /// Say nothing of progress.
    #[arg(long, short)]
    quiet: bool,
    /// Pictures, folders and archives.
    #[arg(value_name = "IMAGE", required_unless_present = "from")]
    images: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RowFormat {
    Ndjson,
    Csv,
    Parquet,
}

impl From<RowFormat> for Format {
    fn from(format: RowFormat) -> Self {
        match format {
            RowFormat::Ndjson => Self::Ndjson,
            RowFormat::Csv => Self::Csv,
            RowFormat::Parquet => Self::Parquet,
        }
    }
}

impl Caption {
    /// Runs the verb.
    ///
    /// # Errors
    /// If the weights cannot be used, an input cannot be read to its end or the output not be written; and, if captions
    /// are printed for people or with `--json`, after all files were tried, if some file gave no caption.
    pub fn run(self) -> Result<()> {
        let captioner = Arc::new(load_captioner(self.weights.as_deref())?);
        let rows = !self.from.is_empty() || self.out.is_some() || self.format.is_some();
        if self.resume && self.file().is_none() {
            bail!("--resume needs a file: standard output cannot be read back");
        }
        let (output, done) = self.output(rows)?;
        let inputs = self.inputs();
        let options = self.options(rows);
        let summary = stream::run(captioner, inputs, done, output, &options)?;
        if summary.closed {
            // Whoever read our output has seen enough.
            return Ok(());
        }
        if rows && !self.quiet {
            eprintln!("{}", sentence(&summary));
        }
        if summary.inputs.broken_inputs > 0 {
            bail!(
                "{} of the inputs could not be read to the end; pictures may be missing. The rows with an archive's or \
                 a folder's name say why",
                summary.inputs.broken_inputs
            );
        }
        if !rows && summary.errors > 0 {
            bail!("{} of {} files gave no caption", summary.errors, summary.rows);
        }
        Ok(())
    }

    /// The file to write; none for standard output.
    fn file(&self) -> Option<&Path> {
        self.out.as_deref().filter(|path| *path != Path::new("-"))
    }

    fn output(&self, rows: bool) -> Result<(Box<dyn Output>, Done)> {
        let named = self.file().and_then(Format::of);
        let format = self.format.map(Format::from).or(named);
        Ok(match (self.file(), format) {
            (Some(path), Some(format)) => output::to_file(path, format, self.resume)?,
            (Some(path), None) => {
                bail!(
                    "{}: name the format with --format, or end it in .ndjson, .csv or .parquet",
                    path.display()
                )
            }
            (None, format) if rows => (output::to_stdout(format.unwrap_or(Format::Ndjson))?, Done::default()),
            (None, _) => (Box::new(Printed { json: self.json }), Done::default()),
        })
    }

    fn inputs(&self) -> Vec<Input> {
        let lists = self.from.iter().map(|from| match from.as_os_str().as_encoded_bytes() {
            b"-" => Input::Stdin,
            _ => Input::List(from.clone()),
        });
        self.images.iter().cloned().map(Input::Path).chain(lists).collect()
    }

    fn options(&self, rows: bool) -> StreamOptions {
        let cores = available_parallelism().map_or(1, |cores| cores.get());
        StreamOptions {
            threads: self.threads.map_or(cores, usize::from),
            ordered: !self.unordered,
            dedupe: self.dedupe,
            // Not between rows that go to the same terminal.
            progress: rows && !self.quiet && !(self.file().is_none() && std::io::stdout().is_terminal()),
            read: ReadOptions {
                recursive: self.recursive,
                sorted: true,
                columns: Columns { id: self.id_column.clone(), bytes: self.bytes_column.clone() },
            },
            caption: self.max_tokens.map(usize::from).into_iter().fold(
                CaptionOptions::default().with_beam(usize::from(self.beam)).with_neutral(!self.gendered),
                CaptionOptions::with_max_tokens,
            ),
        }
    }
}

/// What was done, in a sentence.
fn sentence(summary: &Summary) -> String {
    let seconds = summary.time.as_secs_f64();
    let mut text = format!(
        "{} pictures in {seconds:.1} s ({:.1} a second)",
        summary.rows,
        summary.rows as f64 / seconds.max(1e-3)
    );
    for (count, what) in [
        (summary.errors, "could not be captioned: their rows say why"),
        (summary.repeated, "had the bytes of an earlier one"),
        (summary.inputs.done_before, "were in the output already"),
        (summary.inputs.passed_over, "other files were passed over"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}

/// Captions for people, or JSON with the file and the time, each as soon as it is there.
struct Printed {
    json: bool,
}

impl Output for Printed {
    fn write(&mut self, row: &Row) -> Result<(), StreamError> {
        let failed = StreamError::io("cannot write standard output");
        let mut out = std::io::stdout().lock();
        let file = row.id.as_str();
        let ms = (row.ms * 10.0).round() / 10.0;
        let written = match &row.outcome {
            _ if self.json => writeln!(out, "{}", json_line(file, row, ms)),
            Ok(caption) => {
                let caption: Map<String, Value> = serde_json::from_str(caption).unwrap_or_default();
                let text = caption.get("text").and_then(Value::as_str).unwrap_or_default();
                let number = |name: &str| caption.get(name).and_then(Value::as_f64);
                let sure = match (number("confidence"), number("score").unwrap_or_default()) {
                    (Some(confidence), _) => format!("confidence {:.0} %", confidence * 100.0),
                    (None, score) => format!("score {score:.2}"),
                };
                let partial = caption.get("partial").and_then(Value::as_bool).unwrap_or_default();
                let cut = if partial { ", the file is cut off" } else { "" };
                writeln!(out, "{file}: {text} ({sure}, {ms:.0} ms{cut})")
            }
            Err(error) => writeln!(std::io::stderr(), "{error}"),
        };
        written.and_then(|()| out.flush()).map_err(failed)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), StreamError> {
        Ok(())
    }
}

/// The row with `file` instead of the id, and the time.
fn json_line(file: &str, row: &Row, ms: f64) -> String {
    let file = Value::from(file);
    match &row.outcome {
        Ok(caption) => {
            let fields = caption.strip_prefix('{').and_then(|c| c.strip_suffix('}')).unwrap_or_default();
            format!("{{\"file\":{file},{fields},\"ms\":{ms}}}")
        }
        Err(error) => format!("{{\"file\":{file},\"error\":{}}}", Value::from(error.as_str())),
    }
}

/// Reads the captioner from `weights`, or from the published file if there is one.
///
/// # Errors
/// Says which files were looked for, or what is wrong with the one found.
pub fn load_captioner(weights: Option<&Path>) -> Result<Captioner> {
    let path = match weights {
        Some(path) => path.to_owned(),
        None => default_weights()?,
    };
    let bytes =
        std::fs::read(&path).with_context(|| format!("cannot read the weights {}", path.display()))?;
    Captioner::from_bytes(&bytes).with_context(|| format!("cannot use the weights {}", path.display()))
}

fn default_weights() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("soli.safetensors")));
    let places: Vec<PathBuf> = [Some(PathBuf::from(DEFAULT_WEIGHTS)), beside].into_iter().flatten().collect();
    if let Some(found) = places.iter().find(|place| place.is_file()) {
        return Ok(found.clone());
    }
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    bail!("no weights at {}; name a file with --weights", places.join(" nor at "))
}
