//! The layers of the packed network: products, norms and tables.

use crate::kernels::{Buffer, Finish, Level, Matrix, MatrixI8, Placement, layer_norm, quantise};

/// A layer norm.
pub struct Norm {
    /// Scale of each channel.
    pub gamma: Vec<f32>,
    /// Shift of each channel.
    pub beta: Vec<f32>,
}

impl Norm {
    /// Normalises each row of `x` (rows, width) into `out` (rows, width).
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn forward(&self, level: Level, x: &[f32], out: &mut [f32]) {
        layer_norm(level, x, &self.gamma, &self.beta, out);
    }
}

/// Rows to be looked up.
pub enum Table {
    /// In floats.
    F32 {
        /// Row after row.
        values: Vec<f32>,
        /// Length of a row.
        columns: usize,
    },
    /// In integers with a scale for each row.
    Int8 {
        /// In two's complement, row after row.
        integers: Vec<u8>,
        /// One a row.
        scales: Vec<f32>,
        /// Length of a row.
        columns: usize,
    },
}

impl Table {
    /// Adds row `row` to `to`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn add_row(&self, row: usize, to: &mut [f32]) {
        match self {
            Self::F32 { values, columns } => {
                to.iter_mut().zip(&values[row * columns..][..*columns]).for_each(|(to, x)| *to += x);
            }
            Self::Int8 { integers, scales, columns } => {
                let (row, scale) = (&integers[row * columns..][..*columns], scales[row]);
                to.iter_mut().zip(row).for_each(|(to, &x)| *to += f32::from(x as i8) * scale);
            }
        }
    }
}

/// A packed layer: a matrix product with a bias.
pub enum Linear {
    /// In floats.
    F32(Matrix),
    /// In integers.
    Int8(MatrixI8),
}

/// What [`Linear::rows`] needs while it works.
#[derive(Default)]
pub struct Rounded {
    integers: Buffer<i16>,
    steps: Vec<f32>,
}

impl Linear {
    /// Multiplies `rows` rows of `x`, which lie one after the other; integers are made with a step for each row, so
    /// that what becomes of a row does not depend on its neighbours.
    ///
    /// # Panics
    /// If `x` or `out` is too short.
    pub fn rows(
        &self,
        level: Level,
        x: &[f32],
        rows: usize,
        rounded: &mut Rounded,
        out: &mut [f32],
        finish: Finish,
    ) {
        match self {
            Self::F32(matrix) => {
                let place = Placement::dense(matrix.outputs());
                matrix.multiply(x, matrix.inputs(), rows, out, place, finish);
            }
            Self::Int8(matrix) => {
                let (inputs, stride) = (matrix.inputs(), matrix.stride());
                rounded.integers.grow(rows * stride);
                rounded.steps.clear();
                for (x, to) in
                    x.chunks_exact(inputs).zip(rounded.integers.chunks_exact_mut(stride)).take(rows)
                {
                    to[stride - 1] = 0;
                    rounded.steps.push(quantise(level, x, matrix.limit(), to));
                }
                let place = Placement::dense(matrix.outputs());
                matrix.multiply(&rounded.integers, &rounded.steps, rows, out, place, finish);
            }
        }
    }
}
