//! Symmetric 8-bit integers with one scale a row or column.

/// What of a matrix has a scale of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleAxis {
    /// Each row: scales are stored as (rows, 1). For tables that are read by the row.
    Rows,
    /// Each column: scales are stored as (1, columns). For matrices (inputs, outputs), so that a product can be scaled
    /// after the sum.
    Columns,
}

impl ScaleAxis {
    /// Which scale the value at place `i` of a matrix with `columns` columns has.
    pub(super) fn index(self, i: usize, columns: usize) -> usize {
        match self {
            Self::Rows => i / columns,
            Self::Columns => i % columns,
        }
    }

    /// Shape of the scales of a matrix.
    pub(super) fn scale_shape(self, rows: usize, columns: usize) -> [usize; 2] {
        match self {
            Self::Rows => [rows, 1],
            Self::Columns => [1, columns],
        }
    }
}

/// The largest integer used: -128 is left out so that the range is symmetric.
const LARGEST: f32 = 127.0;

/// Where the values of a channel are clipped, as parts of the largest magnitude: the choice with the least squared
/// error is taken. Clipping a few outliers buys all other values a finer step; 1.0 is plain scaling.
const CLIPS: [f32; 10] = [1.0, 0.98, 0.96, 0.94, 0.91, 0.88, 0.85, 0.8, 0.75, 0.7];

/// Rounds a matrix (row-major, finite) to integers; returns them with the scales along `axis`.
pub(super) fn quantise(values: &[f32], columns: usize, axis: ScaleAxis) -> (Vec<i8>, Vec<f32>) {
    let rows = values.len() / columns;
    let count = match axis {
        ScaleAxis::Rows => rows,
        ScaleAxis::Columns => columns,
    };
    let mut largest = vec![0f32; count];
    for (i, value) in values.iter().enumerate() {
        let largest = &mut largest[axis.index(i, columns)];
        *largest = largest.max(value.abs());
    }
    let mut best = vec![f64::INFINITY; count];
    let mut scales = vec![1f32; count];
    for clip in CLIPS {
        let candidates: Vec<f32> = largest.iter().map(|&m| scale_for(m * clip)).collect();
        let mut errors = vec![0f64; count];
        for (i, &value) in values.iter().enumerate() {
            let channel = axis.index(i, columns);
            let error = f64::from(value - round(value, candidates[channel]) * candidates[channel]);
            errors[channel] += error * error;
        }
        for channel in 0..count {
            if errors[channel] < best[channel] {
                (best[channel], scales[channel]) = (errors[channel], candidates[channel]);
            }
        }
    }
    let integers =
        values.iter().enumerate().map(|(i, &v)| round(v, scales[axis.index(i, columns)]) as i8).collect();
    (integers, scales)
}

fn scale_for(largest: f32) -> f32 {
    let scale = largest / LARGEST;
    // A channel of zeros, or of values too small for a normal scale, becomes zeros.
    if scale.is_normal() { scale } else { 1.0 }
}

fn round(value: f32, scale: f32) -> f32 {
    (value / scale).round().clamp(-LARGEST, LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_times_scales_give_the_values_back() {
        // The largest is 127 steps of a half: scaling is exact, and no clipping can better that.
        let values: Vec<f32> = (-127..=127).map(|i| i as f32 * 0.5).collect();
        let (integers, scales) = quantise(&values, 255, ScaleAxis::Rows);
        assert_eq!(scales, [0.5]);
        assert!(integers.iter().zip(&values).all(|(&i, &v)| f32::from(i) * 0.5 == v), "{integers:?}");
    }

    #[test]
    fn each_row_or_column_has_its_own_scale() {
        let values = [1.0, 100.0, -0.5, 50.0, 0.25, -127.0];
        let (integers, scales) = quantise(&values, 2, ScaleAxis::Columns);
        assert_eq!((integers.len(), scales.len()), (6, 2));
        assert!(scales[0] < 0.01 && scales[1] > 0.6, "{scales:?}");
        let (_, scales) = quantise(&values, 2, ScaleAxis::Rows);
        assert_eq!(scales.len(), 3);
        assert!(scales[2] > 0.6, "{scales:?}");
    }

    #[test]
    fn zeros_and_the_tiniest_values_become_zeros() {
        let (integers, scales) = quantise(&[0.0, 0.0, f32::MIN_POSITIVE, -1e-45], 2, ScaleAxis::Rows);
        assert_eq!(integers, [0; 4]);
        assert_eq!(scales, [1.0; 2]);
    }

    #[test]
    fn the_largest_floats_do_not_overflow() {
        let (integers, scales) = quantise(&[f32::MAX, f32::MIN, 0.0, 1.0], 4, ScaleAxis::Rows);
        assert_eq!(integers, [127, -127, 0, 0]);
        assert!((127.0 * scales[0]).is_finite());
    }

    #[test]
    fn clipping_an_outlier_lowers_the_error() {
        let squared_error = |values: &[f32], integers: &[i8], scale: f32| -> f32 {
            values.iter().zip(integers).map(|(v, &i)| (v - f32::from(i) * scale).powi(2)).sum()
        };
        // Nearly normal values: the sum of twelve uniform ones.
        let mut state = 7u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut values: Vec<f32> = (0..4096).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect();
        values[99] = 6.0;
        let (integers, scales) = quantise(&values, 4096, ScaleAxis::Rows);
        let plain = 6.0 / LARGEST;
        let plain_integers: Vec<i8> = values.iter().map(|&v| round(v, plain) as i8).collect();
        let (ours, plain) =
            (squared_error(&values, &integers, scales[0]), squared_error(&values, &plain_integers, plain));
        assert!(ours < plain, "{ours} against {plain}");
    }
}
