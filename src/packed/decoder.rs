//! The decoder as in [`crate::decoder`], which describes and trains it, on packed weights: a step for all beams at once.

use super::source::{BadTensor, Linear, Packer, Rounded, Table};
use crate::config::DecoderConfig;
use crate::kernels::packed::{Buffer, Finish, Level, Memory, attend, gelu, layer_norm};

struct Norm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Norm {
    fn new(packer: &Packer, name: &str, width: usize) -> Result<Self, BadTensor> {
        Ok(Self {
            gamma: packer.floats(&format!("{name}.gamma"), 1, width)?,
            beta: packer.floats(&format!("{name}.beta"), 1, width)?,
        })
    }

    fn forward(&self, level: Level, x: &[f32], out: &mut [f32]) {
        layer_norm(level, x, &self.gamma, &self.beta, out);
    }
}

struct Layer {
    self_norm: Norm,
    /// Query, key and value of a token, side by side.
    own: Linear,
    self_output: Linear,
    cross_norm: Norm,
    query: Linear,
    /// Key and value of a cell of the picture, side by side.
    memory: Linear,
    cross_output: Linear,
    ffn_norm: Norm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn new(packer: &Packer, name: &str, width: usize, ffn_width: usize) -> Result<Self, BadTensor> {
        let norm = |part| Norm::new(packer, &format!("{name}.{part}"), width);
        let linear = |part, inputs, outputs| packer.linear(&format!("{name}.{part}"), inputs, outputs);
        let joined = |parts: &[&str]| {
            let names: Vec<String> = parts.iter().map(|part| format!("{name}.{part}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            packer.side_by_side(&names, width, width)
        };
        Ok(Self {
            self_norm: norm("self_norm")?,
            own: joined(&["self_attention.query", "self_attention.key", "self_attention.value"])?,
            self_output: linear("self_attention.output", width, width)?,
            cross_norm: norm("cross_norm")?,
            query: linear("cross_attention.query", width, width)?,
            memory: joined(&["cross_attention.key", "cross_attention.value"])?,
            cross_output: linear("cross_attention.output", width, width)?,
            ffn_norm: norm("ffn_norm")?,
            up: linear("ffn_up", width, ffn_width)?,
            down: linear("ffn_down", ffn_width, width)?,
        })
    }
}

/// The packed decoder.
pub struct Decoder {
    level: Level,
    words: Table,
    positions: Table,
    layers: Vec<Layer>,
    norm: Norm,
    output: Linear,
    config: DecoderConfig,
}

/// Memory that the decoder works in; grows to what the widest beam needs, and stays.
#[derive(Default)]
pub struct Scratch {
    /// Keys and values of the picture's cells, one buffer a layer.
    memory: Vec<Buffer<f32>>,
    /// Queries, keys and values of the tokens so far, one buffer a layer: a row for each beam of each step.
    own: Vec<Buffer<f32>>,
    /// Which rows of `own` each beam goes back to: `max_tokens` for each beam, and room to reorder them.
    history: Vec<u32>,
    reordered: Vec<u32>,
    /// All cells of the picture.
    cells: Vec<u32>,
    x: Buffer<f32>,
    next: Buffer<f32>,
    normed: Buffer<f32>,
    read: Buffer<f32>,
    query: Buffer<f32>,
    hidden: Buffer<f32>,
    scores: Buffer<f32>,
    logits: Buffer<f32>,
    rounded: Rounded,
}

impl Decoder {
    /// Packs the tensors `decoder.*`.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn new(packer: &Packer, config: &DecoderConfig) -> Result<Self, BadTensor> {
        let DecoderConfig { layers, width, ffn_width, max_tokens, vocab_size, .. } = *config;
        let words = "decoder.embedding.weight";
        Ok(Self {
            level: packer.level,
            words: packer.table(words, vocab_size, width)?,
            positions: packer.table("decoder.position.weight", max_tokens, width)?,
            layers: (0..layers)
                .map(|i| Layer::new(packer, &format!("decoder.layers.{i}"), width, ffn_width))
                .collect::<Result<_, _>>()?,
            norm: Norm::new(packer, "decoder.norm", width)?,
            output: packer.transposed(words, "decoder.output.bias", vocab_size, width)?,
            config: config.clone(),
        })
    }

    /// Prepares to describe a picture with at most `beams` beams, given what is read of it: its embeddings
    /// (cells, width), and maybe rows of words after them.
    ///
    /// # Panics
    /// If there are no embeddings.
    pub fn start<'a>(&'a self, embeddings: &[f32], beams: usize, scratch: &'a mut Scratch) -> Generation<'a> {
        let (width, longest) = (self.config.width, self.config.max_tokens);
        let cells = embeddings.len() / width;
        assert!(cells > 0, "nothing to describe");
        let s = &mut *scratch;
        s.memory.resize_with(self.layers.len(), Buffer::default);
        s.own.resize_with(self.layers.len(), Buffer::default);
        for (layer, memory) in self.layers.iter().zip(&mut s.memory) {
            memory.grow(cells * 2 * width);
            layer.memory.rows(self.level, embeddings, cells, &mut s.rounded, memory, Finish::Plain);
        }
        s.own.iter_mut().for_each(|own| own.grow(longest * beams * 3 * width));
        s.cells.clear();
        s.cells.extend(0..cells as u32);
        for history in [&mut s.history, &mut s.reordered] {
            history.clear();
            history.resize(beams * longest, 0);
        }
        for rows in [&mut s.x, &mut s.next, &mut s.normed, &mut s.read, &mut s.query] {
            rows.grow(beams * width);
        }
        s.hidden.grow(beams * self.config.ffn_width);
        s.scores.grow(cells.max(longest));
        s.logits.grow(beams * self.config.vocab_size);
        Generation { decoder: self, scratch, beams, position: 0 }
    }
}

/// Captions in the making.
pub struct Generation<'a> {
    decoder: &'a Decoder,
    scratch: &'a mut Scratch,
    beams: usize,
    position: usize,
}

impl Generation<'_> {
    /// The processor that the decoder was packed for.
    pub fn level(&self) -> Level {
        self.decoder.level
    }

    /// Gives each beam its next token and returns the logits (beams, vocabulary) of the one after.
    ///
    /// `parents` tells which earlier beam each one goes on from; it is ignored at the first step.
    ///
    /// # Panics
    /// If there are more beams or steps than was said, or no such token or parent.
    pub fn step(&mut self, tokens: &[u32], parents: &[u32]) -> &mut [f32] {
        let Self { decoder, ref mut scratch, beams: most, position } = *self;
        let DecoderConfig { width, heads, ffn_width, max_tokens: longest, vocab_size, .. } = decoder.config;
        let (level, beams, s) = (decoder.level, tokens.len(), &mut **scratch);
        assert!((1..=most).contains(&beams) && position < longest, "more beams or steps than was said");

        assert!(position == 0 || parents.len() == beams, "each beam has a parent");
        for (beam, to) in s.reordered.chunks_exact_mut(longest).take(beams).enumerate() {
            let to = &mut to[..=position];
            if position > 0 {
                let parent = parents[beam] as usize;
                to[..position].copy_from_slice(&s.history[parent * longest..][..position]);
            }
            to[position] = (position * most + beam) as u32;
        }
        std::mem::swap(&mut s.history, &mut s.reordered);

        let values = beams * width;
        s.x[..values].fill(0.0);
        for (x, &token) in s.x.chunks_exact_mut(width).zip(tokens) {
            decoder.words.add_row(token as usize, x);
            decoder.positions.add_row(position, x);
        }
        for ((layer, own), memory) in decoder.layers.iter().zip(&mut s.own).zip(&s.memory) {
            let row = 3 * width;
            layer.self_norm.forward(level, &s.x[..values], &mut s.normed[..values]);
            let new = &mut own[position * most * row..];
            layer.own.rows(level, &s.normed, beams, &mut s.rounded, new, Finish::Plain);
            for beam in 0..beams {
                let query = &own[(position * most + beam) * row..][..width];
                let rows = &s.history[beam * longest..][..=position];
                let memory = Memory { keys: &own[width..], values: &own[2 * width..], stride: row, rows };
                attend(level, query, memory, heads, &mut s.scores, &mut s.read[beam * width..]);
            }
            let finish = Finish::Add(&s.x);
            layer.self_output.rows(level, &s.read, beams, &mut s.rounded, &mut s.next, finish);
            std::mem::swap(&mut s.x, &mut s.next);

            layer.cross_norm.forward(level, &s.x[..values], &mut s.normed[..values]);
            layer.query.rows(level, &s.normed, beams, &mut s.rounded, &mut s.query, Finish::Plain);
            for beam in 0..beams {
                let query = &s.query[beam * width..][..width];
                let memory =
                    Memory { keys: memory, values: &memory[width..], stride: 2 * width, rows: &s.cells };
                attend(level, query, memory, heads, &mut s.scores, &mut s.read[beam * width..]);
            }
            let finish = Finish::Add(&s.x);
            layer.cross_output.rows(level, &s.read, beams, &mut s.rounded, &mut s.next, finish);
            std::mem::swap(&mut s.x, &mut s.next);

            layer.ffn_norm.forward(level, &s.x[..values], &mut s.normed[..values]);
            layer.up.rows(level, &s.normed, beams, &mut s.rounded, &mut s.hidden, Finish::Plain);
            gelu(level, &mut s.hidden[..beams * ffn_width]);
            let finish = Finish::Add(&s.x);
            layer.down.rows(level, &s.hidden, beams, &mut s.rounded, &mut s.next, finish);
            std::mem::swap(&mut s.x, &mut s.next);
        }
        decoder.norm.forward(level, &s.x[..values], &mut s.normed[..values]);
        decoder.output.rows(level, &s.normed, beams, &mut s.rounded, &mut s.logits, Finish::Plain);
        self.position += 1;
        &mut s.logits[..beams * vocab_size]
    }
}
