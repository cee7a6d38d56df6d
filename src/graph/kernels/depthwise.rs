//! Depthwise convolution, channels last, with TensorFlow's "SAME" padding.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::linear::{Activation, column_sums};
use super::parallel;
use super::storage::{operand, with_values};
use crate::layout::Window;

/// Channels handled together: as many accumulators as fit the registers of every processor we meet.
const LANES: usize = 16;

impl Window {
    /// The outputs whose taps all fall on the input.
    #[inline(always)]
    fn inside(self) -> std::ops::Range<usize> {
        let first = self.before.div_ceil(self.stride).min(self.output);
        let fit = (self.input + self.before).checked_sub(self.kernel);
        let last = fit.map_or(0, |last| last / self.stride + 1).min(self.output);
        first..last.max(first)
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

/// Columns worked on together: each weight is loaded once for all of them, and their sums do not wait for each other.
const COLUMNS: usize = 4;

/// Row `oh` of the output of one image: `out` (width, channels), `x` (height, width, channels),
/// `w` (kernel * kernel, channels), `b` (channels).
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub fn forward_row(out: &mut [f32], oh: usize, x: &[f32], w: &[f32], b: &[f32], g: Geometry) {
    let c = g.channels;
    let (row_taps, ih) = g.rows.taps(oh);
    let inside = g.cols.inside();
    let mut ow = 0;
    while ow < g.cols.output {
        let together = inside.contains(&ow) && ow + COLUMNS <= inside.end;
        let mut from = 0;
        while from < c {
            let width = LANES.min(c - from);
            if together && width == LANES {
                let first = ow * g.cols.stride - g.cols.before;
                let mut sums = [[0f32; LANES]; COLUMNS];
                sums.iter_mut().for_each(|sum| sum.copy_from_slice(&b[from..from + LANES]));
                for (i, kh) in row_taps.clone().enumerate() {
                    for kw in 0..g.cols.kernel {
                        let w = &w[(kh * g.cols.kernel + kw) * c + from..][..LANES];
                        let start = ((ih + i) * g.cols.input + first + kw) * c + from;
                        for (p, sum) in sums.iter_mut().enumerate() {
                            multiply_add(sum, &x[start + p * g.cols.stride * c..][..LANES], w);
                        }
                    }
                }
                for (p, sum) in sums.iter().enumerate() {
                    out[(ow + p) * c + from..][..LANES].copy_from_slice(sum);
                }
                from += width;
                continue;
            }
            for ow in ow..ow + if together { COLUMNS } else { 1 } {
                let (col_taps, iw) = g.cols.taps(ow);
                let mut sum = [0f32; LANES];
                sum[..width].copy_from_slice(&b[from..from + width]);
                for (i, kh) in row_taps.clone().enumerate() {
                    for (j, kw) in col_taps.clone().enumerate() {
                        let x = &x[((ih + i) * g.cols.input + iw + j) * c + from..][..width];
                        let w = &w[(kh * g.cols.kernel + kw) * c + from..][..width];
                        multiply_add(&mut sum, x, w);
                    }
                }
                out[ow * c + from..][..width].copy_from_slice(&sum[..width]);
            }
            from += width;
        }
        ow += if together { COLUMNS } else { 1 };
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
    // At stride 1, input `iw` reaches the outputs `iw + before - kw`; these columns reach one through every tap.
    let inside = if g.cols.stride == 1 {
        (g.cols.kernel - 1).saturating_sub(g.cols.before)..g.cols.output.saturating_sub(g.cols.before)
    } else {
        0..0
    };
    let mut iw = 0;
    while iw < g.cols.input {
        let together = inside.contains(&iw) && iw + COLUMNS <= inside.end;
        let mut from = 0;
        while from < c {
            let width = LANES.min(c - from);
            if together && width == LANES {
                let mut sums = [[0f32; LANES]; COLUMNS];
                for (kh, oh) in g.rows.reached_from(ih) {
                    for kw in 0..g.cols.kernel {
                        let w = &w[(kh * g.cols.kernel + kw) * c + from..][..LANES];
                        let start = (oh * g.cols.output + iw + g.cols.before - kw) * c + from;
                        for (p, sum) in sums.iter_mut().enumerate() {
                            multiply_add(sum, &grad[start + p * c..][..LANES], w);
                        }
                    }
                }
                for (p, sum) in sums.iter().enumerate() {
                    out[(iw + p) * c + from..][..LANES].copy_from_slice(sum);
                }
                from += width;
                continue;
            }
            for iw in iw..iw + if together { COLUMNS } else { 1 } {
                let mut sum = [0f32; LANES];
                for (kh, oh) in g.rows.reached_from(ih) {
                    for (kw, ow) in g.cols.reached_from(iw) {
                        let grad = &grad[(oh * g.cols.output + ow) * c + from..][..width];
                        let w = &w[(kh * g.cols.kernel + kw) * c + from..][..width];
                        multiply_add(&mut sum, grad, w);
                    }
                }
                out[iw * c + from..][..width].copy_from_slice(&sum[..width]);
            }
            from += width;
        }
        iw += if together { COLUMNS } else { 1 };
    }
}

/// Adds one image's gradient with respect to the weights to `sum` (kernel * kernel, channels).
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn backward_weights(sum: &mut [f32], x: &[f32], grad: &[f32], g: Geometry) {
    // A length known to the compiler keeps the sums of a row of taps in registers.
    match g.cols.kernel {
        3 => weights_by_row::<3>(sum, x, grad, g),
        5 => weights_by_row::<5>(sum, x, grad, g),
        _ => weights_by_tap(sum, x, grad, g),
    }
}

#[inline(always)]
fn weights_by_row<const K: usize>(sum: &mut [f32], x: &[f32], grad: &[f32], g: Geometry) {
    let c = g.channels;
    let inside = g.cols.inside();
    let mut from = 0;
    while from < c {
        let width = LANES.min(c - from);
        for kh in 0..g.rows.kernel {
            let mut totals = [[0f32; LANES]; K];
            for oh in 0..g.rows.output {
                let (taps, ih) = g.rows.taps(oh);
                if !taps.contains(&kh) {
                    continue;
                }
                let row = (ih + kh - taps.start) * g.cols.input;
                for ow in 0..g.cols.output {
                    let grad = &grad[(oh * g.cols.output + ow) * c + from..][..width];
                    if inside.contains(&ow) {
                        let start = (row + ow * g.cols.stride - g.cols.before) * c + from;
                        for (kw, total) in totals.iter_mut().enumerate() {
                            multiply_add(total, &x[start + kw * c..][..width], grad);
                        }
                    } else {
                        let (taps, iw) = g.cols.taps(ow);
                        for (j, kw) in taps.enumerate() {
                            multiply_add(&mut totals[kw], &x[(row + iw + j) * c + from..][..width], grad);
                        }
                    }
                }
            }
            for (kw, total) in totals.iter().enumerate() {
                let sum = &mut sum[(kh * K + kw) * c + from..][..width];
                sum.iter_mut().zip(total).for_each(|(s, t)| *s += t);
            }
        }
        from += width;
    }
}

#[inline(always)]
fn weights_by_tap(sum: &mut [f32], x: &[f32], grad: &[f32], g: Geometry) {
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
