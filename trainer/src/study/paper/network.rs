//! A linear head on pooled features, whose output is the first thing that an LSTM reads (Show and Tell, Vinyals et al. 2015,
//! arXiv 1411.4555).

use candle_core::{Device, IndexOp, Result, Tensor};
use candle_nn::rnn::{LSTM, LSTMConfig, LSTMState, RNN};
use candle_nn::{Init, VarBuilder};
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::kernels::dropout::dropout;
use soli::graph::kernels::linear::{Activation, linear};
use soli::graph::kernels::lstm::lstm;
use soli::layout::HEAD_CHANNELS;
use soli::vocab::{END, SPECIAL_TOKENS, START};

use super::plan::Settings;

/// The trained part.
pub struct Network {
    head: (Tensor, Tensor),
    words: Tensor,
    lstms: Vec<Layer>,
    output: (Tensor, Tensor),
    settings: Settings,
}

/// An LSTM step by step, and its numbers for whole sequences.
struct Layer {
    steps: LSTM,
    /// (4 hidden, inputs).
    of_inputs: Tensor,
    /// (4 hidden, hidden).
    of_last: Tensor,
    biases: [Tensor; 2],
}

impl Layer {
    fn new(vb: &VarBuilder, number: usize, inputs: usize, hidden: usize) -> Result<Self> {
        let random = |inputs: usize| Init::Randn { mean: 0.0, stdev: (1.0 / inputs as f64).sqrt() };
        let config = LSTMConfig {
            layer_idx: number,
            w_ih_init: random(inputs),
            w_hh_init: random(hidden),
            ..LSTMConfig::default()
        };
        let steps = LSTM::new(inputs, hidden, config, vb.clone())?;
        Ok(Self {
            steps,
            of_inputs: vb.get((4 * hidden, inputs), &format!("weight_ih_l{number}"))?,
            of_last: vb.get((4 * hidden, hidden), &format!("weight_hh_l{number}"))?,
            biases: [
                vb.get(4 * hidden, &format!("bias_ih_l{number}"))?,
                vb.get(4 * hidden, &format!("bias_hh_l{number}"))?,
            ],
        })
    }

    /// Outputs (rows, steps, hidden) of whole sequences (rows, steps, inputs).
    fn sequences(&self, inputs: &Tensor) -> Result<Tensor> {
        let bias = (&self.biases[0] + &self.biases[1])?;
        let gates = linear(inputs, &self.of_inputs.t()?.contiguous()?, &bias, Activation::None)?;
        lstm(&gates, &self.of_last)
    }
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
        let layer = |number: usize| {
            Layer::new(&vb.pp("lstm"), number, if number == 0 { embedding } else { hidden }, hidden)
        };
        Ok(Self {
            head: dense(vb, "head", HEAD_CHANNELS, embedding)?,
            words: vb.get_with_hints(
                (vocabulary, embedding),
                "words.weight",
                Init::Randn { mean: 0.0, stdev: 0.3 },
            )?,
            lstms: (0..layers).map(layer).collect::<Result<_>>()?,
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
        self.outputs(&embeddings.unsqueeze(1)?)?.squeeze(1)
    }

    /// Outputs (rows, steps, hidden) of the last LSTM.
    fn outputs(&self, inputs: &Tensor) -> Result<Tensor> {
        self.lstms.iter().try_fold(inputs.clone(), |x, layer| layer.sequences(&x))
    }

    fn step(&self, input: &Tensor, states: &mut [LSTMState]) -> Result<Tensor> {
        let mut x = input.clone();
        for (layer, state) in self.lstms.iter().zip(states) {
            *state = layer.steps.step(&x, state)?;
            x = state.h().clone();
        }
        Ok(x)
    }

    fn begin(&self, embeddings: &Tensor) -> Result<Vec<LSTMState>> {
        let pictures = embeddings.dim(0)?;
        let mut states =
            self.lstms.iter().map(|layer| layer.steps.zero_state(pictures)).collect::<Result<Vec<_>>>()?;
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
        // The embedding, the start, and all words but the end.
        let read: Vec<u32> = captions
            .iter()
            .flat_map(|caption| {
                (0..longest).map(|place| if place == 0 { START } else { at(caption, place - 1) })
            })
            .collect();
        let read = Tensor::from_vec(read, captions.len() * longest, &Device::Cpu)?;
        let words = self.words.index_select(&read, 0)?.reshape((captions.len(), longest, ()))?;
        let outputs = self.outputs(&Tensor::cat(&[&embeddings.unsqueeze(1)?, &words], 1)?)?;
        // Those rows are kept that lie after a word and before the caption's end.
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for (picture, caption) in captions.iter().enumerate() {
            for place in 0..=caption.len() {
                rows.push((picture * (longest + 1) + place + 1) as u32);
                targets.push(at(caption, place));
            }
        }
        let rows = Tensor::from_vec(rows, targets.len(), &Device::Cpu)?;
        let read = outputs.flatten(0, 1)?.index_select(&rows, 0)?;
        let read = dropout(&read, self.settings.dropout, seed)?;
        let logits = linear(&read, &self.output.0, &self.output.1, Activation::None)?;
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
    fn whole_sequences_give_what_single_steps_give() -> Result<()> {
        let parameters = Parameters::new(1);
        let network = Network::new(&parameters.builder(), settings(), 9)?;
        let inputs: Vec<f32> = (0..3 * 4 * 6).map(|i| (i as f32 * 0.37).sin()).collect();
        let inputs = Tensor::from_vec(inputs, (3, 4, 6), &Device::Cpu)?;
        let together = network.outputs(&inputs)?.to_vec3::<f32>()?;
        let mut states = network.begin(&inputs.i((.., 0))?)?;
        for at in 1..4 {
            let out = network.step(&inputs.i((.., at))?, &mut states)?.to_vec2::<f32>()?;
            for (out, together) in out.iter().zip(&together) {
                assert!(out.iter().zip(&together[at]).all(|(a, b)| (a - b).abs() < 1e-5), "{out:?}");
            }
        }
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
