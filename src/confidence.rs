//! How much a caption can be trusted: the probability that it is about right.
//!
//! A network's own probabilities do not know when it looks at something that it has never seen. So more is
//! asked than the caption's score: whether the concept head saw what the caption says, and how unfamiliar the picture's
//! mean embedding is, measured against those of the training pictures with a diagonal Gaussian (the idea of Lee et al. 2018, arXiv 1807.03888). A logistic regression
//! turns them into a probability (Platt 1999); `soli export --calibrate` fits it.

use serde::{Deserialize, Serialize};

use crate::kind::{KindHead, KindHeadError};
use crate::likeliest::Likeliest;

/// From this probability on a caption is told as it is.
pub const LIKELY: f32 = 0.5;

/// From this probability on a caption is told as a guess, below it not at all.
pub const UNSURE: f32 = 0.25;

/// How a caption can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// More likely wrong than a guess may be: not to be told.
    No,
    /// As a guess.
    Unsure,
    /// As it is.
    Likely,
}

impl Certainty {
    /// That of a probability that a caption is about right, 0 to 1.
    pub fn of(probability: f32) -> Self {
        match probability {
            p if p >= LIKELY => Self::Likely,
            p if p >= UNSURE => Self::Unsure,
            _ => Self::No,
        }
    }
}

/// The calibration of one set of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Mean of the training pictures' mean embeddings: one value a channel.
    pub mean: Vec<f32>,
    /// Their standard deviation, above 0: one value a channel.
    pub deviation: Vec<f32>,
    /// The weight of each sign.
    #[serde(flatten)]
    pub weights: Signs,
    /// Added to all.
    pub bias: f32,
    /// The same for captions of which only a beginning is told; as for the others where there are none.
    #[serde(default)]
    pub short: Option<Short>,
    /// Tells pictures of the kind that descriptions were learned of from others; none if nothing was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Tells photographs from other pictures.
    #[serde(default)]
    pub kinds: Option<KindHead>,
}

/// What the numbers of a [`Confidence`] have to be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    /// The classifier of kinds does not fit.
    #[error(transparent)]
    Kinds(#[from] KindHeadError),
}

/// What a captioner knows of a caption and its picture, or what each of that weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signs {
    /// The caption's score, at most 0.
    pub score: f32,
    /// How strange the picture is.
    pub unfamiliarity: f32,
    /// How far the words that were seen bear the caption out.
    pub support: f32,
    /// How large the picture is.
    pub size: f32,
    /// The lowest log-probability of its tokens.
    pub least: f32,
    /// The lowest support that a word of it has.
    pub least_support: f32,
    /// By how much it is ahead of the next best caption.
    pub lead: f32,
    /// How many tokens it has.
    pub length: f32,
    /// How far the picture is of another kind than those that descriptions were learned of, -1 to 1.
    pub foreign: f32,
    /// [`foreign`](Self::foreign) times [`support`](Self::support): where nothing was described, what was seen tells all.
    pub foreign_support: f32,
    /// [`size`](Self::size) times [`support`](Self::support): of a small picture, what was seen tells less.
    pub small_support: f32,
}

/// A linear map from a picture's mean embedding to how foreign it is ([`Signs::foreign`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// One value a channel.
    pub weights: Vec<f32>,
    /// Added to all.
    pub bias: f32,
}

/// How many [`Signs`] there are.
pub const SIGNS: usize = 11;

/// Their names, in the order of [`Signs::values`].
pub const SIGN_NAMES: [&str; SIGNS] = [
    "score",
    "unfamiliarity",
    "support",
    "size",
    "least",
    "least support",
    "lead",
    "length",
    "foreign",
    "foreign support",
    "small support",
];

impl Signs {
    /// All of them.
    pub fn values(&self) -> [f32; SIGNS] {
        [
            self.score,
            self.unfamiliarity,
            self.support,
            self.size,
            self.least,
            self.least_support,
            self.lead,
            self.length,
            self.foreign,
            self.foreign_support,
            self.small_support,
        ]
    }

    /// The other way round.
    pub fn of(values: [f32; SIGNS]) -> Self {
        let [
            score,
            unfamiliarity,
            support,
            size,
            least,
            least_support,
            lead,
            length,
            foreign,
            foreign_support,
            small_support,
        ] = values;
        Self {
            score,
            unfamiliarity,
            support,
            size,
            least,
            least_support,
            lead,
            length,
            foreign,
            foreign_support,
            small_support,
        }
    }

    /// The same with those that are products of others.
    pub fn with_products(self) -> Self {
        Self { foreign_support: self.foreign * self.support, small_support: self.size * self.support, ..self }
    }
}

/// The logarithm of a picture's shorter side over 224 pixels, at most 0: what is larger shows no more to this network.
pub fn size(width: u32, height: u32) -> f32 {
    (width.min(height).clamp(1, 224) as f32 / 224.0).ln()
}

/// What the signs of a shortened caption weigh.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Short {
    /// The weight of each sign.
    #[serde(flatten)]
    pub weights: Signs,
    /// Added to all.
    pub bias: f32,
}

impl Confidence {
    /// One without a classifier of kinds.
    pub fn of(mean: Vec<f32>, deviation: Vec<f32>, weights: [f32; SIGNS], bias: f32) -> Self {
        Self { mean, deviation, weights: Signs::of(weights), bias, short: None, domain: None, kinds: None }
    }

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
        all("weights", &self.weights.values())?;
        all("bias", &[self.bias])?;
        if let Some(domain) = &self.domain {
            if domain.weights.len() != width {
                return Err(ConfidenceError::Width { expected: width, found: domain.weights.len() });
            }
            all("weights of the domain", &domain.weights)?;
            all("bias of the domain", &[domain.bias])?;
        }
        if let Some(short) = &self.short {
            all("weights of short captions", &short.weights.values())?;
            all("bias of short captions", &[short.bias])?;
        }
        if !self.deviation.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err(ConfidenceError::Number("deviation", " and above 0"));
        }
        self.kinds.as_ref().map_or(Ok(()), |kinds| Ok(kinds.validate()?))
    }

    /// How strange a picture with this mean embedding is.
    pub fn unfamiliarity(&self, pooled: &[f32]) -> f32 {
        unfamiliarity(&self.mean, &self.deviation, pooled)
    }

    /// How far a picture with this mean embedding is of another kind than those that descriptions were learned of, -1 to 1;
    /// 0 if that cannot be told.
    pub fn foreign(&self, pooled: &[f32]) -> f32 {
        let of = |domain: &Domain| {
            domain.weights.iter().zip(pooled).map(|(w, x)| w * x).sum::<f32>() + domain.bias
        };
        self.domain.as_ref().map_or(0.0, |domain| of(domain).clamp(-1.0, 1.0))
    }

    /// The probability, 0 to 1, that a caption is about right.
    pub fn probability(&self, signs: &Signs) -> f32 {
        probability(&self.weights, self.bias, signs)
    }

    /// The same for a caption of which only a beginning is told.
    pub fn probability_of_short(&self, signs: &Signs) -> f32 {
        self.short
            .map_or_else(|| self.probability(signs), |short| probability(&short.weights, short.bias, signs))
    }
}

fn probability(weights: &Signs, bias: f32, signs: &Signs) -> f32 {
    let weighted = weights.values().into_iter().zip(signs.values()).map(|(weight, sign)| weight * sign);
    logistic(weighted.sum::<f32>() + bias)
}

/// The probability that a logit stands for.
pub fn logistic(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// How far a caption says what the concept head saw: the mean probability of its words that are concepts, 0 to 1, where a
/// word that is not among the likeliest has none. 0 if no word of it is a concept.
pub fn support(caption: &[u32], concepts: &[u32], likeliest: &Likeliest) -> f32 {
    let (mut sum, mut count) = (0.0, 0);
    for token in caption.iter().filter(|token| concepts.contains(token)) {
        let seen = likeliest.places.iter().position(|&place| concepts.get(place as usize) == Some(token));
        sum += seen.map_or(0.0, |i| likeliest.probabilities[i]);
        count += 1;
    }
    sum / count.max(1) as f32
}

/// The lowest probability of a caption's words that are concepts, as in [`support`]; 0 if none is one.
pub fn least_support(caption: &[u32], concepts: &[u32], likeliest: &Likeliest) -> f32 {
    let seen = |token: &u32| {
        let place = likeliest.places.iter().position(|&place| concepts.get(place as usize) == Some(token));
        place.map_or(0.0, |i| likeliest.probabilities[i])
    };
    let least =
        caption.iter().filter(|token| concepts.contains(token)).map(seen).fold(f32::INFINITY, f32::min);
    if least.is_finite() { least } else { 0.0 }
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
        Confidence::of(
            vec![1.0, -1.0],
            vec![2.0, 1.0],
            [2.0, -1.0, 3.0, 0.5, 0.25, -2.0, 1.5, 0.1, -3.0, 4.0, 0.7],
            0.5,
        )
    }

    #[test]
    fn the_probability_is_the_logistic_of_all_signs() {
        // The mean embedding is (5, 1): two deviations off in both channels, so ln 4.
        let mean = pooled(&[4.0, 0.0, 6.0, 2.0], 2);
        let domain = Some(Domain { weights: vec![0.05, -0.25], bias: 0.2 });
        let confidence = Confidence { domain, ..confidence() };
        let (unfamiliarity, foreign) = (confidence.unfamiliarity(&mean), confidence.foreign(&mean));
        assert!((foreign - 0.2).abs() < 1e-6 && confidence.foreign(&[50.0, 0.0]) == 1.0);
        let size = size(112, 300);
        let signs = Signs { score: -1.0, unfamiliarity, support: 0.2, size, ..Signs::default() };
        let signs = Signs { least: -2.0, least_support: 0.1, lead: 0.4, length: 7.0, foreign, ..signs }
            .with_products();
        let p = confidence.probability(&signs);
        let first = -2.0 - 4f64.ln() + 0.6 - 0.5 * 2f64.ln() + 0.5;
        let products = 4.0 * 0.2 * 0.2 - 0.7 * 0.2 * 2f64.ln();
        let expected = 1.0 / (1.0 + f64::exp(-(first - 0.5 - 0.2 + 0.6 + 0.7 - 0.6 + products)));
        assert!((f64::from(p) - expected).abs() < 1e-6, "{p} {expected}");
        assert_eq!(Signs::of(signs.values()), signs);
    }

    #[test]
    fn a_file_without_later_signs_has_none_of_their_weights() {
        let file = r#"{"mean":[0.5],"deviation":[1.0],"score":2.0,"unfamiliarity":-1.0,"bias":0.5}"#;
        let read: Confidence = serde_json::from_str(file).unwrap();
        assert_eq!(read.weights, Signs { score: 2.0, unfamiliarity: -1.0, ..Signs::default() });
        let again: Confidence = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
    }

    #[test]
    fn larger_pictures_show_no_more_and_none_is_endless() {
        assert_eq!(size(224, 300), 0.0);
        assert_eq!(size(4000, 3000), 0.0);
        assert!(size(25, 300) < size(50, 50));
        assert!(size(0, 0).is_finite());
    }

    #[test]
    fn certainty_follows_the_probability() {
        let of = |p| Certainty::of(p);
        assert_eq!(
            (of(0.5), of(0.49), of(0.25), of(0.2)),
            (Certainty::Likely, Certainty::Unsure, Certainty::Unsure, Certainty::No)
        );
        assert_eq!(of(f32::NAN), Certainty::No);
    }

    #[test]
    fn least_support_is_that_of_the_word_that_was_seen_least() {
        let likeliest = Likeliest { places: vec![1, 2], probabilities: vec![0.8, 0.4] };
        let of = |caption: &[u32]| least_support(caption, &[10, 11, 12], &likeliest);
        assert_eq!((of(&[5, 11, 12]), of(&[11]), of(&[11, 10]), of(&[5])), (0.4, 0.8, 0.0, 0.0));
    }

    #[test]
    fn support_is_the_mean_over_the_words_that_could_be_seen() {
        // Tokens 10, 11 and 12 are concepts; 11 was seen with 0.8, 12 with 0.4.
        let likeliest = Likeliest { places: vec![1, 2], probabilities: vec![0.8, 0.4] };
        let of = |caption: &[u32]| support(caption, &[10, 11, 12], &likeliest);
        assert!((of(&[5, 11, 6, 10]) - 0.4).abs() < 1e-6, "11 was seen, 10 was not, 5 and 6 are no concepts");
        assert_eq!(of(&[12]), 0.4);
        assert_eq!(of(&[5]), 0.0);
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
            (Box::new(|c: &mut Confidence| c.bias = f32::INFINITY), "bias"),
            (Box::new(|c: &mut Confidence| c.weights.lead = f32::NAN), "weights"),
            (Box::new(|c| c.domain = Some(Domain { weights: vec![0.0, 0.0], bias: f32::NAN })), "domain"),
            (Box::new(|c| c.domain = Some(Domain { weights: vec![0.0], bias: 0.0 })), "1 channels"),
            (Box::new(|c| c.short = Some(Short { weights: Signs::default(), bias: f32::NAN })), "short"),
        ] {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.validate(2).unwrap_err().to_string().contains(part));
        }
    }
}
