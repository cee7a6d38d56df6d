//! Matrix products with a matrix of 8-bit integers, a scale for each column, straight from the weights file.
//!
//! The left matrix is rounded to 16-bit integers on the way in, so finely that only the weights' own rounding
//! matters, and so coarsely that no 32-bit sum can overflow. Sums of integers are exact: every processor and every
//! browser gets the same.

use super::buffer::Buffer;
use super::product::{Finish, Output, Placement, Tiles, all_tiles, tile_of_rows};
use super::simd::{Level, Vector, compile_for_levels};

/// A matrix (inputs, outputs) of 8-bit integers with scales and bias, packed for one level.
pub struct Matrix {
    level: Level,
    inputs: usize,
    outputs: usize,
    panels: Buffer<i8>,
    scales: Buffer<f32>,
    bias: Buffer<f32>,
}

impl Matrix {
    /// Packs `value(input, output)` of -127..=127 for all inputs and outputs, with a scale and a bias for each output.
    ///
    /// # Panics
    /// If there are not as many scales as biases.
    pub fn pack(
        level: Level,
        inputs: usize,
        scales: &[f32],
        bias: &[f32],
        value: impl Fn(usize, usize) -> i8,
    ) -> Self {
        assert_eq!(scales.len(), bias.len());
        let (outputs, width) = (bias.len(), level.panel());
        let (count, pairs) = (outputs.div_ceil(width), inputs.div_ceil(2));
        let mut panels = Buffer::new(count * width * pairs * 2);
        for n in 0..outputs {
            let start = n / width * width * pairs * 2 + n % width * 2;
            for k in 0..inputs {
                panels[start + k / 2 * width * 2 + k % 2] = value(k, n);
            }
        }
        let padded = |values: &[f32]| {
            let mut padded = Buffer::new(count * width);
            padded[..outputs].copy_from_slice(values);
            padded
        };
        Self { level, inputs, outputs, panels, scales: padded(scales), bias: padded(bias) }
    }

    /// Length of a row of values.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Length of a row that goes in, an odd one rounded up: the last value must then be zero.
    pub fn stride(&self) -> usize {
        self.inputs.next_multiple_of(2)
    }

    /// The largest magnitude that an integer going in may have.
    pub fn limit(&self) -> f32 {
        limit(self.inputs)
    }

    /// Multiplies `rows` rows of `x`, each [`Matrix::stride`] long and of magnitude [`Matrix::limit`] at most, scales
    /// by `steps` (one value, or one for each row: what 1 in `x` stands for) and by column, adds the bias, finishes.
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn multiply(
        &self,
        x: &[i16],
        steps: &[f32],
        rows: usize,
        out: &mut [f32],
        placement: Placement,
        finish: Finish,
    ) {
        if rows == 0 || self.outputs == 0 {
            return;
        }
        assert!(x.len() >= rows * self.stride(), "the left matrix is too short");
        assert!(steps.len() == 1 || steps.len() >= rows, "too few steps");
        let span = placement.span(rows, self.outputs);
        assert!(out.len() >= span, "the output is too short");
        assert!(!matches!(finish, Finish::Add(values) if values.len() < span), "too little to add");
        let call = Call {
            x: x.as_ptr(),
            steps: steps.as_ptr(),
            next_step: usize::from(steps.len() > 1),
            rows,
            stride: self.stride(),
            panels: self.panels.as_ptr(),
            scales: self.scales.as_ptr(),
            bias: self.bias.as_ptr(),
            output: Output {
                values: out.as_mut_ptr(),
                placement,
                columns: self.outputs,
                finish: finish.raw(),
            },
        };
        // SAFETY: the assertions; panels, scales and bias are as long as `pack` made them, for this level.
        unsafe { multiply(self.level, &call) }
    }
}

/// The largest magnitude of 16-bit integers of which `inputs` can be multiplied by 127 and added up in 32 bits.
pub fn limit(inputs: usize) -> f32 {
    (i32::MAX as usize / (127 * inputs.max(1))).min(i16::MAX as usize) as f32
}

struct Call {
    x: *const i16,
    steps: *const f32,
    next_step: usize,
    rows: usize,
    stride: usize,
    panels: *const i8,
    scales: *const f32,
    bias: *const f32,
    output: Output,
}

compile_for_levels! {
    unsafe fn multiply(call: &Call) = multiply_body;
}

/// # Safety
/// All pointers of `call` are good for its sizes.
#[inline(always)]
unsafe fn multiply_body<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { all_tiles::<V>(call, V::INT_ROWS, call.rows, call.stride * 2, call.output.columns) }
}

impl Tiles for Call {
    #[inline(always)]
    unsafe fn tile<V: Vector>(&self, m: usize, rows: usize, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { tile_of_rows!(rows, V::INT_ROWS, V::FUSED_DOT, V, tile(self, m, n)) }
    }
}

/// `R` rows from row `m` times the panel that starts at column `n`, in `S` partial sums.
///
/// # Safety
/// Rows and panel lie inside of the matrices.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const S: usize>(call: &Call, m: usize, n: usize) {
    let width = V::PANEL * V::LANES * 2;
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [call.x.add(m * call.stride); R];
        for r in 1..R {
            x[r] = x[r - 1].add(call.stride);
        }
        let mut w = call.panels.add(n * call.stride);
        let mut sums = [[[V::zero_ints(); 2]; R]; S];
        let mut left = call.stride;
        while left >= 8 {
            for u in 0..4 {
                step::<V, R>(&mut sums[u % S], &x, w.add(u * width), 2 * u);
            }
            for x in &mut x {
                *x = x.add(8);
            }
            w = w.add(4 * width);
            left -= 8;
        }
        while left > 0 {
            step::<V, R>(&mut sums[0], &x, w, 0);
            for x in &mut x {
                *x = x.add(2);
            }
            w = w.add(width);
            left -= 2;
        }
        let mut total = [[V::splat(0.0); 2]; R];
        for r in 0..R {
            let step = V::splat(*call.steps.add((m + r) * call.next_step));
            for p in 0..V::PANEL {
                let at = n + p * V::LANES;
                let (scale, bias) = (V::load(call.scales.add(at)), V::load(call.bias.add(at)));
                let mut sum = sums[0][r][p];
                for s in 1..S {
                    sum = V::add_ints(sum, sums[s][r][p]);
                }
                total[r][p] = bias.add_product(V::from_ints(sum), scale.mul(step));
            }
        }
        call.output.write(&total, m, n);
    }
}

#[inline(always)]
unsafe fn step<V: Vector, const R: usize>(
    sums: &mut [[V::Ints; 2]; R],
    x: &[*const i16; R],
    w: *const i8,
    k: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut columns = [V::zero_ints(); 2];
        for p in 0..V::PANEL {
            columns[p] = V::load_i8(w.add(p * V::LANES * 2));
        }
        for r in 0..R {
            let x = V::splat_pair(x[r].add(k));
            for p in 0..V::PANEL {
                sums[r][p] = V::add_dot(sums[r][p], x, columns[p]);
            }
        }
    }
}
