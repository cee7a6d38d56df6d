//! Whether the words that are read from small pictures are those that are read from the sharp ones.
//!
//! The words are read by a ridge regression from embeddings (of the captioned training pictures, in all versions) to the
//! words of their captions. It is fitted after the training, so that it changes nothing of that.

use anyhow::Result;
use candle_core::Tensor;

use crate::regression::solve_definite;

/// Words that are read, of each picture.
const LIKELIEST: usize = 5;
/// Added to the normal equations' diagonal, as a share of its mean.
const RIDGE: f64 = 1e-3;

/// A linear map from embeddings to how much more likely than usual each word is.
pub struct Reader {
    mean: Vec<f64>,
    /// One row of weights a value of the embedding.
    weights: Vec<Vec<f64>>,
}

impl Reader {
    /// Fits it: row `i` of `embeddings` (rows, values) is of a picture whose captions say `said[i]`, of `words` words.
    ///
    /// # Errors
    /// If the embeddings cannot be read.
    pub fn fit(embeddings: &[Vec<f32>], said: &[&[usize]], words: usize) -> Result<Self> {
        let values = embeddings.first().map_or(0, Vec::len);
        let count = embeddings.len().max(1) as f64;
        let mut mean = vec![0f64; values];
        for row in embeddings {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x) / count);
        }
        let mut products = vec![vec![0f64; values]; values];
        let mut targets = vec![vec![0f64; words]; values];
        for (row, said) in embeddings.iter().zip(said) {
            let centred: Vec<f64> = row.iter().zip(&mean).map(|(x, m)| f64::from(*x) - m).collect();
            for i in 0..values {
                products[i].iter_mut().zip(&centred).for_each(|(p, x)| *p += centred[i] * x);
                said.iter().for_each(|&word| targets[i][word] += centred[i]);
            }
        }
        let trace = (0..values).map(|i| products[i][i]).sum::<f64>() / values.max(1) as f64;
        (0..values).for_each(|i| products[i][i] += RIDGE * trace + 1e-12);
        Ok(Self { mean, weights: solve_definite(products, targets) })
    }

    /// The likeliest words of each embedding (pictures, values).
    ///
    /// # Errors
    /// If the embeddings cannot be read.
    pub fn likeliest(&self, embeddings: &Tensor) -> Result<Vec<Vec<usize>>> {
        let words = self.weights.first().map_or(0, Vec::len);
        let read = |row: &Vec<f32>| {
            let mut scores = vec![0f64; words];
            for ((x, mean), weights) in row.iter().zip(&self.mean).zip(&self.weights) {
                let x = f64::from(*x) - mean;
                scores.iter_mut().zip(weights).for_each(|(score, w)| *score += x * w);
            }
            let mut order: Vec<usize> = (0..words).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            order.truncate(LIKELIEST);
            order
        };
        Ok(embeddings.to_vec2::<f32>()?.iter().map(read).collect())
    }
}

/// The mean share of words that both lists have, picture by picture.
pub fn shared(a: &[Vec<usize>], b: &[Vec<usize>]) -> f64 {
    let both = |(a, b): (&Vec<usize>, &Vec<usize>)| {
        a.iter().filter(|word| b.contains(word)).count() as f64 / a.len().max(1) as f64
    };
    a.iter().zip(b).map(both).sum::<f64>() / a.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn words_are_read_where_they_are_said() -> Result<()> {
        // Value i of an embedding is high where word i is said; word 6 is said by chance.
        let mut embeddings = Vec::new();
        let mut words: Vec<Vec<usize>> = Vec::new();
        for i in 0..60 {
            let said = i % 6;
            embeddings
                .push((0..6).map(|j| if j == said { 2.0 } else { 0.1 * ((i * 7 + j) % 3) as f32 }).collect());
            words.push(if i % 5 == 0 { vec![said, 6] } else { vec![said] });
        }
        let said: Vec<&[usize]> = words.iter().map(Vec::as_slice).collect();
        let reader = Reader::fit(&embeddings, &said, 7)?;
        let shown = Tensor::new(embeddings[..6].to_vec(), &Device::Cpu)?;
        let read = reader.likeliest(&shown)?;
        for (i, read) in read.iter().enumerate() {
            assert_eq!((read[0], read.len()), (i, LIKELIEST));
        }
        assert_eq!(shared(&read, &read), 1.0);
        assert!((shared(&[vec![1, 2]], &[vec![2, 3]]) - 0.5).abs() < 1e-12);
        Ok(())
    }
}
