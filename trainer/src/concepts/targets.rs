//! What the concept head is taught of a picture: the share of its captions that say each word.

use std::collections::{HashMap, HashSet};

use candle_core::{Device, Result, Tensor};
use soli::vocab::{UNKNOWN, Vocabulary};

use crate::labels;

/// How much the labels of a picture with one caption are worth: one person leaves out most of what is there.
const ONE_CAPTION: f32 = 0.6;

/// How surely a word is taught that a label's thing may be called, beside the most specific one: few say "animal" of a cat.
const RELATED: f32 = 0.5;

/// Soft labels for a list of concepts.
#[derive(Debug, Clone)]
pub struct Targets {
    places: HashMap<u32, u32>,
    count: usize,
}

impl Targets {
    /// For concepts given as token ids.
    pub fn new(tokens: &[u32]) -> Self {
        let places = tokens.iter().enumerate().map(|(place, &token)| (token, place as u32)).collect();
        Self { places, count: tokens.len() }
    }

    /// Number of concepts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The concepts that captions say, with the share of the captions that say them, by place.
    pub fn of(&self, captions: &[Vec<u32>]) -> Vec<(u32, f32)> {
        let mut said: HashMap<u32, usize> = HashMap::new();
        for caption in captions {
            let words: HashSet<u32> =
                caption.iter().filter_map(|token| self.places.get(token)).copied().collect();
            words.into_iter().for_each(|place| *said.entry(place).or_default() += 1);
        }
        let worth = if captions.len() == 1 { ONE_CAPTION } else { 1.0 };
        let mut shares: Vec<(u32, f32)> = said
            .into_iter()
            .map(|(place, count)| (place, worth * count as f32 / captions.len() as f32))
            .collect();
        shares.sort_unstable_by_key(|(place, _)| *place);
        shares
    }

    /// The concepts that a label's words are, by place, and how surely people say them: the most specific one first, and the others,
    /// its parents and what it may be called too, half as surely. A label of which nothing is known has its own name.
    pub fn of_label(&self, label: &str, vocabulary: &Vocabulary) -> Vec<(u32, f32)> {
        let tokens = vocabulary.encode(&labels::called(label));
        let known = tokens.iter().filter(|&&token| token != UNKNOWN);
        let places = known.filter_map(|token| self.places.get(token)).copied();
        places.enumerate().map(|(rank, place)| (place, if rank == 0 { 1.0 } else { RELATED })).collect()
    }

    /// The shares of several pictures as a tensor (pictures, concepts).
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn tensor(&self, pictures: &[Vec<Vec<u32>>]) -> Result<Tensor> {
        let mut values = vec![0f32; pictures.len() * self.count];
        for (row, captions) in values.chunks_exact_mut(self.count.max(1)).zip(pictures) {
            for (place, share) in self.of(captions) {
                row[place as usize] = share;
            }
        }
        Tensor::from_vec(values, (pictures.len(), self.count), &Device::Cpu)
    }
}

/// Binary cross-entropy of logits (pictures, concepts) with soft targets of the same shape, summed over the concepts: a
/// value a picture.
///
/// # Errors
/// If shapes differ.
pub fn loss(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    // max(x, 0) - x y + ln(1 + exp(-|x|)), which does not overflow.
    let overflow_free = ((logits.abs()?.neg()?.exp()? + 1.0)?.log()? + logits.relu()?)?;
    (overflow_free - logits.mul(targets)?)?.sum(1)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn shares_are_of_captions_and_one_caption_is_worth_less() {
        let targets = Targets::new(&[7, 9]);
        assert_eq!(targets.of(&[vec![7, 7, 5], vec![9, 7]]), [(0, 1.0), (1, 0.5)]);
        assert_eq!(targets.of(&[vec![9]]), [(1, 0.6)]);
        assert_eq!(
            targets.tensor(&[vec![vec![9], vec![3]]]).unwrap().to_vec2::<f32>().unwrap(),
            [[0.0, 0.5]]
        );
    }

    #[test]
    fn a_labels_words_are_the_concepts_among_them() {
        let vocabulary = Vocabulary::new(["cat", "animal", "sofa"].map(str::to_owned).to_vec()).unwrap();
        // "sofa" (5) is no concept.
        let targets = Targets::new(&[4, 3]);
        assert_eq!(targets.of_label("tabby", &vocabulary), [(1, 1.0), (0, 0.5)]);
        assert_eq!(targets.of_label("Animal", &vocabulary), [(0, 1.0)]);
        assert!(targets.of_label("sofa", &vocabulary).is_empty());
    }

    #[test]
    fn the_loss_and_its_gradient_are_those_of_the_definition() -> Result<()> {
        let x = Var::new(&[[-50.0f32, -1.5, 0.3, 60.0]], &Device::Cpu)?;
        let y = Tensor::new(&[[0.0f32, 0.4, 1.0, 0.5]], &Device::Cpu)?;
        let value = loss(x.as_tensor(), &y)?;
        let expected: f64 = [(-50.0f64, 0.0f64), (-1.5, 0.4), (0.3, 1.0), (60.0, 0.5)]
            .into_iter()
            .map(|(x, y)| {
                // ln p = -ln(1 + exp(-x)), ln (1 - p) = -ln(1 + exp(x))
                y * (-x).exp().ln_1p() + (1.0 - y) * x.exp().ln_1p()
            })
            .sum();
        assert!((f64::from(value.to_vec1::<f32>()?[0]) - expected).abs() < 1e-4);
        let grads = value.sum_all()?.backward()?;
        let found = grads.get(&x).expect("a gradient").to_vec2::<f32>()?;
        for (found, (x, y)) in found[0].iter().zip([(-50.0f64, 0.0), (-1.5, 0.4), (0.3, 1.0), (60.0, 0.5)]) {
            assert!((f64::from(*found) - (1.0 / (1.0 + (-x).exp()) - y)).abs() < 1e-5);
        }
        Ok(())
    }
}
