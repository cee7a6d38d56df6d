//! A linear head on pooled features, whose output is the first thing that an LSTM reads (Show and Tell, Vinyals et al. 2015,
//! arXiv 1411.4555).

use candle_core::{Device, IndexOp, Result, Tensor};
use candle_nn::rnn::{LSTM, LSTMConfig, LSTMState, RNN};
use candle_nn::{Init, VarBuilder};
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::kernels::dropout::dropout;
use soli::layout::HEAD_CHANNELS;
use soli::vocab::{END, SPECIAL_TOKENS, START};

use super::plan::Settings;

/// The trained part.
pub struct Network {
    head: (Tensor, Tensor),
    words: Tensor,
    lstms: Vec<LSTM>,
    output: (Tensor, Tensor),
    settings: Settings,
}

fn dense(vb: &VarBuilder, name: &str, inputs: usize, outputs: usize) -> Result<(Tensor, Tensor)> {
    let init = Init::Randn { mean: 0.0, stdev: (1.0 / inputs as f64).sqrt() };
    let weight = vb.get_with_hints((inputs, outputs), &format!("{name}.weight"), init)?;
    Ok((weight, vb.get_with_hints(outputs, &format!("{name}.bias"), Init::Const(0.0))?))
}

fn apply(x: &Tensor, (weight, bias): &(Tensor, Tensor)) -> Result<Tensor> {
    x.matmul(weight)?.broadcast_add(bias)
}

impl Network {
    /// Takes the parameters from `vb`.
    ///
    /// # Errors
    /// If one has another shape.
    pub fn new(vb: &VarBuilder, settings: Settings, vocabulary: usize) -> Result<Self> {
        let Settings { embedding, hidden, layers, .. } = settings;
        let lstm = |layer: usize| {
            let inputs = if layer == 0 { embedding } else { hidden };
            let random = |inputs: usize| Init::Randn { mean: 0.0, stdev: (1.0 / inputs as f64).sqrt() };
            let config = LSTMConfig {
                layer_idx: layer,
                w_ih_init: random(inputs),
                w_hh_init: random(hidden),
                ..LSTMConfig::default()
            };
            LSTM::new(inputs, hidden, config, vb.pp("lstm"))
        };
        Ok(Self {
            head: dense(vb, "head", HEAD_CHANNELS, embedding)?,
            words: vb.get_with_hints(
                (vocabulary, embedding),
                "words.weight",
                Init::Randn { mean: 0.0, stdev: 0.3 },
            )?,
            lstms: (0..layers).map(lstm).collect::<Result<_>>()?,
            output: dense(vb, "output", hidden, vocabulary)?,
            settings,
        })
    }

    /// Embeddings (pictures, values) of pooled features.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn embed(&self, pooled: &Tensor) -> Result<Tensor> {
        apply(pooled, &self.head)
    }

    /// The head's weight (features, values) and bias.
    pub fn head(&self) -> [&Tensor; 2] {
        [&self.head.0, &self.head.1]
    }

    /// The last LSTM's state (pictures, hidden) after it has read embeddings.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn state(&self, embeddings: &Tensor) -> Result<Tensor> {
        let states = self.begin(embeddings)?;
        states
            .last()
            .map(|state| state.h().clone())
            .ok_or_else(|| candle_core::Error::Msg("there is no LSTM".into()))
    }

    fn step(&self, input: &Tensor, states: &mut [LSTMState]) -> Result<Tensor> {
        let mut x = input.clone();
        for (lstm, state) in self.lstms.iter().zip(states) {
            *state = lstm.step(&x, state)?;
            x = state.h().clone();
        }
        Ok(x)
    }

    fn begin(&self, embeddings: &Tensor) -> Result<Vec<LSTMState>> {
        let pictures = embeddings.dim(0)?;
        let mut states =
            self.lstms.iter().map(|lstm| lstm.zero_state(pictures)).collect::<Result<Vec<_>>>()?;
        self.step(embeddings, &mut states)?;
        Ok(states)
    }

    /// The mean cross-entropy of a caption of each picture, ends included.
    ///
    /// # Errors
    /// If a token is unknown or shapes do not fit.
    pub fn loss(&self, embeddings: &Tensor, captions: &[&[u32]], seed: u64) -> Result<Tensor> {
        let most = self.settings.max_words - 1;
        let captions: Vec<&[u32]> =
            captions.iter().map(|caption| &caption[..caption.len().min(most)]).collect();
        let longest = captions.iter().map(|caption| caption.len() + 1).max().unwrap_or(1);
        // Past its end a caption reads whatever; those rows are not learned from.
        let at = |caption: &[u32], place: usize| caption.get(place).copied().unwrap_or(END);
        let mut states = self.begin(embeddings)?;
        let mut outputs = Vec::with_capacity(longest);
        for place in 0..longest {
            let tokens: Vec<u32> = captions
                .iter()
                .map(|caption| if place == 0 { START } else { at(caption, place - 1) })
                .collect();
            let tokens = Tensor::from_vec(tokens, captions.len(), &Device::Cpu)?;
            outputs.push(self.step(&self.words.index_select(&tokens, 0)?, &mut states)?);
        }
        // (places * pictures, hidden), of which those rows are kept that lie before a caption's end.
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for place in 0..longest {
            for (picture, caption) in
                captions.iter().enumerate().filter(|(_, caption)| place <= caption.len())
            {
                rows.push((place * captions.len() + picture) as u32);
                targets.push(at(caption, place));
            }
        }
        let rows = Tensor::from_vec(rows, targets.len(), &Device::Cpu)?;
        let read = Tensor::cat(&outputs, 0)?.index_select(&rows, 0)?;
        let logits = apply(&dropout(&read, self.settings.dropout, seed)?, &self.output)?;
        cross_entropy(&logits, &targets, 0.0)?.mean_all()
    }

    /// The likeliest word after the likeliest word (greedy), of each picture.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn describe(&self, embeddings: &Tensor) -> Result<Vec<Vec<u32>>> {
        let pictures = embeddings.dim(0)?;
        let mut states = self.begin(embeddings)?;
        let mut said = vec![Vec::new(); pictures];
        let mut ended = vec![false; pictures];
        let mut tokens = vec![START; pictures];
        for _ in 0..self.settings.max_words {
            let input = Tensor::from_slice(&tokens, pictures, &Device::Cpu)?;
            let read = self.step(&self.words.index_select(&input, 0)?, &mut states)?;
            // Nothing but words is said.
            let logits = apply(&read, &self.output)?;
            let first = SPECIAL_TOKENS.len();
            let words = logits.i((.., first..))?.argmax(1)?.to_vec1::<u32>()?;
            let ends = logits.i((.., END as usize))?.to_vec1::<f32>()?;
            let best = logits.i((.., first..))?.max(1)?.to_vec1::<f32>()?;
            for picture in 0..pictures {
                ended[picture] |= ends[picture] >= best[picture];
                tokens[picture] = words[picture] + first as u32;
                if !ended[picture] {
                    said[picture].push(tokens[picture]);
                }
            }
            if ended.iter().all(|ended| *ended) {
                break;
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameters;

    fn settings() -> Settings {
        Settings {
            embedding: 6,
            hidden: 8,
            layers: 2,
            max_words: 5,
            dropout: 0.0,
            epochs: 1,
            batch: 2,
            learning_rate: 1e-2,
            weight_decay: 0.0,
            margin: 1.0,
        }
    }

    #[test]
    fn every_parameter_gets_a_gradient_and_padding_changes_nothing() -> Result<()> {
        let parameters = Parameters::new(1);
        let network = Network::new(&parameters.builder(), settings(), 9)?;
        let pooled: Vec<f32> = (0..2 * HEAD_CHANNELS).map(|i| ((i * 7) % 13) as f32 / 13.0).collect();
        let pooled = Tensor::from_vec(pooled, (2, HEAD_CHANNELS), &Device::Cpu)?;
        let embeddings = network.embed(&pooled)?;
        let captions: [&[u32]; 2] = [&[3, 4, 5], &[6]];
        let loss = network.loss(&embeddings, &captions, 1)?;
        let grads = loss.backward()?;
        for (name, var) in parameters.vars() {
            let grad = grads.get(&var).unwrap_or_else(|| panic!("{name} gets no gradient"));
            assert!(grad.abs()?.sum_all()?.to_scalar::<f32>()? > 0.0, "{name}");
        }
        // Each alone: four and two words, their ends among them.
        let alone = |i: usize| -> Result<f32> {
            network.loss(&embeddings.narrow(0, i, 1)?, &captions[i..=i], 1)?.to_scalar()
        };
        let expected = (4.0 * alone(0)? + 2.0 * alone(1)?) / 6.0;
        assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-5);
        Ok(())
    }

    #[test]
    fn it_learns_two_captions_by_heart() -> anyhow::Result<()> {
        use crate::optimiser::{AdamW, StepOptions};
        let parameters = Parameters::new(1);
        let network = Network::new(&parameters.builder(), settings(), 9)?;
        let pooled: Vec<f32> = (0..2 * HEAD_CHANNELS).map(|i| (i / HEAD_CHANNELS) as f32 * 0.1).collect();
        let pooled = Tensor::from_vec(pooled, (2, HEAD_CHANNELS), &Device::Cpu)?;
        let mut optimiser = AdamW::new(parameters.vars())?;
        let captions: [&[u32]; 2] = [&[3, 4, 5], &[6]];
        for _ in 0..200 {
            let loss = network.loss(&network.embed(&pooled)?, &captions, 1)?;
            let options = StepOptions {
                learning_rate: 2e-2,
                trunk_learning_rate: 0.0,
                concept_learning_rate: 0.0,
                weight_decay: 0.0,
                gradient_clip: 5.0,
                ema_decay: 0.9,
            };
            optimiser.step(&loss.backward()?, &options)?;
        }
        assert_eq!(network.describe(&network.embed(&pooled)?)?, [vec![3, 4, 5], vec![6]]);
        Ok(())
    }
}
