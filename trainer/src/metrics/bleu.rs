//! BLEU-1 to BLEU-4 (Papineni et al. 2002) with the closest reference length, as pycocoevalcap's `BleuScorer`.

use std::collections::HashMap;

/// Keeps a division by zero words harmless.
const SMALL: f64 = 1e-9;
/// Makes a caption of no words score 0 and not 0/0.
const TINY: f64 = 1e-15;

/// BLEU-1 to BLEU-4 of a set and of each of its captions.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    /// Of the whole set: n-gram counts are summed before they are divided.
    pub corpus: [f64; 4],
    /// Of each caption alone.
    pub each: Vec<[f64; 4]>,
}

/// What is counted of one caption, or summed over a set.
#[derive(Default)]
struct Counts {
    /// N-grams of the candidate that a reference has too, for n from 1 to 4.
    correct: [usize; 4],
    /// N-grams of the candidate.
    guess: [usize; 4],
    /// Words of the candidate.
    length: usize,
    /// Words of the reference whose length is closest, the shorter of two that are equally close.
    reference: usize,
}

impl Counts {
    fn of(candidate: &str, references: &[String]) -> Self {
        let words: Vec<&str> = candidate.split_whitespace().collect();
        let mut allowed: HashMap<&[&str], usize> = HashMap::new();
        let references: Vec<Vec<&str>> =
            references.iter().map(|reference| reference.split_whitespace().collect()).collect();
        for reference in &references {
            for (ngram, count) in ngrams(reference) {
                let most = allowed.entry(ngram).or_default();
                *most = count.max(*most);
            }
        }
        let mut counts = Counts { length: words.len(), ..Counts::default() };
        for n in 1..=4 {
            counts.guess[n - 1] = (words.len() + 1).saturating_sub(n);
        }
        for (ngram, count) in ngrams(&words) {
            counts.correct[ngram.len() - 1] += count.min(allowed.get(ngram).copied().unwrap_or(0));
        }
        let lengths = references.iter().map(Vec::len);
        counts.reference = lengths.min_by_key(|&length| (length.abs_diff(words.len()), length)).unwrap_or(0);
        counts
    }

    fn add(&mut self, other: &Counts) {
        for n in 0..4 {
            self.correct[n] += other.correct[n];
            self.guess[n] += other.guess[n];
        }
        self.length += other.length;
        self.reference += other.reference;
    }

    /// The geometric means of the precisions times the brevity penalty.
    fn bleu(&self) -> [f64; 4] {
        let ratio = (self.length as f64 + TINY) / (self.reference as f64 + SMALL);
        let brevity = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|n| {
            product *= (self.correct[n] as f64 + TINY) / (self.guess[n] as f64 + SMALL);
            product.powf(1.0 / (n + 1) as f64) * brevity
        })
    }
}

/// Scores tokenised captions (words separated by blanks), one candidate an image. Lists of different lengths are
/// paired as far as they go.
pub fn score(candidates: &[String], references: &[Vec<String>]) -> Bleu {
    let mut total = Counts::default();
    let each = candidates
        .iter()
        .zip(references)
        .map(|(candidate, references)| {
            let counts = Counts::of(candidate, references);
            total.add(&counts);
            counts.bleu()
        })
        .collect();
    Bleu { corpus: total.bleu(), each }
}

/// The n-grams of 1 to 4 words and how often each occurs.
fn ngrams<'a, 'b>(words: &'a [&'b str]) -> HashMap<&'a [&'b str], usize> {
    let mut counts = HashMap::new();
    for n in 1..=4 {
        for ngram in words.windows(n) {
            *counts.entry(ngram).or_default() += 1;
        }
    }
    counts
}
