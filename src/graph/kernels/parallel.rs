//! Work spread over the machine's cores natively; one after the other in the browser, which has one thread.

/// Calls `f(index, piece)` for every `len`-sized piece of `values` (the last may be shorter).
pub(super) fn for_each_chunk(values: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        values.par_chunks_mut(len).enumerate().for_each(|(i, piece)| f(i, piece));
    }
    #[cfg(target_arch = "wasm32")]
    values.chunks_mut(len).enumerate().for_each(|(i, piece)| f(i, piece));
}

/// Sums what `f(index, sum)` adds to zeroed buffers of `len` values, over all indices below `count`.
///
/// The indices are split into as many runs as there are threads, and the runs' sums are added in order, so that
/// the same machine always gives the same result to the last bit.
pub(super) fn sum_over(count: usize, len: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let runs = threads().min(count).max(1);
    let per_run = count.div_ceil(runs).max(1);
    let mut sums = vec![0f32; len * runs];
    if len > 0 {
        for_each_chunk(&mut sums, len, |run, sum| {
            for index in run * per_run..((run + 1) * per_run).min(count) {
                f(index, sum);
            }
        });
    }
    add_up(sums, len)
}

/// Calls `f(index, piece, sum)` for every `size`-sized piece of `values`, and returns the total of what the calls add
/// to zeroed buffers of `len` values; as repeatable as [`sum_over`].
pub(super) fn map_and_sum(
    values: &mut [f32],
    size: usize,
    len: usize,
    f: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let count = values.len() / size.max(1);
    let per_run = count.div_ceil(threads()).max(1);
    let runs = count.div_ceil(per_run).max(1);
    let mut sums = vec![0f32; len * runs];
    if count == 0 || len == 0 {
        return sums;
    }
    let run = |(run, (pieces, sum)): (usize, (&mut [f32], &mut [f32]))| {
        for (i, piece) in pieces.chunks_mut(size).enumerate() {
            f(run * per_run + i, piece, sum);
        }
    };
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        values.par_chunks_mut(per_run * size).zip(sums.par_chunks_mut(len)).enumerate().for_each(run);
    }
    #[cfg(target_arch = "wasm32")]
    values.chunks_mut(per_run * size).zip(sums.chunks_mut(len)).enumerate().for_each(run);
    add_up(sums, len)
}

/// Adds the buffers of `len` values that lie one after the other in `sums`, in order.
fn add_up(mut sums: Vec<f32>, len: usize) -> Vec<f32> {
    let (first, others) = sums.split_at_mut(len);
    for other in others.chunks(len.max(1)) {
        first.iter_mut().zip(other).for_each(|(a, b)| *a += b);
    }
    sums.truncate(len);
    sums
}

/// Threads that work side by side.
pub(super) fn threads() -> usize {
    #[cfg(not(target_arch = "wasm32"))]
    return rayon::current_num_threads();
    #[cfg(target_arch = "wasm32")]
    return 1;
}
