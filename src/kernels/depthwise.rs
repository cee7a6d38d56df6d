//! Depthwise convolution, channels last, with TensorFlow's "SAME" padding.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::linear::{Activation, column_sums};
use super::parallel;
use super::storage::{operand, with_values};

/// Channels handled together: as many accumulators as fit the registers of every processor we meet.
const LANES: usize = 16;

/// Where a convolution's windows lie along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length of the input.
    pub input: usize,
    /// Length of the output.
    pub output: usize,
    kernel: usize,
    stride: usize,
    before: usize,
}

impl Window {
    /// Windows of TensorFlow's "SAME" padding: `ceil(input / stride)` outputs; where the padding is odd, the extra
    /// row goes to the end.
    pub fn same(input: usize, kernel: usize, stride: usize) -> Self {
        let output = input.div_ceil(stride);
        let padding = (output.saturating_sub(1) * stride + kernel).saturating_sub(input);
        Self { input, output, kernel, stride, before: padding / 2 }
    }

    /// Number of taps.
    pub fn kernel(self) -> usize {
        self.kernel
    }

    /// The taps of output `o` that fall on the input, and the input that the first of them meets.
    #[inline(always)]
    pub fn taps(self, o: usize) -> (std::ops::Range<usize>, usize) {
        let start = o * self.stride;
        let first = self.before.saturating_sub(start);
        let last = self.kernel.min(self.input + self.before - start);
        (first..last, start + first - self.before)
    }

    /// The taps `t` through which input `i` reaches an output, as `(t, output)`.
    #[inline(always)]
    fn reached_from(self, i: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.kernel).filter_map(move |t| {
            let start = (i + self.before).checked_sub(t)?;
            (start % self.stride == 0 && start / self.stride < self.output)
                .then_some((t, start / self.stride))
        })
    }
}

/// The geometry of one depthwise convolution over (height, width, channels).
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Along the height.
    pub rows: Window,
    /// Along the width.
    pub cols: Window,
    /// Number of channels.
    pub channels: usize,
}

/// Row `oh` of the output of one image: `out` (width, channels), `x` (height, width, channels),
/// `w` (kernel * kernel, channels), `b` (channels).
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub fn forward_row(out: &mut [f32], oh: usize, x: &[f32], w: &[f32], b: &[f32], g: Geometry) {
    let c = g.channels;
    let (row_taps, ih) = g.rows.taps(oh);
    for (ow, out) in out.chunks_exact_mut(c).enumerate() {
        let (col_taps, iw) = g.cols.taps(ow);
        let mut from = 0;
        while from < c {
            let width = LANES.min(c - from);
            let mut sum = [0f32; LANES];
            sum[..width].copy_from_slice(&b[from..from + width]);
            for (i, kh) in row_taps.clone().enumerate() {
                for (j, kw) in col_taps.clone().enumerate() {
                    let x = &x[((ih + i) * g.cols.input + iw + j) * c + from..][..width];
                    let w = &w[(kh * g.cols.kernel + kw) * c + from..][..width];
                    multiply_add(&mut sum, x, w);
                }
            }
            out[from..from + width].copy_from_slice(&sum[..width]);
            from += width;
        }
    }
}

#[inline(always)]
fn multiply_add(sum: &mut [f32; LANES], x: &[f32], w: &[f32]) {
    if let (Ok(x), Ok(w)) = (<&[f32; LANES]>::try_from(x), <&[f32; LANES]>::try_from(w)) {
        for l in 0..LANES {
            sum[l] += x[l] * w[l];
        }
    } else {
        sum.iter_mut().zip(x).zip(w).for_each(|((s, x), w)| *s += x * w);
    }
}

/// Row `ih` of the gradient with respect to the input of one image, from the gradient `grad` of its output.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn backward_row(out: &mut [f32], ih: usize, grad: &[f32], w: &[f32], g: Geometry) {
    let c = g.channels;
    for (iw, out) in out.chunks_exact_mut(c).enumerate() {
        let mut from = 0;
        while from < c {
            let width = LANES.min(c - from);
            let mut sum = [0f32; LANES];
            for (kh, oh) in g.rows.reached_from(ih) {
                for (kw, ow) in g.cols.reached_from(iw) {
                    let grad = &grad[(oh * g.cols.output + ow) * c + from..][..width];
                    let w = &w[(kh * g.cols.kernel + kw) * c + from..][..width];
                    multiply_add(&mut sum, grad, w);
                }
            }
            out[from..from + width].copy_from_slice(&sum[..width]);
            from += width;
        }
    }
}

/// Adds one image's gradient with respect to the weights to `sum` (kernel * kernel, channels).
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn backward_weights(sum: &mut [f32], x: &[f32], grad: &[f32], g: Geometry) {
    let c = g.channels;
    let mut from = 0;
    while from < c {
        let width = LANES.min(c - from);
        for kh in 0..g.rows.kernel {
            for kw in 0..g.cols.kernel {
                let mut total = [0f32; LANES];
                for oh in 0..g.rows.output {
                    let (taps, ih) = g.rows.taps(oh);
                    if !taps.contains(&kh) {
                        continue;
                    }
                    let ih = ih + kh - taps.start;
                    for ow in 0..g.cols.output {
                        let (taps, iw) = g.cols.taps(ow);
                        if !taps.contains(&kw) {
                            continue;
                        }
                        let iw = iw + kw - taps.start;
                        let x = &x[(ih * g.cols.input + iw) * c + from..][..width];
                        let grad = &grad[(oh * g.cols.output + ow) * c + from..][..width];
                        multiply_add(&mut total, x, grad);
                    }
                }
                let sum = &mut sum[(kh * g.cols.kernel + kw) * c + from..][..width];
                sum.iter_mut().zip(&total).for_each(|(s, t)| *s += t);
            }
        }
        from += width;
    }
}

/// `activation(depthwise(x, w) + b)` for `x` (batch, height, width, channels), `w` (kernel * kernel, channels) with
/// a square kernel, `b` (channels): (batch, ceil(height / stride), ceil(width / stride), channels).
///
/// # Errors
/// If the shapes do not fit, the stride is zero or a tensor is not contiguous `f32` on the CPU.
pub fn depthwise(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    stride: usize,
    activation: Activation,
) -> Result<Tensor> {
    if stride == 0 {
        bail!("depthwise: the stride must be at least 1");
    }
    x.contiguous()?.apply_op3(w, b, Depthwise { stride, activation })
}

struct Depthwise {
    stride: usize,
    activation: Activation,
}

impl Depthwise {
    fn geometry(&self, x: &[usize], w: &[usize], b: &[usize]) -> Result<(usize, Geometry)> {
        let (&[batch, height, width, channels], &[taps, wc], &[bc]) = (x, w, b) else {
            bail!("depthwise: x {x:?}, w {w:?} and b {b:?} must have 4, 2 and 1 axes");
        };
        let kernel = taps.isqrt();
        if kernel == 0 || kernel * kernel != taps || wc != channels || bc != channels {
            bail!("depthwise: x {x:?}, w {w:?} and b {b:?} do not fit");
        }
        let rows = Window::same(height, kernel, self.stride);
        let cols = Window::same(width, kernel, self.stride);
        Ok((batch, Geometry { rows, cols, channels }))
    }
}

impl CustomOp3 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, g) = self.geometry(lx.dims(), lw.dims(), lb.dims())?;
        let (x, w, b) =
            (operand(x, lx, "depthwise")?, operand(w, lw, "depthwise")?, operand(b, lb, "depthwise")?);
        let (oh, ow, c) = (g.rows.output, g.cols.output, g.channels);
        let image = g.rows.input * g.cols.input * c;
        let mut out = vec![0f32; batch * oh * ow * c];
        if !out.is_empty() {
            parallel::for_each_chunk(&mut out, ow * c, |i, row| {
                forward_row(row, i % oh, &x[i / oh * image..][..image], w, b, g);
                self.activation.apply(row);
            });
        }
        Ok((CpuStorage::F32(out), Shape::from((batch, oh, ow, c))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (batch, g) = self.geometry(x.dims(), w.dims(), b.dims())?;
        let (ih, iw, c) = (g.rows.input, g.cols.input, g.channels);
        let (input, output) = (ih * iw * c, g.rows.output * g.cols.output * c);
        let grad = with_values(res, |y| with_values(grad_res, |g| self.activation.backward(y, g)))??;
        let grad_x = if x.track_op() && x.elem_count() > 0 {
            let mut gx = vec![0f32; batch * input];
            with_values(w, |w| {
                parallel::for_each_chunk(&mut gx, iw * c, |i, row| {
                    backward_row(row, i % ih, &grad[i / ih * output..][..output], w, g);
                });
            })?;
            Some(Tensor::from_vec(gx, x.shape(), x.device())?)
        } else {
            None
        };
        let gw = with_values(x, |x| {
            parallel::sum_over(batch, w.elem_count(), |i, sum| {
                backward_weights(sum, &x[i * input..][..input], &grad[i * output..][..output], g);
            })
        })?;
        let grad_w = Tensor::from_vec(gw, w.shape(), w.device())?;
        let grad_b = Tensor::from_vec(column_sums(&grad, c), b.shape(), b.device())?;
        Ok((grad_x, Some(grad_w), Some(grad_b)))
    }
}
