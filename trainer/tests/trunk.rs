//! The trunk against PyTorch, with the head and classifier that ImageNet training gave it; `tests/reference/trunk.py`
//! in the repository's root made the values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use soli::config::{EncoderConfig, ModelConfig};
use soli::graph::Trunk;
use soli::image::to_input;
use soli::layout::Form;
use soli::vocab::Vocabulary;
use soli_trainer::concepts::{ImageNet, Targets};
use soli_trainer::fold::fold;
use soli_trainer::{data::decode, pretrained};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    /// Class and logit.
    top5: Vec<(usize, f32)>,
    mean: f32,
    std: f32,
    /// Distance of the samples in `features`.
    stride: usize,
    features: Vec<f32>,
    /// Every twentieth value.
    pooled: Vec<f32>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `SOLI_PRETRAINED`, or where the README and the data folder keep the file.
fn pretrained_file() -> Option<PathBuf> {
    const FILE: &str = "efficientnet-lite0.safetensors";
    let named = std::env::var_os("SOLI_PRETRAINED").map(PathBuf::from);
    let usual = ["runs/pretrained", "../shared/data/backbone"].map(|place| root().join(place).join(FILE));
    named.into_iter().chain(usual).find(|path| path.is_file())
}

/// A network of which only the encoder matters.
fn model_of(encoder: &EncoderConfig) -> ModelConfig {
    let decoder =
        r#"{"layers": 1, "width": 8, "heads": 1, "ffn_width": 8, "max_tokens": 4, "vocab_size": 6}"#;
    ModelConfig { encoder: encoder.clone(), decoder: serde_json::from_str(decoder).unwrap(), concepts: None }
}

fn trunk(tensors: HashMap<String, Tensor>, config: &EncoderConfig, form: Form) -> Trunk {
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    Trunk::new(&vb, config, form).unwrap()
}

/// Pooled values (1280) and logits (1000) of the head's features (rows * columns, 1280), with the file's own classifier.
fn classify(features: &Tensor, file: &HashMap<String, Tensor>) -> candle_core::Result<(Tensor, Tensor)> {
    let pooled = features.mean_keepdim(0)?;
    let logits = pooled.matmul(&file["_fc.weight"].t()?)?.broadcast_add(&file["_fc.bias"])?;
    Ok((pooled.flatten_all()?, logits.flatten_all()?))
}

fn largest_difference(ours: impl IntoIterator<Item = f32>, theirs: &[f32]) -> f32 {
    let ours: Vec<f32> = ours.into_iter().collect();
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// `trunks` without and with the head.
fn check(case: &Case, trunks: [Trunk; 2], config: &EncoderConfig, file: &HashMap<String, Tensor>) {
    let name = &case.file;
    // A PNG gives PyTorch's pixels to the bit. JPEG decoders and resamplers differ by a level or two.
    let tolerance = if case.file.ends_with(".png") { 2e-4 } else { 0.5 };
    let picture = decode::load(root().join(&case.file)).unwrap();
    let side = config.input_side;
    let pixels = to_input(&picture.rgba(), config).unwrap();
    let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &Device::Cpu).unwrap();
    let [features, widened] = trunks.each_ref().map(|trunk| trunk.forward(&pixels).unwrap());
    assert_eq!(features.dims(), [1, 7, 7, 320], "{name}");
    let values = features.flatten_all().unwrap().to_vec1::<f32>().unwrap();

    let difference = largest_difference(values.iter().copied().step_by(case.stride), &case.features);
    assert!(difference < tolerance * case.std, "{name}: features differ by {difference}");
    let count = values.len() as f32;
    let mean = values.iter().sum::<f32>() / count;
    let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
    assert!((mean - case.mean).abs() < 0.1 * tolerance * case.std, "{name}: mean {mean}, not {}", case.mean);
    assert!((std / case.std - 1.0).abs() < 0.1 * tolerance, "{name}: std {std}, not {}", case.std);

    let (pooled, logits) = classify(&widened.reshape((49, 1280)).unwrap(), file).unwrap();
    let difference =
        largest_difference(pooled.to_vec1::<f32>().unwrap().into_iter().step_by(20), &case.pooled);
    assert!(difference < tolerance, "{name}: pooled values differ by {difference}");
    let logits = logits.to_vec1::<f32>().unwrap();
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    for (rank, &(class, logit)) in case.top5.iter().enumerate() {
        let difference = (logits[class] - logit).abs();
        assert!(difference < tolerance, "{name}: the logit of class {class} differs by {difference}");
        // Neighbours that lie closer than the tolerance may change places.
        let ours = logits[classes[rank]];
        assert!(
            (ours - logit).abs() < tolerance,
            "{name}: rank {rank} has class {} at {ours}",
            classes[rank]
        );
    }
    assert_eq!(classes[0], case.top5[0].0, "{name}");
}

#[test]
fn the_trunk_sees_what_pytorch_sees() {
    let Some(path) = pretrained_file() else {
        eprintln!(
            "left out: the trunk against PyTorch (not pretrained; set SOLI_PRETRAINED, see the README)"
        );
        return;
    };
    let reference: Reference = serde_json::from_str(include_str!("../../tests/fixtures/trunk.json")).unwrap();
    let file = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let plain: EncoderConfig = serde_json::from_str(r#"{"input_side": 224}"#).unwrap();
    let headed = EncoderConfig { head: true, ..plain.clone() };
    for form in [Form::Training, Form::Inference] {
        for case in &reference.cases {
            eprintln!("{} {form:?}", case.file);
            let trunks = [&plain, &headed].map(|config| {
                let tensors = pretrained::load(&path, &model_of(config)).unwrap();
                trunk(if form == Form::Inference { fold(tensors).unwrap() } else { tensors }, config, form)
            });
            check(case, trunks, &plain, &file);
        }
    }

    // The same as the teacher of the concept head.
    let words: Vec<String> = ["cat", "coffee"].map(str::to_owned).into();
    let vocabulary = Vocabulary::new(words).unwrap();
    let teacher = ImageNet::load(&path, &Targets::new(&[3, 4]), &vocabulary).unwrap();
    for case in &reference.cases {
        let picture = decode::load(root().join(&case.file)).unwrap();
        let pixels = to_input(&picture.rgba(), teacher.encoder()).unwrap();
        let pixels = Tensor::from_vec(pixels, (1, 224, 224, 3), &Device::Cpu).unwrap();
        let classes = teacher.classes(&pixels).unwrap().to_vec2::<f32>().unwrap().remove(0);
        assert!((classes.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        let best = (0..classes.len()).max_by(|&a, &b| classes[a].total_cmp(&classes[b])).unwrap();
        assert_eq!(best, case.top5[0].0, "{}", case.file);
        let shares = case.top5.iter().map(|&(class, logit)| (classes[class], logit));
        let (share, logit) = (classes[best], case.top5[0].1);
        for (other, other_logit) in shares {
            let expected = (other_logit - logit).exp();
            let tolerance = if case.file.ends_with(".png") { 1e-3 } else { 1.0 };
            assert!((other / share / expected).ln().abs() < tolerance, "{}", case.file);
        }
        // Cups and espresso are coffee; five kinds of cats, and tigers no cats.
        let words = teacher.words(&pixels).unwrap().remove(0);
        let cats: f32 = classes[281..286].iter().sum();
        assert!((0.0..=1.0).contains(&words[1]) && words[0] >= cats - 1e-5, "{}: {words:?}", case.file);
    }
}
