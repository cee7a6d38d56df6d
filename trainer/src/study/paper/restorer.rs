//! Sharp features from degraded ones: the Siamese objective on the layer below the head, where no caption is needed.
//!
//! A small residual network is shown a picture's features in any of the ten versions and learns to give those of the
//! original, which stay where they are (distillation between the two views of a pair). It is fitted before the captions,
//! then stays as it is: head and decoder read what it gives.

use anyhow::Result;
use candle_core::{Device, Tensor};
use candle_nn::{Init, VarBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use soli::graph::kernels::dropout::dropout;
use soli::graph::kernels::gelu::gelu;
use soli::graph::kernels::linear::{Activation, linear};
use soli::layout::HEAD_CHANNELS;

use super::features::{Condition, Seen};
use crate::optimiser::{AdamW, StepOptions, warmup_cosine};
use crate::parameters::Parameters;
use crate::progress::TrainingBar;

/// Values of the hidden layer.
const HIDDEN: usize = 512;
/// Pictures a step.
const BATCH: usize = 256;
/// Steps.
const STEPS: usize = 2000;
const LEARNING_RATE: f64 = 1e-3;
const WEIGHT_DECAY: f64 = 0.05;
const DROPOUT: f32 = 0.2;
/// Longest gradient.
const CLIP: f64 = 5.0;

/// Features to features: what it is given, and a correction.
pub struct Restorer {
    layers: [(Tensor, Tensor); 2],
}

impl Restorer {
    fn new(vb: &VarBuilder) -> candle_core::Result<Self> {
        let layer = |name: &str, inputs: usize, outputs: usize, stdev: f64| {
            let init = Init::Randn { mean: 0.0, stdev };
            let weight = vb.get_with_hints((inputs, outputs), &format!("{name}.weight"), init)?;
            let bias = vb.get_with_hints(outputs, &format!("{name}.bias"), Init::Const(0.0))?;
            candle_core::Result::Ok((weight, bias))
        };
        let first = layer("first", HEAD_CHANNELS, HIDDEN, (1.0 / HEAD_CHANNELS as f64).sqrt())?;
        // It begins with next to no correction.
        Ok(Self { layers: [first, layer("second", HIDDEN, HEAD_CHANNELS, 1e-3)?] })
    }

    fn forward(&self, features: &Tensor, rate: f32, seed: u64) -> candle_core::Result<Tensor> {
        let [(first, bias), (second, shift)] = &self.layers;
        let hidden = gelu(&linear(features, first, bias, Activation::None)?)?;
        features + linear(&dropout(&hidden, rate, seed)?, second, shift, Activation::None)?
    }

    /// Fits it on the versions of some pictures of `seen`, whose features are standardised.
    ///
    /// # Errors
    /// If a version was not looked at.
    pub fn fit(seen: &Seen, pictures: &[usize], seed: u64) -> Result<Self> {
        Self::fit_for(seen, pictures, seed, STEPS)
    }

    fn fit_for(seen: &Seen, pictures: &[usize], seed: u64, steps: usize) -> Result<Self> {
        let parameters = Parameters::new(seed);
        let restorer = Self::new(&parameters.builder())?;
        let mut optimiser = AdamW::new(parameters.vars())?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let versions = Condition::versions();
        let bar = TrainingBar::new(steps, 0);
        for at in 0..steps {
            let some: Vec<(usize, Condition)> = (0..BATCH)
                .map(|_| {
                    let picture = pictures[rng.random_range(0..pictures.len())];
                    (picture, versions[rng.random_range(0..versions.len())])
                })
                .collect();
            let sharp = seen.of(some.iter().map(|&(picture, _)| (picture, Condition::Version(0))))?;
            let restored = restorer.forward(&seen.of(some)?, DROPOUT, seed ^ (at as u64) << 20)?;
            let loss = (restored - sharp)?.sqr()?.mean_all()?;
            let options = StepOptions {
                learning_rate: LEARNING_RATE * warmup_cosine(at, steps, steps / 50),
                trunk_learning_rate: 0.0,
                concept_learning_rate: 0.0,
                weight_decay: WEIGHT_DECAY,
                gradient_clip: CLIP,
                ema_decay: 0.9,
            };
            optimiser.step(&loss.backward()?, &options)?;
            bar.step(BATCH, loss.to_scalar()?);
        }
        bar.finish();
        Ok(restorer)
    }

    /// What it makes of features (pictures times [`HEAD_CHANNELS`]).
    ///
    /// # Errors
    /// If they are not as long.
    pub fn restore(&self, features: &[f32]) -> Result<Vec<f32>> {
        let mut restored = Vec::with_capacity(features.len());
        for some in features.chunks(1024 * HEAD_CHANNELS) {
            let some = Tensor::from_slice(some, (some.len() / HEAD_CHANNELS, HEAD_CHANNELS), &Device::Cpu)?;
            restored.extend(self.forward(&some, 0.0, 0)?.detach().flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(restored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures whose versions differ from the original by what can be told from other features.
    fn seen() -> Seen {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sharp: Vec<f32> = (0..40 * HEAD_CHANNELS).map(|_| rng.random_range(-1.0..1.0)).collect();
        let version = |place: usize| -> Vec<f32> {
            if place == 0 { sharp.clone() } else { sharp.iter().map(|x| x * 0.5 + 0.3).collect() }
        };
        Seen::from_features(
            Condition::versions().into_iter().enumerate().map(|(place, at)| (at, version(place))),
        )
    }

    #[test]
    fn it_brings_degraded_features_nearer_to_the_sharp_ones() -> Result<()> {
        let seen = seen();
        let restorer = Restorer::fit_for(&seen, &(0..40).collect::<Vec<_>>(), 3, 40)?;
        let features = |place: usize| -> Result<Vec<f32>> {
            let all = (0..40).map(|picture| (picture, Condition::Version(place)));
            Ok(seen.of(all)?.flatten_all()?.to_vec1::<f32>()?)
        };
        let (sharp, degraded) = (features(0)?, features(4)?);
        let apart = |a: &[f32]| -> f32 { a.iter().zip(&sharp).map(|(a, b)| (a - b).powi(2)).sum() };
        assert!(apart(&restorer.restore(&degraded)?) < 0.6 * apart(&degraded));
        assert_eq!(restorer.restore(&degraded)?.len(), degraded.len());
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let parameters = Parameters::new(1);
        let restorer = Restorer::new(&parameters.builder())?;
        let some = seen().of([(0, Condition::Version(3)), (1, Condition::Version(0))])?;
        let grads = restorer.forward(&some, 0.0, 0)?.sqr()?.mean_all()?.backward()?;
        for (name, var) in parameters.vars() {
            let grad = grads.get(&var).unwrap_or_else(|| panic!("{name} gets no gradient"));
            assert!(grad.abs()?.sum_all()?.to_scalar::<f32>()? > 0.0, "{name}");
        }
        Ok(())
    }
}
