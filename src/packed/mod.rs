//! The network for inference: packed weights, no tensors, no graph, and no allocation once everything has been met
//! once. What it computes is described, and trained, by [`crate::encoder`], [`crate::embedding`] and
//! [`crate::decoder`]; a test holds the two together.

pub mod concepts;
pub mod decoder;
pub mod source;
pub mod trunk;

use crate::config::ModelConfig;
use crate::encoder::{HEAD_CHANNELS, STAGES, STEM_CHANNELS, TRUNK_CHANNELS, feature_channels};
use crate::kernels::packed::{Buffer, Finish, Level, layer_norm};
use crate::likeliest::Likeliest;

use concepts::Concepts;
use decoder::{Decoder, Generation};
use source::{BadTensor, Linear, Packer, Rounded, Source};
use trunk::Trunk;

/// Trunk, embedding, concept head and decoder, packed for this processor.
pub struct Network {
    level: Level,
    trunk: Trunk,
    head: Option<Linear>,
    embedding: Linear,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    position: Vec<f32>,
    concepts: Option<Concepts>,
    decoder: Decoder,
    /// What the decoder reads of a picture, in rows: its cells, then its likeliest words.
    memory_rows: usize,
    side: usize,
    cells: usize,
    width: usize,
}

/// Memory that a network works in. One for each thread that captions; it stays as large as it once had to be.
#[derive(Default)]
pub struct Scratch {
    trunk: trunk::Scratch,
    concepts: concepts::Scratch,
    decoder: decoder::Scratch,
    widened: Buffer<f32>,
    embedded: Buffer<f32>,
    embeddings: Buffer<f32>,
    rounded: Rounded,
    embedding_rounded: Rounded,
}

impl Network {
    /// Packs the tensors of a checked configuration for the best that this processor offers.
    ///
    /// Matrices that `source` has as 8-bit integers are multiplied as such, all others as floats.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn new(source: &dyn Source, config: &ModelConfig) -> Result<Self, BadTensor> {
        Self::for_level(source, config, Level::detect())
    }

    /// [`Network::new`] for a chosen level.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn for_level(source: &dyn Source, config: &ModelConfig, level: Level) -> Result<Self, BadTensor> {
        let packer = Packer::new(source, level);
        let (width, cells) = (config.decoder.width, config.latents());
        let encoder = &config.encoder;
        Ok(Self {
            level,
            trunk: Trunk::new(&packer, STEM_CHANNELS, &STAGES, encoder.mean, encoder.std)?,
            head: match encoder.head {
                true => Some(packer.linear("encoder.head", TRUNK_CHANNELS, HEAD_CHANNELS)?),
                false => None,
            },
            embedding: packer.linear("encoder.embedding", feature_channels(encoder), width)?,
            gamma: packer.floats("encoder.embedding.norm.gamma", 1, width)?,
            beta: packer.floats("encoder.embedding.norm.beta", 1, width)?,
            position: packer.floats("encoder.embedding.position", cells, width)?,
            concepts: match &config.concepts {
                Some(concepts) => Some(Concepts::new(&packer, config, concepts)?),
                None => None,
            },
            decoder: Decoder::new(&packer, &config.decoder)?,
            memory_rows: config.memory_rows(),
            side: encoder.input_side,
            cells,
            width,
        })
    }

    /// Features (cells, channels) of a picture's pixels (side, side, RGB): what the embedding reads.
    ///
    /// # Panics
    /// If there are fewer pixels.
    pub fn features<'s>(&self, rgb: &[u8], scratch: &'s mut Scratch) -> &'s [f32] {
        let Scratch { trunk, widened, rounded, .. } = scratch;
        let features = self.trunk.forward(rgb, self.side, trunk);
        let Some(head) = &self.head else { return features };
        widened.grow(self.cells * HEAD_CHANNELS);
        head.rows(self.level, features, self.cells, rounded, widened, Finish::Relu6);
        &widened[..self.cells * HEAD_CHANNELS]
    }

    /// Embeds a picture's pixels (side, side, RGB) and looks for its words; [`Network::embeddings`] and [`Network::words`]
    /// have the result.
    ///
    /// # Panics
    /// If there are fewer pixels.
    pub fn embed(&self, rgb: &[u8], scratch: &mut Scratch) {
        let (len, rows) = (self.cells * self.width, self.memory_rows * self.width);
        // Taken out and put back: the features lie in the scratch too.
        let (mut rounded, mut embedded) =
            (std::mem::take(&mut scratch.embedding_rounded), std::mem::take(&mut scratch.embedded));
        embedded.grow(len);
        let features = self.features(rgb, scratch);
        self.embedding.rows(self.level, features, self.cells, &mut rounded, &mut embedded, Finish::Plain);
        if let Some(concepts) = &self.concepts {
            // Without a head of the encoder's own, the features are the trunk's and lie in its scratch.
            let Scratch { trunk, concepts: own, embeddings, .. } = &mut *scratch;
            embeddings.grow(rows);
            concepts.read(trunk.features(), self.cells, own, &mut embeddings[len..rows]);
        }
        scratch.embeddings.grow(rows);
        let out = &mut scratch.embeddings[..len];
        layer_norm(self.level, &embedded[..len], &self.gamma, &self.beta, out);
        out.iter_mut().zip(&self.position).for_each(|(x, position)| *x += position);
        (scratch.embedding_rounded, scratch.embedded) = (rounded, embedded);
    }

    /// Embeddings (cells, width) of the picture that was last embedded or started in this scratch.
    ///
    /// # Panics
    /// If there was none.
    pub fn embeddings<'s>(&self, scratch: &'s Scratch) -> &'s [f32] {
        &scratch.embeddings[..self.cells * self.width]
    }

    /// The likeliest words of the picture that was last embedded or started in this scratch; none if the network does not
    /// look for words.
    pub fn words<'s>(&self, scratch: &'s Scratch) -> Option<&'s Likeliest> {
        self.concepts.as_ref().map(|_| scratch.concepts.likeliest())
    }

    /// Prepares to describe a picture with at most `beams` beams.
    ///
    /// # Panics
    /// If there are fewer pixels than (side, side, RGB).
    pub fn start<'a>(&'a self, rgb: &[u8], beams: usize, scratch: &'a mut Scratch) -> Generation<'a> {
        self.embed(rgb, scratch);
        let memory = &scratch.embeddings[..self.memory_rows * self.width];
        self.decoder.start(memory, beams, &mut scratch.decoder)
    }
}
