//! The decoder: a small pre-norm transformer (Vaswani et al. 2017, arXiv 1706.03762; pre-norm after Xiong et al.
//! 2020, arXiv 2002.04745) that reads a picture's embeddings and writes its caption a token at a time.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::config::DecoderConfig;
use crate::kernels::attention::{Segment, attention};
use crate::kernels::dropout::dropout;
use crate::kernels::gelu::gelu;
use crate::kernels::layer_norm::layer_norm;
use crate::kernels::linear::{Activation, linear};

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

pub(crate) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    pub(crate) fn new(vb: VarBuilder, inputs: usize, outputs: usize, gain: f64) -> Result<Self> {
        Self::with_bias(vb, inputs, outputs, gain, 0.0)
    }

    /// A layer whose bias starts at `bias`.
    pub(crate) fn with_bias(
        vb: VarBuilder,
        inputs: usize,
        outputs: usize,
        gain: f64,
        bias: f64,
    ) -> Result<Self> {
        let stdev = gain * (1.0 / inputs as f64).sqrt();
        Ok(Self {
            weight: vb.get_with_hints((inputs, outputs), "weight", Init::Randn { mean: 0.0, stdev })?,
            bias: vb.get_with_hints(outputs, "bias", Init::Const(bias))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, &self.bias, Activation::None)
    }
}

pub(crate) struct Norm {
    gamma: Tensor,
    beta: Tensor,
}

impl Norm {
    pub(crate) fn new(vb: VarBuilder, width: usize) -> Result<Self> {
        Ok(Self {
            gamma: vb.get_with_hints(width, "gamma", Init::Const(1.0))?,
            beta: vb.get_with_hints(width, "beta", Init::Const(0.0))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm(x, &self.gamma, &self.beta)
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
    fn new(vb: VarBuilder, config: &DecoderConfig, output_gain: f64) -> Result<Self> {
        let dense = |name, gain| Dense::new(vb.pp(name), config.width, config.width, gain);
        Ok(Self {
            query: dense("query", 1.0)?,
            key: dense("key", 1.0)?,
            value: dense("value", 1.0)?,
            output: dense("output", output_gain)?,
            heads: config.heads,
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
    fn new(vb: VarBuilder, config: &DecoderConfig) -> Result<Self> {
        // Each layer adds to the residual stream three times: smaller steps keep its variance near one (GPT-2).
        let output_gain = (1.0 / (3 * config.layers) as f64).sqrt();
        Ok(Self {
            self_norm: Norm::new(vb.pp("self_norm"), config.width)?,
            self_attention: Attention::new(vb.pp("self_attention"), config, output_gain)?,
            cross_norm: Norm::new(vb.pp("cross_norm"), config.width)?,
            cross_attention: Attention::new(vb.pp("cross_attention"), config, output_gain)?,
            ffn_norm: Norm::new(vb.pp("ffn_norm"), config.width)?,
            ffn_up: Dense::new(vb.pp("ffn_up"), config.width, config.ffn_width, 1.0)?,
            ffn_down: Dense::new(vb.pp("ffn_down"), config.ffn_width, config.width, output_gain)?,
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
    /// Takes the decoder's tensors from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: VarBuilder, config: &DecoderConfig) -> Result<Self> {
        let width = config.width;
        let layers =
            (0..config.layers).map(|i| Layer::new(vb.pp("layers").pp(i), config)).collect::<Result<_>>()?;
        let small = Init::Randn { mean: 0.0, stdev: (1.0 / width as f64).sqrt() };
        Ok(Self {
            embedding: vb.get_with_hints((config.vocab_size, width), "embedding.weight", small)?,
            position: vb.get_with_hints((config.max_tokens, width), "position.weight", small)?,
            layers,
            norm: Norm::new(vb.pp("norm"), width)?,
            output_bias: vb.get_with_hints(config.vocab_size, "output.bias", Init::Const(0.0))?,
            width,
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
