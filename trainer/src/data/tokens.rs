//! Captions to words, and captions to a vocabulary.

use std::collections::HashMap;

/// The words of a caption that a network learns: Penn Treebank tokens in lower case (see
/// [`crate::metrics::tokenise`]) without signs. "A man's dog (left), running." gives `a man 's dog left running`.
///
/// Unlike the metrics, which count brackets (as `-lrb-`) and signs such as `&` as words, this drops whatever has no
/// letter or digit: nobody wants them in a caption.
pub fn words(caption: &str) -> Vec<String> {
    let mut words = crate::metrics::tokenise::words(caption);
    words.retain(|word| word.chars().any(char::is_alphanumeric) && !is_bracket(word));
    words
}

/// Whether a token is the name of a bracket, or a smile with one in it.
fn is_bracket(word: &str) -> bool {
    ["-lrb-", "-rrb-", "-lsb-", "-rsb-", "-lcb-", "-rcb-"].iter().any(|name| word.ends_with(name))
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
