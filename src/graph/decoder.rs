//! The decoder: a small pre-norm transformer (Vaswani et al. 2017, arXiv 1706.03762; pre-norm after Xiong et al.
//! 2020, arXiv 2002.04745) that reads a picture's embeddings and writes its caption a token at a time.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::get;
use super::kernels::attention::{Segment, attention};
use super::kernels::dropout::dropout;
use super::kernels::gelu::gelu;
use super::kernels::linear::{Activation, linear};
use super::layers::{Dense, Norm};
use crate::config::DecoderConfig;
use crate::layout;
use crate::search::{Hypothesis, Scorer, SearchOptions, search_with};

/// Draws dropout masks, each from a seed of its own; [`Dropout::off`] for inference.
pub struct Dropout {
    rate: f32,
    seed: u64,
}

impl Dropout {
    /// Drops values with probability `rate` (0..1); the same `seed` repeats the same masks in the same order.
    pub fn new(rate: f32, seed: u64) -> Self {
        Self { rate, seed }
    }

    /// Leaves everything as it is.
    pub fn off() -> Self {
        Self::new(0.0, 0)
    }

    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        self.seed = self.seed.wrapping_add(0xd1b5_4a32_d192_ed03);
        dropout(x, self.rate, self.seed)
    }
}

struct Attention {
    query: Dense,
    key: Dense,
    value: Dense,
    output: Dense,
    heads: usize,
}

impl Attention {
    fn new(vb: &VarBuilder, layout: &layout::Attention, heads: usize) -> Result<Self> {
        Ok(Self {
            query: Dense::new(vb, &layout.query)?,
            key: Dense::new(vb, &layout.key)?,
            value: Dense::new(vb, &layout.value)?,
            output: Dense::new(vb, &layout.output)?,
            heads,
        })
    }

    fn keys_and_values(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.key.forward(x)?, self.value.forward(x)?))
    }

    fn forward(&self, x: &Tensor, (k, v): &(Tensor, Tensor), segments: &[Segment]) -> Result<Tensor> {
        let read = attention(&self.query.forward(x)?, k, v, self.heads, segments)?;
        self.output.forward(&read)
    }
}

struct Layer {
    self_norm: Norm,
    self_attention: Attention,
    cross_norm: Norm,
    cross_attention: Attention,
    ffn_norm: Norm,
    ffn_up: Dense,
    ffn_down: Dense,
}

/// Keys and values of the tokens so far, one pair a layer, each (beams * tokens, width).
type Past = Vec<(Tensor, Tensor)>;

impl Layer {
    fn new(vb: &VarBuilder, layout: &layout::Layer, heads: usize) -> Result<Self> {
        Ok(Self {
            self_norm: Norm::new(vb, &layout.self_norm)?,
            self_attention: Attention::new(vb, &layout.self_attention, heads)?,
            cross_norm: Norm::new(vb, &layout.cross_norm)?,
            cross_attention: Attention::new(vb, &layout.cross_attention, heads)?,
            ffn_norm: Norm::new(vb, &layout.ffn_norm)?,
            ffn_up: Dense::new(vb, &layout.ffn_up)?,
            ffn_down: Dense::new(vb, &layout.ffn_down)?,
        })
    }

    /// `own` turns the new tokens' keys and values into those that they may read; without `memory` no picture is read.
    fn forward(
        &self,
        x: Tensor,
        own: impl FnOnce((Tensor, Tensor)) -> Result<(Tensor, Tensor)>,
        own_segments: &[Segment],
        memory: Option<(&(Tensor, Tensor), &[Segment])>,
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        let normed = self.self_norm.forward(&x)?;
        let own = own(self.self_attention.keys_and_values(&normed)?)?;
        let mut x = (&x + dropout.apply(&self.self_attention.forward(&normed, &own, own_segments)?)?)?;
        if let Some((memory, segments)) = memory {
            let normed = self.cross_norm.forward(&x)?;
            let read = self.cross_attention.forward(&normed, memory, segments)?;
            x = (&x + dropout.apply(&read)?)?;
        }
        let hidden = gelu(&self.ffn_up.forward(&self.ffn_norm.forward(&x)?)?)?;
        let hidden = dropout.apply(&hidden)?;
        &x + dropout.apply(&self.ffn_down.forward(&hidden)?)?
    }
}

/// Captions to be scored against their pictures, all their tokens one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBatch {
    /// What the decoder reads: the start token, then the caption's tokens.
    pub inputs: Vec<u32>,
    /// What it should say next: the caption's tokens, then the end token.
    pub targets: Vec<u32>,
    /// Place of each token in its caption.
    positions: Vec<u32>,
    own: Vec<Segment>,
    memory: Vec<Segment>,
}

impl TokenBatch {
    /// A batch of pictures, each with any number of captions (token ids without start and end) and `latents`
    /// embeddings. Captions are cut to `max_tokens - 1` tokens.
    pub fn new<C: AsRef<[u32]>>(pictures: &[Vec<C>], latents: usize, max_tokens: usize) -> Self {
        let memory: Vec<_> = (0..pictures.len()).map(|i| i * latents..(i + 1) * latents).collect();
        Self::reading(pictures, &memory, max_tokens)
    }

    /// [`TokenBatch::new`] with the rows of the memory that the captions of each picture read: in order, no two
    /// overlapping, none empty.
    pub fn reading<C: AsRef<[u32]>>(
        pictures: &[Vec<C>],
        memory: &[std::ops::Range<usize>],
        max_tokens: usize,
    ) -> Self {
        let mut batch = Self::default();
        for (captions, keys) in pictures.iter().zip(memory) {
            let first = batch.inputs.len();
            for caption in captions {
                let words = caption.as_ref();
                let words = &words[..words.len().min(max_tokens - 1)];
                let start = batch.inputs.len();
                batch.inputs.push(crate::vocab::START);
                batch.inputs.extend(words);
                batch.targets.extend(words);
                batch.targets.push(crate::vocab::END);
                let rows = start..batch.inputs.len();
                batch.positions.extend(0..rows.len() as u32);
                batch.own.push(Segment { queries: rows.clone(), keys: rows, causal: true });
            }
            if batch.inputs.len() > first {
                let keys = keys.clone();
                batch.memory.push(Segment { queries: first..batch.inputs.len(), keys, causal: false });
            }
        }
        batch
    }
}

/// The transformer with its word embedding, which is also its output matrix.
pub struct Decoder {
    embedding: Tensor,
    position: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    output_bias: Tensor,
    width: usize,
}

impl Decoder {
    pub(crate) fn of(vb: &VarBuilder, layout: &layout::Decoder, config: &DecoderConfig) -> Result<Self> {
        let layer = |layer| Layer::new(vb, layer, config.heads);
        Ok(Self {
            embedding: get(vb, &layout.words)?,
            position: get(vb, &layout.position)?,
            layers: layout.layers.iter().map(layer).collect::<Result<_>>()?,
            norm: Norm::new(vb, &layout.norm)?,
            output_bias: get(vb, &layout.output_bias)?,
            width: config.width,
        })
    }

    /// The embeddings (tokens, width) of words, without their places.
    pub(crate) fn words(&self, tokens: &[u32]) -> Result<Tensor> {
        self.embedding.index_select(&Tensor::new(tokens, self.embedding.device())?, 0)
    }

    fn embed(&self, tokens: &[u32], positions: &[u32]) -> Result<Tensor> {
        let device = self.embedding.device();
        let words = self.words(tokens)?;
        let places = self.position.index_select(&Tensor::new(positions, device)?, 0)?;
        words + places
    }

    fn logits(&self, x: &Tensor, output_weight: &Tensor) -> Result<Tensor> {
        linear(&self.norm.forward(x)?, output_weight, &self.output_bias, Activation::None)
    }

    fn output_weight(&self) -> Result<Tensor> {
        self.embedding.t()?.contiguous()
    }

    /// Logits (tokens, vocabulary) of every next token of `batch`, given the embeddings (batch, latents, width).
    ///
    /// # Errors
    /// If a token is outside the vocabulary or shapes do not fit.
    pub fn forward(&self, batch: &TokenBatch, embeddings: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        self.forward_rows(batch, &embeddings.flatten(0, 1)?, dropout)
    }

    /// [`Decoder::forward`] with the rows of the memory (rows, width) one after the other, as
    /// [`TokenBatch::reading`] counted them.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn forward_rows(&self, batch: &TokenBatch, memory: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        let mut x = dropout.apply(&self.embed(&batch.inputs, &batch.positions)?)?;
        for layer in &self.layers {
            let read = layer.cross_attention.keys_and_values(memory)?;
            x = layer.forward(x, Ok, &batch.own, Some((&read, &batch.memory)), dropout)?;
        }
        self.logits(&x, &self.output_weight()?)
    }

    /// Logits (tokens, vocabulary) of every next token of `batch` when there is no picture to look at: the decoder as
    /// a language model. Attention to pictures is left out.
    ///
    /// # Errors
    /// If a token is outside the vocabulary.
    pub fn forward_text(&self, batch: &TokenBatch, dropout: &mut Dropout) -> Result<Tensor> {
        let mut x = dropout.apply(&self.embed(&batch.inputs, &batch.positions)?)?;
        for layer in &self.layers {
            x = layer.forward(x, Ok, &batch.own, None, dropout)?;
        }
        self.logits(&x, &self.output_weight()?)
    }

    /// Prepares to describe one picture, given its embeddings (latents, width).
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn start(&self, embeddings: &Tensor) -> Result<Generation<'_>> {
        self.start_all(&embeddings.unsqueeze(0)?)
    }

    /// Prepares to describe several pictures side by side, given their embeddings (pictures, latents, width).
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn start_all(&self, embeddings: &Tensor) -> Result<Generation<'_>> {
        let latents = embeddings.dim(1)?;
        let embeddings = embeddings.flatten(0, 1)?;
        let memory = self
            .layers
            .iter()
            .map(|l| l.cross_attention.keys_and_values(&embeddings))
            .collect::<Result<_>>()?;
        let output_weight = self.output_weight()?;
        Ok(Generation { decoder: self, memory, latents, output_weight, past: Vec::new(), position: 0 })
    }
}

/// Captions in the making: what the decoder has read and written so far.
pub struct Generation<'a> {
    decoder: &'a Decoder,
    /// Keys and values of the pictures, computed once, one pair a layer.
    memory: Past,
    /// Rows of `memory` for each picture.
    latents: usize,
    output_weight: Tensor,
    past: Past,
    position: u32,
}

impl Generation<'_> {
    /// Gives each beam of one picture its next token and returns the logits (beams, vocabulary) of the one after.
    ///
    /// `parents` tells which earlier beam each one goes on from; it is ignored at the first step.
    ///
    /// # Errors
    /// If a token is outside the vocabulary, a parent is no earlier beam, or the longest caption is exceeded.
    pub fn step(&mut self, tokens: &[u32], parents: &[u32]) -> Result<Tensor> {
        self.step_all(tokens, parents, &[tokens.len()])
    }

    /// [`Generation::step`] for several pictures: the beams of each lie together, `beams_of[i]` of picture `i`.
    ///
    /// # Errors
    /// As [`Generation::step`], and if `beams_of` does not add up to the beams or has more pictures than there are.
    pub fn step_all(&mut self, tokens: &[u32], parents: &[u32], beams_of: &[usize]) -> Result<Tensor> {
        let decoder = self.decoder;
        let beams = tokens.len();
        let length = self.position as usize + 1;
        let own: Vec<_> = (0..beams)
            .map(|b| Segment { queries: b..b + 1, keys: b * length..(b + 1) * length, causal: false })
            .collect();
        let mut memory_segments = Vec::with_capacity(beams_of.len());
        let mut next = 0;
        for (picture, &count) in beams_of.iter().enumerate().filter(|(_, count)| **count > 0) {
            let keys = picture * self.latents..(picture + 1) * self.latents;
            memory_segments.push(Segment { queries: next..next + count, keys, causal: false });
            next += count;
        }
        let mut x = decoder.embed(tokens, &vec![self.position; beams])?;
        let parents = Tensor::new(parents, x.device())?;
        let past = std::mem::take(&mut self.past);
        let mut past = past.into_iter();
        for (layer, memory) in decoder.layers.iter().zip(&self.memory) {
            let earlier = past.next();
            let append = |(k, v)| -> Result<(Tensor, Tensor)> {
                let (k, v) = match earlier {
                    None => (k, v),
                    Some((earlier_k, earlier_v)) => {
                        let join = |earlier: Tensor, new: Tensor| -> Result<Tensor> {
                            let earlier = earlier.reshape(((), length - 1, decoder.width))?;
                            let earlier = earlier.index_select(&parents, 0)?;
                            Tensor::cat(&[earlier, new.unsqueeze(1)?], 1)?.flatten(0, 1)
                        };
                        (join(earlier_k, k)?, join(earlier_v, v)?)
                    }
                };
                self.past.push((k.clone(), v.clone()));
                Ok((k, v))
            };
            x = layer.forward(x, append, &own, Some((memory, &memory_segments)), &mut Dropout::off())?;
        }
        self.position += 1;
        decoder.logits(&x, &self.output_weight)
    }
}

impl Scorer for Generation<'_> {
    type Error = candle_core::Error;

    fn step(&mut self, tokens: &[u32], parents: &[u32], read: impl FnOnce(&mut [f32])) -> Result<()> {
        read(&mut Generation::step(self, tokens, parents)?.flatten_all()?.to_vec1()?);
        Ok(())
    }
}

/// The best caption found for what the decoder reads of one picture (rows, width).
///
/// # Errors
/// If the memory does not fit the decoder or `options.max_tokens` exceeds what it was built for.
pub fn search(decoder: &Decoder, memory: &Tensor, options: SearchOptions) -> Result<Hypothesis> {
    search_with(&mut decoder.start(memory)?, options)
}
