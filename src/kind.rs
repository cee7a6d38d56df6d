//! What kind of picture it is: a linear classifier on what its surface is like, fitted by `soli export --kinds`.
//!
//! A captioner of photographs invents a scene for a page of text. So it is asked first whether there is a photograph at
//! all: what is none gets a sentence that names its kind, and no other.

use serde::{Deserialize, Serialize};

use crate::layout::TEXTURE_CHANNELS;

/// Kinds of pictures, in the order of a [`KindHead`]'s rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A photograph, also one with words over it.
    Photograph,
    /// Sketches, cartoons, paintings, icons, logos.
    Drawing,
    /// Pages, receipts, forms, tables, code, slides.
    Text,
    /// Charts, diagrams, maps.
    Chart,
    /// Screenshots of programs and web pages.
    Interface,
    /// One colour, a gradient, a pattern, noise.
    Blank,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Photograph, Self::Drawing, Self::Text, Self::Chart, Self::Interface, Self::Blank];

    /// Its name, as in a table `labels.csv` and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photograph => "photograph",
            Self::Drawing => "drawing",
            Self::Text => "text",
            Self::Chart => "chart",
            Self::Interface => "interface",
            Self::Blank => "blank",
        }
    }

    /// What is said of a picture of this kind instead of a description; `None` where one is given.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Photograph | Self::Drawing => None,
            Self::Text => Some("a page of text"),
            Self::Chart => Some("a chart or diagram"),
            Self::Interface => Some("a screenshot"),
            Self::Blank => Some("a blank picture or a pattern"),
        }
    }
}

/// The classifier of one set of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindHead {
    /// A row for each of [`Kind::ALL`], a value for each of [`crate::Captioner::textures`]. In the file, rows of 16-bit integers.
    #[serde(with = "rows")]
    pub weights: Vec<Vec<f32>>,
    /// A value a kind.
    pub bias: Vec<f32>,
    /// A picture is a photograph if that is at least so probable, 0 to 1.
    pub photograph_from: f32,
}

/// What the numbers of a [`KindHead`] have to be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KindHeadError {
    /// Rows or channels are missing, or too many.
    #[error("the classifier of kinds is {rows} x {columns}, but must be {} x {TEXTURE_CHANNELS}: export it again", Kind::ALL.len())]
    Shape {
        /// Rows given.
        rows: usize,
        /// Values given in a row.
        columns: usize,
    },
    /// A number that nothing can be computed with.
    #[error("the classifier of kinds has a number that is not finite, or a threshold outside of 0 to 1")]
    Number,
}

impl KindHead {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`KindHeadError`].
    pub fn validate(&self) -> Result<(), KindHeadError> {
        let rows = self.weights.len();
        let shape = |columns| KindHeadError::Shape { rows, columns };
        if rows != Kind::ALL.len() || self.bias.len() != rows {
            return Err(shape(self.weights.first().map_or(0, Vec::len)));
        }
        if let Some(row) = self.weights.iter().find(|row| row.len() != TEXTURE_CHANNELS) {
            return Err(shape(row.len()));
        }
        let finite = self.weights.iter().flatten().chain(&self.bias).all(|value| value.is_finite());
        if !finite || !(0.0..=1.0).contains(&self.photograph_from) {
            return Err(KindHeadError::Number);
        }
        Ok(())
    }

    /// How probable each of [`Kind::ALL`] is, given the textures: values that add up to 1.
    pub fn probabilities(&self, textures: &[f32]) -> [f32; Kind::ALL.len()] {
        let mut logits = [f32::NEG_INFINITY; Kind::ALL.len()];
        for ((logit, row), bias) in logits.iter_mut().zip(&self.weights).zip(&self.bias) {
            *logit = bias + row.iter().zip(textures).map(|(weight, x)| weight * x).sum::<f32>();
        }
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for logit in &mut logits {
            *logit = (*logit - highest).exp();
            sum += *logit;
        }
        logits.map(|value| value / sum)
    }

    /// The kind that follows from probabilities, with how probable it is: a photograph unless that is improbable.
    pub fn choose(&self, probabilities: &[f32; Kind::ALL.len()]) -> (Kind, f32) {
        let photograph = probabilities[0];
        if photograph >= self.photograph_from {
            return (Kind::Photograph, photograph);
        }
        let others = Kind::ALL.into_iter().zip(*probabilities).skip(1);
        others.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Kind::Photograph, photograph))
    }
}

/// Rows of numbers as a scale and 16-bit integers each, four hexadecimal digits a number: as text they would be three times
/// as long. Channels vary by different amounts, so that 8 bits would be too few for those that vary most.
mod rows {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(rows: &[Vec<f32>], serializer: S) -> Result<S::Ok, S::Error> {
        let written: Vec<(f32, String)> = rows.iter().map(|row| write(row)).collect();
        written.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<f32>>, D::Error> {
        let rows = Vec::<(f32, String)>::deserialize(deserializer)?;
        let read = |(scale, digits): &(f32, String)| {
            read(*scale, digits).ok_or_else(|| D::Error::custom("a row is not hexadecimal"))
        };
        rows.iter().map(read).collect()
    }

    fn write(row: &[f32]) -> (f32, String) {
        let most = row.iter().fold(0f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
        let scale = most / f32::from(i16::MAX);
        let digits = row.iter().map(|x| format!("{:04x}", (x / scale).round() as i16 as u16)).collect();
        (scale, digits)
    }

    fn read(scale: f32, digits: &str) -> Option<Vec<f32>> {
        let (numbers, rest) = digits.as_bytes().as_chunks::<4>();
        let number = |digits: &[u8; 4]| {
            let digit = |number: u32, byte: &u8| Some(number * 16 + char::from(*byte).to_digit(16)?);
            let number = digits.iter().try_fold(0, digit)?;
            Some(f32::from(number as u16 as i16) * scale)
        };
        let values = numbers.iter().map(number);
        if rest.is_empty() { values.collect() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> KindHead {
        let mut weights = vec![vec![0.0; TEXTURE_CHANNELS]; 6];
        weights[0][0] = 1.0;
        weights[3][1] = 2.0;
        KindHead { weights, bias: vec![0.5, 0.0, 0.0, 0.0, 0.0, -1.0], photograph_from: 0.4 }
    }

    #[test]
    fn probabilities_are_the_softmax_of_a_linear_map() {
        let found = head().probabilities(&[2.0, 1.5]);
        let logits = [2.5f64, 0.0, 0.0, 3.0, 0.0, -1.0];
        let sum: f64 = logits.iter().map(|x| x.exp()).sum();
        for (found, logit) in found.iter().zip(logits) {
            assert!((f64::from(*found) - logit.exp() / sum).abs() < 1e-6);
        }
        assert!(head().probabilities(&[1e30, 0.0]).iter().all(|p| p.is_finite()));
    }

    #[test]
    fn what_is_no_photograph_is_the_likeliest_other_kind() {
        let kind = |textures| head().choose(&head().probabilities(textures)).0;
        assert_eq!(kind(&[2.0, 0.0]), Kind::Photograph);
        assert_eq!(kind(&[0.0, 2.0]), Kind::Chart);
        // Nothing is likely: a photograph is not, and the others' order decides.
        let (kind, probability) = head().choose(&[0.3, 0.1, 0.1, 0.1, 0.35, 0.05]);
        assert_eq!((kind, probability), (Kind::Interface, 0.35));
    }

    #[test]
    fn a_file_has_the_weights_within_half_a_step() {
        let mut wide = head();
        wide.weights[2][..2].copy_from_slice(&[0.31, -0.83]);
        let json = serde_json::to_string(&wide).unwrap();
        let read: KindHead = serde_json::from_str(&json).unwrap();
        for (row, was) in read.weights.iter().zip(&wide.weights) {
            let step = was.iter().fold(0f32, |most, x| most.max(x.abs())) / 32767.0;
            assert!(row.iter().zip(was).all(|(a, b)| (a - b).abs() <= step * 0.501), "{row:?} {was:?}");
        }
        assert_eq!(serde_json::to_string(&read).unwrap(), json, "written again it stays the same");
        for bad in ["0", "zzzz", "000g", "+001"] {
            let broken = json.replacen("8001", bad, 1);
            assert!(broken != json && serde_json::from_str::<KindHead>(&broken).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_heads_are_refused() {
        assert_eq!(head().validate(), Ok(()));
        for change in [
            |head: &mut KindHead| head.bias.truncate(5),
            |head: &mut KindHead| head.weights.truncate(5),
            |head: &mut KindHead| head.weights[4].truncate(1),
            |head: &mut KindHead| head.weights[1][1] = f32::NAN,
            |head: &mut KindHead| head.photograph_from = 1.5,
        ] {
            let mut bad = head();
            change(&mut bad);
            assert!(bad.validate().is_err());
        }
    }
}
