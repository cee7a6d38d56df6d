//! The network for inference: packed weights, no tensors, no graph, and no allocation once everything has been met
//! once. What it computes is described by [`crate::layout`]; a test holds it together with the graph that trains.

pub mod concepts;
pub mod decoder;
mod linear;
pub mod source;
pub mod textures;
pub mod trunk;

use crate::config::ModelConfig;
use crate::kernels::{Buffer, Finish, Level};
use crate::layout;
use crate::likeliest::Likeliest;

use concepts::Concepts;
use decoder::{Decoder, Generation};
use linear::{Linear, Norm, Rounded};
use source::{BadTensor, Packer, Source};
use trunk::Trunk;

/// Trunk, embedding, concept head and decoder, packed for this processor.
pub struct Network {
    level: Level,
    trunk: Trunk,
    head: Option<Linear>,
    embedding: Linear,
    norm: Norm,
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
        let layout = layout::Network::new(config);
        let encoder = &config.encoder;
        Ok(Self {
            level,
            trunk: Trunk::new(&packer, &layout.trunk, encoder.mean, encoder.std)?,
            head: layout.trunk.head.as_ref().map(|head| packer.linear(head)).transpose()?,
            embedding: packer.linear(&layout.embedding.project)?,
            norm: packer.norm(&layout.embedding.norm)?,
            position: packer.floats(&layout.embedding.position)?,
            concepts: match (&layout.concepts, &config.concepts) {
                (Some(own), Some(config)) => Some(Concepts::new(&packer, own, &layout.decoder, config)?),
                _ => None,
            },
            decoder: Decoder::new(&packer, &layout.decoder, &config.decoder)?,
            memory_rows: config.memory_rows(),
            side: encoder.input_side,
            cells: config.latents(),
            width: config.decoder.width,
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
        widened.grow(self.cells * layout::HEAD_CHANNELS);
        head.rows(self.level, features, self.cells, rounded, widened, Finish::Relu6);
        &widened[..self.cells * layout::HEAD_CHANNELS]
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
        self.norm.forward(self.level, &embedded[..len], out);
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

    /// What the concept head found for each of its words in the picture that was last embedded or started in this scratch, as
    /// logits; nothing if the network does not look for words.
    pub fn concept_logits<'s>(&self, scratch: &'s Scratch) -> &'s [f32] {
        self.concepts.as_ref().map_or(&[], |concepts| concepts.logits(&scratch.concepts))
    }

    /// How much each cell of the picture that was last embedded or started in this scratch shows of the words at `places` of
    /// the concepts: a row of cells, row by row from the top left, for each word. Nothing if the network does not look for
    /// words.
    pub fn cells(&self, places: &[u32], scratch: &mut Scratch) -> Vec<Vec<f32>> {
        let Some(concepts) = &self.concepts else { return Vec::new() };
        let Scratch { trunk, concepts: own, .. } = scratch;
        concepts.cells(trunk.features(), self.cells, places, own)
    }

    /// What the surface of the picture is like that was last embedded or started in this scratch:
    /// [`layout::TEXTURE_CHANNELS`] values, of which each block of [`layout::TEXTURE_BLOCKS`] has its channels' means and then
    /// their standard deviations.
    pub fn textures<'s>(&self, scratch: &'s Scratch) -> &'s [f32] {
        scratch.trunk.textures()
    }

    /// Prepares to describe a picture with at most `beams` beams.
    ///
    /// # Panics
    /// If there are fewer pixels than (side, side, RGB).
    pub fn start<'a>(&'a self, rgb: &[u8], beams: usize, scratch: &'a mut Scratch) -> Generation<'a> {
        self.embed(rgb, scratch);
        self.start_embedded(beams, scratch)
    }

    /// [`Network::start`] for the picture that was last embedded in this scratch.
    ///
    /// # Panics
    /// If there was none.
    pub fn start_embedded<'a>(&'a self, beams: usize, scratch: &'a mut Scratch) -> Generation<'a> {
        let memory = &scratch.embeddings[..self.memory_rows * self.width];
        self.decoder.start(memory, beams, &mut scratch.decoder)
    }
}
