//! From a network in training to one for use.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::Tensor;
use soli::encoder::fold_batch_norm;

/// Turns the tensors of a network in training into those of a weights file: every convolution's BatchNorm is folded
/// into its weight and bias, and the classifiers that only training needs are left out.
///
/// # Errors
/// If a convolution has only a part of its BatchNorm, or shapes do not fit.
pub fn fold(mut tensors: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
    tensors.retain(|name, _| !name.starts_with(crate::concepts::FOLDS_PREFIX));
    // Layer norms have gamma and beta too, but no running statistics.
    let convolutions: Vec<String> =
        tensors.keys().filter_map(|name| Some(name.strip_suffix(".norm.mean")?.to_owned())).collect();
    for name in convolutions {
        let mut take = |part: &str| {
            let name = format!("{name}.{part}");
            tensors.remove(&name).with_context(|| format!("the network has no tensor `{name}`"))
        };
        let (weight, gamma, beta) = (take("weight")?, take("norm.gamma")?, take("norm.beta")?);
        let (mean, variance) = (take("norm.mean")?, take("norm.variance")?);
        let (weight, bias) = fold_batch_norm(&weight, &gamma, &beta, &mean, &variance)?;
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), bias);
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use soli::encoder::Form;
    use soli::model::{Model, expected_tensors};

    use super::*;
    use crate::parameters::Parameters;

    #[test]
    fn a_folded_network_is_a_weights_file_and_says_the_same() {
        let config: soli::config::ModelConfig = serde_json::from_str(
            r#"{"encoder": {"input_side": 32, "head": true}, "decoder": {"layers": 1, "width": 16, "heads": 2, "ffn_width": 32,
                "max_tokens": 5, "vocab_size": 7}}"#,
        )
        .unwrap();
        let parameters = Parameters::new(5);
        let trained = Model::new(parameters.builder(), &config, Form::Training).unwrap();
        // Statistics that are not those of an untrained network.
        for (i, (name, var)) in parameters.vars().into_iter().enumerate() {
            if name.ends_with("norm.mean") || name.ends_with("norm.variance") {
                var.set(&(var.as_tensor() + 0.01 * (i % 7) as f64).unwrap()).unwrap();
            }
        }
        let tensors = fold(parameters.values().unwrap()).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> =
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec())).collect();
        assert_eq!(shapes, expected_tensors(&config).unwrap());
        let vb =
            candle_nn::VarBuilder::from_tensors(tensors, candle_core::DType::F32, &candle_core::Device::Cpu);
        let folded = Model::new(vb, &config, Form::Inference).unwrap();
        let pixels: Vec<f32> = (0..32 * 32 * 3).map(|i| (i as f32 * 0.37).sin()).collect();
        let pixels = Tensor::from_vec(pixels, (1, 32, 32, 3), &candle_core::Device::Cpu).unwrap();
        let values =
            |model: &Model| model.embed(&pixels).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (a, b) in values(&trained).iter().zip(values(&folded)) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
}
