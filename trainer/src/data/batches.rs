//! Batches for a training step, made ahead on a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use candle_core::{Device, Tensor};
use image::RgbImage;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::config::EncoderConfig;
use soli::vocab::Vocabulary;

use super::views::{Pairing, Views, input, names_a_side};
use super::{Example, decode, tokens};
use crate::concepts::fold_of;

/// A picture with its captions as token ids.
#[derive(Debug, Clone)]
pub struct TokenExample {
    /// Where the picture comes from.
    pub example: Example,
    /// Its captions.
    pub captions: Vec<Vec<u32>>,
    /// Which data set it is of.
    pub set: usize,
    /// How often it is drawn in a pass over the pictures; a fraction is drawn that often on average.
    pub weight: f64,
    mirrors: bool,
}

/// Turns captions into token ids. Captions without a known word are left out, pictures without such captions too.
///
/// All are of data set `set` and are drawn `weight` times in a pass.
pub fn tokenise(
    examples: Vec<Example>,
    vocabulary: &Vocabulary,
    set: usize,
    weight: f64,
) -> Vec<TokenExample> {
    examples
        .into_par_iter()
        .filter_map(|example| {
            let captions: Vec<Vec<u32>> = example
                .captions
                .iter()
                .map(|caption| vocabulary.encode(&tokens::words(caption)))
                .filter(|ids| ids.iter().any(|id| *id != soli::vocab::UNKNOWN))
                .collect();
            let mirrors = !example.captions.iter().any(|caption| names_a_side(caption));
            (!captions.is_empty()).then_some(TokenExample { example, captions, set, weight, mirrors })
        })
        .collect()
}

/// Pictures without captions, for what needs none.
pub fn unlabelled(examples: impl IntoIterator<Item = Example>) -> Vec<TokenExample> {
    examples
        .into_iter()
        .map(|example| TokenExample { example, captions: Vec::new(), set: 0, weight: 1.0, mirrors: true })
        .collect()
}

/// Labelled pictures: their label is their example's only caption, and there are no captions to learn a sentence from.
pub fn labelled(examples: impl IntoIterator<Item = Example>, weight: f64) -> Vec<TokenExample> {
    unlabelled(examples).into_iter().map(|example| TokenExample { weight, ..example }).collect()
}

/// Pictures drawn in an epoch.
fn drawn(examples: &[TokenExample]) -> usize {
    (examples.iter().map(|example| example.weight).sum::<f64>() + 1e-6) as usize
}

/// One step's pictures and captions.
pub struct Batch {
    /// Normalised pixels (pictures, side, side, 3).
    pub pixels: Tensor,
    /// The other views of the same pictures, if pairs were asked for.
    pub paired: Option<Tensor>,
    /// The captions of each picture.
    pub captions: Vec<Vec<Vec<u32>>>,
    /// Which of the examples the pictures are.
    pub indices: Vec<usize>,
    /// The part that each picture belongs to, see [`crate::concepts::Folds`].
    pub parts: Vec<usize>,
    /// Pictures that could not be read, with the reason.
    pub broken: Vec<(String, String)>,
}

/// How batches are drawn.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every choice follows from it.
    pub seed: u64,
    /// Pictures a step; an epoch's last step takes what is left.
    pub batch_images: usize,
    /// The network's input.
    pub encoder: EncoderConfig,
    /// Random views.
    pub views: Views,
    /// Whether each picture comes in two views.
    pub pairing: Option<Pairing>,
}

impl Plan {
    /// Steps of one epoch over `examples`.
    pub fn steps_per_epoch(&self, examples: &[TokenExample]) -> usize {
        drawn(examples).div_ceil(self.batch_images)
    }

    /// The pictures of `step` (counted over all epochs): every epoch is a new order, and a function of the seed alone.
    pub fn pictures_of(&self, step: usize, examples: &[TokenExample]) -> Vec<usize> {
        let (count, per_epoch) = (drawn(examples), self.steps_per_epoch(examples));
        let (epoch, place) = (step / per_epoch, step % per_epoch);
        let mut order: Vec<usize> = Vec::with_capacity(count + 1);
        // A picture of weight 1.5 has one place in every epoch and a second one in every other.
        let mut owed = 0.0;
        let mut shuffled: Vec<usize> = (0..examples.len()).collect();
        shuffled.shuffle(&mut self.rng(epoch as u64, u64::MAX - 1));
        for i in shuffled {
            owed += examples[i].weight;
            let times = (owed + 1e-6) as usize;
            owed -= times as f64;
            order.extend(std::iter::repeat_n(i, times));
        }
        order.resize(count, order.first().copied().unwrap_or(0));
        order.sort_unstable();
        order.shuffle(&mut self.rng(epoch as u64, u64::MAX));
        let from = place * self.batch_images;
        order[from..(from + self.batch_images).min(count)].to_vec()
    }

    fn rng(&self, a: u64, b: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.set_stream(b);
        rng
    }

    /// Makes the batch of `step`. Broken pictures are left out and named.
    ///
    /// # Errors
    /// If the pixels cannot be put into a tensor.
    pub fn batch(&self, examples: &[TokenExample], step: usize) -> candle_core::Result<Batch> {
        self.view_of(examples, &self.pictures_of(step, examples), step)
    }

    /// The batch of the pictures with these indices; their random views follow from `number`. Broken pictures are left out and
    /// named.
    ///
    /// # Errors
    /// If the pixels cannot be put into a tensor.
    pub fn view_of(
        &self,
        examples: &[TokenExample],
        picked: &[usize],
        number: usize,
    ) -> candle_core::Result<Batch> {
        let views: Vec<_> = picked
            .par_iter()
            .map(|&i| {
                self.views_of(&examples[i], number, i).map_err(|why| (examples[i].example.name.clone(), why))
            })
            .collect();
        let (mut pixels, mut paired) = (Vec::new(), Vec::new());
        let (mut captions, mut indices, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for (view, &i) in views.into_iter().zip(picked) {
            match view {
                Ok((first, second)) => {
                    pixels.extend(first);
                    paired.extend(second);
                    captions.push(examples[i].captions.clone());
                    indices.push(i);
                    parts.push(fold_of(&examples[i].example.name));
                }
                Err(reason) => broken.push(reason),
            }
        }
        let side = self.encoder.input_side;
        let tensor = |values| Tensor::from_vec(values, (indices.len(), side, side, 3), &Device::Cpu);
        let paired = if self.pairing.is_some() { Some(tensor(paired)?) } else { None };
        Ok(Batch { pixels: tensor(pixels)?, paired, captions, indices, parts, broken })
    }

    /// The network's inputs for example `i` at `step`; the second is empty unless pairs were asked for.
    fn views_of(
        &self,
        example: &TokenExample,
        step: usize,
        i: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), String> {
        let mut rng = self.rng(step as u64, i as u64);
        let picture = decode::load(&example.example.image).map_err(|e| e.to_string())?.rgb();
        let input = |view: &RgbImage| input(view, &self.encoder).map_err(|e| e.to_string());
        match self.pairing {
            None => Ok((input(&self.views.one(&picture, example.mirrors, &mut rng))?, Vec::new())),
            Some(pairing) => {
                let (first, second) = self.views.pair(&picture, example.mirrors, pairing, &mut rng);
                Ok((input(&first)?, input(&second)?))
            }
        }
    }

    /// Makes the batches of `steps` in order, two ahead of whoever takes them.
    pub fn stream(
        self,
        examples: Arc<Vec<TokenExample>>,
        steps: std::ops::Range<usize>,
    ) -> Receiver<candle_core::Result<Batch>> {
        let (sender, receiver) = sync_channel(2);
        std::thread::spawn(move || {
            for step in steps {
                // The other end hangs up when training stops early.
                if sender.send(self.batch(&examples, step)).is_err() {
                    break;
                }
            }
        });
        receiver
    }
}
