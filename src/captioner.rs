//! What everyone uses: weights in, then a picture in and a caption out.

use std::sync::Mutex;

use crate::confidence::{Certainty, Confidence, Signs, least_support, pooled, size, support};
use crate::config::ModelConfig;
use crate::details::Details;
use crate::error::Error;
use crate::image::{ImageError, Rgba, to_square};
use crate::kind::Kind;
use crate::likeliest::Likeliest;
use crate::packed::{Network, Scratch};
use crate::people::{Neutral, Wording};
use crate::search::{Hypothesis, SearchOptions, search_reworded};
use crate::vocab::Vocabulary;
use crate::weights::{Provenance, Weights, WeightsFile};

/// Widest beam that can be asked for.
pub const MAX_BEAM: usize = 8;

/// Highest confidence in what a drawing is said to show: people are agreed on photographs, and nothing else was measured.
pub const MOST_OF_A_DRAWING: f32 = 0.49;

/// How to caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptionOptions {
    /// Captions considered at each step, 1 to [`MAX_BEAM`]; 1 is greedy.
    pub beam: usize,
    /// Longest caption in tokens, the end included; as long as the model can when `None`.
    pub max_tokens: Option<usize>,
    /// Whether people are "a person" and "people", and where children are seen "a child" and "children", whatever gender and
    /// age the network guesses.
    pub neutral: bool,
    /// Whether numbers, colours and actions that the network is unsure of are left out.
    pub careful: bool,
    /// Whether it is told for each word of [`Caption::words`] where in the picture it was seen.
    pub cells: bool,
}

impl CaptionOptions {
    /// The defaults, but with the words that the network learned for people, and with all that it guesses: for scores against
    /// captions that say them.
    pub const AS_LEARNED: Self =
        Self { beam: 3, max_tokens: None, neutral: false, careful: false, cells: false };
}

impl Default for CaptionOptions {
    fn default() -> Self {
        Self { neutral: true, careful: true, ..Self::AS_LEARNED }
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

    /// These options with details that the network is unsure of left out, or not.
    pub fn with_careful(self, careful: bool) -> Self {
        Self { careful, ..self }
    }

    /// These options with or without the cells that words were seen in.
    pub fn with_cells(self, cells: bool) -> Self {
        Self { cells, ..self }
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
    /// How much each cell of the picture alone shows it, 0 to 1: row by row from the top left, a square number of them. Only
    /// if it was asked for ([`CaptionOptions::cells`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<f32>>,
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
    details: Details,
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
            details: Details::new(file.vocabulary()),
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
        let (neutral, details) = (Neutral::new(&vocabulary), Details::new(&vocabulary));
        let scratch = Mutex::default();
        Ok(Self { network, scratch, config, vocabulary, provenance, confidence, neutral, details })
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
        let details = options.careful.then_some(&self.details);
        let cells = options.cells;
        let options = SearchOptions { beam: options.beam, max_tokens };
        Ok(self.with_scratch(|scratch| {
            self.network.embed(&pixels, scratch);
            let kind = self.kind(scratch);
            if let Some((kind, probability, sentence)) =
                kind.and_then(|(kind, probability)| Some((kind, probability, kind.sentence()?)))
            {
                return self.name(kind, probability, sentence);
            }
            let neutral = neutral
                .map(|neutral| neutral.of_picture(self.concepts(), self.network.concept_logits(scratch)));
            let neutral = neutral.as_ref();
            let saw = details
                .map(|details| details.seen(self.concepts(), self.network.concept_logits(scratch), neutral));
            let reluctance = details.zip(saw.as_ref()).map(|(details, saw)| details.reluctance(saw));
            let reword = |said: &[u32], row: &mut [f32]| {
                if let Some(neutral) = neutral {
                    neutral.reword(said, row);
                }
                if let Some((details, reluctance)) = details.zip(reluctance.as_ref()) {
                    details.leave_out(said, reluctance, row);
                }
            };
            let mut generation = self.network.start_embedded(options.beam, scratch);
            let Ok(hypothesis) = search_reworded(&mut generation, options, reword);
            let seen = self.network.words(scratch);
            let reworded =
                seen.zip(neutral).map(|(words, neutral)| neutral.likeliest(words, self.concepts()));
            let likeliest = reworded.as_ref().or(seen);
            let drawn = kind.is_some_and(|(kind, _)| kind == Kind::Drawing);
            let (unfamiliarity, foreign) = self.confidence.as_ref().map_or((0.0, 0.0), |confidence| {
                let pooled = pooled(self.network.embeddings(scratch), self.config.decoder.width);
                (confidence.unfamiliarity(&pooled), confidence.foreign(&pooled))
            });
            let told = self.tell(&hypothesis, drawn, details.zip(saw.as_ref()), |tokens| {
                Signs {
                    score: hypothesis.score(),
                    unfamiliarity,
                    support: likeliest.map_or(0.0, |words| support(tokens, self.concepts(), words)),
                    size: size(image.width(), image.height()),
                    least: hypothesis.log_probabilities.iter().copied().fold(0.0, f32::min),
                    least_support: likeliest
                        .map_or(0.0, |words| least_support(tokens, self.concepts(), words)),
                    lead: hypothesis.lead,
                    length: tokens.len() as f32,
                    foreign,
                    ..Signs::default()
                }
                .with_products()
            });
            let mut caption = self.describe(told, hypothesis.score(), kind.map(|(kind, _)| kind), likeliest);
            if cells && let (Some(said), Some(seen)) = (likeliest, seen) {
                let (said, seen) = (said.places.clone(), seen.places.clone());
                self.tell_cells(&mut caption.words, &said, &seen, neutral, scratch);
            }
            caption
        }))
    }

    /// What a picture's surface is like, from which its kind is read: for each of seven blocks of the trunk
    /// the mean of each channel over the cells, then the standard deviation of each.
    ///
    /// # Errors
    /// [`Error::Image`] if the picture cannot be used.
    pub fn textures(&self, image: &Rgba) -> Result<Vec<f32>, Error> {
        let pixels = self.pixels(image)?;
        Ok(self.with_scratch(|scratch| {
            self.network.embed(&pixels, scratch);
            self.network.textures(scratch).to_vec()
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
            pooled(self.network.embeddings(scratch), width)
        }))
    }

    /// The kind of the picture that was embedded last, with its probability, if the weights can tell.
    fn kind(&self, scratch: &Scratch) -> Option<(Kind, f32)> {
        let kinds = self.confidence.as_ref()?.kinds.as_ref()?;
        Some(kinds.choose(&kinds.probabilities(self.network.textures(scratch))))
    }

    /// Tells for each of `words`, which stand at the places `said`, where it was seen. What is said for several words of those
    /// `seen` was seen where any of them was.
    fn tell_cells(
        &self,
        words: &mut [Word],
        said: &[u32],
        seen: &[u32],
        neutral: Option<&Wording>,
        scratch: &mut Scratch,
    ) {
        let shown = self.network.cells(seen, scratch);
        for (word, &place) in words.iter_mut().zip(said) {
            for (&other, cells) in seen.iter().zip(&shown) {
                if neutral.map_or(other, |neutral| neutral.place(other, self.concepts())) != place {
                    continue;
                }
                match &mut word.cells {
                    None => word.cells = Some(cells.clone()),
                    Some(most) => most.iter_mut().zip(cells).for_each(|(most, x)| *most = most.max(*x)),
                }
            }
        }
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

    /// What is told of a caption: all of it, or, where it is unsure, no more than what was seen.
    fn tell(
        &self,
        hypothesis: &Hypothesis,
        drawn: bool,
        details: Option<(&Details, &Vec<Option<f32>>)>,
        signs: impl Fn(&[u32]) -> Signs,
    ) -> Told {
        let mut tokens = hypothesis.tokens.clone();
        let Some(confidence) = &self.confidence else {
            return Told { tokens, signs: None, confidence: None };
        };
        if let Some((details, _)) = details {
            details.drop_framing(&mut tokens);
            details.make_articles_agree(&mut tokens);
            details.drop_loose_end(&mut tokens);
        }
        let all = signs(&tokens);
        let probability = confidence.probability(&all);
        let told = Told { tokens, signs: Some(all), confidence: Some(probability) };
        // A drawing is never sure.
        let whole = !drawn && Certainty::of(probability) == Certainty::Likely;
        let Some((details, saw)) = details.filter(|_| !whole) else {
            return told;
        };
        let short = details.shorten(&told.tokens, saw);
        if short.is_empty() || short == told.tokens {
            return told;
        }
        let signs = signs(&short);
        Told { tokens: short, signs: Some(signs), confidence: Some(confidence.probability_of_short(&signs)) }
    }

    fn describe(&self, told: Told, score: f32, kind: Option<Kind>, likeliest: Option<&Likeliest>) -> Caption {
        let tokens = self.concepts();
        let seen = likeliest.map_or_else(Vec::new, |likeliest| {
            let words = likeliest.places.iter().zip(&likeliest.probabilities);
            words
                .map(|(&place, &probability)| Word {
                    word: self.vocabulary.word(tokens[place as usize]).unwrap_or_default().to_string(),
                    probability,
                    cells: None,
                })
                .collect()
        });
        // A drawing is described as what it might show, and never surely.
        let drawn = kind == Some(Kind::Drawing);
        let confidence = told.confidence.map(|p| if drawn { p.min(MOST_OF_A_DRAWING) } else { p });
        let text = self.vocabulary.decode(&told.tokens);
        let word = |id: &u32| self.vocabulary.word(*id).unwrap_or_default().to_string();
        Caption {
            text: if drawn { format!("a drawing, perhaps of {}", as_a_thing(&text)) } else { text },
            kind,
            score,
            tokens: told.tokens.iter().map(word).collect(),
            confidence,
            certainty: confidence.map(Certainty::of),
            signs: told.signs,
            words: seen,
        }
    }
}

/// A caption as a part of another sentence: "a dog is standing" as "a dog that is standing".
fn as_a_thing(caption: &str) -> String {
    let verb = [" is ", " are "].into_iter().filter_map(|verb| Some((caption.find(verb)?, verb))).min();
    match verb {
        Some((at, verb)) if !caption[..at].ends_with(" that") && !caption[..at].starts_with("there") => {
            format!("{} that{verb}{}", &caption[..at], &caption[at + verb.len()..])
        }
        _ => caption.to_owned(),
    }
}

/// What is told of a caption, and how far it can be trusted.
struct Told {
    tokens: Vec<u32>,
    signs: Option<Signs>,
    confidence: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::as_a_thing;

    #[test]
    fn a_sentence_becomes_a_thing() {
        for (caption, thing) in [
            ("a black dog is standing", "a black dog that is standing"),
            ("two people are sitting on what is a bench", "two people that are sitting on what is a bench"),
            ("a dog that is wet is running", "a dog that is wet is running"),
            ("a horse in a field", "a horse in a field"),
            ("there is a dog", "there is a dog"),
            ("an island", "an island"),
        ] {
            assert_eq!(as_a_thing(caption), thing);
        }
    }
}
