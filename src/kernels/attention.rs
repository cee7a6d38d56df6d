//! Attention of one query to rows of keys and values.

use super::rows::{ExpOfDifference, Identity, largest, map, sum};
use super::simd::{Level, Plain, Vector, compile_for_levels};

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
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [V::splat(0.0); 4];
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
/// The processor has the instructions of `V`, and the columns, the rows of `memory` and their weights are there.
#[inline(always)]
unsafe fn mix<V: Vector, const N: usize>(
    memory: &Memory,
    weights: *const f32,
    inverse: f32,
    at: usize,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut totals = [V::splat(0.0); N];
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
