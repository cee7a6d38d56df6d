//! Captions to words, and captions to a vocabulary.

use std::collections::HashMap;

/// The words of a caption as the metrics count them: Penn Treebank tokens in lower case without punctuation (see
/// [`crate::metrics::tokenise`]). "A man's dog, running." gives `a man 's dog running`.
pub fn words(caption: &str) -> Vec<String> {
    crate::metrics::tokenise::words(caption)
}

/// The words that occur at least `min_count` times in the captions, the most frequent first and, where counts are
/// equal, in the order of their Unicode code points: the same captions always give the same list.
pub fn build_vocabulary<S: AsRef<str>>(
    captions: impl IntoIterator<Item = S>,
    min_count: usize,
) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for caption in captions {
        for word in words(caption.as_ref()) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut kept: Vec<(String, usize)> =
        counts.into_iter().filter(|&(_, count)| count >= min_count).collect();
    kept.sort_unstable_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    kept.into_iter().map(|(word, _)| word).collect()
}
