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

#[test]
fn it_is_told_where_words_were_seen_if_it_is_asked_for() {
    let soli = Captioner::from_bytes(&read("www/models/soli.safetensors")).expect("the bundled weights load");
    // The cat on the left, and nothing on the right.
    let cat = decode("www/photos/cat.jpg");
    let (width, height) = cat.dimensions();
    let mut beside = image::RgbaImage::from_pixel(2 * width, height, image::Rgba([120, 120, 120, 255]));
    image::imageops::replace(&mut beside, &cat, 0, 0);
    let rgba = Rgba::new(2 * width, height, beside.as_raw()).expect("the sizes fit");
    let plain = soli.caption(&rgba, &CaptionOptions::default()).expect("a caption");
    assert!(!plain.words.is_empty() && plain.words.iter().all(|word| word.cells.is_none()));
    let told = soli.caption(&rgba, &CaptionOptions::default().with_cells(true)).expect("a caption");
    assert_eq!((&told.text, told.confidence), (&plain.text, plain.confidence));
    for (word, plain) in told.words.iter().zip(&plain.words) {
        assert_eq!((&word.word, word.probability), (&plain.word, plain.probability));
        let cells = word.cells.as_ref().expect("cells");
        assert_eq!(cells.len(), 64, "{}", word.word);
        assert!(cells.iter().all(|x| (0.0..=1.0).contains(x)), "{}", word.word);
    }
    let cat = told.words.iter().find(|word| word.word == "cat").expect("a cat is seen");
    let half = |left: bool| -> f32 {
        let cells = cat.cells.iter().flatten().enumerate();
        cells.filter(|(place, _)| (place % 8 < 4) == left).map(|(_, x)| x).sum()
    };
    assert!(half(true) > 3.0 * half(false), "{} on the left, {} on the right", half(true), half(false));
}

#[test]
fn careful_captions_end_where_others_go_on() {
    let soli = Captioner::from_bytes(&read("www/models/soli.safetensors")).expect("the bundled weights load");
    let mut shorter = 0;
    for photograph in PHOTOGRAPHS {
        let decoded = decode(photograph);
        let (width, height) = decoded.dimensions();
        let rgba = Rgba::new(width, height, decoded.as_raw()).expect("the sizes fit");
        let [careful, all] = [true, false].map(|careful| {
            let options = CaptionOptions::default().with_careful(careful);
            soli.caption(&rgba, &options).expect("a caption")
        });
        assert!(careful.tokens.len() <= all.tokens.len(), "{} / {}", careful.text, all.text);
        assert!(!careful.text.is_empty());
        shorter += usize::from(careful.tokens.len() < all.tokens.len());
    }
    assert!(shorter > 0, "one of them is unsure");
}
