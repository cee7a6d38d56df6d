//! The packed network against the one that trains: the same numbers on photographs and for configurations of all
//! sizes, at every level that this processor has.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use soli::config::{ConceptConfig, DecoderConfig, EncoderConfig, ModelConfig};
use soli::graph::{self, Model};
use soli::image::{Rgba, normalise, to_square};
use soli::kernels::Level;
use soli::layout::{Form, Network as Layout};
use soli::likeliest::Likeliest;
use soli::packed::source::{AsFloats, Source};
use soli::packed::{Network, Scratch};
use soli::search::{SearchOptions, search_with};
use soli::vocab::{START, Vocabulary};
use soli::weights::{FloatTensor, Precision, Provenance, Weights, WeightsFile};

/// Words whose cells are compared.
const FIRST: usize = 2;

/// Two ways of adding up the same floats.
const SAME: f32 = 1e-4;

fn read(relative: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)).expect("the file is there")
}

fn reference(weights: &Weights) -> Model {
    Model::of(weights).expect("the weights fit")
}

/// What the surface of a picture is like, and for the first words how much each cell alone shows them.
fn look(model: &Model, rgb: &[u8], config: &EncoderConfig) -> (Tensor, Option<Tensor>) {
    let side = config.input_side;
    let pixels = Tensor::from_vec(normalise(rgb, config), (1, side, side, 3), &Device::Cpu).unwrap();
    let features = model.trunk.forward(&pixels).unwrap();
    let (_, rows, columns, channels) = features.dims4().unwrap();
    // Each cell as a picture of its own.
    let apart = features.reshape((rows * columns, 1, 1, channels)).unwrap();
    let shown = model.concepts.as_ref().map(|concepts| {
        let logits = concepts.logits(&concepts.pool(&apart).unwrap()).unwrap();
        let first = logits.dim(1).unwrap().min(FIRST);
        candle_nn::ops::sigmoid(&logits.narrow(1, 0, first).unwrap()).unwrap().t().unwrap()
    });
    (model.trunk.textures(&pixels).unwrap(), shown)
}

/// What the decoder of the reference reads, (cells and words, width), and its words.
fn remember(model: &Model, rgb: &[u8], config: &EncoderConfig) -> (Tensor, Option<Likeliest>) {
    let side = config.input_side;
    let pixels = Tensor::from_vec(normalise(rgb, config), (1, side, side, 3), &Device::Cpu).unwrap();
    let features = model.trunk.forward(&pixels).unwrap();
    let words = model.concepts.as_ref().map(|concepts| {
        let logits = concepts.logits(&concepts.pool(&features).unwrap()).unwrap();
        concepts.likeliest(&logits).unwrap().remove(0)
    });
    (model.memory(&features).unwrap().squeeze(0).unwrap(), words)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &Tensor, tolerance: f32, what: &str) {
    let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: values differ by {worst}");
    assert!(expected.iter().any(|x| x.abs() > 0.1), "{what}: there is something to compare");
}

/// Compares embeddings, and logits of a few steps with beams that are reordered.
fn compare(source: &dyn Source, weights: &Weights, model: &Model, rgb: &[u8], tolerance: f32, what: &str) {
    let (expected, seen) = remember(model, rgb, &weights.config.encoder);
    let cells = expected.narrow(0, 0, weights.config.latents()).unwrap();
    let (textures, shown) = look(model, rgb, &weights.config.encoder);
    let words = weights.config.decoder.vocab_size as u32;
    let longest = weights.config.decoder.max_tokens;
    for level in Level::available() {
        let network = Network::for_level(source, &weights.config, level).expect("the weights fit");
        let mut scratch = Scratch::default();
        // Twice: what an earlier picture left in the scratch must not matter.
        network.embed(&vec![200; rgb.len()], &mut scratch);
        network.embed(rgb, &mut scratch);
        let what = format!("{what}, {level:?}");
        assert_close(network.embeddings(&scratch), &cells, tolerance, &format!("{what}: embeddings"));
        // They are as large as a block's output.
        let tens = tolerance * 10.0;
        assert_close(network.textures(&scratch), &textures, tens, &format!("{what}: textures"));
        let count = weights.config.concepts.as_ref().map_or(0, |concepts| concepts.tokens.len().min(FIRST));
        let places: Vec<u32> = (0..count as u32).collect();
        let cells = network.cells(&places, &mut scratch).concat();
        assert_eq!(cells.is_empty(), shown.is_none(), "{what}");
        if let Some(shown) = &shown {
            let shown = shown.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let worst = cells.iter().zip(&shown).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(cells.len() == shown.len() && worst <= tolerance, "{what}: cells differ by {worst}");
        }
        assert_eq!(network.words(&scratch).is_some(), seen.is_some(), "{what}");
        if let (Some(found), Some(expected)) = (network.words(&scratch), &seen) {
            assert_eq!(found.places, expected.places, "{what}: words");
            for (a, b) in found.probabilities.iter().zip(&expected.probabilities) {
                assert!((a - b).abs() <= tolerance, "{what}: probabilities {a} {b}");
            }
        }

        let mut generation = network.start(rgb, 3, &mut scratch);
        let mut slow = model.decoder.start(&expected).unwrap();
        let steps: [(&[u32], &[u32]); 4] = [
            (&[START], &[0]),
            (&[3 % words, 4 % words, 5 % words], &[0, 0, 0]),
            (&[5 % words, 3 % words, 3 % words], &[2, 0, 0]),
            (&[4 % words, 5 % words], &[1, 0]),
        ];
        for (i, (tokens, parents)) in steps.into_iter().enumerate().take(longest) {
            let expected = slow.step(tokens, parents).unwrap();
            let found = generation.step(tokens, parents);
            assert_close(found, &expected, tolerance * 4.0, &format!("{what}: logits of step {i}"));
        }
    }
}

/// The photographs of the page as the network's input.
fn photographs(side: usize) -> Vec<(&'static str, Vec<u8>)> {
    ["www/photos/astronaut.jpg", "www/photos/cat.jpg", "www/photos/coffee.jpg"]
        .map(|name| {
            let picture = image::load_from_memory(&read(name)).expect("a photograph").into_rgba8();
            let (width, height) = picture.dimensions();
            let rgba = Rgba::new(width, height, &picture).expect("a picture");
            (name, to_square(&rgba, side).expect("a square"))
        })
        .into()
}

#[test]
fn photographs_give_the_numbers_and_captions_of_the_reference() {
    let bytes = read("www/models/soli.safetensors");
    let file = WeightsFile::open(&bytes).expect("the bundled weights");
    let weights = Weights::from_bytes(&bytes).expect("the bundled weights");
    let model = reference(&weights);
    let exact = Network::new(&AsFloats(&file), &weights.config).expect("the weights fit");
    let rounded = Network::new(&file, &weights.config).expect("the weights fit");
    let mut scratch = Scratch::default();
    for (name, rgb) in photographs(weights.config.encoder.input_side) {
        compare(&weights, &weights, &model, &rgb, SAME, name);
        // The same weights multiplied as integers: only what goes in is rounded, to 14 bits or more.
        compare(&file, &weights, &model, &rgb, 5e-3, &format!("{name}, int8"));
        for beam in [1, 3, 8] {
            let options = SearchOptions { beam, max_tokens: weights.config.decoder.max_tokens };
            let (memory, _) = remember(&model, &rgb, &weights.config.encoder);
            let expected = graph::search(&model.decoder, &memory, options).expect("a caption");
            for (network, tolerance) in [(&exact, SAME), (&rounded, 1e-3)] {
                let Ok(found) = search_with(&mut network.start(&rgb, beam, &mut scratch), options);
                assert_eq!(found.tokens, expected.tokens, "{name}, beam {beam}");
                assert!((found.score() - expected.score()).abs() <= tolerance, "{name}, beam {beam}");
            }
        }
    }
}

/// Numbers that keep a deep network's values in a range where there is something to see.
fn random_weights(config: ModelConfig, seed: u64) -> Weights {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let mut tensors = HashMap::new();
    for (name, shape) in Layout::new(&config).shapes(Form::Inference) {
        let count = shape.iter().product();
        let scale = match shape[..] {
            [rows, _] if name.starts_with("encoder.") && !name.ends_with("position") => {
                (4.5 / rows as f32).sqrt()
            }
            [_, columns] => (2.0 / columns as f32).sqrt(),
            _ => 0.3,
        };
        let values: Vec<f32> =
            (0..count).map(|_| uniform() * scale + if name.ends_with("gamma") { 1.0 } else { 0.0 }).collect();
        tensors.insert(name, FloatTensor { shape, values });
    }
    let words = (0..config.decoder.vocab_size - 3).map(|i| format!("w{i}")).collect();
    let vocabulary = Vocabulary::new(words).expect("different words");
    Weights { config, vocabulary, provenance: Provenance::default(), confidence: None, tensors }
}

#[test]
fn networks_of_all_sizes_give_the_numbers_of_the_reference() {
    for (i, (side, layers, width, heads, ffn_width, max_tokens, vocab_size)) in [
        (32, 1, 8, 1, 8, 2, 4),
        (64, 2, 24, 3, 17, 4, 9),
        (96, 1, 20, 4, 33, 9, 101),
        (160, 1, 64, 2, 128, 5, 50),
        (224, 2, 15, 5, 31, 4, 7),
    ]
    .into_iter()
    .enumerate()
    {
        let encoder = EncoderConfig {
            trunk: Default::default(),
            head: i % 2 == 1,
            input_side: side,
            mean: [120.0, 127.0, 90.0],
            std: [64.0; 3],
        };
        let decoder = DecoderConfig { layers, width, heads, ffn_width, max_tokens, vocab_size };
        // The concept head and the encoder's own are not for the same network.
        let words = vocab_size - 3;
        let concepts = (i % 2 == 0).then(|| ConceptConfig {
            most: words,
            rank: 8 + i,
            read: words.div_ceil(2),
            tokens: (3..vocab_size as u32).rev().collect(),
        });
        let weights = random_weights(ModelConfig { encoder, decoder, concepts }, i as u64 + 1);
        let rgb: Vec<u8> = (0..side * side * 3).map(|i| (i * i / 7 + i * 31) as u8).collect();
        let what = format!("side {side}, width {width}");
        compare(&weights, &weights, &reference(&weights), &rgb, SAME, &what);

        let bytes = weights.to_bytes(Precision::Int8).expect("weights can be written");
        let file = WeightsFile::open(&bytes).expect("what was written is read");
        let rounded = Weights::from_bytes(&bytes).expect("what was written is read");
        compare(&file, &rounded, &reference(&rounded), &rgb, 2e-2, &format!("{what}, int8"));
    }
}
