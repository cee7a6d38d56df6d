//! From a decoder's probabilities to one caption: greedy (one beam) and beam search.

use candle_core::{Result, Tensor};

use crate::decoder::Decoder;
use crate::vocab::{END, START, UNKNOWN};

/// Finished captions are compared by `sum of log-probabilities / length ^ LENGTH_EXPONENT`: 0 favours short captions,
/// 1 long ones (Wu et al. 2016, arXiv 1609.08144, without their constant 5).
pub const LENGTH_EXPONENT: f32 = 0.8;

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchOptions {
    /// Captions kept at each step; 1 is greedy.
    pub beam: usize,
    /// Longest caption in tokens, the end token included; at least 2.
    pub max_tokens: usize,
}

/// A caption as tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Token ids, without start and end.
    pub tokens: Vec<u32>,
    /// Natural logarithm of the probability of each token and of the end after them: one more than `tokens`.
    pub log_probabilities: Vec<f32>,
}

impl Hypothesis {
    /// Mean log-probability of the tokens, the end included; at most 0.
    pub fn score(&self) -> f32 {
        self.sum() / self.log_probabilities.len().max(1) as f32
    }

    fn sum(&self) -> f32 {
        self.log_probabilities.iter().sum()
    }

    fn rank(&self) -> f32 {
        self.sum() / (self.log_probabilities.len().max(1) as f32).powf(LENGTH_EXPONENT)
    }

    fn with(&self, token: u32, log_probability: f32) -> Self {
        let mut next = self.clone();
        if token != END {
            next.tokens.push(token);
        }
        next.log_probabilities.push(log_probability);
        next
    }

    /// Whether `token` would say again what was said just before: "a a", or "of a of a".
    fn would_repeat(&self, token: u32) -> bool {
        let said = &self.tokens;
        let n = said.len();
        said.last() == Some(&token) || (n >= 3 && said[n - 2] == token && said[n - 3] == said[n - 1])
    }
}

/// The natural logarithms of the softmax of `logits`.
fn log_softmax(logits: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    let log_sum = max + sum.ln();
    logits.iter_mut().for_each(|x| *x -= log_sum);
}

/// The best caption found for the embeddings (latents, width) of one picture.
///
/// # Errors
/// If the embeddings do not fit the decoder or `options.max_tokens` exceeds what it was built for.
pub fn search(decoder: &Decoder, embeddings: &Tensor, options: SearchOptions) -> Result<Hypothesis> {
    let beam = options.beam.max(1);
    let mut generation = decoder.start(embeddings)?;
    let mut live = vec![Hypothesis { tokens: Vec::new(), log_probabilities: Vec::new() }];
    let mut parents = vec![0];
    let mut finished: Vec<Hypothesis> = Vec::new();
    for step in 1..=options.max_tokens.max(2) {
        let last = step == options.max_tokens.max(2);
        let tokens: Vec<u32> = live.iter().map(|h| h.tokens.last().copied().unwrap_or(START)).collect();
        let mut logits = generation.step(&tokens, &parents)?.to_vec2::<f32>()?;
        let mut candidates = Vec::new();
        for (parent, (hypothesis, row)) in live.iter().zip(&mut logits).enumerate() {
            log_softmax(row);
            let base = hypothesis.sum();
            let allowed = |token: u32| match token {
                // An empty caption says nothing, and one that is cut off mid-sentence says too little.
                END => !hypothesis.tokens.is_empty(),
                START | UNKNOWN => false,
                word => !last && !hypothesis.would_repeat(word),
            };
            let mut best: Vec<(f32, u32)> = (0u32..)
                .zip(row.iter())
                .filter(|(token, _)| allowed(*token))
                .map(|(token, log_probability)| (*log_probability, token))
                .collect();
            let keep = (2 * beam).min(best.len());
            if keep < best.len() {
                best.select_nth_unstable_by(keep, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                best.truncate(keep);
            }
            candidates.extend(best.into_iter().map(|(lp, token)| (base + lp, parent, token, lp)));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut next = Vec::with_capacity(beam);
        parents.clear();
        for (rank, (_, parent, token, log_probability)) in candidates.into_iter().enumerate() {
            if token == END {
                // An end that does not make it among the first `beam` candidates is no serious one.
                if rank < beam || last {
                    finished.push(live[parent].with(END, log_probability));
                }
            } else if next.len() < beam {
                next.push(live[parent].with(token, log_probability));
                parents.push(parent as u32);
            }
            if next.len() == beam {
                break;
            }
        }
        if finished.len() >= beam || next.is_empty() {
            break;
        }
        live = next;
    }
    let best = finished.into_iter().max_by(|a, b| a.rank().total_cmp(&b.rank()));
    // Nothing finishes only if the logits hold NaN throughout; then the live captions are as good as any.
    Ok(best.unwrap_or_else(|| live.swap_remove(0)))
}
