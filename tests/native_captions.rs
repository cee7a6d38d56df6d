//! What native says of the pictures that `web.rs` gives to the browser, against the record in `fixtures/`.
//!
//! The record changes with the weights: `SOLI_RECORD=1 cargo test --test native_captions` writes it anew.
#![cfg(not(target_arch = "wasm32"))]

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soli::{Caption, CaptionOptions, Captioner, Rgba};

/// Pixels that no decoder has a say in: `www/photos/cat.jpg`, shrunk.
const PIXELS: &str = "tests/fixtures/cat_96x64.rgba";
const PIXELS_SIZE: (u32, u32) = (96, 64);
const PHOTOGRAPHS: [&str; 3] = ["www/photos/astronaut.jpg", "www/photos/cat.jpg", "www/photos/coffee.jpg"];
const RECORD: &str = "tests/fixtures/native_captions.json";
const BEAMS: [usize; 2] = [1, 3];

/// Processors with other kernels add up in another order.
const TOLERANCE: f32 = 1e-3;

#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    picture: String,
    beam: usize,
    text: String,
    score: f32,
    tokens: Vec<String>,
}

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn read(relative: &str) -> Vec<u8> {
    fs::read(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn decode(relative: &str) -> image::RgbaImage {
    image::load_from_memory(&read(relative))
        .unwrap_or_else(|error| panic!("{relative}: {error}"))
        .into_rgba8()
}

fn caption_all() -> Vec<Recorded> {
    let soli = Captioner::from_bytes(&read("www/models/soli.safetensors")).expect("the bundled weights load");
    let mut pictures = vec![(PIXELS, PIXELS_SIZE, read(PIXELS))];
    for photograph in PHOTOGRAPHS {
        let decoded = decode(photograph);
        pictures.push((photograph, decoded.dimensions(), decoded.into_raw()));
    }
    let mut captions = Vec::new();
    for (picture, (width, height), data) in &pictures {
        let rgba = Rgba::new(*width, *height, data).expect("the sizes fit");
        for beam in BEAMS {
            let options = CaptionOptions::default().with_beam(beam);
            let Caption { text, score, tokens, .. } = soli.caption(&rgba, &options).expect("a caption");
            captions.push(Recorded { picture: (*picture).to_string(), beam, text, score, tokens });
        }
    }
    captions
}

fn record() {
    let small = image::imageops::thumbnail(&decode("www/photos/cat.jpg"), PIXELS_SIZE.0, PIXELS_SIZE.1);
    fs::write(path(PIXELS), small.into_raw()).expect("the fixture can be written");
    let json = serde_json::to_string_pretty(&caption_all()).expect("captions have a JSON form");
    fs::write(path(RECORD), json + "\n").expect("the record can be written");
}

#[test]
fn the_record_for_the_browser_is_what_native_says() {
    if std::env::var_os("SOLI_RECORD").is_some() {
        record();
    }
    let recorded: Vec<Recorded> = serde_json::from_slice(&read(RECORD)).expect("the record is JSON");
    let captions = caption_all();
    assert_eq!(recorded.len(), captions.len(), "pictures and beams: record anew with SOLI_RECORD=1");
    for (was, is) in recorded.iter().zip(&captions) {
        let name = format!("{}, beam {}", is.picture, is.beam);
        assert_eq!((&was.picture, was.beam), (&is.picture, is.beam), "order: record anew with SOLI_RECORD=1");
        assert_eq!(was.text, is.text, "{name}: with new weights, record anew with SOLI_RECORD=1");
        assert_eq!(was.tokens, is.tokens, "{name}");
        assert!((was.score - is.score).abs() <= TOLERANCE, "{name}: score {} was {}", is.score, was.score);
    }
}
