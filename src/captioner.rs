//! What everyone uses: weights in, then a picture in and a caption out.

use std::sync::Mutex;

use crate::confidence::{Confidence, support};
use crate::config::ModelConfig;
use crate::error::Error;
use crate::image::{ImageError, Rgba, to_square};
use crate::likeliest::Likeliest;
use crate::packed::{Network, Scratch};
use crate::search::{Hypothesis, SearchOptions, search_with};
use crate::vocab::Vocabulary;
use crate::weights::{Provenance, Weights, WeightsFile};

/// Widest beam that can be asked for.
pub const MAX_BEAM: usize = 8;

/// How to caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionOptions {
    /// Captions considered at each step, 1 to [`MAX_BEAM`]; 1 is greedy.
    pub beam: usize,
    /// Longest caption in tokens, the end included; as long as the model can when `None`.
    pub max_tokens: Option<usize>,
}

impl Default for CaptionOptions {
    fn default() -> Self {
        Self { beam: 3, max_tokens: None }
    }
}

impl CaptionOptions {
    /// These options with another beam, 1 to [`MAX_BEAM`].
    pub fn with_beam(self, beam: usize) -> Self {
        Self { beam, ..self }
    }

    /// These options with captions of at most `max_tokens` tokens, the end included; at least 2.
    pub fn with_max_tokens(self, max_tokens: usize) -> Self {
        Self { max_tokens: Some(max_tokens), ..self }
    }
}

/// What was said of a picture.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Caption {
    /// The caption as text: lower case, no full stop.
    pub text: String,
    /// Mean log-probability of the tokens, the end included; at most 0, the higher the surer.
    pub score: f32,
    /// The words in order.
    pub tokens: Vec<String>,
    /// The probability, 0 to 1, that the caption is about right; `None` if the weights were not calibrated.
    pub confidence: Option<f32>,
    /// How far the caption says what the picture was seen to show: the mean probability of its words that are looked for, 0
    /// to 1.
    #[serde(skip)]
    pub support: f32,
    /// The words that the picture most likely shows, the likeliest first; empty if the weights do not look for words.
    pub words: Vec<Word>,
}

/// A word that a picture shows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Word {
    /// The word, in lower case.
    pub word: String,
    /// How likely people who describe the picture say it, 0 to 1.
    pub probability: f32,
}

/// A captioner with its weights.
pub struct Captioner {
    network: Network,
    /// Working memory of those who captioned before: one for each that did so at the same time.
    scratch: Mutex<Vec<Scratch>>,
    config: ModelConfig,
    vocabulary: Vocabulary,
    provenance: Provenance,
    confidence: Option<Confidence>,
}

impl Captioner {
    /// Reads a weights file. What it has as 8-bit integers is multiplied as such.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file is damaged, hostile or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let file = WeightsFile::open(bytes)?;
        let network = Network::new(&file, file.config())?;
        Ok(Self {
            network,
            scratch: Mutex::default(),
            config: file.config().clone(),
            vocabulary: file.vocabulary().clone(),
            provenance: file.provenance().clone(),
            confidence: file.confidence().cloned(),
        })
    }

    /// Takes weights that were read or made before.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn new(weights: Weights) -> Result<Self, Error> {
        let network = Network::new(&weights, &weights.config)?;
        let Weights { config, vocabulary, provenance, confidence, .. } = weights;
        Ok(Self { network, scratch: Mutex::default(), config, vocabulary, provenance, confidence })
    }

    /// The shape of the network.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The words it can say.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How its weights came to be.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Describes one picture.
    ///
    /// # Errors
    /// [`Error::Options`] if the beam or the length is out of range, [`Error::Image`] if the picture cannot be used.
    pub fn caption(&self, image: &Rgba, options: &CaptionOptions) -> Result<Caption, Error> {
        let longest = self.config.decoder.max_tokens;
        let max_tokens = options.max_tokens.unwrap_or(longest).min(longest);
        if !(1..=MAX_BEAM).contains(&options.beam) {
            return Err(Error::Options(format!("beam is {}, but must lie in 1..={MAX_BEAM}", options.beam)));
        }
        if max_tokens < 2 {
            return Err(Error::Options(format!("max_tokens is {max_tokens}, but must be at least 2")));
        }
        let pixels = self.pixels(image)?;
        let options = SearchOptions { beam: options.beam, max_tokens };
        Ok(self.with_scratch(|scratch| {
            let mut generation = self.network.start(&pixels, options.beam, scratch);
            let Ok(hypothesis) = search_with(&mut generation, options);
            let likeliest = self.network.words(scratch);
            let support = likeliest.map_or(0.0, |words| support(&hypothesis.tokens, self.concepts(), words));
            let confidence = self.confidence.as_ref().map(|confidence| {
                confidence.probability(hypothesis.score(), self.network.embeddings(scratch), support)
            });
            self.describe(&hypothesis, confidence, support, likeliest)
        }))
    }

    /// What the trunk sees in a picture: features of its cells, row by row, channels last.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture cannot be used.
    pub fn features(&self, image: &Rgba) -> Result<Vec<f32>, Error> {
        let pixels = self.pixels(image)?;
        Ok(self.with_scratch(|scratch| self.network.features(&pixels, scratch).to_vec()))
    }

    fn pixels(&self, image: &Rgba) -> Result<Vec<u8>, ImageError> {
        to_square(image, self.config.encoder.input_side)
    }

    /// Lends working memory: that of an earlier picture, if nobody else is using it.
    fn with_scratch<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        // Nothing panics while the lock is held.
        let earlier = self.scratch.lock().ok().and_then(|mut pool| pool.pop());
        let mut scratch = earlier.unwrap_or_default();
        let result = work(&mut scratch);
        if let Ok(mut pool) = self.scratch.lock() {
            pool.push(scratch);
        }
        result
    }

    /// The words that are looked for, as token ids.
    fn concepts(&self) -> &[u32] {
        self.config.concepts.as_ref().map_or(&[], |concepts| &concepts.tokens)
    }

    fn describe(
        &self,
        hypothesis: &Hypothesis,
        confidence: Option<f32>,
        support: f32,
        likeliest: Option<&Likeliest>,
    ) -> Caption {
        let tokens = self.concepts();
        let seen = likeliest.map_or_else(Vec::new, |likeliest| {
            let words = likeliest.places.iter().zip(&likeliest.probabilities);
            words
                .map(|(&place, &probability)| Word {
                    word: self.vocabulary.word(tokens[place as usize]).unwrap_or_default().to_string(),
                    probability,
                })
                .collect()
        });
        let word = |id: &u32| self.vocabulary.word(*id).unwrap_or_default().to_string();
        Caption {
            text: self.vocabulary.decode(&hypothesis.tokens),
            score: hypothesis.score(),
            tokens: hypothesis.tokens.iter().map(word).collect(),
            confidence,
            support,
            words: seen,
        }
    }
}
