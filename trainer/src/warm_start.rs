//! Training on from a weights file: its network in training form, its words with new ones after them, and its grid
//! of embeddings as large as the new input makes it.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use soli::graph::tensors;
use soli::layout::{CONCEPTS, Classifier, Network};
use soli::vocab::{SPECIAL_TOKENS, Vocabulary, VocabularyError};
use soli::weights::Weights;

use crate::concepts::{FOLDS, folds};
use crate::config::Recipe;
use crate::fold::fold;
use crate::optimiser::is_trunk;
use crate::parameters::Parameters;
use crate::pretrained::identity_norm;

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
/// parameters began; the vectors that mark a cell's place are interpolated where the grid has another size.
///
/// # Errors
/// If the parameters belong to a network of another shape.
pub fn load(parameters: &Parameters, weights: &Weights) -> Result<()> {
    let vars = parameters.vars();
    let positions = Network::new(&weights.config).embedding.position.name;
    let mut values = HashMap::new();
    for (name, tensor) in &tensors(weights)? {
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
                let value = if *name == positions {
                    resized_grid(tensor, wanted)?
                } else if of_words {
                    Tensor::cat(&[tensor, &var.narrow(0, there, wanted - there)?], 0)?
                } else {
                    tensor.clone()
                };
                values.insert(name.clone(), value);
            }
        }
    }
    // The classifiers that training alone needs begin as the head's: none of them has seen a picture of the new data.
    for fold in 0..FOLDS {
        let Some(config) = &weights.config.concepts else { break };
        let own = folds::layout(fold, config).tensors();
        let head = Classifier::new(CONCEPTS, config.rank, config.tokens.len()).tensors();
        for (own, head) in own.into_iter().zip(head) {
            if let Some(value) = values.get(&head.name).cloned() {
                values.insert(own.name, value);
            }
        }
    }
    debug_assert!(weights.vocabulary.len() >= SPECIAL_TOKENS.len());
    Ok(parameters.load(&values)?)
}

/// Whether training from `start` needs the pretrained trunk: for a share of it, or for a concept head that the weights lack.
pub fn needs_pretrained(recipe: &Recipe, start: Option<&Weights>) -> bool {
    let has_head = start.is_some_and(|weights| weights.config.concepts.is_some());
    recipe.pretrained_share > 0.0 || (recipe.model.concepts.is_some() && !has_head)
}

/// Puts a share of the pretrained trunk (the tensors of [`crate::pretrained::load`]) into that of the weights, which were
/// loaded before, and takes the concept head from it if the weights have none.
///
/// # Errors
/// If the pretrained trunk is not that of the network.
pub fn blend(
    parameters: &Parameters,
    weights: &Weights,
    pretrained: HashMap<String, Tensor>,
    share: f64,
) -> Result<()> {
    let (head, trunk): (HashMap<_, _>, HashMap<_, _>) =
        pretrained.into_iter().partition(|(name, _)| name.starts_with("concepts."));
    if weights.config.concepts.is_none() {
        parameters.load(&head)?;
    }
    if share == 0.0 {
        return Ok(());
    }
    let vars = parameters.vars();
    let mut values = HashMap::new();
    // A convolution of the weights carries its normalisation in its bias (see `load`): both are compared folded.
    for (name, pretrained) in fold(trunk)? {
        let name = match name.strip_suffix(".bias") {
            Some(convolution) => format!("{convolution}.norm.beta"),
            None => name,
        };
        let var = vars.get(&name).with_context(|| format!("the network has no tensor `{name}`"))?;
        let mixed = ((var.as_tensor() * (1.0 - share))? + (pretrained * share)?)?;
        values.insert(name, mixed);
    }
    Ok(parameters.load(&values)?)
}

/// A square grid of vectors (cells, width) as one of `wanted` cells, by linear interpolation between the cells'
/// centres; beyond the outermost centres their values go on.
fn resized_grid(grid: &Tensor, wanted: usize) -> candle_core::Result<Tensor> {
    let (cells, width) = grid.dims2()?;
    let (old, new) = (cells.isqrt(), wanted.isqrt());
    if old == new {
        return Ok(grid.clone());
    }
    let mut shares = vec![0f32; new * old];
    for (i, row) in shares.chunks_exact_mut(old).enumerate() {
        let at = ((i as f32 + 0.5) * old as f32 / new as f32 - 0.5).clamp(0.0, (old - 1) as f32);
        let (before, share) = (at as usize, at.fract());
        row[before] += 1.0 - share;
        if share > 0.0 {
            row[before + 1] += share;
        }
    }
    let shares = Tensor::from_vec(shares, (new, old), grid.device())?;
    let rows = shares.matmul(&grid.reshape((old, old * width))?)?;
    let columns = rows.reshape((new, old, width))?.transpose(0, 1)?.contiguous()?;
    let both = shares.matmul(&columns.reshape((old, new * width))?)?;
    both.reshape((new, new, width))?.transpose(0, 1)?.contiguous()?.reshape((wanted, width))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use soli::graph::plain;

    use super::*;

    #[test]
    fn classifiers_begin_as_the_heads() {
        let config: soli::config::ModelConfig = serde_json::from_str(
            r#"{"encoder": {"input_side": 32}, "decoder": {"layers": 1, "width": 8, "heads": 1, "ffn_width": 8, "max_tokens": 4,
                "vocab_size": 6}, "concepts": {"most": 3, "rank": 8, "read": 2, "tokens": [3, 5]}}"#,
        )
        .unwrap();
        let network = |seed| {
            let parameters = Parameters::new(seed);
            crate::stages::build(&parameters, &config).unwrap();
            parameters
        };
        let weights = Weights {
            config: config.clone(),
            vocabulary: Vocabulary::new(["a", "b", "c"].map(str::to_owned).to_vec()).unwrap(),
            provenance: Default::default(),
            confidence: None,
            tensors: plain(fold(network(1).values().unwrap()).unwrap()).unwrap(),
        };
        let parameters = network(2);
        load(&parameters, &weights).unwrap();
        let values = parameters.values().unwrap();
        let of = |name: &str| values[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for fold in 0..FOLDS {
            for part in ["hidden.weight", "output.weight", "output.bias", "norm.gamma"] {
                assert_eq!(of(&format!("folds.{fold}.{part}")), of(&format!("concepts.{part}")), "{part}");
            }
        }
    }

    #[test]
    fn a_grid_is_interpolated_between_centres() -> candle_core::Result<()> {
        // Value 10 * row + column, which linear interpolation keeps as it is wherever it does not leave the centres.
        let values: Vec<f32> = (0..9).map(|i| (10 * (i / 3) + i % 3) as f32).collect();
        let grid = Tensor::from_vec(values, (9, 1), &Device::Cpu)?;
        let centres = [0.0f32, 0.625, 1.375, 2.0];
        let wanted: Vec<f32> = (0..16).map(|i| 10.0 * centres[i / 4] + centres[i % 4]).collect();
        let found = resized_grid(&grid, 16)?.flatten_all()?.to_vec1::<f32>()?;
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
        assert_eq!(resized_grid(&grid, 9)?.to_vec2::<f32>()?, grid.to_vec2::<f32>()?);
        Ok(())
    }
}
