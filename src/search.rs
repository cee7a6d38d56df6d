//! From a decoder's probabilities to one caption: greedy (one beam) and beam search.

use std::convert::Infallible;

use crate::kernels::{Level, log_softmax};
use crate::packed;
use crate::vocab::{END, START, UNKNOWN};

/// Finished captions are compared by `sum of log-probabilities / length ^ LENGTH_EXPONENT`: 0 favours short captions,
/// 1 long ones (Wu et al. 2016, arXiv 1609.08144, without their constant 5).
pub const LENGTH_EXPONENT: f32 = 0.8;

/// A beam is dropped when it is this much less probable than the best one, as a difference of natural logarithms: it
/// comes out on top so rarely that captions are as good without it.
const PRUNING_MARGIN: f32 = 1.0;

/// A beam is dropped when it would not be ahead of a finished caption even if it ended after so many more tokens of
/// probability 1.
const PRUNING_TOKENS: f32 = 3.0;

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
    /// By how much its rank is ahead of that of the next best caption that ended, 0 to [`MOST_LEAD`]; that where no other one
    /// ended.
    pub lead: f32,
}

/// What lies further ahead is as far ahead as that.
pub const MOST_LEAD: f32 = 1.0;

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

    /// Whether it is not worth going on with this beam, where `best` is the sum of the most probable one and `finished` the
    /// highest rank of those that ended. NaN never prunes.
    fn is_pruned(&self, best: f32, finished: f32) -> bool {
        let length = self.log_probabilities.len() as f32 + PRUNING_TOKENS;
        let sum = self.sum();
        sum < best - PRUNING_MARGIN || sum / length.powf(LENGTH_EXPONENT) <= finished
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

/// What [`search_with`] asks: the logits after each beam's next token.
pub trait Scorer {
    /// Why there are none.
    type Error;

    /// Gives each beam its next token and calls `read` with the logits (beams, vocabulary) of the one after.
    ///
    /// `parents` tells which earlier beam each one goes on from; it is ignored at the first step.
    ///
    /// # Errors
    /// If the beams, their tokens or their parents are not possible.
    fn step(
        &mut self,
        tokens: &[u32],
        parents: &[u32],
        read: impl FnOnce(&mut [f32]),
    ) -> Result<(), Self::Error>;
}

impl Scorer for packed::decoder::Generation<'_> {
    type Error = Infallible;

    fn step(
        &mut self,
        tokens: &[u32],
        parents: &[u32],
        read: impl FnOnce(&mut [f32]),
    ) -> Result<(), Infallible> {
        read(packed::decoder::Generation::step(self, tokens, parents));
        Ok(())
    }
}

/// Which of a row's log-probabilities are the `keep` highest, of those tokens that are `allowed`: the best first, among
/// equals the lower token.
fn highest(row: &[f32], keep: usize, allowed: impl Fn(u32) -> bool, best: &mut Vec<(f32, u32)>) {
    best.clear();
    for (run, values) in row.chunks(RUN).enumerate() {
        // Almost all runs end here.
        if best.len() == keep
            && let Some(&(worst, _)) = best.last()
            && !values.iter().fold(false, |any, &x| any | (x > worst))
        {
            continue;
        }
        for (token, &log_probability) in ((run * RUN) as u32..).zip(values) {
            let place = best.partition_point(|other| other.0.total_cmp(&log_probability).is_ge());
            if place < keep && allowed(token) {
                best.truncate(keep - 1);
                best.insert(place, (log_probability, token));
            }
        }
    }
}

/// Tokens that [`highest`] passes over at once: some vectors full.
const RUN: usize = 32;

/// The best caption found by asking `generation`, which has not been asked yet.
///
/// # Errors
/// Those of [`Scorer::step`].
pub fn search_with<S: Scorer>(generation: &mut S, options: SearchOptions) -> Result<Hypothesis, S::Error> {
    search_reworded(generation, options, |_, _| ())
}

/// [`search_with`] under a rule: `reword` is given the tokens of a beam and the log-probabilities of the next one, and may
/// change these.
///
/// # Errors
/// Those of [`Scorer::step`].
pub fn search_reworded<S: Scorer>(
    generation: &mut S,
    options: SearchOptions,
    reword: impl Fn(&[u32], &mut [f32]),
) -> Result<Hypothesis, S::Error> {
    let level = Level::detect();
    let beam = options.beam.max(1);
    let mut live = vec![Hypothesis { tokens: Vec::new(), log_probabilities: Vec::new(), lead: MOST_LEAD }];
    let mut parents = vec![0];
    let mut finished: Vec<Hypothesis> = Vec::new();
    let mut candidates: Vec<(f32, usize, u32, f32)> = Vec::new();
    let mut best = Vec::with_capacity(2 * beam);
    for step in 1..=options.max_tokens.max(2) {
        let last = step == options.max_tokens.max(2);
        let tokens: Vec<u32> = live.iter().map(|h| h.tokens.last().copied().unwrap_or(START)).collect();
        candidates.clear();
        generation.step(&tokens, &parents, |logits| {
            let vocabulary = logits.len() / live.len();
            for (parent, (hypothesis, row)) in
                live.iter().zip(logits.chunks_exact_mut(vocabulary)).enumerate()
            {
                log_softmax(level, row);
                reword(&hypothesis.tokens, row);
                let base = hypothesis.sum();
                let allowed = |token: u32| match token {
                    // An empty caption says nothing, and one that is cut off mid-sentence says too little.
                    END => !hypothesis.tokens.is_empty(),
                    START | UNKNOWN => false,
                    word => !last && !hypothesis.would_repeat(word),
                };
                highest(row, 2 * beam, allowed, &mut best);
                candidates.extend(best.iter().map(|&(lp, token)| (base + lp, parent, token, lp)));
            }
        })?;
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut next: Vec<Hypothesis> = Vec::with_capacity(beam);
        parents.clear();
        for (rank, &(_, parent, token, log_probability)) in candidates.iter().enumerate() {
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
        let ahead = finished.iter().map(Hypothesis::rank).fold(f32::NEG_INFINITY, f32::max);
        // They are as long as each other and in falling order, so that after the first that is pruned all are.
        let most = next.first().map_or(0.0, Hypothesis::sum);
        let kept = next.iter().position(|h| h.is_pruned(most, ahead)).unwrap_or(next.len());
        next.truncate(kept);
        parents.truncate(kept);
        if finished.len() >= beam || next.is_empty() {
            break;
        }
        live = next;
    }
    let place = (0..finished.len()).max_by(|&a, &b| finished[a].rank().total_cmp(&finished[b].rank()));
    // Nothing finishes only if the logits hold NaN throughout; then the live captions are as good as any.
    let Some(place) = place else { return Ok(live.swap_remove(0)) };
    let mut best = finished.swap_remove(place);
    let next = finished.iter().map(Hypothesis::rank).fold(f32::NEG_INFINITY, f32::max);
    best.lead = (best.rank() - next).clamp(0.0, MOST_LEAD);
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_are_those_of_a_full_sort() {
        let mut state = 1u32;
        for len in [1, 2, 5, 31, 32, 33, 100, 1000] {
            for keep in [1, 2, 6, 16] {
                let row: Vec<f32> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        // Few different values, so that there are equals.
                        -((state >> 24) as f32 / 8.0).floor()
                    })
                    .collect();
                let allowed = |token: u32| token % 3 != 1;
                let mut expected: Vec<(f32, u32)> =
                    (0u32..).zip(&row).filter(|(t, _)| allowed(*t)).map(|(t, x)| (*x, t)).collect();
                expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                expected.truncate(keep);
                let mut found = Vec::new();
                highest(&row, keep, allowed, &mut found);
                assert_eq!(found, expected, "{keep} of {len}");
            }
        }
    }

    /// Says that word 3 + n has the probability `table[n]` after any beam, and the end what is left; counts its rows.
    struct Fixed {
        table: Vec<Vec<f32>>,
        rows: Vec<usize>,
    }

    impl Scorer for Fixed {
        type Error = Infallible;

        fn step(
            &mut self,
            tokens: &[u32],
            _: &[u32],
            read: impl FnOnce(&mut [f32]),
        ) -> Result<(), Infallible> {
            let words = &self.table[self.rows.len().min(self.table.len() - 1)];
            let mut row = vec![f32::MIN; 3 + words.len()];
            row[END as usize] = (1.0 - words.iter().sum::<f32>()).max(0.0).ln();
            row[3..].iter_mut().zip(words).for_each(|(x, p)| *x = p.ln());
            self.rows.push(tokens.len());
            read(&mut row.repeat(tokens.len()));
            Ok(())
        }
    }

    fn searched(table: &[&[f32]], max_tokens: usize) -> (Vec<u32>, Vec<usize>) {
        let mut fixed = Fixed { table: table.iter().map(|row| row.to_vec()).collect(), rows: Vec::new() };
        let Ok(found) = search_with(&mut fixed, SearchOptions { beam: 3, max_tokens });
        (found.tokens, fixed.rows)
    }

    #[test]
    fn improbable_beams_are_dropped() {
        // After the first word the second-best beam is within 1/e of the best, the third is not.
        let (tokens, rows) = searched(&[&[0.6, 0.3, 0.1], &[0.01, 0.01, 0.97], &[0.0, 0.0, 0.0]], 9);
        assert_eq!(tokens, [3, 5]);
        assert_eq!(rows[..3], [1, 2, 2]);
    }

    #[test]
    fn the_search_ends_when_nothing_can_overtake() {
        // A certain end after two words; what goes on is nearly as probable but can never be better.
        let (tokens, rows) = searched(&[&[1.0, 0.0], &[0.0, 1.0], &[0.02, 0.0], &[0.5, 0.5]], 20);
        assert_eq!(tokens, [3, 4]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn logits_that_are_no_numbers_still_end() {
        let mut fixed = Fixed { table: vec![vec![f32::NAN; 4]], rows: Vec::new() };
        let Ok(found) = search_with(&mut fixed, SearchOptions { beam: 3, max_tokens: 5 });
        assert!(fixed.rows.len() <= 5 && found.tokens.len() <= 5);
    }

    #[test]
    fn numbers_that_are_none_do_no_harm() {
        let mut found = Vec::new();
        highest(&[f32::NAN; 100], 3, |_| true, &mut found);
        assert_eq!(found.len(), 3);
    }
}
