//! Matrix products with a matrix of 8-bit integers, a scale for each column, straight from the weights file.
//!
//! The left matrix is rounded to 16-bit integers on the way in, so finely that only the weights' own rounding
//! matters, and so coarsely that no 32-bit sum can overflow. Sums of integers are exact: every processor and every
//! browser gets the same.

use super::buffer::Buffer;
use super::product::{Cursor, Finish, NARROW, Output, Placement, Tiles, all_tiles, tile_of_rows};
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
    /// Packs matrices (inputs, outputs) of integers of -127..=127 in two's complement, row after row, which lie side by
    /// side: as many columns as there are scales and biases.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn pack(level: Level, inputs: usize, scales: &[f32], bias: &[f32], parts: &[&[u8]]) -> Self {
        let mut packed = Self::empty(level, inputs, scales, bias);
        let columns: usize = parts.iter().map(|part| part.len() / inputs.max(1)).sum();
        assert_eq!(columns, packed.outputs);
        // Two rows at a time, first zipped, then dealt out to the panels: loops that compilers make vectors of, as this
        // runs over the whole network whenever a page opens.
        let (width, stride) = (level.nr(), packed.stride());
        let mut zipped = vec![0u8; packed.scales.len() * 2];
        for k in (0..inputs).step_by(2) {
            let mut at = 0;
            for part in parts {
                let outputs = part.len() / inputs;
                let zipped = &mut zipped[at..at + outputs * 2];
                let row = &part[k * outputs..][..outputs];
                if k + 1 < inputs {
                    let next = &part[(k + 1) * outputs..][..outputs];
                    for ((pair, &a), &b) in zipped.as_chunks_mut::<2>().0.iter_mut().zip(row).zip(next) {
                        *pair = [a, b];
                    }
                } else {
                    zipped.as_chunks_mut::<2>().0.iter_mut().zip(row).for_each(|(pair, &a)| *pair = [a, 0]);
                }
                at += outputs * 2;
            }
            let panels = &mut packed.panels[k * width..];
            match width {
                8 => deal::<16>(&zipped, panels, stride * width),
                _ => deal::<32>(&zipped, panels, stride * width),
            }
        }
        packed
    }

    /// Packs the transpose of a matrix (outputs, inputs).
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn pack_transposed(
        level: Level,
        inputs: usize,
        scales: &[f32],
        bias: &[f32],
        integers: &[u8],
    ) -> Self {
        let mut packed = Self::empty(level, inputs, scales, bias);
        assert_eq!(integers.len(), inputs * packed.outputs);
        let (width, stride) = (level.nr(), packed.stride());
        for (n, row) in integers.chunks_exact(inputs.max(1)).enumerate() {
            let panel = &mut packed.panels[n / width * width * stride + n % width * 2..];
            for (pair, to) in row.chunks(2).zip(panel.chunks_mut(width * 2)) {
                to[0] = pair[0] as i8;
                to[1] = pair.get(1).map_or(0, |&x| x as i8);
            }
        }
        packed
    }

    fn empty(level: Level, inputs: usize, scales: &[f32], bias: &[f32]) -> Self {
        assert_eq!(scales.len(), bias.len());
        let (outputs, width) = (bias.len(), level.nr());
        let padded_outputs = outputs.next_multiple_of(width);
        let padded = |values: &[f32]| {
            let mut padded = Buffer::new(padded_outputs);
            padded[..outputs].copy_from_slice(values);
            padded
        };
        let panels = Buffer::new(padded_outputs * inputs.next_multiple_of(2));
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
        let narrow = rows < NARROW;
        // SAFETY: the assertions; panels, scales and bias are as long as `pack` made them, for this level.
        unsafe { if narrow { multiply_narrow(self.level, &call) } else { multiply_wide(self.level, &call) } }
    }
}

/// Copies runs of `N` bytes to places `distance` apart.
fn deal<const N: usize>(from: &[u8], to: &mut [i8], distance: usize) {
    for (run, to) in from.as_chunks::<N>().0.iter().zip(to.chunks_mut(distance)) {
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = run.map(|byte| byte as i8);
        }
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
    unsafe { all_tiles::<V, true>(call, V::INT_MR, call.rows, call.stride * 2, call.output.columns) }
}

/// # Safety
/// All pointers of `call` are good for its sizes.
#[inline(always)]
unsafe fn narrow_body<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { all_tiles::<V, false>(call, V::INT_MR, call.rows, call.stride * 2, call.output.columns) }
}

impl Tiles for Call {
    #[inline(always)]
    fn placement(&self) -> Placement {
        self.output.placement
    }

    #[inline(always)]
    unsafe fn tile<V: Vector, const WIDE: bool>(&self, m: usize, to: Cursor, rows: usize, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { tile_of_rows!(rows, V::INT_MR, WIDE, V::FUSED_DOT, V, tile(self, m, to, n)) }
    }
}

/// `R` rows from row `m`, which go to `to`, times the panel that starts at column `n`, in `S` partial sums.
///
/// # Safety
/// Rows and panel lie inside of the matrices.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const S: usize>(call: &Call, m: usize, to: Cursor, n: usize) {
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
        while left >= 8 && V::UNROLL {
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
        call.output.write(&total, to, n);
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
