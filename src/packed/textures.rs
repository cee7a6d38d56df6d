//! What a picture's surface is like: mean and standard deviation over the cells of what some of the trunk's blocks give.
//!
//! Where things lie does not matter to them, so that strokes, flat areas and rows of letters are told from a photograph's
//! grain whatever is drawn or written (such statistics stand for style in Huang and Belongie 2017, arXiv 1703.06868). They
//! tell kinds of pictures apart better than the features that words are read from, which were trained not to mind.

use crate::kernels::Buffer;

/// Memory for the statistics, block after block: means, then deviations.
#[derive(Default)]
pub struct Textures {
    values: Buffer<f32>,
    len: usize,
    sums: Buffer<f32>,
}

impl Textures {
    /// Forgets the last picture.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds those of `cells`, (cells, channels) values.
    ///
    /// # Panics
    /// If there is no cell.
    pub(super) fn add(&mut self, cells: &[f32], channels: usize) {
        self.sums.grow(2 * channels);
        let (sums, squares) = self.sums[..2 * channels].split_at_mut(channels);
        sums.fill(0.0);
        squares.fill(0.0);
        // From the first cell's values on: the squares of a surface that is almost even would drown in those of its level.
        let level = &cells[..channels];
        for cell in cells.chunks_exact(channels) {
            for (((sum, square), x), level) in sums.iter_mut().zip(squares.iter_mut()).zip(cell).zip(level) {
                let difference = x - level;
                *sum += difference;
                *square += difference * difference;
            }
        }
        let count = (cells.len() / channels) as f32;
        let at = self.len;
        self.len += 2 * channels;
        self.values.grow(self.len);
        let (means, deviations) = self.values[at..self.len].split_at_mut(channels);
        for (c, (mean, deviation)) in means.iter_mut().zip(deviations).enumerate() {
            let difference = sums[c] / count;
            *mean = level[c] + difference;
            *deviation = (squares[c] / count - difference * difference).max(0.0).sqrt();
        }
    }

    /// Those of the last picture: [`crate::layout::TEXTURE_CHANNELS`] values.
    pub fn values(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_their_definitions() {
        let cells: Vec<f32> =
            (0..40).map(|i| ((i * 29) % 17) as f32 - 6.0 + 1000.0 * (i % 2) as f32).collect();
        let mut textures = Textures::default();
        textures.add(&[7.0; 9], 3);
        textures.clear();
        textures.add(&cells, 2);
        textures.add(&[1.0, 2.0, 5.0], 1);
        let of = |c: usize| {
            let values: Vec<f64> = cells.iter().skip(c).step_by(2).map(|x| f64::from(*x)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
            (mean, variance.sqrt())
        };
        let ((mean, deviation), (second, other)) = (of(0), of(1));
        let expected = [mean, second, deviation, other, 8.0 / 3.0, (26.0f64 / 9.0).sqrt()];
        assert_eq!(textures.values().len(), expected.len());
        for (found, expected) in textures.values().iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-3, "{found} {expected}");
        }
    }

    #[test]
    fn an_even_surface_does_not_vary() {
        let mut textures = Textures::default();
        textures.add(&[123.456; 640], 1);
        assert_eq!(textures.values(), [123.456, 0.0]);
    }
}
