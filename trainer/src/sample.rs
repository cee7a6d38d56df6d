//! Captions drawn from the decoder's own distribution, for many pictures side by side.

use candle_core::{Result, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::graph::Decoder;
use soli::vocab::{END, START, UNKNOWN};

/// A caption that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its tokens, without start and end.
    pub tokens: Vec<u32>,
    /// Whether the end was drawn too; if not, the caption ran into the longest length.
    pub ended: bool,
}

/// Draws `per_picture` captions of at most `max_tokens` tokens (the end included) for each of the embeddings (pictures,
/// latents, width). The same seed draws the same captions.
///
/// # Errors
/// If the embeddings do not fit the decoder.
pub fn sample(
    decoder: &Decoder,
    embeddings: &Tensor,
    per_picture: usize,
    max_tokens: usize,
    seed: u64,
) -> Result<Vec<Vec<Sample>>> {
    let pictures = embeddings.dim(0)?;
    let mut samples = vec![Sample { tokens: Vec::new(), ended: false }; pictures * per_picture];
    let mut live: Vec<usize> = (0..samples.len()).collect();
    let mut parents: Vec<u32> = (0..live.len() as u32).collect();
    let mut generation = decoder.start_all(embeddings)?;
    // The end takes a place too.
    for position in 0..max_tokens.saturating_sub(1) {
        let tokens: Vec<u32> =
            live.iter().map(|&i| samples[i].tokens.last().copied().unwrap_or(START)).collect();
        let mut beams_of = vec![0; pictures];
        live.iter().for_each(|&i| beams_of[i / per_picture] += 1);
        let logits = generation.step_all(&tokens, &parents, &beams_of)?;
        let vocabulary = logits.dim(1)?;
        let values = logits.flatten_all()?.to_vec1::<f32>()?;
        let drawn: Vec<u32> = values
            .par_chunks_exact(vocabulary)
            .zip(&live)
            .map(|(row, &i)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream((i * max_tokens + position) as u64);
                draw(row, position == 0, rng.random())
            })
            .collect();
        let mut still = Vec::with_capacity(live.len());
        parents.clear();
        for (row, (&i, token)) in live.iter().zip(drawn).enumerate() {
            if token == END {
                samples[i].ended = true;
            } else {
                samples[i].tokens.push(token);
                still.push(i);
                parents.push(row as u32);
            }
        }
        live = still;
        if live.is_empty() {
            break;
        }
    }
    Ok(samples.chunks(per_picture.max(1)).map(<[Sample]>::to_vec).collect())
}

/// The token at `place` (0..1) of the cumulative softmax of `logits`. What no caption may hold is never drawn.
fn draw(logits: &[f32], first: bool, place: f32) -> u32 {
    let allowed = |token: usize| {
        let token = token as u32;
        token != START && token != UNKNOWN && !(first && token == END)
    };
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits
        .iter()
        .enumerate()
        .map(|(token, x)| if allowed(token) { (x - highest).exp() } else { 0.0 })
        .collect();
    let mut left = place * weights.iter().sum::<f32>();
    let mut last = END;
    for (token, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            last = token as u32;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        // exp(0) : exp(1) for tokens 3 and 4; start, unknown and, at first, the end are out.
        let logits = [f32::NEG_INFINITY; 5];
        let mut logits = logits;
        (logits[3], logits[4]) = (0.0, 1.0);
        let count = (0..1000).filter(|i| draw(&logits, true, *i as f32 / 1000.0) == 4).count();
        assert!((count as f32 / 1000.0 - 0.7311).abs() < 0.002, "{count}");
        for place in [0.0, 0.5, 0.999_999] {
            assert!(draw(&[9.0; 5], true, place) > UNKNOWN);
        }
    }
}
