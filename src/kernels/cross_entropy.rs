//! Cross-entropy with label smoothing (Szegedy et al. 2016, arXiv 1512.00567).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::math::{exp, softmax};
use super::parallel;
use super::storage::{operand, with_values};

/// The loss of each row of `logits` (rows, classes) against `targets` (rows class numbers): (rows).
///
/// The target distribution is `1 - smoothing` on the target plus `smoothing / classes` on every class, as in
/// PyTorch's `cross_entropy(label_smoothing=...)`.
///
/// # Errors
/// If a target is no class, the numbers of rows differ, `smoothing` lies outside 0..1, or `logits` is not
/// contiguous `f32` on the CPU.
pub fn cross_entropy(logits: &Tensor, targets: &[u32], smoothing: f32) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    if rows != targets.len() {
        bail!("cross-entropy: {rows} rows of logits, but {} targets", targets.len());
    }
    if let Some(target) = targets.iter().find(|t| **t as usize >= classes) {
        bail!("cross-entropy: target {target} is not one of {classes} classes");
    }
    if !(0.0..1.0).contains(&smoothing) {
        bail!("cross-entropy: label smoothing must lie in 0..1, not {smoothing}");
    }
    logits.contiguous()?.apply_op1(CrossEntropy { targets: targets.to_vec(), smoothing })
}

struct CrossEntropy {
    targets: Vec<u32>,
    smoothing: f32,
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn row_loss(row: &[f32], target: usize, smoothing: f32) -> f32 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f32; 16];
    let mut totals = [0f32; 16];
    for piece in row.chunks(16) {
        for (i, x) in piece.iter().enumerate() {
            sums[i] += exp(x - max);
            totals[i] += x;
        }
    }
    let log_sum = max + sums.iter().sum::<f32>().ln();
    let mean = totals.iter().sum::<f32>() / row.len() as f32;
    log_sum - (1.0 - smoothing) * row[target] - smoothing * mean
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn row_gradient(row: &mut [f32], target: usize, smoothing: f32, grad: f32) {
    softmax(row);
    let share = smoothing / row.len() as f32;
    row.iter_mut().for_each(|p| *p = (*p - share) * grad);
    row[target] -= (1.0 - smoothing) * grad;
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, classes) = layout.shape().dims2()?;
        let logits = operand(logits, layout, "cross-entropy")?;
        let mut out = vec![0f32; rows];
        parallel::for_each_chunk(&mut out, 16, |piece, out| {
            for (i, loss) in out.iter_mut().enumerate() {
                let row = piece * 16 + i;
                *loss =
                    row_loss(&logits[row * classes..][..classes], self.targets[row] as usize, self.smoothing);
            }
        });
        Ok((CpuStorage::F32(out), Shape::from(rows)))
    }

    fn bwd(&self, logits: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let classes = logits.dim(1)?;
        let mut out = with_values(logits, <[f32]>::to_vec)?;
        with_values(grad_res, |grad| {
            parallel::for_each_chunk(&mut out, classes, |row, out| {
                row_gradient(out, self.targets[row] as usize, self.smoothing, grad[row]);
            });
        })?;
        Ok(Some(Tensor::from_vec(out, logits.shape(), logits.device())?))
    }
}
