//! Layer normalisation (Ba, Kiros, Hinton 2016, arXiv 1607.06450) over the last axis.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::parallel;
use super::storage::{operand, with_values};
use crate::layout::LAYER_NORM_EPSILON as EPSILON;

/// Rows handled by one thread at a time.
const ROWS: usize = 64;

/// `(x - mean) / sqrt(variance + EPSILON) * gamma + beta` for each row of `x` (..., n), `gamma` (n), `beta` (n).
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous `f32` on the CPU.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3(gamma, beta, LayerNorm)
}

struct LayerNorm;

#[inline(always)]
fn sum(values: impl Iterator<Item = f32>) -> f32 {
    // Eight partial sums, so that the additions need not wait for each other.
    let mut sums = [0f32; 8];
    values.enumerate().for_each(|(i, v)| sums[i % 8] += v);
    sums.iter().sum()
}

#[inline(always)]
fn mean_and_inverse_deviation(row: &[f32]) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = sum(row.iter().copied()) / n;
    let variance = sum(row.iter().map(|x| (x - mean) * (x - mean))) / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn forward(out: &mut [f32], x: &[f32], gamma: &[f32], beta: &[f32]) {
    let n = gamma.len();
    for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
        let (mean, inverse) = mean_and_inverse_deviation(x);
        for i in 0..n {
            out[i] = (x[i] - mean) * inverse * gamma[i] + beta[i];
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn backward_input(out: &mut [f32], x: &[f32], gamma: &[f32], grad: &[f32]) {
    let n = gamma.len();
    for ((out, x), grad) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(grad.chunks_exact(n)) {
        let (mean, inverse) = mean_and_inverse_deviation(x);
        let scaled = || grad.iter().zip(gamma).map(|(g, w)| g * w);
        let average = sum(scaled()) / n as f32;
        let slope = sum(scaled().zip(x).map(|(g, x)| g * (x - mean) * inverse)) / n as f32;
        for i in 0..n {
            out[i] = (grad[i] * gamma[i] - average - (x[i] - mean) * inverse * slope) * inverse;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn backward_affine(sums: &mut [f32], x: &[f32], grad: &[f32]) {
    let n = sums.len() / 2;
    let (gamma, beta) = sums.split_at_mut(n);
    for (x, grad) in x.chunks_exact(n).zip(grad.chunks_exact(n)) {
        let (mean, inverse) = mean_and_inverse_deviation(x);
        for i in 0..n {
            gamma[i] += grad[i] * (x[i] - mean) * inverse;
            beta[i] += grad[i];
        }
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gamma: &CpuStorage,
        lg: &Layout,
        beta: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let n = lg.shape().dims1()?;
        if n == 0 || lx.dims().last() != Some(&n) || lb.dims() != [n] {
            bail!("layer-norm: x {:?}, gamma {:?} and beta {:?} do not fit", lx.dims(), lg.dims(), lb.dims());
        }
        let op = self.name();
        let (x, gamma, beta) = (operand(x, lx, op)?, operand(gamma, lg, op)?, operand(beta, lb, op)?);
        let mut out = vec![0f32; x.len()];
        parallel::for_each_chunk(&mut out, ROWS * n, |i, out| {
            forward(out, &x[i * ROWS * n..][..out.len()], gamma, beta);
        });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let n = gamma.dims1()?;
        let (gx, sums) = with_values(x, |xs| {
            with_values(grad_res, |grad| {
                let mut gx = vec![0f32; xs.len()];
                with_values(gamma, |gamma| {
                    parallel::for_each_chunk(&mut gx, ROWS * n, |i, out| {
                        let from = i * ROWS * n;
                        backward_input(out, &xs[from..][..out.len()], gamma, &grad[from..][..out.len()]);
                    });
                })?;
                let rows = xs.len() / n;
                let sums = parallel::sum_over(rows.div_ceil(ROWS), 2 * n, |i, sums| {
                    let range = i * ROWS * n..((i + 1) * ROWS * n).min(xs.len());
                    backward_affine(sums, &xs[range.clone()], &grad[range]);
                });
                Result::Ok((gx, sums))
            })
        })???;
        Ok((
            Some(Tensor::from_vec(gx, x.shape(), x.device())?),
            Some(Tensor::from_slice(&sums[..n], n, gamma.device())?),
            Some(Tensor::from_slice(&sums[n..], n, beta.device())?),
        ))
    }
}
