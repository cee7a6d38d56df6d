//! Where the packed network takes its tensors from, and how it multiplies with them.

use std::borrow::Cow;

use crate::kernels::packed::{Buffer, Finish, Level, Matrix, MatrixI8, Placement, quantise};

/// A tensor that the network needs is not there, or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tensor {0} is missing or has the wrong shape")]
pub struct BadTensor(pub String);

/// The values of a tensor (rows, columns); a vector is one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// Row after row.
    Floats(Cow<'a, [f32]>),
    /// 8-bit integers in two's complement, row after row, each to be multiplied by its column's scale.
    ByColumn(&'a [u8], Cow<'a, [f32]>),
    /// 8-bit integers in two's complement, row after row, each to be multiplied by its row's scale.
    ByRow(&'a [u8], Cow<'a, [f32]>),
}

/// Tensors by name.
pub trait Source {
    /// The values of a tensor of `rows` by `columns`, if it is there and has as many.
    fn get(&self, name: &str, rows: usize, columns: usize) -> Option<Values<'_>>;
}

/// A source's tensors as floats, whatever they are stored as.
pub struct AsFloats<'a, S>(pub &'a S);

impl<S: Source> Source for AsFloats<'_, S> {
    fn get(&self, name: &str, rows: usize, columns: usize) -> Option<Values<'_>> {
        Some(Values::Floats(Cow::Owned(floats(self.0.get(name, rows, columns)?, columns))))
    }
}

fn floats(values: Values, columns: usize) -> Vec<f32> {
    let product = |integers: &[u8], scale: &dyn Fn(usize) -> f32| {
        integers.iter().enumerate().map(|(i, &x)| f32::from(x as i8) * scale(i)).collect()
    };
    match values {
        Values::Floats(values) => values.into_owned(),
        Values::ByColumn(integers, scales) => product(integers, &|i| scales[i % columns]),
        Values::ByRow(integers, scales) => product(integers, &|i| scales[i / columns]),
    }
}

/// Takes tensors from a source for one level of processor.
pub struct Packer<'a> {
    source: &'a dyn Source,
    /// For which processor is packed.
    pub level: Level,
}

impl<'a> Packer<'a> {
    /// Packs what `source` has for `level`.
    pub fn new(source: &'a dyn Source, level: Level) -> Self {
        Self { source, level }
    }

    fn get(&self, name: &str, rows: usize, columns: usize) -> Result<Values<'a>, BadTensor> {
        self.source.get(name, rows, columns).ok_or_else(|| BadTensor(name.to_owned()))
    }

    /// A tensor's values, row after row.
    ///
    /// # Errors
    /// If it is not there.
    pub fn floats(&self, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, BadTensor> {
        Ok(floats(self.get(name, rows, columns)?, columns))
    }

    /// A tensor of which single rows are wanted.
    ///
    /// # Errors
    /// If it is not there.
    pub fn table(&self, name: &str, rows: usize, columns: usize) -> Result<Table, BadTensor> {
        Ok(match self.get(name, rows, columns)? {
            Values::ByRow(integers, scales) => {
                Table::Int8 { integers: integers.to_vec(), scales: scales.into_owned(), columns }
            }
            other => Table::F32 { values: floats(other, columns), columns },
        })
    }

    /// `NAME.weight` (inputs, outputs) and `NAME.bias`.
    ///
    /// # Errors
    /// If one is not there.
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, BadTensor> {
        self.side_by_side(&[name], inputs, outputs)
    }

    /// Several layers (inputs, outputs) with the same input, their outputs one after the other.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn side_by_side(&self, names: &[&str], inputs: usize, outputs: usize) -> Result<Linear, BadTensor> {
        let mut parts = Vec::with_capacity(names.len());
        let mut bias = Vec::with_capacity(names.len() * outputs);
        for name in names {
            parts.push(self.get(&format!("{name}.weight"), inputs, outputs)?);
            bias.extend(self.floats(&format!("{name}.bias"), 1, outputs)?);
        }
        let integers: Option<Vec<_>> = parts
            .iter()
            .map(|part| match part {
                Values::ByColumn(integers, scales) => Some((*integers, scales)),
                _ => None,
            })
            .collect();
        Ok(match integers {
            Some(parts) => {
                let scales: Vec<f32> = parts.iter().flat_map(|(_, scales)| scales.iter().copied()).collect();
                let parts: Vec<&[u8]> = parts.iter().map(|(integers, _)| *integers).collect();
                Linear::Int8(MatrixI8::pack(self.level, inputs, &scales, &bias, &parts))
            }
            None => {
                let parts: Vec<_> = parts.into_iter().map(|part| floats(part, outputs)).collect();
                let value = |k: usize, n: usize| parts[n / outputs][k * outputs + n % outputs];
                Linear::F32(Matrix::pack(self.level, inputs, &bias, value))
            }
        })
    }

    /// The transpose of a tensor (outputs, inputs) with a bias: a table of words as the matrix that chooses one.
    ///
    /// # Errors
    /// If one is not there.
    pub fn transposed(
        &self,
        name: &str,
        bias: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Linear, BadTensor> {
        let bias = self.floats(bias, 1, outputs)?;
        Ok(match self.get(name, outputs, inputs)? {
            Values::ByRow(integers, scales) => {
                Linear::Int8(MatrixI8::pack_transposed(self.level, inputs, &scales, &bias, integers))
            }
            other => {
                let values = floats(other, inputs);
                Linear::F32(Matrix::pack(self.level, inputs, &bias, |k, n| values[n * inputs + k]))
            }
        })
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
