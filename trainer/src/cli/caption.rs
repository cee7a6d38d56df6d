//! `soli caption`: image files in, captions out.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use soli::captioner::{CaptionOptions, Captioner};

use crate::data::decode;

/// Where the published weights lie in the repository.
const DEFAULT_WEIGHTS: &str = "www/models/soli.safetensors";

/// Describe pictures: JPEG, PNG, WebP, GIF or BMP files.
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
    /// Print one JSON object a line: file, text, score, confidence, tokens, partial and ms, or file and error.
    #[arg(long)]
    json: bool,
    /// The pictures.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

/// What `--json` prints of a file.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Caption {
        file: String,
        text: String,
        score: f32,
        /// The probability that the caption is about right; null if the weights were not calibrated.
        confidence: Option<f32>,
        tokens: Vec<String>,
        /// Whether the file is cut off, so that only what is there (at least half) was described.
        partial: bool,
        /// The words that the picture most likely shows, the likeliest first.
        words: Vec<soli::captioner::Word>,
        /// From decoded pixels to text, as the browser measures it.
        ms: f64,
    },
    Error {
        file: String,
        error: String,
    },
}

impl Caption {
    /// Runs the verb.
    ///
    /// # Errors
    /// If the weights cannot be used, or, after all files were tried, if some file gave no caption.
    pub fn run(self) -> Result<()> {
        let captioner = load_captioner(self.weights.as_deref())?;
        let options =
            CaptionOptions { beam: usize::from(self.beam), max_tokens: self.max_tokens.map(usize::from) };
        let mut failed = 0;
        for image in &self.images {
            let line = describe(&captioner, image, &options);
            failed += usize::from(matches!(line, Line::Error { .. }));
            match self.print(&line) {
                // Whoever read our output has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                printed => printed?,
            }
        }
        if failed > 0 {
            bail!("{failed} of {} files gave no caption", self.images.len());
        }
        Ok(())
    }

    fn print(&self, line: &Line) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match line {
            _ if self.json => writeln!(out, "{}", serde_json::to_string(line)?)?,
            Line::Caption { file, text, score, confidence, partial, ms, .. } => {
                let sure = match confidence {
                    Some(confidence) => format!("confidence {:.0} %", confidence * 100.0),
                    None => format!("score {score:.2}"),
                };
                let cut = if *partial { ", the file is cut off" } else { "" };
                writeln!(out, "{file}: {text} ({sure}, {ms:.0} ms{cut})")?;
            }
            Line::Error { error, .. } => writeln!(std::io::stderr(), "{error}")?,
        }
        out.flush()
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

fn describe(captioner: &Captioner, image: &Path, options: &CaptionOptions) -> Line {
    let file = image.display().to_string();
    let picture = match decode::load(image) {
        Ok(picture) => picture,
        Err(error) => return Line::Error { file, error: error.to_string() },
    };
    let started = Instant::now();
    match captioner.caption(&picture.rgba(), options) {
        Ok(caption) => {
            let ms = started.elapsed().as_secs_f64() * 1000.0;
            let soli::captioner::Caption { text, score, confidence, tokens, words, .. } = caption;
            let (partial, ms) = (picture.partial(), (ms * 10.0).round() / 10.0);
            Line::Caption { file, text, score, confidence, tokens, partial, words, ms }
        }
        Err(error) => {
            let error = format!("{file}: {error}");
            Line::Error { file, error }
        }
    }
}
