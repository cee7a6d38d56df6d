//! Matrix products on slices, over the `gemm` crate.

use super::parallel;

/// A matrix inside a slice: element `(i, j)` is `values[i * row + j * col]`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    values: &'a [f32],
    rows: usize,
    cols: usize,
    row: usize,
    col: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix.
    ///
    /// # Panics
    /// If `values` is shorter than `rows * cols`.
    pub fn new(values: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(values, rows, cols, cols)
    }

    /// A matrix whose rows start `stride` values apart.
    ///
    /// # Panics
    /// If `values` ends before the last element.
    pub fn strided(values: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        let needed = if rows == 0 || cols == 0 { 0 } else { (rows - 1) * stride + cols };
        assert!(values.len() >= needed, "a {rows} x {cols} view needs {needed} values, not {}", values.len());
        Self { values, rows, cols, row: stride, col: 1 }
    }

    /// The transpose, without moving a number.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }
}

/// `out = scale * a b`, or `out += scale * a b` when `accumulate`, on the calling thread.
///
/// `out` has `a.rows` rows that start `stride` values apart.
///
/// # Panics
/// If the inner sizes differ or `out` is too short.
pub fn matmul_into(out: &mut [f32], stride: usize, a: View, b: View, scale: f32, accumulate: bool) {
    assert_eq!(a.cols, b.rows, "inner sizes differ");
    let (m, n, k) = (a.rows, b.cols, a.cols);
    if m == 0 || n == 0 {
        return;
    }
    assert!(stride >= n && out.len() >= (m - 1) * stride + n, "the output is too short");
    // SAFETY: the views and the assertion above prove that every element addressed lies inside its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.values.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.col as isize,
            b.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows of one piece of a product over `rows` rows: a few pieces a thread, so that none waits long.
fn rows_per_piece(rows: usize) -> usize {
    rows.div_ceil(parallel::threads() * 2).clamp(1, 4096)
}

/// `a b` for row-major `a` (rows, k) and any `b` (k, n), over all threads; `finish(piece)` runs on each finished
/// run of rows while it is still in the cache.
pub fn matmul(a: &[f32], rows: usize, b: View, finish: impl Fn(&mut [f32]) + Sync) -> Vec<f32> {
    let (k, n) = (b.rows, b.cols);
    let mut out = vec![0f32; rows * n];
    if out.is_empty() {
        return out;
    }
    let piece = rows_per_piece(rows);
    parallel::for_each_chunk(&mut out, piece * n, |i, out| {
        let m = out.len() / n;
        matmul_into(out, n, View::new(&a[i * piece * k..], m, k), b, 1.0, false);
        finish(out);
    });
    out
}

/// `a^T b` for row-major `a` (rows, k) and `b` (rows, n): what the gradient of a weight matrix is made of.
pub fn matmul_transposed(a: &[f32], b: &[f32], rows: usize, k: usize, n: usize) -> Vec<f32> {
    let piece = rows_per_piece(rows);
    parallel::sum_over(rows.div_ceil(piece), k * n, |i, sum| {
        let m = piece.min(rows - i * piece);
        let (a, b) = (View::new(&a[i * piece * k..], m, k), View::new(&b[i * piece * n..], m, n));
        matmul_into(sum, n, a.t(), b, 1.0, true);
    })
}
