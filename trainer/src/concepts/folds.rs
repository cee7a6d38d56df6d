//! Classifiers that have not seen a picture say which words the decoder reads of it.
//!
//! The concept head itself learns from every training picture, and is surer of their words than it will be of any other
//! picture's: a decoder that learned to read it there would believe it too much. So each picture belongs to one of three
//! parts, and a classifier beside the head's own learns from the other two (cross-fitting). They are trained with the
//! network and are no part of the weights file.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;
use soli::concepts::Classifier;
use soli::config::ConceptConfig;
use soli::likeliest::Likeliest;

use super::targets;

/// Number of parts.
pub const FOLDS: usize = 3;

/// What the names of their parameters begin with.
pub const FOLDS_PREFIX: &str = "folds.";

/// The classifiers.
pub struct Folds {
    classifiers: Vec<Classifier>,
    read: usize,
}

/// The part that a picture belongs to: follows from its name alone.
pub fn fold_of(name: &str) -> usize {
    let hash =
        name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of this hash are those of the last letters.
    ((hash >> 32) % FOLDS as u64) as usize
}

impl Folds {
    /// Takes their parameters from `vb`.
    ///
    /// # Errors
    /// If one has another shape.
    pub fn new(vb: VarBuilder, config: &ConceptConfig) -> Result<Self> {
        let classifiers = (0..FOLDS)
            .map(|i| Classifier::new(vb.pp("folds").pp(i), config.rank, config.tokens.len()))
            .collect::<Result<_>>()?;
        Ok(Self { classifiers, read: config.read })
    }

    /// Logits (pictures, concepts) of every classifier for pooled features.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn logits(&self, pooled: &Tensor) -> Result<Vec<Tensor>> {
        self.classifiers.iter().map(|classifier| classifier.forward(pooled)).collect()
    }

    /// The mean loss of the classifiers: each learns from the pictures of the other parts. `parts` are the pictures'.
    ///
    /// # Errors
    /// If shapes differ.
    pub fn loss(&self, logits: &[Tensor], targets: &Tensor, parts: &[usize]) -> Result<Tensor> {
        let mut total = Tensor::zeros((), targets.dtype(), targets.device())?;
        for (fold, logits) in logits.iter().enumerate() {
            let learns: Vec<f32> = parts.iter().map(|&part| f32::from(u8::from(part != fold))).collect();
            let count = learns.iter().sum::<f32>().max(1.0);
            let learns = Tensor::from_vec(learns, parts.len(), &Device::Cpu)?;
            let of_fold = (targets::loss(logits, targets)? * learns)?.sum_all()?;
            total = (total + (of_fold / f64::from(count))?)?;
        }
        total / self.classifiers.len() as f64
    }

    /// Logits of each picture by the classifier that has not learned from it.
    ///
    /// # Errors
    /// If the logits are not `f32`.
    pub fn unseen(&self, logits: &[Tensor], parts: &[usize]) -> Result<Vec<Vec<f32>>> {
        let all: Vec<Vec<Vec<f32>>> = logits.iter().map(|l| l.to_vec2::<f32>()).collect::<Result<_>>()?;
        Ok(parts.iter().enumerate().map(|(picture, &part)| all[part][picture].clone()).collect())
    }

    /// The words that the decoder reads of each picture.
    ///
    /// # Errors
    /// If the logits are not `f32`.
    pub fn likeliest(&self, logits: &[Tensor], parts: &[usize]) -> Result<Vec<Likeliest>> {
        let choose = |logits: Vec<f32>| {
            let mut words = Likeliest::default();
            words.choose(&logits, self.read);
            words
        };
        Ok(self.unseen(logits, parts)?.into_iter().map(choose).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameters;

    #[test]
    fn names_fall_into_equal_parts() {
        let mut counts = [0usize; FOLDS];
        (0..3000).for_each(|i| counts[fold_of(&format!("coco_{i:012}.jpg"))] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_classifier_learns_nothing_from_its_own_part() -> Result<()> {
        let parameters = Parameters::new(3);
        let config = ConceptConfig { most: 4, rank: 8, read: 2, tokens: vec![3, 4, 5, 6] };
        let folds = Folds::new(parameters.builder(), &config)?;
        let pooled: Vec<f32> = (0..2 * 1280).map(|i| ((i * 7) % 11) as f32 / 11.0).collect();
        let pooled = Tensor::from_vec(pooled, (2, 1280), &Device::Cpu)?;
        let targets = Tensor::new(&[[1.0f32, 0.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.0]], &Device::Cpu)?;
        // Both pictures are of part 1: classifier 1 has nothing to learn, the others do.
        let logits = folds.logits(&pooled)?;
        let grads = folds.loss(&logits, &targets, &[1, 1])?.backward()?;
        for (name, var) in parameters.vars() {
            let grad = grads.get(&var).expect("every parameter has a gradient");
            let moved = grad.abs()?.sum_all()?.to_scalar::<f32>()? > 0.0;
            assert_eq!(moved, !name.starts_with("folds.1."), "{name}");
        }
        assert_eq!(folds.likeliest(&logits, &[0, 1])?.len(), 2);
        Ok(())
    }
}
