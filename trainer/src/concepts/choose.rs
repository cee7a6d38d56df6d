//! Which words of the vocabulary are concepts: what one can see, and says often.

use std::collections::{HashMap, HashSet};

/// Whether a word may be a concept.
pub use soli::details::says_something as is_content;
use soli::vocab::Vocabulary;

/// The `most` content words of the vocabulary that are said of the most pictures, as token ids in the order of how often.
/// `pictures` are the captions of each picture, as token ids; words said of fewer than `at_least` are left out.
pub fn choose<'a>(
    pictures: impl Iterator<Item = &'a Vec<Vec<u32>>>,
    vocabulary: &Vocabulary,
    most: usize,
    at_least: usize,
) -> Vec<u32> {
    let mut counts: HashMap<u32, usize> = HashMap::new();
    for captions in pictures {
        let said: HashSet<u32> = captions.iter().flatten().copied().collect();
        said.into_iter().for_each(|token| *counts.entry(token).or_default() += 1);
    }
    let content = |token: u32| vocabulary.word(token).is_some_and(is_content);
    let special = soli::vocab::SPECIAL_TOKENS.len() as u32;
    let mut kept: Vec<(u32, usize)> = counts
        .into_iter()
        .filter(|&(token, count)| token >= special && count >= at_least && content(token))
        .collect();
    kept.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    kept.truncate(most);
    kept.into_iter().map(|(token, _)| token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_once_a_picture_and_function_words_are_left_out() {
        let words = ["the", "dog", "cat", "bed"].map(str::to_owned).to_vec();
        let vocabulary = Vocabulary::new(words).unwrap();
        let id = |word: &str| vocabulary.encode(&[word.to_owned()])[0];
        let (the, dog, cat, bed) = (id("the"), id("dog"), id("cat"), id("bed"));
        // The cat is said thrice of one picture, the dog once of two.
        let pictures = [
            vec![vec![the, cat], vec![cat], vec![cat, bed]],
            vec![vec![the, dog]],
            vec![vec![the, dog, soli::vocab::UNKNOWN]],
        ];
        assert_eq!(choose(pictures.iter(), &vocabulary, 9, 1), [dog, cat, bed]);
        assert_eq!(choose(pictures.iter(), &vocabulary, 9, 2), [dog]);
        assert_eq!(choose(pictures.iter(), &vocabulary, 1, 1), [dog]);
    }
}
