//! Training on from a weights file: its network in training form, and its words with new ones after them.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use soli::vocab::{SPECIAL_TOKENS, Vocabulary, VocabularyError};
use soli::weights::Weights;

use crate::backbone::identity_norm;
use crate::optimiser::is_trunk;
use crate::parameters::Parameters;

/// The words of `known` in their order, then those of `words` that it lacks: tokens that a network knows keep their
/// numbers.
///
/// # Errors
/// If a word cannot be one.
pub fn extend(known: &Vocabulary, words: Vec<String>) -> Result<Vocabulary, VocabularyError> {
    let mut all: Vec<String> = known.words().to_vec();
    let there: std::collections::HashSet<&String> = known.words().iter().collect();
    all.extend(words.into_iter().filter(|word| !there.contains(word)));
    Vocabulary::new(all)
}

/// Puts the numbers of `weights` into `parameters`. Words that the file does not know keep the values with which the
/// parameters began.
///
/// # Errors
/// If the parameters belong to a network of another shape.
pub fn load(parameters: &Parameters, weights: &Weights) -> Result<()> {
    let vars = parameters.vars();
    let mut values = HashMap::new();
    for (name, tensor) in &weights.tensors {
        match name.strip_suffix(".bias") {
            Some(convolution) if is_trunk(name) => {
                for (part, value) in identity_norm(tensor)? {
                    values.insert(format!("{convolution}.norm.{part}"), value);
                }
            }
            _ => {
                let var = vars.get(name).with_context(|| format!("the network has no tensor `{name}`"))?;
                let (there, wanted) = (tensor.dim(0)?, var.dim(0)?);
                let of_words = weights.vocabulary.len() == there && wanted > there;
                let value = if of_words {
                    Tensor::cat(&[tensor, &var.narrow(0, there, wanted - there)?], 0)?
                } else {
                    tensor.clone()
                };
                values.insert(name.clone(), value);
            }
        }
    }
    debug_assert!(weights.vocabulary.len() >= SPECIAL_TOKENS.len());
    Ok(parameters.load(&values)?)
}
