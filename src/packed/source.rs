//! Where the packed network takes its tensors from.

use std::borrow::Cow;

use super::linear::{Linear, Norm, Table};
use crate::kernels::{Level, Matrix, MatrixI8};
use crate::layout::{self, TensorSpec};

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

    fn get(&self, tensor: &TensorSpec) -> Result<Values<'a>, BadTensor> {
        let (rows, columns) = tensor.rows_and_columns();
        self.source.get(&tensor.name, rows, columns).ok_or_else(|| BadTensor(tensor.name.clone()))
    }

    /// A tensor's values, row after row.
    ///
    /// # Errors
    /// If it is not there.
    pub fn floats(&self, tensor: &TensorSpec) -> Result<Vec<f32>, BadTensor> {
        Ok(floats(self.get(tensor)?, tensor.rows_and_columns().1))
    }

    /// A tensor of which single rows are wanted.
    ///
    /// # Errors
    /// If it is not there.
    pub fn table(&self, tensor: &TensorSpec) -> Result<Table, BadTensor> {
        let (_, columns) = tensor.rows_and_columns();
        Ok(match self.get(tensor)? {
            Values::ByRow(integers, scales) => {
                Table::Int8 { integers: integers.to_vec(), scales: scales.into_owned(), columns }
            }
            other => Table::F32 { values: floats(other, columns), columns },
        })
    }

    /// The scale and the shift of a norm.
    ///
    /// # Errors
    /// If one is not there.
    pub fn norm(&self, norm: &layout::Norm) -> Result<Norm, BadTensor> {
        Ok(Norm { gamma: self.floats(&norm.gamma())?, beta: self.floats(&norm.beta())? })
    }

    /// A matrix with its bias.
    ///
    /// # Errors
    /// If one is not there.
    pub fn linear(&self, layer: &layout::Linear) -> Result<Linear, BadTensor> {
        self.side_by_side(&[layer])
    }

    /// Several layers with the same sizes and the same input, their outputs one after the other.
    ///
    /// # Errors
    /// If a tensor is not there.
    pub fn side_by_side(&self, layers: &[&layout::Linear]) -> Result<Linear, BadTensor> {
        let (inputs, outputs) = layers.first().map_or((0, 0), |layer| (layer.inputs, layer.outputs));
        let mut parts = Vec::with_capacity(layers.len());
        let mut bias = Vec::with_capacity(layers.len() * outputs);
        for layer in layers {
            parts.push(self.get(&layer.weight())?);
            bias.extend(self.floats(&layer.bias())?);
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
    pub fn transposed(&self, tensor: &TensorSpec, bias: &TensorSpec) -> Result<Linear, BadTensor> {
        let (_, inputs) = tensor.rows_and_columns();
        let bias = self.floats(bias)?;
        Ok(match self.get(tensor)? {
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
