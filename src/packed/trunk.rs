//! The trunk of [`crate::layout`], EfficientNet-Lite0, on packed weights.
//!
//! A block is worked through in bands of lines, so that its sixfold expansion stays in a near cache and is never whole.

use super::linear::Linear;
use super::source::{BadTensor, Packer};
use super::textures::Textures;
use crate::kernels::{Buffer, Depthwise, Finish, Level, Matrix, Placement, Sink, quantise};
use crate::layout::{self, PIXEL_CHANNELS, STEM_KERNEL, STEM_STRIDE, TEXTURE_BLOCKS, Window};

/// Values of the expansion that are kept at a time, unless a block's lines need more.
const BAND: usize = 40 << 10;

/// What the depthwise convolution of a block reads.
enum Expand {
    /// The first block: the windows of the picture.
    Stem { matrix: Matrix, levels: Box<[[f32; 256]; 3]> },
    /// All others: the block's input.
    Linear(Linear),
}

struct Block {
    expand: Expand,
    filter: Depthwise,
    project: Linear,
    channels: usize,
    out: usize,
    residual: bool,
}

/// The packed trunk.
pub struct Trunk {
    level: Level,
    blocks: Vec<Block>,
}

/// Memory that the trunk works in; grows to what the largest picture needs, and stays.
#[derive(Default)]
pub struct Scratch {
    input: Buffer<f32>,
    output: Buffer<f32>,
    rounded: Buffer<i16>,
    expanded: Buffer<f32>,
    filtered: Buffer<f32>,
    filtered_rounded: Buffer<i16>,
    columns: Buffer<f32>,
    textures: Textures,
}

impl Scratch {
    /// What the last [`Trunk::forward`] gave, and maybe values of earlier ones after it.
    pub fn features(&self) -> &[f32] {
        &self.input
    }

    /// What the surface of the last picture is like.
    pub fn textures(&self) -> &[f32] {
        self.textures.values()
    }
}

impl Trunk {
    /// Packs the trunk's tensors; pixel values are normalised by `mean` and `std`.
    ///
    /// # Errors
    /// If a tensor is not there, or a block is of a kind that there are no kernels for.
    pub fn new(
        packer: &Packer,
        layout: &layout::Trunk,
        mean: [f32; PIXEL_CHANNELS],
        std: [f32; PIXEL_CHANNELS],
    ) -> Result<Self, BadTensor> {
        let layout::Linear { inputs, outputs, .. } = layout.stem;
        let stem = packer.floats(&layout.stem.weight())?;
        let bias = packer.floats(&layout.stem.bias())?;
        // The file has taps in the order (row, column, channel), the windows in that of (column, row, channel).
        let tap = |k: usize| {
            let (column, row) = (k / (PIXEL_CHANNELS * STEM_KERNEL), k / PIXEL_CHANNELS % STEM_KERNEL);
            (row * STEM_KERNEL + column) * PIXEL_CHANNELS + k % PIXEL_CHANNELS
        };
        let matrix = Matrix::pack(packer.level, inputs, &bias, |k, n| stem[tap(k) * outputs + n]);
        let mut levels = Box::new([[0f32; 256]; PIXEL_CHANNELS]);
        for (c, levels) in levels.iter_mut().enumerate() {
            for (value, level) in levels.iter_mut().enumerate() {
                *level = (value as f32 - mean[c]) / std[c];
            }
        }
        let mut stem = Some(Expand::Stem { matrix, levels });
        let mut blocks = Vec::with_capacity(layout.blocks.len());
        for block in &layout.blocks {
            // The first block does not expand: what the others have there, it has in the stem.
            let expand = match (&block.expand, stem.take()) {
                (None, Some(stem)) => stem,
                (Some(expand), None) => Expand::Linear(packer.linear(expand)?),
                _ => return Err(BadTensor(block.depthwise.name.clone())),
            };
            let (taps, bias) = (block.depthwise.weight(), block.depthwise.bias());
            let filter = Depthwise::new(
                packer.level,
                block.kernel,
                block.stride,
                &packer.floats(&taps)?,
                &packer.floats(&bias)?,
            );
            blocks.push(Block {
                expand,
                filter: filter.ok_or(BadTensor(taps.name))?,
                project: packer.linear(&block.project)?,
                channels: block.channels,
                out: block.project.outputs,
                residual: block.residual,
            });
        }
        Ok(Self { level: packer.level, blocks })
    }

    /// Pixels `rgb` (side, side, 3) to features (side / 32, side / 32, channels), which lie in the scratch.
    ///
    /// # Panics
    /// If there are fewer than `side * side` pixels, or the side is odd.
    pub fn forward<'s>(&self, rgb: &[u8], side: usize, scratch: &'s mut Scratch) -> &'s [f32] {
        assert!(rgb.len() >= side * side * 3 && side.is_multiple_of(STEM_STRIDE), "the picture does not fit");
        let mut side = side / STEM_STRIDE;
        let mut len = 0;
        scratch.textures.clear();
        for (place, block) in self.blocks.iter().enumerate() {
            side = block.forward(self.level, rgb, side, scratch);
            std::mem::swap(&mut scratch.input, &mut scratch.output);
            len = side * side * block.out;
            if TEXTURE_BLOCKS.contains(&place) {
                scratch.textures.add(&scratch.input[..len], block.out);
            }
        }
        &scratch.input[..len]
    }
}

impl Block {
    /// Works from `scratch.input` (or, in the first block, from the picture) to `scratch.output`; returns its side.
    fn forward(&self, level: Level, rgb: &[u8], side: usize, scratch: &mut Scratch) -> usize {
        let (kernel, stride, wide) = (self.filter.kernel(), self.filter.stride(), self.filter.channels());
        let axis = Window::same(side, kernel, stride);
        let line = (axis.before + axis.input + axis.after) * wide;
        let held = (BAND / line).max(kernel + stride);
        let band = ((held - (kernel - stride)) / stride).min(axis.output);
        let held = (band - 1) * stride + kernel;

        scratch.expanded.grow(held * line);
        for line in scratch.expanded.chunks_exact_mut(line).take(held) {
            line[..axis.before * wide].fill(0.0);
            line[(axis.before + axis.input) * wide..].fill(0.0);
        }
        let input = axis.input * axis.input * self.channels;
        let step = match &self.expand {
            Expand::Linear(Linear::Int8(matrix)) => {
                scratch.rounded.grow(input);
                quantise(level, &scratch.input[..input], matrix.limit(), &mut scratch.rounded)
            }
            _ => 0.0,
        };
        scratch.output.grow(axis.output * axis.output * self.out);

        // Lines `first..end` of the expansion lie in `expanded`.
        let (mut first, mut end) = (0, 0);
        let mut from = 0;
        while from < axis.output {
            let to = (from + band).min(axis.output);
            let needed = (from * stride).saturating_sub(axis.before);
            let needed_end = ((to - 1) * stride + kernel - axis.before).min(axis.input);
            if needed < end {
                scratch.expanded.copy_within((needed - first) * line..(end - first) * line, 0);
            } else {
                end = needed;
            }
            first = needed;
            self.expand(rgb, axis, end..needed_end, first, step, scratch);
            end = needed_end;
            self.filter(axis, from..to, first, scratch);
            self.project(axis, from..to, scratch);
            from = to;
        }
        axis.output
    }

    /// Computes `lines` of the expansion; line `first` is the first that is held.
    fn expand(
        &self,
        rgb: &[u8],
        axis: Window,
        lines: std::ops::Range<usize>,
        first: usize,
        step: f32,
        scratch: &mut Scratch,
    ) {
        let wide = self.filter.channels();
        let line = (axis.before + axis.input + axis.after) * wide;
        let place = Placement { per_line: axis.input, line, row: wide };
        let out = &mut scratch.expanded[(lines.start - first) * line + axis.before * wide..];
        let (rows, at) = (lines.len() * axis.input, lines.start * axis.input * self.channels);
        match &self.expand {
            Expand::Linear(Linear::F32(matrix)) => {
                let x = &scratch.input[at..];
                matrix.multiply(x, self.channels, rows, out, place, Finish::Relu6);
            }
            Expand::Linear(Linear::Int8(matrix)) => {
                let x = &scratch.rounded[at..];
                matrix.multiply(x, &[step], rows, out, place, Finish::Relu6);
            }
            Expand::Stem { matrix, levels } => {
                let side = axis.input * STEM_STRIDE;
                scratch.columns.grow((side + 1) * COLUMN);
                for (i, oh) in lines.enumerate() {
                    columns(rgb, side, STEM_STRIDE * oh, levels, &mut scratch.columns);
                    let (x, stride) = (&scratch.columns, STEM_STRIDE * COLUMN);
                    matrix.multiply(x, stride, axis.input, &mut out[i * line..], place, Finish::Relu6);
                }
            }
        }
    }

    /// Lines `lines` of the depthwise convolution, as the projection wants them.
    fn filter(&self, axis: Window, lines: std::ops::Range<usize>, first: usize, scratch: &mut Scratch) {
        let wide = self.filter.channels();
        let line = (axis.before + axis.input + axis.after) * wide;
        let width = axis.output * wide;
        let scale = match &self.project {
            Linear::Int8(matrix) => {
                scratch.filtered_rounded.grow(lines.len() * width);
                matrix.limit() / 6.0
            }
            Linear::F32(_) => {
                scratch.filtered.grow(lines.len() * width);
                0.0
            }
        };
        for (i, oh) in lines.enumerate() {
            let (taps, top) = axis.taps(oh);
            let x = &scratch.expanded[(top - first) * line..];
            let sink = match &self.project {
                Linear::F32(_) => Sink::F32(&mut scratch.filtered[i * width..]),
                Linear::Int8(_) => Sink::I16(&mut scratch.filtered_rounded[i * width..], scale),
            };
            self.filter.line(x, line, taps.len(), taps.start, axis.output, sink);
        }
    }

    fn project(&self, axis: Window, lines: std::ops::Range<usize>, scratch: &mut Scratch) {
        let rows = lines.len() * axis.output;
        let at = lines.start * axis.output * self.out;
        let place = Placement::dense(self.out);
        let finish = if self.residual { Finish::Add(&scratch.input[at..]) } else { Finish::Plain };
        let out = &mut scratch.output[at..];
        match &self.project {
            Linear::F32(matrix) => {
                matrix.multiply(&scratch.filtered, matrix.inputs(), rows, out, place, finish);
            }
            Linear::Int8(matrix) => {
                let step = 6.0 / matrix.limit();
                matrix.multiply(&scratch.filtered_rounded, &[step], rows, out, place, finish);
            }
        }
    }
}

/// Values of three RGB pixels, one below the other.
const COLUMN: usize = STEM_KERNEL * PIXEL_CHANNELS;

/// The pixels of three lines of a square picture from line `top` on, normalised, column by column, so that a 3 x 3 window
/// is one run of values and the next window starts two columns on. A line and a column of zeros follow the picture.
fn columns(rgb: &[u8], side: usize, top: usize, levels: &[[f32; 256]; 3], out: &mut [f32]) {
    let columns = out[..(side + 1) * COLUMN].as_chunks_mut::<COLUMN>().0;
    for tap in 0..3 {
        let at = 3 * tap;
        match rgb[..side * side * 3].chunks_exact(side * 3).nth(top + tap) {
            Some(line) => {
                for (column, pixel) in columns.iter_mut().zip(line.as_chunks::<3>().0) {
                    for c in 0..3 {
                        column[at + c] = levels[c][usize::from(pixel[c])];
                    }
                }
            }
            None => columns.iter_mut().for_each(|column| column[at..at + 3].fill(0.0)),
        }
    }
    columns[side] = [0.0; COLUMN];
}
