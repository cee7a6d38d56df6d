//! The trunk: EfficientNet-Lite0 (Liu 2020, after Tan and Le 2019, arXiv 1905.11946), channels last.
//!
//! ReLU6 and no squeeze-excite. In training each convolution carries a BatchNorm whose running statistics stay as
//! they are and whose scale and shift are trained; for inference it is folded into the convolution.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::get;
use super::kernels::inverted_residual::inverted_residual;
use super::kernels::linear::{Activation, linear};
use crate::config::EncoderConfig;
use crate::layout::{self, BATCH_NORM_EPSILON, Form, STEM_KERNEL, STEM_STRIDE, Window};

/// A convolution's weights, laid out as the kernels read them, with what normalises its result.
pub(crate) struct Conv {
    weight: Tensor,
    norm: Norm,
}

enum Norm {
    Folded { bias: Tensor },
    Batch { gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor },
}

impl Conv {
    pub(crate) fn new(vb: &VarBuilder, layer: &layout::Linear, form: Form) -> Result<Self> {
        let norm = match form {
            Form::Inference => Norm::Folded { bias: get(vb, &layer.bias())? },
            Form::Training => {
                let [gamma, beta, mean, variance] = layer.batch_norm().map(|part| get(vb, &part));
                Norm::Batch { gamma: gamma?, beta: beta?, mean: mean?, variance: variance? }
            }
        };
        Ok(Self { weight: get(vb, &layer.weight())?, norm })
    }

    /// Weight and bias with the normalisation folded in, differentiable in all but the running statistics.
    pub(crate) fn folded(&self) -> Result<(Tensor, Tensor)> {
        match &self.norm {
            Norm::Folded { bias } => Ok((self.weight.clone(), bias.clone())),
            Norm::Batch { gamma, beta, mean, variance } => {
                let scale = (gamma / (variance.detach() + BATCH_NORM_EPSILON)?.sqrt()?)?;
                let bias = (beta - mean.detach().mul(&scale)?)?;
                Ok((self.weight.broadcast_mul(&scale)?, bias))
            }
        }
    }
}

/// Folds one convolution's BatchNorm: weight (rows, channels) and the four vectors (channels) to weight and bias.
///
/// # Errors
/// If the shapes do not fit.
pub fn fold_batch_norm(
    weight: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let norm = Norm::Batch {
        gamma: gamma.clone(),
        beta: beta.clone(),
        mean: mean.clone(),
        variance: variance.clone(),
    };
    Conv { weight: weight.clone(), norm }.folded()
}

/// One inverted residual block.
struct Block {
    expand: Option<Conv>,
    depthwise: Conv,
    project: Conv,
    stride: usize,
    residual: bool,
}

impl Block {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let expand = self.expand.as_ref().map(Conv::folded).transpose()?;
        let expand = expand.as_ref().map(|(w, b)| (w, b));
        let ((fw, fb), (pw, pb)) = (self.depthwise.folded()?, self.project.folded()?);
        inverted_residual(x, expand, (&fw, &fb), (&pw, &pb), self.stride, self.residual)
    }
}

/// The convolutional trunk.
pub struct Trunk {
    stem: Conv,
    blocks: Vec<Block>,
    head: Option<Conv>,
}

impl Trunk {
    /// Takes the trunk's tensors from `vb`.
    ///
    /// # Errors
    /// If `vb` lacks a tensor or holds one of another shape.
    pub fn new(vb: &VarBuilder, config: &EncoderConfig, form: Form) -> Result<Self> {
        Self::of(vb, &layout::Trunk::new(config), form)
    }

    pub(crate) fn of(vb: &VarBuilder, layout: &layout::Trunk, form: Form) -> Result<Self> {
        let conv = |layer: &layout::Linear| Conv::new(vb, layer, form);
        let block = |block: &layout::Block| {
            Ok(Block {
                expand: block.expand.as_ref().map(conv).transpose()?,
                depthwise: conv(&block.depthwise)?,
                project: conv(&block.project)?,
                stride: block.stride,
                residual: block.residual,
            })
        };
        Ok(Self {
            stem: conv(&layout.stem)?,
            blocks: layout.blocks.iter().map(block).collect::<Result<_>>()?,
            head: layout.head.as_ref().map(conv).transpose()?,
        })
    }

    /// Normalised pixels `x` (batch, side, side, 3) to features (batch, side / 32, side / 32,
    /// channels).
    ///
    /// # Errors
    /// If `x` has another shape or is not `f32` on the CPU.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (w, b) = self.stem.folded()?;
        let mut x = linear(&stem_windows(x)?, &w, &b, Activation::Relu6)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.widen(x)
    }

    /// Mean and standard deviation over the cells of what the blocks of [`layout::TEXTURE_BLOCKS`] give: (batch,
    /// [`layout::TEXTURE_CHANNELS`]), block after block, for normalised pixels `x` as in [`Trunk::forward`].
    ///
    /// # Errors
    /// As [`Trunk::forward`].
    pub fn textures(&self, x: &Tensor) -> Result<Tensor> {
        let (w, b) = self.stem.folded()?;
        let mut x = linear(&stem_windows(x)?, &w, &b, Activation::Relu6)?;
        let mut textures = Vec::new();
        for (place, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x)?;
            if layout::TEXTURE_BLOCKS.contains(&place) {
                let cells = x.flatten(1, 2)?;
                let mean = cells.mean_keepdim(1)?;
                textures.push(mean.squeeze(1)?);
                textures.push(cells.broadcast_sub(&mean)?.sqr()?.mean(1)?.sqrt()?);
            }
        }
        Tensor::cat(&textures, 1)
    }

    /// What the embedding reads of the last block's output.
    fn widen(&self, x: Tensor) -> Result<Tensor> {
        match &self.head {
            Some(head) => {
                let (w, b) = head.folded()?;
                linear(&x, &w, &b, Activation::Relu6)
            }
            None => Ok(x),
        }
    }
}

/// The stem's windows of pixels (batch, height, width, 3): (batch, height / 2, width / 2, 27), in the order (row, column,
/// channel). Pixels have no gradient, so that plain copying will do.
fn stem_windows(x: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let (rows, cols) =
        (Window::same(height, STEM_KERNEL, STEM_STRIDE), Window::same(width, STEM_KERNEL, STEM_STRIDE));
    let pixels = x.flatten_all()?.to_vec1::<f32>()?;
    let len = STEM_KERNEL * STEM_KERNEL * channels;
    let mut out = vec![0f32; batch * rows.output * cols.output * len];
    for (i, patch) in out.chunks_exact_mut(len).enumerate() {
        let (n, oh, ow) = (i / (rows.output * cols.output), i / cols.output % rows.output, i % cols.output);
        let ((row_taps, ih), (col_taps, iw)) = (rows.taps(oh), cols.taps(ow));
        for (r, kh) in row_taps.enumerate() {
            let from = ((n * height + ih + r) * width + iw) * channels;
            let count = col_taps.len() * channels;
            patch[(kh * STEM_KERNEL + col_taps.start) * channels..][..count]
                .copy_from_slice(&pixels[from..][..count]);
        }
    }
    Tensor::from_vec(out, (batch, rows.output, cols.output, len), x.device())
}
