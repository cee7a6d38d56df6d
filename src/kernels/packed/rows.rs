//! What is done to whole rows between the products.

use super::simd::{Level, Plain, Vector, compile_for_levels};

/// Added to the variance by [`layer_norm`]; as in training.
const EPSILON: f32 = 1e-5;

/// `2 * sqrt(2 / pi)`, and the factor of the cube.
const GELU: (f32, f32) = (1.595_769, 0.044_715);

/// A function of one value, whatever number of lanes there is.
trait Map {
    fn call<V: Vector>(&self, x: V) -> V;
}

/// # Safety
/// `x` and `out` (which may be `x`) reach `len` values.
#[inline(always)]
unsafe fn map<V: Vector>(x: *const f32, out: *mut f32, len: usize, f: &impl Map) {
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
/// `x` reaches `len` values.
#[inline(always)]
unsafe fn sum<V: Vector>(x: *const f32, len: usize, f: &impl Map) -> f32 {
    let mut sums = [V::splat(0.0); 2];
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
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
/// `x` reaches `len` values.
#[inline(always)]
unsafe fn largest<V: Vector>(x: *const f32, len: usize, f: &impl Map) -> f32 {
    let mut most = V::splat(f32::NEG_INFINITY);
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
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

struct Identity;
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
        x.max(V::splat(0.0).sub(x))
    }
}

struct Gelu;
impl Map for Gelu {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        let cubic = x.mul(x).mul(x).mul(V::splat(GELU.1)).add(x);
        let e = cubic.mul(V::splat(-GELU.0)).exp();
        x.div(e.add(V::splat(1.0)))
    }
}

/// `exp(x - shift)`.
struct ExpOfDifference(f32);
impl Map for ExpOfDifference {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x.sub(V::splat(self.0)).exp()
    }
}

/// `(x - mean)^2`.
struct SquaredDifference(f32);
impl Map for SquaredDifference {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        let x = x.sub(V::splat(self.0));
        x.mul(x)
    }
}

/// `x a + b`.
struct Line(f32, f32);
impl Map for Line {
    #[inline(always)]
    fn call<V: Vector>(&self, x: V) -> V {
        x.mul(V::splat(self.0)).add(V::splat(self.1))
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

/// `(x - mean) / sqrt(variance + EPSILON) * gamma + beta` for each row of `gamma.len()` values.
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
        let inverse = 1.0 / (variance + EPSILON).sqrt();
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

/// Keys and values that a query reads: rows of two matrices, each as long as the query.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// Keys.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Values from one row to the next.
    pub stride: usize,
    /// Which rows are read.
    pub rows: &'a [u32],
}

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762) of one `query` with `heads` heads.
///
/// # Panics
/// If the heads do not divide the query, there is nothing to read, a row is missing, or the scratch or the output is
/// too short.
pub fn attend(
    level: Level,
    query: &[f32],
    memory: Memory,
    heads: usize,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let width = query.len();
    let last = memory.rows.iter().copied().max().expect("something to read") as usize;
    let end = last * memory.stride + width;
    assert!(heads > 0 && width.is_multiple_of(heads), "the heads do not divide the query");
    assert!(end <= memory.keys.len() && end <= memory.values.len(), "a row is missing");
    assert!(scores.len() >= memory.rows.len() && out.len() >= width, "too short");
    let (scores, out) = (scores.as_mut_ptr(), out.as_mut_ptr());
    // SAFETY: the assertions.
    unsafe { attend_row(level, query.as_ptr(), &memory, width, heads, scores, out) }
}

compile_for_levels! {
    unsafe fn attend_row(
        query: *const f32, memory: &Memory, width: usize, heads: usize, scores: *mut f32, out: *mut f32,
    ) = attend_body;
}

#[inline(always)]
unsafe fn attend_body<V: Vector>(
    query: *const f32,
    memory: &Memory,
    width: usize,
    heads: usize,
    scores: *mut f32,
    out: *mut f32,
) {
    let (head, count) = (width / heads, memory.rows.len());
    let scale = 1.0 / (head as f32).sqrt();
    // SAFETY: the caller's promise.
    unsafe {
        for h in 0..heads {
            let query = query.add(h * head);
            for (i, &row) in memory.rows.iter().enumerate() {
                let key = memory.keys.as_ptr().add(row as usize * memory.stride + h * head);
                *scores.add(i) = scale * dot::<V>(query, key, head);
            }
            let most = largest::<V>(scores, count, &Identity);
            map::<V>(scores, scores, count, &ExpOfDifference(most));
            let inverse = 1.0 / sum::<V>(scores, count, &Identity);
            let mut i = 0;
            while i + 4 * V::LANES <= head {
                mix::<V, 4>(memory, scores, inverse, h * head + i, out);
                i += 4 * V::LANES;
            }
            while i + V::LANES <= head {
                mix::<V, 1>(memory, scores, inverse, h * head + i, out);
                i += V::LANES;
            }
            while i < head {
                mix::<Plain<1>, 1>(memory, scores, inverse, h * head + i, out);
                i += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn dot<V: Vector>(a: *const f32, b: *const f32, len: usize) -> f32 {
    let mut sums = [V::splat(0.0); 4];
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + 4 * V::LANES <= len {
            for (u, sum) in sums.iter_mut().enumerate() {
                let at = i + u * V::LANES;
                *sum = sum.add_product(V::load(a.add(at)), V::load(b.add(at)));
            }
            i += 4 * V::LANES;
        }
        while i + V::LANES <= len {
            sums[0] = sums[0].add_product(V::load(a.add(i)), V::load(b.add(i)));
            i += V::LANES;
        }
        let mut total = sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum();
        while i < len {
            total += *a.add(i) * *b.add(i);
            i += 1;
        }
        total
    }
}

/// The weighted sum of the values in `N` vectors of columns from column `at` on.
///
/// # Safety
/// The columns, the rows of `memory` and their weights are there.
#[inline(always)]
unsafe fn mix<V: Vector, const N: usize>(
    memory: &Memory,
    weights: *const f32,
    inverse: f32,
    at: usize,
    out: *mut f32,
) {
    let mut totals = [V::splat(0.0); N];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, &row) in memory.rows.iter().enumerate() {
            let values = memory.values.as_ptr().add(row as usize * memory.stride + at);
            let weight = V::splat(*weights.add(i));
            for n in 0..N {
                totals[n] = totals[n].add_product(weight, V::load(values.add(n * V::LANES)));
            }
        }
        for n in 0..N {
            totals[n].mul(V::splat(inverse)).store(out.add(at + n * V::LANES));
        }
    }
}
