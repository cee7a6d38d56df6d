//! A smaller vocabulary for a finished network: words that it hardly ever says cost room in the file and time at every step.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use candle_core::Tensor;
use soli::vocab::{SPECIAL_TOKENS, Vocabulary};
use soli::weights::Weights;

use crate::data::{Example, tokens};

/// The tensors that have a row or a value for each word.
const OF_WORDS: [&str; 2] = ["decoder.embedding.weight", "decoder.output.bias"];

/// The network with `count` of its words: all that it looks for in pictures, and of the others those that the captions of
/// `examples` say most often. Words keep their order.
///
/// # Errors
/// If it looks for more words, or has fewer.
pub fn keep_words<'a>(
    weights: Weights,
    examples: impl Iterator<Item = &'a Example>,
    count: usize,
) -> Result<Weights> {
    let first = SPECIAL_TOKENS.len() as u32;
    let concepts = weights.config.concepts.as_ref().map_or(&[][..], |concepts| &concepts.tokens);
    let known = weights.vocabulary.words().len();
    ensure!(
        count >= concepts.len(),
        "the network looks for {} words, so that {count} are too few",
        concepts.len()
    );
    ensure!(count <= known, "the network has {known} words: {count} cannot be kept");
    let mut said: HashMap<u32, usize> = HashMap::new();
    for caption in examples.flat_map(|example| &example.captions) {
        for token in weights.vocabulary.encode(&tokens::words(caption)) {
            *said.entry(token).or_default() += 1;
        }
    }
    let mut others: Vec<u32> =
        (first..first + known as u32).filter(|token| !concepts.contains(token)).collect();
    others.sort_by_key(|token| std::cmp::Reverse(said.get(token).copied().unwrap_or(0)));
    others.truncate(count - concepts.len());
    let mut kept: Vec<u32> = (0..first).chain(concepts.iter().copied()).chain(others).collect();
    kept.sort_unstable();
    take(weights, &kept)
}

/// The network with the tokens `kept` only, in that order; the special ones are its first.
fn take(mut weights: Weights, kept: &[u32]) -> Result<Weights> {
    let device = weights.tensors[OF_WORDS[0]].device().clone();
    let rows = Tensor::new(kept, &device)?;
    for name in OF_WORDS {
        let tensor = weights.tensors.get_mut(name).with_context(|| format!("the network has no `{name}`"))?;
        *tensor = tensor.index_select(&rows, 0)?;
    }
    let places: HashMap<u32, u32> = kept.iter().zip(0..).map(|(&token, place)| (token, place)).collect();
    if let Some(concepts) = &mut weights.config.concepts {
        concepts.tokens.iter_mut().for_each(|token| *token = places[token]);
    }
    let words = kept.iter().skip(SPECIAL_TOKENS.len()).filter_map(|&token| weights.vocabulary.word(token));
    weights.vocabulary = Vocabulary::new(words.map(str::to_owned).collect())?;
    weights.config.decoder.vocab_size = kept.len();
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;
    use soli::encoder::Form;
    use soli::model::Model;
    use soli::vocab::START;
    use soli::weights::Precision;

    use super::*;
    use crate::fold::fold;
    use crate::parameters::Parameters;

    /// Logits of the first words of a picture, and of the next ones after `word`.
    fn logits(weights: &Weights, word: &str) -> [Vec<f32>; 2] {
        let vb = VarBuilder::from_tensors(weights.tensors.clone(), DType::F32, &Device::Cpu);
        let model = Model::new(vb, &weights.config, Form::Inference).unwrap();
        let pixels: Vec<f32> = (0..32 * 32 * 3).map(|i| (i as f32 * 0.37).sin()).collect();
        let pixels = Tensor::from_vec(pixels, (1, 32, 32, 3), &Device::Cpu).unwrap();
        let memory = model.memory(&model.trunk.forward(&pixels).unwrap()).unwrap();
        let mut generation = model.decoder.start_all(&memory).unwrap();
        let word = weights.vocabulary.encode(&[word.to_owned()])[0];
        [START, word].map(|token| {
            generation.step(&[token], &[0]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        })
    }

    #[test]
    fn what_is_kept_is_said_as_before() {
        let config: soli::config::ModelConfig = serde_json::from_str(
            r#"{"encoder": {"input_side": 32}, "decoder": {"layers": 1, "width": 16, "heads": 2, "ffn_width": 32,
                "max_tokens": 5, "vocab_size": 9},
                "concepts": {"most": 3, "rank": 8, "read": 2, "tokens": [8, 4]}}"#,
        )
        .unwrap();
        let parameters = Parameters::new(5);
        crate::stages::build(&parameters, &config).unwrap();
        let words = ["a", "dog", "never", "runs", "said", "cat"];
        let weights = Weights {
            config,
            vocabulary: Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap(),
            provenance: Default::default(),
            confidence: None,
            tensors: fold(parameters.values().unwrap()).unwrap(),
        };
        let example = Example {
            image: "1.jpg".into(),
            name: "1.jpg".into(),
            captions: vec!["A runs .".to_owned(), "a thing runs".to_owned()],
        };
        let smaller = keep_words(weights.clone(), [&example].into_iter(), 4).unwrap();
        assert_eq!(smaller.vocabulary.words(), ["a", "dog", "runs", "cat"]);
        assert_eq!(smaller.config.concepts.as_ref().unwrap().tokens, [6, 4]);
        smaller.to_bytes(Precision::Int8).expect("it is a weights file");
        let kept = [0, 1, 2, 3, 4, 6, 8];
        for (all, few) in logits(&weights, "runs").iter().zip(logits(&smaller, "runs")) {
            assert_eq!(kept.map(|token: usize| all[token]).as_slice(), few);
        }
        for count in [1, 7] {
            assert!(keep_words(weights.clone(), [&example].into_iter(), count).is_err());
        }
    }
}
