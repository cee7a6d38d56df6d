//! CIDEr (Vedantam, Zitnick and Parikh 2015) as published captioning results use it: pycocoevalcap's `Cider`, which is
//! CIDEr-D of the paper with document frequencies from the references of the set that is scored.
//!
//! [`Cider`] is built once from the references and then scores candidates one by one, on words or on token ids.

use std::{collections::HashMap, hash::Hash};

/// The longest n-grams that are counted.
const LONGEST: usize = 4;
/// Standard deviation, in words, of the penalty for a length that differs.
const SIGMA: f64 = 6.0;
/// Stands in an n-gram for the words that a shorter one does not have, and for a word that no reference has.
const NONE: u32 = u32::MAX;

/// An n-gram of word ids, filled up with [`NONE`].
type Ngram = [u32; LONGEST];

/// A caption as counts of n-grams that occur in some reference.
struct Vector {
    /// For each n: (n-gram id, tf-idf weight), sorted by id.
    weights: [Vec<(u32, f64)>; LONGEST],
    /// For each n: the Euclidean length of all weights, those of unknown n-grams included.
    norms: [f64; LONGEST],
    /// Number of words. The original counts bigrams; that differs only for captions without words, which score 0.
    length: usize,
}

/// The references of a set of images, ready to score candidates against. Tokens may be words or ids.
pub struct Cider<T> {
    words: HashMap<T, u32>,
    ngrams: HashMap<Ngram, u32>,
    /// Inverse document frequency of each n-gram id: ln(images) - ln(images whose references have it).
    inverse_frequency: Vec<f64>,
    /// That of an n-gram which no reference has.
    unknown_frequency: f64,
    references: Vec<Vec<Vector>>,
}

impl<T: Hash + Eq + Clone> Cider<T> {
    /// Takes the references of all images: `references[image][caption][token]`. Each image counts once in the
    /// document frequencies. With a single image every weight, and so every score, is 0.
    pub fn new<C: AsRef<[T]>>(references: &[Vec<C>]) -> Self {
        let mut cider = Self {
            words: HashMap::new(),
            ngrams: HashMap::new(),
            inverse_frequency: Vec::new(),
            unknown_frequency: (references.len().max(1) as f64).ln(),
            references: Vec::new(),
        };
        let mut images_with: Vec<u32> = Vec::new();
        for captions in references {
            let mut ids: Vec<u32> = Vec::new();
            for caption in captions {
                let words = cider.learn_words(caption.as_ref());
                for ngram in ngrams_of(&words) {
                    let next = cider.ngrams.len() as u32;
                    ids.push(*cider.ngrams.entry(ngram).or_insert(next));
                }
            }
            images_with.resize(cider.ngrams.len(), 0);
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                images_with[id as usize] += 1;
            }
        }
        cider.inverse_frequency =
            images_with.iter().map(|&images| cider.unknown_frequency - f64::from(images).ln()).collect();
        cider.references = references
            .iter()
            .map(|captions| captions.iter().map(|caption| cider.vector(caption.as_ref())).collect())
            .collect();
        cider
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.references.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// Whether scores mean anything: they weigh words by how few of the images have them, so that with one image, or
    /// with the same words for all, every weight and every score is 0.
    pub fn is_defined(&self) -> bool {
        self.inverse_frequency.iter().any(|weight| *weight > 0.0)
    }

    /// CIDEr of a candidate against the references of the image at that place in the list, 0 to 10; 0 if the image has
    /// no references.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn score(&self, image: usize, candidate: &[T]) -> f64 {
        let references = &self.references[image];
        if references.is_empty() {
            return 0.0;
        }
        let candidate = self.vector(candidate);
        let total: f64 = references.iter().map(|reference| similarity(&candidate, reference)).sum();
        10.0 * total / (LONGEST * references.len()) as f64
    }

    /// Ids of the words; new words get new ids.
    fn learn_words(&mut self, caption: &[T]) -> Vec<u32> {
        caption
            .iter()
            .map(|word| {
                let next = self.words.len() as u32;
                *self.words.entry(word.clone()).or_insert(next)
            })
            .collect()
    }

    /// Ids of the words; words of no reference get ids of their own, beyond all others: two different unknown words
    /// make different n-grams.
    fn look_up_words<'a>(&'a self, caption: &'a [T]) -> Vec<u32> {
        let mut unknown: HashMap<&'a T, u32> = HashMap::new();
        caption
            .iter()
            .map(|word| {
                self.words.get(word).copied().unwrap_or_else(|| {
                    let next = (self.words.len() + unknown.len()) as u32;
                    *unknown.entry(word).or_insert(next)
                })
            })
            .collect()
    }

    fn vector(&self, caption: &[T]) -> Vector {
        let words = self.look_up_words(caption);
        let mut ngrams: Vec<Ngram> = ngrams_of(&words).collect();
        // Sorted, so that equal ones stand together and sums have the same order in every run.
        ngrams.sort_unstable();
        let mut weights: [Vec<(u32, f64)>; LONGEST] = Default::default();
        let mut squares = [0.0; LONGEST];
        for same in ngrams.chunk_by(|a, b| a == b) {
            let n = same[0].iter().take_while(|&&word| word != NONE).count() - 1;
            let id = self.ngrams.get(&same[0]).copied();
            let inverse_frequency =
                id.map_or(self.unknown_frequency, |id| self.inverse_frequency[id as usize]);
            let weight = same.len() as f64 * inverse_frequency;
            squares[n] += weight * weight;
            if let Some(id) = id {
                weights[n].push((id, weight));
            }
        }
        for weights in &mut weights {
            weights.sort_unstable_by_key(|&(id, _)| id);
        }
        Vector { weights, norms: squares.map(f64::sqrt), length: words.len() }
    }
}

/// The sum over n of the clipped cosine similarities times the penalty for differing lengths.
fn similarity(candidate: &Vector, reference: &Vector) -> f64 {
    let difference = candidate.length as f64 - reference.length as f64;
    let penalty = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
    (0..LONGEST)
        .map(|n| {
            let product = candidate.norms[n] * reference.norms[n];
            let common = clipped_product(&candidate.weights[n], &reference.weights[n]);
            if product == 0.0 { common } else { common / product }
        })
        .sum::<f64>()
        * penalty
}

/// The inner product in which no weight of the candidate counts for more than the reference's: repeating a word does
/// not pay.
fn clipped_product(candidate: &[(u32, f64)], reference: &[(u32, f64)]) -> f64 {
    let mut sum = 0.0;
    let mut reference = reference.iter().peekable();
    for &(id, weight) in candidate {
        while reference.next_if(|&&(other, _)| other < id).is_some() {}
        if let Some(&&(other, other_weight)) = reference.peek()
            && other == id
        {
            sum += weight.min(other_weight) * other_weight;
        }
    }
    sum
}

/// All n-grams of 1 to [`LONGEST`] words, repeated ones as often as they occur.
fn ngrams_of(words: &[u32]) -> impl Iterator<Item = Ngram> + '_ {
    (1..=LONGEST).flat_map(move |n| {
        words.windows(n).map(|window| {
            let mut ngram = [NONE; LONGEST];
            ngram[..window.len()].copy_from_slice(window);
            ngram
        })
    })
}
