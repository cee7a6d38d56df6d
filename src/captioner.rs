//! What everyone uses: weights in, then a picture in and a caption out.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::confidence::Confidence;
use crate::config::ModelConfig;
use crate::encoder::Form;
use crate::error::Error;
use crate::image::{Rgba, to_input};
use crate::model::Model;
use crate::search::{Hypothesis, SearchOptions, search};
use crate::vocab::Vocabulary;
use crate::weights::{Provenance, Weights};

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
}

/// A captioner with its weights.
pub struct Captioner {
    model: Model,
    config: ModelConfig,
    vocabulary: Vocabulary,
    provenance: Provenance,
    confidence: Option<Confidence>,
}

impl Captioner {
    /// Reads a weights file.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file is damaged, hostile or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::new(Weights::from_bytes(bytes)?)
    }

    /// Takes weights that were read or made before.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape.
    pub fn new(weights: Weights) -> Result<Self, Error> {
        let Weights { config, vocabulary, provenance, confidence, tensors } = weights;
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let model = Model::new(vb, &config, Form::Inference)?;
        Ok(Self { model, config, vocabulary, provenance, confidence })
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
        let side = self.config.encoder.input_side;
        let pixels = to_input(image, &self.config.encoder)?;
        let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &Device::Cpu)?;
        let embeddings = self.model.embed(&pixels)?.squeeze(0)?;
        let options = SearchOptions { beam: options.beam, max_tokens };
        let hypothesis = search(&self.model.decoder, &embeddings, options)?;
        let confidence = match &self.confidence {
            None => None,
            Some(confidence) => {
                let values = embeddings.flatten_all()?.to_vec1::<f32>()?;
                Some(confidence.probability(hypothesis.score(), &values))
            }
        };
        Ok(self.describe(&hypothesis, confidence))
    }

    fn describe(&self, hypothesis: &Hypothesis, confidence: Option<f32>) -> Caption {
        let word = |id: &u32| self.vocabulary.word(*id).unwrap_or_default().to_string();
        Caption {
            text: self.vocabulary.decode(&hypothesis.tokens),
            score: hypothesis.score(),
            tokens: hypothesis.tokens.iter().map(word).collect(),
            confidence,
        }
    }
}
