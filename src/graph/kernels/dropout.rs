//! Dropout (Srivastava et al. 2014) whose mask is a function of a seed, so that a resumed run repeats it exactly.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::parallel;
use super::storage::{operand, with_values};

/// Values handled by one thread at a time.
const PIECE: usize = 1 << 14;

/// Zeroes each value with probability `rate` and scales the others by `1 / (1 - rate)`; the same `seed` gives the
/// same mask.
///
/// # Errors
/// If `rate` lies outside 0..1 or `x` is not contiguous `f32` on the CPU.
pub fn dropout(x: &Tensor, rate: f32, seed: u64) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) {
        bail!("dropout: the rate must lie in 0..1, not {rate}");
    }
    if rate == 0.0 {
        return Ok(x.clone());
    }
    x.contiguous()?.apply_op1(Dropout { rate, seed })
}

struct Dropout {
    rate: f32,
    seed: u64,
}

/// SplitMix64's output function (Steele, Lea, Flood 2014): an index to well-mixed bits.
#[inline(always)]
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dropout {
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let threshold = (f64::from(self.rate) * 65_536.0).round() as u64;
        let scale = 1.0 / (1.0 - threshold as f32 / 65_536.0);
        let mut out = vec![0f32; x.len()];
        parallel::for_each_chunk(&mut out, PIECE, |piece, out| {
            let from = piece * PIECE;
            for (i, out) in out.chunks_mut(4).enumerate() {
                // One mixing serves four values, sixteen bits each.
                let index = (from / 4 + i) as u64;
                let mut bits = mix(self.seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
                for (y, x) in out.iter_mut().zip(&x[from + 4 * i..]) {
                    *y = if bits & 0xffff >= threshold { x * scale } else { 0.0 };
                    bits >>= 16;
                }
            }
        });
        out
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(operand(x, layout, "dropout")?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let gx = with_values(grad_res, |grad| self.apply(grad))?;
        Ok(Some(Tensor::from_vec(gx, x.shape(), x.device())?))
    }
}
