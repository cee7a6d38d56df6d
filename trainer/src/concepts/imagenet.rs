//! What the pretrained classifier sees in a picture: ImageNet's 1,000 classes as words that captions say.
//!
//! Training on captions makes a network forget what nobody describes. The classifier that the trunk came with still knows, and
//! teaches it to the concept head (knowledge distillation, Hinton, Vinyals and Dean 2015, arXiv 1503.02531).

use std::path::Path;

use candle_core::{D, Device, Tensor};
use soli::config::EncoderConfig;
use soli::graph::Trunk;
use soli::layout::HEAD_CHANNELS;
use soli::vocab::Vocabulary;

use super::Targets;
use crate::pretrained::{self, BackboneError};

/// The names of the classes in the order of their numbers, as torchvision has them, in lower case.
const CLASSES: &str = include_str!("imagenet-1k.txt");

/// EfficientNet-Lite0 as it was pretrained, with its classifier.
pub struct ImageNet {
    trunk: Trunk,
    weight: Tensor,
    bias: Tensor,
    /// Of each class, the places of its words among the concepts, and how surely people say them.
    places: Vec<Vec<(u32, f32)>>,
    concepts: usize,
    encoder: EncoderConfig,
}

impl ImageNet {
    /// Reads it from the file of [`pretrained::load`], to name the words of `targets`.
    ///
    /// # Errors
    /// If the file is absent, unreadable or has no such classifier.
    pub fn load(path: &Path, targets: &Targets, vocabulary: &Vocabulary) -> Result<Self, BackboneError> {
        let (trunk, encoder) = pretrained::encoder(path)?;
        let unreadable = |source| BackboneError::Unreadable { path: path.to_owned(), source };
        let file = candle_core::safetensors::load(path, &Device::Cpu).map_err(unreadable)?;
        let get = |name: &str, shape: &[usize]| match file.get(name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            found => Err(BackboneError::Tensor {
                path: path.to_owned(),
                name: name.to_owned(),
                reason: match found {
                    Some(tensor) => format!("shape {:?}, not {shape:?}", tensor.dims()),
                    None => "missing".to_owned(),
                },
            }),
        };
        let places: Vec<Vec<(u32, f32)>> =
            CLASSES.lines().map(|label| targets.of_label(label, vocabulary)).collect();
        let weight = get("_fc.weight", &[places.len(), HEAD_CHANNELS])?;
        let weight = weight.t().and_then(|weight| weight.contiguous()).map_err(unreadable)?;
        let bias = get("_fc.bias", &[places.len()])?;
        Ok(Self { trunk, weight, bias, places, concepts: targets.count(), encoder })
    }

    /// What its pictures have to be like.
    pub fn encoder(&self) -> &EncoderConfig {
        &self.encoder
    }

    /// Probabilities (pictures, classes) of normalised pixels (pictures, side, side, 3).
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn classes(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        let features = self.trunk.forward(pixels)?;
        let (pictures, rows, cols, channels) = features.dims4()?;
        let pooled = features.reshape((pictures, rows * cols, channels))?.mean(1)?;
        let logits = pooled.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        candle_nn::ops::softmax(&logits, D::Minus1)
    }

    /// How probably people say each concept of each picture, by place: the sum over the classes that the word can stand for.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn words(&self, pixels: &Tensor) -> candle_core::Result<Vec<Vec<f32>>> {
        let classes = self.classes(pixels)?.to_vec2::<f32>()?;
        Ok(classes.iter().map(|probabilities| self.sum(probabilities)).collect())
    }

    fn sum(&self, classes: &[f32]) -> Vec<f32> {
        let mut words = vec![0f32; self.concepts];
        for (probability, places) in classes.iter().zip(&self.places) {
            places.iter().for_each(|&(place, share)| words[place as usize] += share * probability);
        }
        words.iter_mut().for_each(|word| *word = word.min(1.0));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[test]
    fn every_class_has_words() {
        assert_eq!(CLASSES.lines().count(), 1000);
        for class in CLASSES.lines() {
            assert!(labels::words(class).is_some(), "{class}");
        }
        let class = |number: usize| CLASSES.lines().nth(number).unwrap();
        assert_eq!((class(0), class(281), class(999)), ("tench", "tabby", "toilet tissue"));
    }
}
