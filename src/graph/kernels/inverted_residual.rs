//! The inverted residual block (Sandler et al. 2018, arXiv 1801.04381) as one operation: expand by a 1x1 convolution,
//! filter depthwise, project by a 1x1 convolution, add the input where shapes allow.
//!
//! The expanded picture is six times as large as what goes in or out. Working through the batch one picture at a time
//! keeps it in the processor's cache, and computing it again on the way back costs less than writing it to memory,
//! reading it back and adding up gradients of that size.

use std::cell::RefCell;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::depthwise::{Geometry, backward_row, backward_weights, forward_row};
use super::linear::Activation;
use super::matmul::{View, matmul_into};
use super::parallel;
use super::storage::{operand, with_values};
use crate::layout::Window;

/// Weight and bias of one convolution: (rows, channels) and (channels).
pub type Weights<'a> = (&'a Tensor, &'a Tensor);

/// One block over `x` (batch, height, width, channels): (batch, ceil(height / stride), ceil(width / stride), out).
///
/// `expand` (channels, wide) and `filter` (kernel * kernel, wide) are followed by ReLU6, `project` (wide, out) by
/// nothing. `residual` adds `x` to the result.
///
/// # Errors
/// If the shapes do not fit, the stride is zero, a residual is asked for where input and output differ in shape, or a
/// tensor is not `f32` on the CPU.
pub fn inverted_residual(
    x: &Tensor,
    expand: Option<Weights>,
    filter: Weights,
    project: Weights,
    stride: usize,
    residual: bool,
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let (taps, wide) = filter.0.dims2()?;
    let kernel = taps.isqrt();
    let out = project.0.dim(1)?;
    let fits = |w: Weights, shape: [usize; 2]| w.0.dims() == shape && w.1.dims() == [shape[1]];
    if kernel * kernel != taps
        || stride == 0
        || !fits(filter, [taps, wide])
        || !fits(project, [wide, out])
        || !expand.map_or(channels == wide, |e| fits(e, [channels, wide]))
        || (residual && (stride != 1 || channels != out))
    {
        bail!("inverted-residual: x {:?}, filter {:?}, project {:?} do not fit", x.dims(), filter, project);
    }
    let (rows, cols) = (Window::same(height, kernel, stride), Window::same(width, kernel, stride));
    let geometry = Geometry { rows, cols, channels: wide };
    let op = InvertedResidual { geometry, channels, out, expand: expand.is_some(), residual };
    let mut parts = Vec::with_capacity(6);
    for (weight, bias) in expand.into_iter().chain([filter, project]) {
        parts.push(weight.flatten_all()?);
        parts.push(bias.clone());
    }
    x.contiguous()?.apply_op2(&Tensor::cat(&parts, 0)?, op)
}

struct InvertedResidual {
    geometry: Geometry,
    channels: usize,
    out: usize,
    expand: bool,
    residual: bool,
}

/// The block's parameters in their one flat tensor, or their gradients.
struct Parts<T> {
    expand: T,
    expand_bias: T,
    filter: T,
    filter_bias: T,
    project: T,
    project_bias: T,
}

#[derive(Default)]
struct Scratch {
    expanded: Vec<f32>,
    filtered: Vec<f32>,
    grad_expanded: Vec<f32>,
    grad_filtered: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The first `len` values of a buffer that grows as needed; whatever it held stays in it.
fn buffer(values: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if values.len() < len {
        values.resize(len, 0.0);
    }
    &mut values[..len]
}

fn add_bias(values: &mut [f32], bias: &[f32], activation: Activation) {
    for row in values.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        activation.apply(row);
    }
}

fn add_columns(sums: &mut [f32], values: &[f32]) {
    for row in values.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
}

/// Zeroes the gradient where ReLU6 held its result `out` at 0 or 6.
fn mask(grad: &mut [f32], out: &[f32]) {
    grad.iter_mut().zip(out).for_each(|(g, y)| *g = if *y > 0.0 && *y < 6.0 { *g } else { 0.0 });
}

impl InvertedResidual {
    /// Lengths of the six parts in order.
    fn lengths(&self) -> [usize; 6] {
        let g = &self.geometry;
        let wide = g.channels;
        let expand = if self.expand { [self.channels * wide, wide] } else { [0, 0] };
        [expand[0], expand[1], g.rows.kernel * g.cols.kernel * wide, wide, wide * self.out, self.out]
    }

    fn split<'a>(&self, packed: &'a [f32]) -> Parts<&'a [f32]> {
        let mut rest = packed;
        let [expand, expand_bias, filter, filter_bias, project, project_bias] = self.lengths().map(|len| {
            let (part, after) = rest.split_at(len);
            rest = after;
            part
        });
        Parts { expand, expand_bias, filter, filter_bias, project, project_bias }
    }

    fn split_mut<'a>(&self, packed: &'a mut [f32]) -> Parts<&'a mut [f32]> {
        let mut rest = packed;
        let [expand, expand_bias, filter, filter_bias, project, project_bias] = self.lengths().map(|len| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
            rest = after;
            part
        });
        Parts { expand, expand_bias, filter, filter_bias, project, project_bias }
    }

    /// Values of one picture going in and coming out.
    fn sizes(&self) -> (usize, usize) {
        let g = &self.geometry;
        (g.rows.input * g.cols.input * self.channels, g.rows.output * g.cols.output * self.out)
    }

    /// The expanded and the filtered picture; the former is `x` itself in a block that does not expand.
    fn hidden<'a>(
        &self,
        x: &'a [f32],
        p: &Parts<&[f32]>,
        expanded: &'a mut Vec<f32>,
        filtered: &'a mut Vec<f32>,
    ) -> (&'a [f32], &'a [f32]) {
        let g = self.geometry;
        let wide = g.channels;
        let expanded: &[f32] = if self.expand {
            let pixels = g.rows.input * g.cols.input;
            let expanded = buffer(expanded, pixels * wide);
            let (x, w) = (View::new(x, pixels, self.channels), View::new(p.expand, self.channels, wide));
            matmul_into(expanded, wide, x, w, 1.0, false);
            add_bias(expanded, p.expand_bias, Activation::Relu6);
            expanded
        } else {
            x
        };
        let row = g.cols.output * wide;
        let filtered = buffer(filtered, g.rows.output * row);
        for (oh, out) in filtered.chunks_exact_mut(row).enumerate() {
            forward_row(out, oh, expanded, p.filter, p.filter_bias, g);
            Activation::Relu6.apply(out);
        }
        (expanded, filtered)
    }

    fn forward(&self, out: &mut [f32], x: &[f32], p: &Parts<&[f32]>, scratch: &mut Scratch) {
        let (pixels, wide) = (self.geometry.rows.output * self.geometry.cols.output, self.geometry.channels);
        let (_, filtered) = self.hidden(x, p, &mut scratch.expanded, &mut scratch.filtered);
        let (y, w) = (View::new(filtered, pixels, wide), View::new(p.project, wide, self.out));
        matmul_into(out, self.out, y, w, 1.0, false);
        add_bias(out, p.project_bias, Activation::None);
        if self.residual {
            out.iter_mut().zip(x).for_each(|(y, x)| *y += x);
        }
    }

    /// Writes one picture's gradient to `gx` and adds its share of the parameters' gradients to `sums`.
    fn backward(
        &self,
        gx: &mut [f32],
        sums: &mut Parts<&mut [f32]>,
        x: &[f32],
        grad: &[f32],
        p: &Parts<&[f32]>,
        scratch: &mut Scratch,
    ) {
        let g = self.geometry;
        let (input, output) = (g.rows.input * g.cols.input, g.rows.output * g.cols.output);
        let (wide, out) = (g.channels, self.out);
        let Scratch { expanded, filtered, grad_expanded, grad_filtered } = scratch;
        let (expanded, filtered) = self.hidden(x, p, expanded, filtered);

        let grad_view = View::new(grad, output, out);
        matmul_into(sums.project, out, View::new(filtered, output, wide).t(), grad_view, 1.0, true);
        add_columns(sums.project_bias, grad);
        let grad_filtered = buffer(grad_filtered, output * wide);
        matmul_into(grad_filtered, wide, grad_view, View::new(p.project, wide, out).t(), 1.0, false);
        mask(grad_filtered, filtered);

        backward_weights(sums.filter, expanded, grad_filtered, g);
        add_columns(sums.filter_bias, grad_filtered);
        let into = if self.expand { buffer(grad_expanded, input * wide) } else { &mut *gx };
        for (ih, row) in into.chunks_exact_mut(g.cols.input * wide).enumerate() {
            backward_row(row, ih, grad_filtered, p.filter, g);
        }
        if self.expand {
            let grad_expanded = buffer(grad_expanded, input * wide);
            mask(grad_expanded, expanded);
            let x = View::new(x, input, self.channels);
            let grad_view = View::new(grad_expanded, input, wide);
            matmul_into(sums.expand, wide, x.t(), grad_view, 1.0, true);
            add_columns(sums.expand_bias, grad_expanded);
            let w = View::new(p.expand, self.channels, wide);
            matmul_into(gx, self.channels, grad_view, w.t(), 1.0, false);
        }
        if self.residual {
            gx.iter_mut().zip(grad).for_each(|(a, b)| *a += b);
        }
    }
}

impl CustomOp2 for InvertedResidual {
    fn name(&self) -> &'static str {
        "inverted-residual"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        packed: &CpuStorage,
        lp: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, packed) = (operand(x, lx, self.name())?, operand(packed, lp, self.name())?);
        let p = self.split(packed);
        let (input, output) = self.sizes();
        let batch = lx.dims()[0];
        let mut out = vec![0f32; batch * output];
        if !out.is_empty() {
            parallel::for_each_chunk(&mut out, output, |i, out| {
                SCRATCH.with_borrow_mut(|s| self.forward(out, &x[i * input..][..input], &p, s));
            });
        }
        let (rows, cols) = (self.geometry.rows.output, self.geometry.cols.output);
        Ok((CpuStorage::F32(out), Shape::from((batch, rows, cols, self.out))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        packed: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (input, output) = self.sizes();
        let mut gx = vec![0f32; x.elem_count()];
        let mut backward = |x: &[f32], packed: &[f32], grad: &[f32]| {
            let p = self.split(packed);
            parallel::map_and_sum(&mut gx, input, packed.len(), |i, gx, sums| {
                let mut sums = self.split_mut(sums);
                let (x, grad) = (&x[i * input..][..input], &grad[i * output..][..output]);
                SCRATCH.with_borrow_mut(|s| self.backward(gx, &mut sums, x, grad, &p, s));
            })
        };
        let sums = with_values(x, |x| {
            with_values(packed, |packed| with_values(grad_res, |grad| backward(x, packed, grad)))
        })???;
        Ok((
            Some(Tensor::from_vec(gx, x.shape(), x.device())?),
            Some(Tensor::from_vec(sums, packed.shape(), packed.device())?),
        ))
    }
}
