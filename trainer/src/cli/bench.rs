//! `soli bench`: the time of one training step, beside PyTorch's for the same step.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use clap::Args;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use soli::graph::Model;
use soli::layout::Form;

use super::print;
use crate::config::Recipe;
use crate::data::batches::Batch;
use crate::optimiser::{AdamW, StepOptions};
use crate::parameters::Parameters;
use crate::stages::captions::{self, CaptionStage};

/// Words of the vocabulary and captions a picture, as Flickr8k has them.
const VOCABULARY: usize = 2921;
const CAPTIONS: usize = 5;

/// Time a training step (trunk, decoder, backward pass, AdamW, running average) on made-up pictures and captions.
#[derive(Debug, Args)]
pub struct Bench {
    /// The recipe whose caption stage is timed.
    #[arg(long, value_name = "FILE", default_value = "trainer/configs/captions.toml")]
    config: PathBuf,
    /// Steps timed of each.
    #[arg(long, value_name = "N", default_value_t = 8)]
    steps: usize,
    /// A Python with PyTorch: its steps and ours alternate, and their ratio is printed.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// The peer.
    #[arg(long, value_name = "FILE", default_value = "tests/reference/train_step.py")]
    script: PathBuf,
}

impl Bench {
    /// Runs the verb.
    ///
    /// # Errors
    /// If the recipe cannot be used or the peer fails.
    pub fn run(self) -> Result<()> {
        let mut recipe = Recipe::load(&self.config)?;
        recipe.model.decoder.vocab_size = VOCABULARY;
        let Some(stage) = recipe.captions.clone() else {
            bail!("{} has no stage [captions] to time", self.config.display())
        };
        let batch = made_up(&recipe, stage.schedule.batch)?;
        let mut ours = Ours::new(&recipe)?;
        let mut peer = self
            .python
            .as_ref()
            .map(|python| Peer::start(python, &self.script, &recipe, &stage, &batch))
            .transpose()?;
        ours.step(&recipe, &stage, &batch, 0)?;
        if let Some(peer) = &mut peer {
            peer.step()?;
        }
        let (mut our_ms, mut peer_ms) = (Vec::new(), Vec::new());
        for step in 1..=self.steps.max(1) as u64 {
            let started = Instant::now();
            ours.step(&recipe, &stage, &batch, step)?;
            our_ms.push(started.elapsed().as_secs_f64() * 1e3);
            if let Some(peer) = &mut peer {
                peer_ms.push(peer.step()?);
            }
        }
        let images = stage.schedule.batch as f64;
        let show = |name: &str, ms: f64| {
            print::line(format_args!("{name:8} {ms:8.0} ms a step  {:6.1} images/s", images * 1e3 / ms))
        };
        print::line(format_args!(
            "{} pictures at {} px, {CAPTIONS} captions each; medians of {} steps",
            stage.schedule.batch,
            recipe.model.encoder.input_side,
            our_ms.len()
        ))?;
        let ours = median(&mut our_ms);
        show("soli", ours)?;
        if !peer_ms.is_empty() {
            let theirs = median(&mut peer_ms);
            show("PyTorch", theirs)?;
            print::line(format_args!("throughput of soli / PyTorch: {:.2}", theirs / ours))?;
        }
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A batch with random pixels, and captions of random words and the lengths usual in Flickr8k (7 to 15 words).
fn made_up(recipe: &Recipe, images: usize) -> Result<Batch> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let side = recipe.model.encoder.input_side;
    let pixels: Vec<f32> = (0..images * side * side * 3).map(|_| rng.random_range(-1.0..1.0)).collect();
    let captions = (0..images)
        .map(|_| {
            (0..CAPTIONS)
                .map(|_| {
                    let words = rng.random_range(7..=15);
                    (0..words).map(|_| rng.random_range(3..VOCABULARY as u32)).collect()
                })
                .collect()
        })
        .collect();
    let pixels = Tensor::from_vec(pixels, (images, side, side, 3), &Device::Cpu)?;
    Ok(Batch {
        pixels,
        paired: None,
        captions,
        indices: (0..images).collect(),
        parts: vec![0; images],
        broken: Vec::new(),
    })
}

struct Ours {
    model: Model,
    optimiser: AdamW,
}

impl Ours {
    fn new(recipe: &Recipe) -> Result<Self> {
        let parameters = Parameters::new(1);
        let model = Model::new(parameters.builder(), &recipe.model, Form::Training)?;
        Ok(Self { model, optimiser: AdamW::new(parameters.vars())? })
    }

    fn step(&mut self, recipe: &Recipe, stage: &CaptionStage, batch: &Batch, seed: u64) -> Result<()> {
        let (loss, _) = captions::loss(&self.model, None, &recipe.model, batch, stage, false, seed)?;
        let options = StepOptions {
            learning_rate: 1e-5,
            trunk_learning_rate: 1e-6,
            concept_learning_rate: 1e-5,
            weight_decay: stage.schedule.weight_decay,
            gradient_clip: stage.schedule.gradient_clip,
            ema_decay: stage.schedule.ema_decay,
        };
        let norm = self.optimiser.step(&loss.backward()?, &options)?;
        if !norm.is_finite() {
            bail!("the gradient is {norm} long");
        }
        Ok(())
    }
}

/// The PyTorch script: told the shapes first, then it takes a step for every line it reads and answers with its time.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(
        python: &Path,
        script: &Path,
        recipe: &Recipe,
        stage: &CaptionStage,
        batch: &Batch,
    ) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", python.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{} has no input or output", python.display());
        };
        let mut peer = Self { child, input, output: BufReader::new(output) };
        let captions: &Vec<Vec<Vec<u32>>> = &batch.captions;
        let shapes = json!({"model": recipe.model, "captions": captions, "stage": stage});
        peer.ask(&shapes.to_string())?;
        Ok(peer)
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            bail!("the PyTorch script ended; its error is above");
        }
        serde_json::from_str(&answer).with_context(|| format!("the PyTorch script said {answer:?}"))
    }

    /// Milliseconds of one step.
    fn step(&mut self) -> Result<f64> {
        let answer = self.ask("step")?;
        answer["ms"].as_f64().with_context(|| format!("the PyTorch script said {answer}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
