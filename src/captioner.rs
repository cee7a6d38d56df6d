//! What everyone uses: weights in, then a picture in and a caption out.

use std::sync::Mutex;

use crate::confidence::{Certainty, Confidence, Signs, size, support};
use crate::config::ModelConfig;
use crate::error::Error;
use crate::image::{ImageError, Rgba, to_square};
use crate::kind::Kind;
use crate::likeliest::Likeliest;
use crate::packed::{Network, Scratch};
use crate::people::Neutral;
use crate::search::{Hypothesis, SearchOptions, search_reworded};
use crate::vocab::Vocabulary;
use crate::weights::{Provenance, Weights, WeightsFile};

/// Widest beam that can be asked for.
pub const MAX_BEAM: usize = 8;

/// Highest confidence in what a drawing is said to show: people are agreed on photographs, and nothing else was measured.
const MOST_OF_A_DRAWING: f32 = 0.49;

/// How to caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptionOptions {
    /// Captions considered at each step, 1 to [`MAX_BEAM`]; 1 is greedy.
    pub beam: usize,
    /// Longest caption in tokens, the end included; as long as the model can when `None`.
    pub max_tokens: Option<usize>,
    /// Whether people are "a person", "people", "a child" and "children", whatever gender and age
    /// the network guesses.
    pub neutral: bool,
}

impl CaptionOptions {
    /// The defaults, but with the words that the network learned for people: for scores against captions that say them.
    pub const AS_LEARNED: Self = Self { beam: 3, max_tokens: None, neutral: false };
}

impl Default for CaptionOptions {
    fn default() -> Self {
        Self { neutral: true, ..Self::AS_LEARNED }
    }
}

impl CaptionOptions {
    /// These options with another beam, 1 to [`MAX_BEAM`].
    pub fn with_beam(self, beam: usize) -> Self {
        Self { beam, ..self }
    }

    /// These options with neutral words for people or with those that the network learned.
    pub fn with_neutral(self, neutral: bool) -> Self {
        Self { neutral, ..self }
    }

    /// These options with captions of at most `max_tokens` tokens, the end included; at least 2.
    pub fn with_max_tokens(self, max_tokens: usize) -> Self {
        Self { max_tokens: Some(max_tokens), ..self }
    }
}

/// What was said of a picture.
///
/// Serialised, it is what every output of soli has of a caption: the web's, and the rows of `soli caption`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Caption {
    /// The caption as text: lower case, no full stop. Of a picture that is no photograph it says what it is instead.
    pub text: String,
    /// What kind of picture it is; `None` if the weights were not fitted to tell.
    pub kind: Option<Kind>,
    /// Mean log-probability of the tokens, the end included, or the logarithm of how probable the kind is; at most 0, the
    /// higher the surer.
    pub score: f32,
    /// The words in order.
    pub tokens: Vec<String>,
    /// The probability, 0 to 1, that the caption is about right; `None` if the weights were not calibrated.
    pub confidence: Option<f32>,
    /// How the caption can be told; `None` if the weights were not calibrated.
    pub certainty: Option<Certainty>,
    /// What the confidence follows from; `None` where no description was looked for, or the weights were not calibrated.
    #[serde(skip)]
    pub signs: Option<Signs>,
    /// The words that the picture most likely shows, the likeliest first; empty if the weights do not look for words.
    pub words: Vec<Word>,
}

/// A word that a picture shows.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
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
    neutral: Neutral,
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
            neutral: Neutral::new(file.vocabulary()),
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
        let neutral = Neutral::new(&vocabulary);
        Ok(Self { network, scratch: Mutex::default(), config, vocabulary, provenance, confidence, neutral })
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
        let neutral = options.neutral.then_some(&self.neutral);
        let options = SearchOptions { beam: options.beam, max_tokens };
        Ok(self.with_scratch(|scratch| {
            self.network.embed(&pixels, scratch);
            let kind = self.kind(scratch);
            if let Some((kind, probability, sentence)) =
                kind.and_then(|(kind, probability)| Some((kind, probability, kind.sentence()?)))
            {
                return self.name(kind, probability, sentence);
            }
            let reword = |said: &[u32], row: &mut [f32]| {
                if let Some(neutral) = neutral {
                    neutral.reword(said, row);
                }
            };
            let mut generation = self.network.start_embedded(options.beam, scratch);
            let Ok(hypothesis) = search_reworded(&mut generation, options, reword);
            let seen = self.network.words(scratch);
            let reworded =
                seen.zip(neutral).map(|(words, neutral)| neutral.likeliest(words, self.concepts()));
            let likeliest = reworded.as_ref().or(seen);
            let signs = self.confidence.as_ref().map(|confidence| Signs {
                score: hypothesis.score(),
                unfamiliarity: confidence.unfamiliarity(self.network.embeddings(scratch)),
                support: likeliest.map_or(0.0, |words| support(&hypothesis.tokens, self.concepts(), words)),
                size: size(image.width(), image.height()),
            });
            self.describe(&hypothesis, kind.map(|(kind, _)| kind), signs, likeliest)
        }))
    }

    /// The pooled features, layer-normed, that the picture's kind is read from; `None` if the network looks for no words.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture cannot be used.
    pub fn pooled(&self, image: &Rgba) -> Result<Option<Vec<f32>>, Error> {
        let pixels = self.pixels(image)?;
        Ok(self.with_scratch(|scratch| {
            self.network.embed(&pixels, scratch);
            self.network.pooled(scratch).map(<[f32]>::to_vec)
        }))
    }

    /// The mean over a picture's cells of what the decoder reads of them: what familiarity is measured on.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture cannot be used.
    pub fn mean_embedding(&self, image: &Rgba) -> Result<Vec<f32>, Error> {
        let pixels = self.pixels(image)?;
        let width = self.config.decoder.width;
        Ok(self.with_scratch(|scratch| {
            self.network.embed(&pixels, scratch);
            crate::confidence::pooled(self.network.embeddings(scratch), width)
        }))
    }

    /// The kind of the picture that was embedded last, with its probability, if the weights can tell.
    fn kind(&self, scratch: &Scratch) -> Option<(Kind, f32)> {
        let kinds = self.confidence.as_ref()?.kinds.as_ref()?;
        Some(kinds.choose(&kinds.probabilities(self.network.pooled(scratch)?)))
    }

    /// What is said of a picture that is not described.
    fn name(&self, kind: Kind, probability: f32, sentence: &str) -> Caption {
        Caption {
            text: sentence.to_owned(),
            kind: Some(kind),
            score: probability.max(f32::MIN_POSITIVE).ln(),
            tokens: sentence.split(' ').map(str::to_owned).collect(),
            confidence: Some(probability),
            certainty: Some(Certainty::of(probability)),
            signs: None,
            words: Vec::new(),
        }
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
        kind: Option<Kind>,
        signs: Option<Signs>,
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
        // A drawing is described as what it might show, and never surely.
        let drawn = kind == Some(Kind::Drawing);
        let confidence = self.confidence.as_ref().zip(signs).map(|(c, signs)| c.probability(&signs));
        let confidence = confidence.map(|p| if drawn { p.min(MOST_OF_A_DRAWING) } else { p });
        let text = self.vocabulary.decode(&hypothesis.tokens);
        let word = |id: &u32| self.vocabulary.word(*id).unwrap_or_default().to_string();
        Caption {
            text: if drawn { format!("a drawing, perhaps of {text}") } else { text },
            kind,
            score: hypothesis.score(),
            tokens: hypothesis.tokens.iter().map(word).collect(),
            confidence,
            certainty: confidence.map(Certainty::of),
            signs,
            words: seen,
        }
    }
}
