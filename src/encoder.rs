//! The trunk: EfficientNet-Lite0 (Liu 2020, after Tan and Le 2019, arXiv 1905.11946), channels last.
//!
//! ReLU6 and no squeeze-excite. In training each convolution carries a BatchNorm whose running statistics stay as
//! they are and whose scale and shift are trained; for inference it is folded into the convolution.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::config::EncoderConfig;
use crate::kernels::depthwise::Window;
use crate::kernels::inverted_residual::inverted_residual;
use crate::kernels::linear::{Activation, linear};

/// Added to the running variance, as in the pretrained weights.
pub const BATCH_NORM_EPSILON: f64 = 1e-3;

/// Channels of the trunk's last block.
pub const TRUNK_CHANNELS: usize = 320;

/// Channels that the trunk's head makes of them.
pub const HEAD_CHANNELS: usize = 1280;

/// Channels of the features that a trunk of this configuration hands to the embedding.
pub fn feature_channels(config: &EncoderConfig) -> usize {
    if config.head { HEAD_CHANNELS } else { TRUNK_CHANNELS }
}

pub(crate) const STEM_CHANNELS: usize = 32;

/// EfficientNet-Lite0's stages: repeats, kernel, stride of the first, expansion, channels out.
pub(crate) const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, TRUNK_CHANNELS),
];

/// Which tensors a network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Convolutions with their BatchNorm beside them.
    Training,
    /// BatchNorm folded into the convolutions: what the weights file holds.
    Inference,
}

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
    /// `rows` taps (times input channels, unless depthwise) by `channels` outputs.
    pub(crate) fn new(
        vb: VarBuilder,
        rows: usize,
        fan_in: usize,
        channels: usize,
        form: Form,
    ) -> Result<Self> {
        let stdev = (2.0 / fan_in as f64).sqrt();
        let weight = vb.get_with_hints((rows, channels), "weight", Init::Randn { mean: 0.0, stdev })?;
        let norm = match form {
            Form::Inference => Norm::Folded { bias: vb.get_with_hints(channels, "bias", Init::Const(0.0))? },
            Form::Training => {
                let vb = vb.pp("norm");
                let get = |name, init| vb.get_with_hints(channels, name, Init::Const(init));
                Norm::Batch {
                    gamma: get("gamma", 1.0)?,
                    beta: get("beta", 0.0)?,
                    mean: get("mean", 0.0)?,
                    variance: get("variance", 1.0 - BATCH_NORM_EPSILON)?,
                }
            }
        };
        Ok(Self { weight, norm })
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
    pub fn new(vb: VarBuilder, config: &EncoderConfig, form: Form) -> Result<Self> {
        let stem = Conv::new(vb.pp("stem"), 27, 27, STEM_CHANNELS, form)?;
        let mut blocks = Vec::new();
        let mut channels = STEM_CHANNELS;
        for (repeats, kernel, first_stride, expansion, out) in STAGES {
            for repeat in 0..repeats {
                let vb = vb.pp("blocks").pp(blocks.len());
                let wide = channels * expansion;
                let stride = if repeat == 0 { first_stride } else { 1 };
                let taps = kernel * kernel;
                blocks.push(Block {
                    expand: match expansion {
                        1 => None,
                        _ => Some(Conv::new(vb.pp("expand"), channels, channels, wide, form)?),
                    },
                    depthwise: Conv::new(vb.pp("depthwise"), taps, taps, wide, form)?,
                    project: Conv::new(vb.pp("project"), wide, wide, out, form)?,
                    stride,
                    residual: stride == 1 && channels == out,
                });
                channels = out;
            }
        }
        let head = match config.head {
            true => Some(Conv::new(vb.pp("head"), channels, channels, HEAD_CHANNELS, form)?),
            false => None,
        };
        Ok(Self { stem, blocks, head })
    }

    /// Normalised pixels `x` (batch, side, side, 3) to features (batch, side / 32, side / 32,
    /// [`feature_channels`]).
    ///
    /// # Errors
    /// If `x` has another shape or is not `f32` on the CPU.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (w, b) = self.stem.folded()?;
        let mut x = linear(&patches_3x3_stride_2(x)?, &w, &b, Activation::Relu6)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        match &self.head {
            Some(head) => {
                let (w, b) = head.folded()?;
                linear(&x, &w, &b, Activation::Relu6)
            }
            None => Ok(x),
        }
    }
}

/// The 3x3 windows at stride 2 of pixels (batch, height, width, 3): (batch, height / 2, width / 2, 27), in the order
/// (row, column, channel). Pixels have no gradient, so that plain copying will do.
fn patches_3x3_stride_2(x: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let (rows, cols) = (Window::same(height, 3, 2), Window::same(width, 3, 2));
    let pixels = x.flatten_all()?.to_vec1::<f32>()?;
    let len = 9 * channels;
    let mut out = vec![0f32; batch * rows.output * cols.output * len];
    for (i, patch) in out.chunks_exact_mut(len).enumerate() {
        let (n, oh, ow) = (i / (rows.output * cols.output), i / cols.output % rows.output, i % cols.output);
        let ((row_taps, ih), (col_taps, iw)) = (rows.taps(oh), cols.taps(ow));
        for (r, kh) in row_taps.enumerate() {
            let from = ((n * height + ih + r) * width + iw) * channels;
            let count = col_taps.len() * channels;
            patch[(kh * 3 + col_taps.start) * channels..][..count].copy_from_slice(&pixels[from..][..count]);
        }
    }
    Tensor::from_vec(out, (batch, rows.output, cols.output, len), x.device())
}
