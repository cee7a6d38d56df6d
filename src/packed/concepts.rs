//! The concept head as in [`crate::concepts`], which describes and trains it, on packed weights.

use super::source::{BadTensor, Linear, Packer, Rounded, Table};
use crate::config::{ConceptConfig, ModelConfig};
use crate::encoder::{HEAD_CHANNELS, TRUNK_CHANNELS};
use crate::kernels::packed::{Buffer, Finish, Level, layer_norm};
use crate::likeliest::{Likeliest, signals};

/// The packed concept head.
pub struct Concepts {
    level: Level,
    head: Linear,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    hidden: Linear,
    output: Linear,
    words: Table,
    word: Linear,
    probability: Vec<f32>,
    read_gamma: Vec<f32>,
    read_beta: Vec<f32>,
    width: usize,
    config: ConceptConfig,
}

/// Memory that the head works in.
#[derive(Default)]
pub struct Scratch {
    widened: Buffer<f32>,
    pooled: Buffer<f32>,
    normed: Buffer<f32>,
    hidden: Buffer<f32>,
    logits: Buffer<f32>,
    words: Buffer<f32>,
    rounded: Rounded,
    likeliest: Likeliest,
}

impl Scratch {
    /// The words that were read last.
    pub fn likeliest(&self) -> &Likeliest {
        &self.likeliest
    }
}

impl Concepts {
    /// Packs the tensors `concepts.*`.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn new(packer: &Packer, model: &ModelConfig, config: &ConceptConfig) -> Result<Self, BadTensor> {
        let width = model.decoder.width;
        Ok(Self {
            level: packer.level,
            head: packer.linear("concepts.head", TRUNK_CHANNELS, HEAD_CHANNELS)?,
            gamma: packer.floats("concepts.norm.gamma", 1, HEAD_CHANNELS)?,
            beta: packer.floats("concepts.norm.beta", 1, HEAD_CHANNELS)?,
            hidden: packer.linear("concepts.hidden", HEAD_CHANNELS, config.rank)?,
            output: packer.linear("concepts.output", config.rank, config.tokens.len())?,
            words: packer.table("decoder.embedding.weight", model.decoder.vocab_size, width)?,
            word: packer.linear("concepts.read", width, width)?,
            probability: packer.floats("concepts.read.probability", 2, width)?,
            read_gamma: packer.floats("concepts.read.norm.gamma", 1, width)?,
            read_beta: packer.floats("concepts.read.norm.beta", 1, width)?,
            width,
            config: config.clone(),
        })
    }

    /// The words of a picture, given the trunk's features of its `cells` cells, and what the decoder reads of them, (read,
    /// width) values, into `out`.
    ///
    /// # Panics
    /// If there are fewer features, or `out` is too short.
    pub fn read(&self, features: &[f32], cells: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let Self { level, width, .. } = *self;
        let s = scratch;
        s.widened.grow(cells * HEAD_CHANNELS);
        self.head.rows(level, features, cells, &mut s.rounded, &mut s.widened, Finish::Relu6);
        s.pooled.grow(HEAD_CHANNELS);
        s.pooled[..HEAD_CHANNELS].fill(0.0);
        for cell in s.widened[..cells * HEAD_CHANNELS].chunks_exact(HEAD_CHANNELS) {
            s.pooled.iter_mut().zip(cell).for_each(|(sum, x)| *sum += x);
        }
        s.pooled[..HEAD_CHANNELS].iter_mut().for_each(|sum| *sum /= cells as f32);
        s.normed.grow(HEAD_CHANNELS);
        let (pooled, normed) = (&s.pooled[..HEAD_CHANNELS], &mut s.normed[..HEAD_CHANNELS]);
        layer_norm(level, pooled, &self.gamma, &self.beta, normed);
        s.hidden.grow(self.config.rank);
        self.hidden.rows(level, &s.normed, 1, &mut s.rounded, &mut s.hidden, Finish::Plain);
        let count = self.config.tokens.len();
        s.logits.grow(count);
        self.output.rows(level, &s.hidden, 1, &mut s.rounded, &mut s.logits, Finish::Plain);
        s.likeliest.choose(&s.logits[..count], self.config.read);

        let read = self.config.read;
        s.words.grow(read * width);
        s.words[..read * width].fill(0.0);
        for (row, &place) in s.words.chunks_exact_mut(width).zip(&s.likeliest.places) {
            self.words.add_row(self.config.tokens[place as usize] as usize, row);
        }
        s.widened.grow(read * width);
        self.word.rows(level, &s.words, read, &mut s.rounded, &mut s.widened, Finish::Plain);
        for (row, &probability) in s.widened.chunks_exact_mut(width).zip(&s.likeliest.probabilities) {
            for (signal, weights) in
                signals(probability).into_iter().zip(self.probability.chunks_exact(width))
            {
                row.iter_mut().zip(weights).for_each(|(x, weight)| *x += signal * weight);
            }
        }
        let values = read * width;
        layer_norm(level, &s.widened[..values], &self.read_gamma, &self.read_beta, &mut out[..values]);
    }
}
