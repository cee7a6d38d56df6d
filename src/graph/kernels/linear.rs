//! A matrix product with bias and activation: every 1x1 convolution and every dense layer.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::matmul::{View, matmul, matmul_transposed};
use super::parallel;
use super::storage::{operand, with_values};

/// What follows the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    /// Applies the activation in place.
    #[inline(always)]
    pub(super) fn apply(self, values: &mut [f32]) {
        if self == Activation::Relu6 {
            values.iter_mut().for_each(|x| *x = x.clamp(0.0, 6.0));
        }
    }

    /// `grad` where the activation let its input through, else zero, told from its result `out`.
    pub(super) fn backward(self, out: &[f32], grad: &[f32]) -> Vec<f32> {
        let mut masked = grad.to_vec();
        if self == Activation::Relu6 {
            let len = grad.len().div_ceil(parallel::threads()).max(1);
            parallel::for_each_chunk(&mut masked, len, |i, piece| {
                for (g, y) in piece.iter_mut().zip(&out[i * len..]) {
                    *g = if *y > 0.0 && *y < 6.0 { *g } else { 0.0 };
                }
            });
        }
        masked
    }
}

/// `activation(x w + b)` for `x` (..., k), `w` (k, n), `b` (n): (..., n).
///
/// # Errors
/// If the shapes do not fit or a tensor is not contiguous `f32` on the CPU.
pub fn linear(x: &Tensor, w: &Tensor, b: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op3(w, b, Linear { activation })
}

struct Linear {
    activation: Activation,
}

/// Column sums of a row-major matrix with `n` columns: the gradient of a bias.
pub(super) fn column_sums(values: &[f32], n: usize) -> Vec<f32> {
    let rows = values.len() / n.max(1);
    let per_piece = 256;
    parallel::sum_over(rows.div_ceil(per_piece), n, |piece, sum| {
        for row in values[piece * per_piece * n..].chunks_exact(n).take(per_piece) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
    })
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let (k, n) = lw.shape().dims2()?;
        if lx.dims().last() != Some(&k) || lb.dims() != [n] {
            bail!("linear: x {:?}, w {:?} and b {:?} do not fit", lx.dims(), lw.dims(), lb.dims());
        }
        let (x, w, b) = (operand(x, lx, "linear")?, operand(w, lw, "linear")?, operand(b, lb, "linear")?);
        let out = matmul(x, x.len() / k, View::new(w, k, n), |rows| {
            for row in rows.chunks_exact_mut(n) {
                row.iter_mut().zip(b).for_each(|(y, b)| *y += b);
            }
            self.activation.apply(rows);
        });
        let mut dims = lx.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = n;
        }
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (k, n) = w.dims2()?;
        let grad = match self.activation {
            Activation::None => None,
            activation => Some(with_values(res, |y| with_values(grad_res, |g| activation.backward(y, g)))??),
        };
        let backward = |g: &[f32]| -> Result<_> {
            let rows = g.len() / n;
            let grad_x = if x.track_op() {
                let gx = with_values(w, |w| matmul(g, rows, View::new(w, k, n).t(), |_| ()))?;
                Some(Tensor::from_vec(gx, x.shape(), x.device())?)
            } else {
                None
            };
            let gw = with_values(x, |x| matmul_transposed(x, g, rows, k, n))?;
            let grad_w = Tensor::from_vec(gw, w.shape(), w.device())?;
            let grad_b = Tensor::from_vec(column_sums(g, n), b.shape(), b.device())?;
            Ok((grad_x, Some(grad_w), Some(grad_b)))
        };
        match grad {
            Some(g) => backward(&g),
            None => with_values(grad_res, backward)?,
        }
    }
}
