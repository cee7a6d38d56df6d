//! How often the label of a photograph is named, in the caption or among the words that the concept head gives.

use std::fmt;

use crate::data::tokens;
use crate::labels;
use crate::metrics::objects::{WORDS, same};

/// Shares of labelled photographs, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Named {
    /// The caption has one of the label's words, its parents among them.
    pub in_caption: f64,
    /// One of the five likeliest words is one of them.
    pub in_5_words: f64,
    /// One of the twelve likeliest words is the label's most specific word that the head may give at all.
    pub own_in_12_words: f64,
    /// Photographs with such a word.
    pub with_own_word: usize,
}

/// What was said of a labelled photograph.
#[derive(Debug, Clone, PartialEq)]
pub struct Told<'a> {
    /// What it shows.
    pub label: &'a str,
    /// The caption.
    pub caption: &'a str,
    /// The concept head's words, the likeliest first.
    pub words: Vec<String>,
}

/// Measures what was said; `known` are the words that the head looks for.
pub fn measure(told: &[Told], known: &[&str]) -> Named {
    let mut counts = [0usize; 4];
    for Told { label, caption, words } in told {
        let some = |most: usize| &words[..words.len().min(most)];
        let own = labels::called(label).into_iter().find(|word| known.contains(&word.as_str()));
        let said = [
            labels::names(label, &tokens::words(caption)),
            labels::names(label, some(5)),
            own.as_ref().is_some_and(|own| some(WORDS).iter().any(|word| same(word, own))),
            own.is_some(),
        ];
        counts.iter_mut().zip(said).for_each(|(count, said)| *count += usize::from(said));
    }
    let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
    let [in_caption, in_5_words, own, with_own_word] = counts;
    Named {
        in_caption: share(in_caption, told.len()),
        in_5_words: share(in_5_words, told.len()),
        own_in_12_words: share(own, with_own_word),
        with_own_word,
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the label, a synonym or a parent of it is in {:.1} % of the captions, and among the five likeliest words of {:.1} %\n\
             of {} labels that have a word of their own, it is among the twelve likeliest of {:.1} %",
            100.0 * self.in_caption,
            100.0 * self.in_5_words,
            self.with_own_word,
            100.0 * self.own_in_12_words
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(label: &'a str, caption: &'a str, words: &str) -> Told<'a> {
        Told { label, caption, words: words.split_whitespace().map(str::to_owned).collect() }
    }

    #[test]
    fn a_parent_names_a_label_but_its_own_word_is_the_first_that_can_be_found() {
        let known = ["dog", "cat", "kitten", "animal"];
        let said = [
            told("tabby", "two cats on a sofa", "animal dog"),
            // Twelve words of which the last is the label's own; "tabby" itself is none that can be found.
            told("tabby", "a dog", "a b c d e f g h i j k cat"),
            told("abacus", "an abacus", "a b c d e abacus"),
            told("tabby", "", ""),
        ];
        let found = measure(&said, &known);
        let expected =
            Named { in_caption: 0.5, in_5_words: 0.25, own_in_12_words: 1.0 / 3.0, with_own_word: 3 };
        assert_eq!(found, expected);
        assert!(found.to_string().contains("50.0 % of the captions"));
        assert_eq!(measure(&[], &known), Named::default());
    }
}
