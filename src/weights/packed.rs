//! Weights as a source for the packed network.

use std::borrow::Cow;

use super::{ScaleAxis, StoredTensor, Weights, WeightsFile};
use crate::packed::source::{Source, Values};

impl Source for WeightsFile<'_> {
    fn get(&self, name: &str, rows: usize, columns: usize) -> Option<Values<'_>> {
        let stored: &StoredTensor = self.tensor(name)?;
        if stored.shape.iter().product::<usize>() != rows * columns {
            return None;
        }
        Some(match &stored.values {
            super::Values::Int8 { integers, scales, axis: ScaleAxis::Columns } => {
                Values::ByColumn(integers, Cow::Borrowed(scales))
            }
            super::Values::Int8 { integers, scales, axis: ScaleAxis::Rows } => {
                Values::ByRow(integers, Cow::Borrowed(scales))
            }
            _ => Values::Floats(Cow::Owned(stored.to_f32())),
        })
    }
}

impl Source for Weights {
    fn get(&self, name: &str, rows: usize, columns: usize) -> Option<Values<'_>> {
        let values = &self.tensors.get(name)?.values;
        (values.len() == rows * columns).then_some(Values::Floats(Cow::Borrowed(values)))
    }
}
