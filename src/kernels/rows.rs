//! What is done to whole rows between the products.

use super::simd::{Level, Plain, Vector, compile_for_levels};
use crate::layout::{GELU_CUBIC, GELU_SLOPE, LAYER_NORM_EPSILON};

/// A function of one value, whatever number of lanes there is.
pub(super) trait Map {
    fn call<V: Vector>(&self, x: V) -> V;
}

/// # Safety
/// The processor has the instructions of `V`, and `x` and `out` (which may be `x`) reach `len` values.
#[inline(always)]
pub(super) unsafe fn map<V: Vector>(x: *const f32, out: *mut f32, len: usize, f: &impl Map) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + V::LANES <= len {
            f.call(V::load(x.add(i))).store(out.add(i));
            i += V::LANES;
        }
        while i < len {
            f.call(Plain::<1>::load(x.add(i))).store(out.add(i));
            i += 1;
        }
    }
}

/// The sum of a function over a row, in two vectors of partial sums.
///
/// # Safety
/// The processor has the instructions of `V`, and `x` reaches `len` values.
#[inline(always)]
pub(super) unsafe fn sum<V: Vector>(x: *const f32, len: usize, f: &impl Map) -> f32 {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [V::splat(0.0); 2];
        while i + 2 * V::LANES <= len {
            sums[0] = sums[0].add(f.call(V::load(x.add(i))));
            sums[1] = sums[1].add(f.call(V::load(x.add(i + V::LANES))));
            i += 2 * V::LANES;
        }
        let mut total = sums[0].add(sums[1]).sum();
        while i < len {
            total += f.call(Plain::<1>::load(x.add(i))).sum();
            i += 1;
        }
        total
    }
}

/// # Safety
/// The processor has the instructions of `V`, and `x` reaches `len` values.
#[inline(always)]
pub(super) unsafe fn largest<V: Vector>(x: *const f32, len: usize, f: &impl Map) -> f32 {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        let mut most = V::splat(f32::NEG_INFINITY);
        while i + V::LANES <= len {
            most = most.max(f.call(V::load(x.add(i))));
            i += V::LANES;
        }
        let mut total = most.largest();
        while i < len {
            total = total.max(f.call(Plain::<1>::load(x.add(i))).sum());
            i += 1;
        }
        total
    }
}

/// The value itself.
pub(super) struct Identity;
impl Map for Identity {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x
    }
}

struct Magnitude;
impl Map for Magnitude {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x.max(x.like(0.0).sub(x))
    }
}

struct Gelu;
impl Map for Gelu {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        let cubic = x.mul(x).mul(x).mul(x.like(GELU_CUBIC)).add(x);
        let e = cubic.mul(x.like(-GELU_SLOPE)).exp();
        x.div(e.add(x.like(1.0)))
    }
}

/// `exp(x - shift)`.
pub(super) struct ExpOfDifference(pub f32);
impl Map for ExpOfDifference {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x.sub(x.like(self.0)).exp()
    }
}

/// `(x - mean)^2`.
struct SquaredDifference(f32);
impl Map for SquaredDifference {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        let x = x.sub(x.like(self.0));
        x.mul(x)
    }
}

/// `x a + b`.
struct Line(f32, f32);
impl Map for Line {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x.mul(x.like(self.0)).add(x.like(self.1))
    }
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))` in place.
pub fn gelu(level: Level, x: &mut [f32]) {
    // SAFETY: the slice's own length.
    unsafe { gelu_row(level, x.as_mut_ptr(), x.len()) }
}

compile_for_levels! {
    unsafe fn gelu_row(x: *mut f32, len: usize) = gelu_body;
}

#[inline(always)]
unsafe fn gelu_body<V: Vector>(x: *mut f32, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { map::<V>(x, x, len, &Gelu) }
}

/// Turns logits into natural logarithms of their softmax.
pub fn log_softmax(level: Level, x: &mut [f32]) {
    // SAFETY: the slice's own length.
    unsafe { log_softmax_row(level, x.as_mut_ptr(), x.len()) }
}

compile_for_levels! {
    unsafe fn log_softmax_row(x: *mut f32, len: usize) = log_softmax_body;
}

#[inline(always)]
unsafe fn log_softmax_body<V: Vector>(x: *mut f32, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let most = largest::<V>(x, len, &Identity);
        let total = sum::<V>(x, len, &ExpOfDifference(most));
        map::<V>(x, x, len, &Line(1.0, -(most + total.ln())));
    }
}

/// `(x - mean) / sqrt(variance + LAYER_NORM_EPSILON) * gamma + beta` for each row of `gamma.len()` values.
///
/// # Panics
/// If the lengths do not fit.
pub fn layer_norm(level: Level, x: &[f32], gamma: &[f32], beta: &[f32], out: &mut [f32]) {
    let n = gamma.len();
    assert!(
        beta.len() == n && x.len() == out.len() && x.len().is_multiple_of(n.max(1)),
        "lengths do not fit"
    );
    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        // SAFETY: all four have `n` values.
        unsafe { layer_norm_row(level, x.as_ptr(), gamma.as_ptr(), beta.as_ptr(), out.as_mut_ptr(), n) }
    }
}

compile_for_levels! {
    unsafe fn layer_norm_row(x: *const f32, gamma: *const f32, beta: *const f32, out: *mut f32, n: usize) =
        layer_norm_body;
}

#[inline(always)]
unsafe fn layer_norm_body<V: Vector>(
    x: *const f32,
    gamma: *const f32,
    beta: *const f32,
    out: *mut f32,
    n: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mean = sum::<V>(x, n, &Identity) / n as f32;
        let variance = sum::<V>(x, n, &SquaredDifference(mean)) / n as f32;
        let inverse = 1.0 / (variance + LAYER_NORM_EPSILON).sqrt();
        let mut i = 0;
        while i + V::LANES <= n {
            norm_at::<V>(x, gamma, beta, out, i, mean, inverse);
            i += V::LANES;
        }
        while i < n {
            norm_at::<Plain<1>>(x, gamma, beta, out, i, mean, inverse);
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn norm_at<V: Vector>(
    x: *const f32,
    gamma: *const f32,
    beta: *const f32,
    out: *mut f32,
    i: usize,
    mean: f32,
    inverse: f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let x = V::load(x.add(i)).sub(V::splat(mean)).mul(V::splat(inverse));
        V::load(beta.add(i)).add_product(x, V::load(gamma.add(i))).store(out.add(i));
    }
}

/// Rounds `x` to integers of magnitude `limit` at most and returns what 1 stands for.
///
/// # Panics
/// If `out` is shorter than `x`.
pub fn quantise(level: Level, x: &[f32], limit: f32, out: &mut [i16]) -> f32 {
    assert!(out.len() >= x.len(), "the output is too short");
    let mut step = 0.0;
    // SAFETY: the slices' own lengths.
    unsafe { quantise_row(level, x.as_ptr(), x.len(), limit, out.as_mut_ptr(), &mut step) }
    step
}

compile_for_levels! {
    unsafe fn quantise_row(x: *const f32, len: usize, limit: f32, out: *mut i16, step: &mut f32) = quantise_body;
}

#[inline(always)]
unsafe fn quantise_body<V: Vector>(x: *const f32, len: usize, limit: f32, out: *mut i16, step: &mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let most = largest::<V>(x, len, &Magnitude);
        // A row of zeros, or of next to nothing, becomes zeros.
        let scale = if most > f32::MIN_POSITIVE * 1e6 { limit / most } else { 0.0 };
        *step = if scale > 0.0 { most / limit } else { 0.0 };
        let mut i = 0;
        while i + V::LANES <= len {
            V::load(x.add(i)).mul(V::splat(scale)).store_i16(out.add(i));
            i += V::LANES;
        }
        while i < len {
            Plain::<1>::load(x.add(i)).mul(Plain::<1>::splat(scale)).store_i16(out.add(i));
            i += 1;
        }
    }
}
