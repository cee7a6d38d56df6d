//! Matrix products of floats with a matrix that was packed beforehand.
//!
//! The right matrix is cut into panels of a few columns, each stored row after row, so that the inner loop reads it
//! from end to end (Goto and van de Geijn 2008, doi 10.1145/1356052.1356053). The left one is read where it lies.

use super::buffer::Buffer;
use super::product::{Cursor, Finish, NARROW, Output, Placement, Tiles, all_tiles, tile_of_rows};
use super::simd::{Level, Vector, compile_for_levels};

/// A matrix (inputs, outputs) with its bias, packed for one level.
pub struct Matrix {
    level: Level,
    inputs: usize,
    outputs: usize,
    panels: Buffer<f32>,
    bias: Buffer<f32>,
}

impl Matrix {
    /// Packs `value(input, output)` for all inputs and outputs, and the bias of each output.
    pub fn pack(level: Level, inputs: usize, bias: &[f32], value: impl Fn(usize, usize) -> f32) -> Self {
        let (outputs, width) = (bias.len(), level.nr());
        let count = outputs.div_ceil(width);
        let mut panels = Buffer::new(count * width * inputs);
        for n in 0..outputs {
            let start = n / width * width * inputs + n % width;
            for k in 0..inputs {
                panels[start + k * width] = value(k, n);
            }
        }
        let mut padded = Buffer::new(count * width);
        padded[..outputs].copy_from_slice(bias);
        Self { level, inputs, outputs, panels, bias: padded }
    }

    /// Length of a row that goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Length of a row that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Multiplies `rows` rows of `x`, which start `stride` values apart, adds the bias and finishes.
    ///
    /// # Panics
    /// If a slice is too short.
    pub fn multiply(
        &self,
        x: &[f32],
        stride: usize,
        rows: usize,
        out: &mut [f32],
        placement: Placement,
        finish: Finish,
    ) {
        if rows == 0 || self.outputs == 0 {
            return;
        }
        assert!(x.len() >= (rows - 1) * stride + self.inputs, "the left matrix is too short");
        let span = placement.span(rows, self.outputs);
        assert!(out.len() >= span, "the output is too short");
        assert!(!matches!(finish, Finish::Add(values) if values.len() < span), "too little to add");
        let call = Call {
            x: x.as_ptr(),
            stride,
            rows,
            inputs: self.inputs,
            panels: self.panels.as_ptr(),
            bias: self.bias.as_ptr(),
            output: Output {
                values: out.as_mut_ptr(),
                placement,
                columns: self.outputs,
                finish: finish.raw(),
            },
        };
        let narrow = rows < NARROW;
        // SAFETY: the assertions; panels and bias are as long as `pack` made them, for this level.
        unsafe { if narrow { multiply_narrow(self.level, &call) } else { multiply_wide(self.level, &call) } }
    }
}

struct Call {
    x: *const f32,
    stride: usize,
    rows: usize,
    inputs: usize,
    panels: *const f32,
    bias: *const f32,
    output: Output,
}

compile_for_levels! {
    unsafe fn multiply_wide(call: &Call) = wide_body;
}
compile_for_levels! {
    unsafe fn multiply_narrow(call: &Call) = narrow_body;
}

/// # Safety
/// All pointers of `call` are good for its sizes, and it has [`NARROW`] rows at least.
#[inline(always)]
unsafe fn wide_body<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { all_tiles::<V, true>(call, V::MR, call.rows, call.stride * 4, call.output.columns) }
}

/// # Safety
/// All pointers of `call` are good for its sizes.
#[inline(always)]
unsafe fn narrow_body<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { all_tiles::<V, false>(call, V::MR, call.rows, call.stride * 4, call.output.columns) }
}

impl Tiles for Call {
    #[inline(always)]
    fn placement(&self) -> Placement {
        self.output.placement
    }

    #[inline(always)]
    unsafe fn tile<V: Vector, const WIDE: bool>(&self, m: usize, to: Cursor, rows: usize, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { tile_of_rows!(rows, V::MR, WIDE, true, V, tile(self, m, to, n)) }
    }
}

/// `R` rows from row `m`, which go to `to`, times the panel that starts at column `n`, in `S` partial sums.
///
/// # Safety
/// Rows and panel lie inside of the matrices.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const S: usize>(call: &Call, m: usize, to: Cursor, n: usize) {
    let width = V::PANEL * V::LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [call.x.add(m * call.stride); R];
        for r in 1..R {
            x[r] = x[r - 1].add(call.stride);
        }
        let mut w = call.panels.add(n * call.inputs);
        let mut sums = [[[V::splat(0.0); 2]; R]; S];
        for p in 0..V::PANEL {
            let bias = V::load(call.bias.add(n + p * V::LANES));
            for row in &mut sums[0] {
                row[p] = bias;
            }
        }
        let mut left = call.inputs;
        // One or two rows have to be unrolled: their few sums would wait for each other.
        while left >= 4 && (V::UNROLL || R <= 2) {
            for u in 0..4 {
                step(&mut sums[u % S], &x, w.add(u * width), u);
            }
            for x in &mut x {
                *x = x.add(4);
            }
            w = w.add(4 * width);
            left -= 4;
        }
        while left > 0 {
            step(&mut sums[0], &x, w, 0);
            for x in &mut x {
                *x = x.add(1);
            }
            w = w.add(width);
            left -= 1;
        }
        let mut total = sums[0];
        for s in 1..S {
            for r in 0..R {
                for p in 0..V::PANEL {
                    total[r][p] = total[r][p].add(sums[s][r][p]);
                }
            }
        }
        call.output.write(&total, to, n);
    }
}

#[inline(always)]
unsafe fn step<V: Vector, const R: usize>(
    sums: &mut [[V; 2]; R],
    x: &[*const f32; R],
    w: *const f32,
    k: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut columns = [V::splat(0.0); 2];
        for p in 0..V::PANEL {
            columns[p] = V::load(w.add(p * V::LANES));
        }
        for r in 0..R {
            let x = V::splat(*x[r].add(k));
            for p in 0..V::PANEL {
                sums[r][p] = sums[r][p].add_product(x, columns[p]);
            }
        }
    }
}
