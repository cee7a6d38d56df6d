//! The concept head on packed weights: which words of the vocabulary a picture shows, before a sentence is made of them.
//!
//! EfficientNet's own pretrained head widens the trunk's features, their mean over the cells is normalised, and two
//! dense layers turn it into a probability for each word. The decoder reads the likeliest words beside the cells.

use super::linear::{Linear, Norm, Rounded, Table};
use super::source::{BadTensor, Packer};
use crate::config::ConceptConfig;
use crate::kernels::{Buffer, Finish, Level};
use crate::layout::{self, HEAD_CHANNELS};
use crate::likeliest::{Likeliest, signals};

/// The packed concept head.
pub struct Concepts {
    level: Level,
    head: Linear,
    norm: Norm,
    hidden: Linear,
    output: Linear,
    words: Table,
    word: Linear,
    probability: Vec<f32>,
    read_norm: Norm,
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
    /// Packs the head's tensors, and the words' embeddings, which are the decoder's.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn new(
        packer: &Packer,
        layout: &layout::Concepts,
        decoder: &layout::Decoder,
        config: &ConceptConfig,
    ) -> Result<Self, BadTensor> {
        Ok(Self {
            level: packer.level,
            head: packer.linear(&layout.head)?,
            norm: packer.norm(&layout.classifier.norm)?,
            hidden: packer.linear(&layout.classifier.hidden)?,
            output: packer.linear(&layout.classifier.output)?,
            words: packer.table(&decoder.words)?,
            word: packer.linear(&layout.word)?,
            probability: packer.floats(&layout.probability)?,
            read_norm: packer.norm(&layout.norm)?,
            width: layout.word.outputs,
            config: config.clone(),
        })
    }

    /// What was found for each word in the picture that was read last.
    pub fn logits<'s>(&self, scratch: &'s Scratch) -> &'s [f32] {
        &scratch.logits[..self.config.tokens.len()]
    }

    /// How probable each word at `places` would be if the whole picture looked like one of its cells, given the trunk's
    /// features of the `cells` cells: a row of cells for each word (after Zhou et al. 2016, arXiv 1512.04150, but through
    /// the whole head).
    ///
    /// # Panics
    /// If there are fewer features, or a place is none.
    pub fn cells(
        &self,
        features: &[f32],
        cells: usize,
        places: &[u32],
        scratch: &mut Scratch,
    ) -> Vec<Vec<f32>> {
        let (s, level, rank) = (scratch, self.level, self.config.rank);
        let (wide, count) = (cells * HEAD_CHANNELS, self.config.tokens.len());
        s.widened.grow(wide);
        self.head.rows(level, features, cells, &mut s.rounded, &mut s.widened, Finish::Relu6);
        s.normed.grow(wide);
        self.norm.forward(level, &s.widened[..wide], &mut s.normed[..wide]);
        s.hidden.grow(cells * rank);
        self.hidden.rows(level, &s.normed, cells, &mut s.rounded, &mut s.hidden, Finish::Plain);
        s.logits.grow(cells * count);
        self.output.rows(level, &s.hidden, cells, &mut s.rounded, &mut s.logits, Finish::Plain);
        let of_word = |&place: &u32| {
            let logits = s.logits[..cells * count].chunks_exact(count).map(|row| row[place as usize]);
            logits.map(crate::confidence::logistic).collect()
        };
        places.iter().map(of_word).collect()
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
        self.norm.forward(level, pooled, normed);
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
        self.read_norm.forward(level, &s.widened[..values], &mut out[..values]);
    }
}
