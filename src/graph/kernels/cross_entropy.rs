//! Cross-entropy, with label smoothing (Szegedy et al. 2016, arXiv 1512.00567) or against another network's
//! distribution (Hinton et al. 2015, arXiv 1503.02531).

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

/// The loss of each row of `logits` (rows, classes) against the distributions that `teacher`'s logits of the same shape
/// stand for: (rows). Nothing is learned through the teacher. As PyTorch's `cross_entropy` with class probabilities.
///
/// # Errors
/// If the shapes differ, or a tensor is not `f32` on the CPU.
pub fn soft_cross_entropy(logits: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    let (_, classes) = logits.dims2()?;
    if logits.shape() != teacher.shape() {
        bail!("soft cross-entropy: logits {:?}, but the teacher's {:?}", logits.shape(), teacher.shape());
    }
    let mut probabilities = with_values(&teacher.contiguous()?, <[f32]>::to_vec)?;
    parallel::for_each_chunk(&mut probabilities, classes, |_, row| softmax(row));
    logits.contiguous()?.apply_op1(SoftCrossEntropy { probabilities })
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

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn soft_loss(row: &[f32], probabilities: &[f32]) -> f32 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f32; 16];
    let mut expected = [0f32; 16];
    for (piece, wanted) in row.chunks(16).zip(probabilities.chunks(16)) {
        for (i, (x, wanted)) in piece.iter().zip(wanted).enumerate() {
            sums[i] += exp(x - max);
            expected[i] += wanted * (x - max);
        }
    }
    sums.iter().sum::<f32>().ln() - expected.iter().sum::<f32>()
}

/// The loss of each row: (rows).
fn losses(
    logits: &CpuStorage,
    layout: &Layout,
    name: &'static str,
    loss: impl Fn(usize, &[f32]) -> f32 + Sync,
) -> Result<(CpuStorage, Shape)> {
    let (rows, classes) = layout.shape().dims2()?;
    let logits = operand(logits, layout, name)?;
    let mut out = vec![0f32; rows];
    parallel::for_each_chunk(&mut out, 16, |piece, out| {
        for (i, value) in out.iter_mut().enumerate() {
            let row = piece * 16 + i;
            *value = loss(row, &logits[row * classes..][..classes]);
        }
    });
    Ok((CpuStorage::F32(out), Shape::from(rows)))
}

/// Turns each row of the logits into its gradient, given that of its loss.
fn gradients(
    logits: &Tensor,
    grad_res: &Tensor,
    gradient: impl Fn(usize, &mut [f32], f32) + Sync,
) -> Result<Option<Tensor>> {
    let classes = logits.dim(1)?;
    let mut out = with_values(logits, <[f32]>::to_vec)?;
    with_values(grad_res, |grad| {
        parallel::for_each_chunk(&mut out, classes, |row, out| gradient(row, out, grad[row]));
    })?;
    Ok(Some(Tensor::from_vec(out, logits.shape(), logits.device())?))
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        losses(logits, layout, self.name(), |row, logits| {
            row_loss(logits, self.targets[row] as usize, self.smoothing)
        })
    }

    fn bwd(&self, logits: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        gradients(logits, grad_res, |row, out, grad| {
            row_gradient(out, self.targets[row] as usize, self.smoothing, grad);
        })
    }
}

struct SoftCrossEntropy {
    /// (rows, classes), each row summing to 1.
    probabilities: Vec<f32>,
}

impl SoftCrossEntropy {
    fn row(&self, row: usize, classes: usize) -> &[f32] {
        &self.probabilities[row * classes..][..classes]
    }
}

impl CustomOp1 for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        losses(logits, layout, self.name(), |row, logits| soft_loss(logits, self.row(row, logits.len())))
    }

    fn bwd(&self, logits: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        gradients(logits, grad_res, |row, out, grad| {
            softmax(out);
            let wanted = self.row(row, out.len());
            out.iter_mut().zip(wanted).for_each(|(p, wanted)| *p = (*p - wanted) * grad);
        })
    }
}
