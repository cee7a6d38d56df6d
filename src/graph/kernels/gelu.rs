//! The Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016, arXiv 1606.08415).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use multiversion::multiversion;

use super::math::exp;
use super::parallel;
use super::storage::{operand, with_values};
use crate::layout::{GELU_CUBIC as CUBIC, GELU_SLOPE as SLOPE};

/// Values handled by one thread at a time.
const PIECE: usize = 1 << 14;

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`, which is `x * sigmoid(2 * sqrt(2 / pi) * (...))`.
///
/// # Errors
/// If `x` is not contiguous `f32` on the CPU.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

struct Gelu;

#[inline(always)]
fn gate(x: f32) -> f32 {
    1.0 / (1.0 + exp(-SLOPE * (x + CUBIC * x * x * x)))
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn forward(out: &mut [f32], x: &[f32]) {
    for (y, &x) in out.iter_mut().zip(x) {
        *y = x * gate(x);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn backward(out: &mut [f32], x: &[f32], grad: &[f32]) {
    for ((y, &x), &g) in out.iter_mut().zip(x).zip(grad) {
        let s = gate(x);
        *y = g * (s + x * s * (1.0 - s) * SLOPE * (1.0 + 3.0 * CUBIC * x * x));
    }
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = operand(x, layout, "gelu")?;
        let mut out = vec![0f32; x.len()];
        parallel::for_each_chunk(&mut out, PIECE, |i, out| forward(out, &x[i * PIECE..]));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let gx = with_values(x, |x| {
            with_values(grad_res, |grad| {
                let mut gx = vec![0f32; x.len()];
                parallel::for_each_chunk(&mut gx, PIECE, |i, out| {
                    backward(out, &x[i * PIECE..], &grad[i * PIECE..]);
                });
                gx
            })
        })??;
        Ok(Some(Tensor::from_vec(gx, x.shape(), x.device())?))
    }
}
