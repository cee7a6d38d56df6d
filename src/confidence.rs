//! How much a caption can be trusted: the probability that it is about right.
//!
//! A network's own probabilities do not know when it looks at something that it has never seen. So two numbers are
//! asked: the caption's score, and how unfamiliar the picture's mean embedding is, measured against those of the
//! training pictures with a diagonal Gaussian (the idea of Lee et al. 2018, arXiv 1807.03888). A logistic regression
//! turns them into a probability (Platt 1999); `soli export --calibrate` fits it.

use serde::{Deserialize, Serialize};

/// The calibration of one set of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Mean of the training pictures' mean embeddings: one value a channel.
    pub mean: Vec<f32>,
    /// Their standard deviation, above 0: one value a channel.
    pub deviation: Vec<f32>,
    /// Weight of the caption's score.
    pub score: f32,
    /// Weight of the picture's unfamiliarity.
    pub unfamiliarity: f32,
    /// Added to both.
    pub bias: f32,
}

/// What the numbers of a [`Confidence`] have to be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfidenceError {
    /// The network's embeddings are wider or narrower.
    #[error("the confidence has {found} channels, but the embeddings have {expected}")]
    Width {
        /// The embeddings' width.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A number that nothing can be computed with.
    #[error("the confidence's {0} must be finite{1}")]
    Number(&'static str, &'static str),
}

impl Confidence {
    /// Checks the numbers for a network whose embeddings have `width` channels.
    ///
    /// # Errors
    /// [`ConfidenceError`].
    pub fn validate(&self, width: usize) -> Result<(), ConfidenceError> {
        for values in [&self.mean, &self.deviation] {
            if values.len() != width {
                return Err(ConfidenceError::Width { expected: width, found: values.len() });
            }
        }
        let all = |name, values: &[f32]| {
            if values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(ConfidenceError::Number(name, "")) }
        };
        all("mean", &self.mean)?;
        all("weights", &[self.score, self.unfamiliarity, self.bias])?;
        if !self.deviation.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err(ConfidenceError::Number("deviation", " and above 0"));
        }
        Ok(())
    }

    /// The probability, 0 to 1, that a caption with this `score` is about right, given the picture's `embeddings`
    /// (latents * width values, the width last).
    pub fn probability(&self, score: f32, embeddings: &[f32]) -> f32 {
        let unfamiliarity = unfamiliarity(&self.mean, &self.deviation, &pooled(embeddings, self.mean.len()));
        let logit = self.score * score + self.unfamiliarity * unfamiliarity + self.bias;
        1.0 / (1.0 + (-logit).exp())
    }
}

/// The mean over the latents of embeddings (latents * width values): one value a channel.
pub fn pooled(embeddings: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0f32; width];
    for latent in embeddings.chunks_exact(width.max(1)) {
        sums.iter_mut().zip(latent).for_each(|(sum, value)| *sum += value);
    }
    let count = (embeddings.len() / width.max(1)).max(1) as f32;
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}

/// The logarithm of the mean square of what `pooled` deviates from `mean`, in units of `deviation`: about 0 for a
/// training picture, the higher the stranger.
pub fn unfamiliarity(mean: &[f32], deviation: &[f32], pooled: &[f32]) -> f32 {
    let squares = pooled.iter().zip(mean).zip(deviation).map(|((x, m), d)| ((x - m) / d).powi(2));
    (squares.sum::<f32>() / mean.len().max(1) as f32).max(1e-6).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence() -> Confidence {
        Confidence {
            mean: vec![1.0, -1.0],
            deviation: vec![2.0, 1.0],
            score: 2.0,
            unfamiliarity: -1.0,
            bias: 0.5,
        }
    }

    #[test]
    fn the_probability_is_the_logistic_of_score_and_unfamiliarity() {
        // The mean embedding is (5, 1): two deviations off in both channels, so ln 4.
        let p = confidence().probability(-1.0, &[4.0, 0.0, 6.0, 2.0]);
        let expected = 1.0 / (1.0 + f64::exp(-(-2.0 - 4f64.ln() + 0.5)));
        assert!((f64::from(p) - expected).abs() < 1e-6, "{p} {expected}");
    }

    #[test]
    fn bad_numbers_are_named() {
        let good = confidence();
        assert_eq!(good.validate(2), Ok(()));
        assert_eq!(good.validate(3), Err(ConfidenceError::Width { expected: 3, found: 2 }));
        for (change, part) in [
            (
                Box::new(|c: &mut Confidence| c.deviation[0] = 0.0) as Box<dyn Fn(&mut Confidence)>,
                "deviation",
            ),
            (Box::new(|c: &mut Confidence| c.mean[1] = f32::NAN), "mean"),
            (Box::new(|c: &mut Confidence| c.bias = f32::INFINITY), "weights"),
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.validate(2).unwrap_err().to_string().contains(part));
        }
    }
}
