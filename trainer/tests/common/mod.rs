//! Small weights that were never trained, small pictures, and the program.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{Device, Tensor};
use soli::config::ModelConfig;
use soli::model::expected_tensors;
use soli::vocab::Vocabulary;
use soli::weights::{Precision, Provenance, Weights};

/// Writes `random.safetensors` into `folder` and says where it is.
pub fn weights_file(folder: &Path) -> PathBuf {
    let config: ModelConfig = serde_json::from_str(
        r#"{"encoder": {"input_side": 32}, "decoder": {"layers": 1, "width": 16, "heads": 2, "ffn_width": 32,
            "max_tokens": 6, "vocab_size": 8}}"#,
    )
    .unwrap();
    let mut state = 9u64;
    let mut value = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let size = 1.0 / (shape[0] as f32).sqrt();
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| value() * size).collect();
        (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    let tensors = expected_tensors(&config).unwrap().into_iter().map(tensor).collect();
    let vocabulary = Vocabulary::new(["a", "dog", "runs", "far", "."].map(String::from).to_vec()).unwrap();
    let weights =
        Weights { config, vocabulary, provenance: Provenance::default(), confidence: None, tensors };
    let path = folder.join("random.safetensors");
    std::fs::write(&path, weights.to_bytes(Precision::Int8).unwrap()).unwrap();
    path
}

/// A PNG file whose noise depends on `seed`; some 5 kB.
pub fn picture(seed: usize) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut state = seed as u32 * 977 + 1;
    let picture = image::RgbImage::from_fn(40, 36, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let block = (x / 8 + y / 9 + seed as u32 * 3) * 37;
        image::Rgb([(block % 256) as u8, ((block * seed as u32) % 256) as u8, (state >> 24) as u8])
    });
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// `count` different pictures with names in order.
pub fn corpus(count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|i| (format!("{i:03}.png"), picture(i))).collect()
}

/// `soli caption` in `folder` with its weights.
pub fn soli(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.current_dir(folder).args(["caption", "--weights", "random.safetensors"]).args(arguments);
    command
}
