//! The module in a real browser: `wasm-pack test --headless --chrome` (or `--firefox`).
//!
//! What native gives for the same pictures is recorded in `fixtures/native_captions.json`; `native_captions.rs` proves
//! that the record is true.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Error, Object, Reflect, Uint8Array};
use serde::Deserialize;
use soli::WebCaptioner;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Blob, ImageBitmap, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

wasm_bindgen_test_configure!(run_in_browser);

const WEIGHTS: &[u8] = include_bytes!("../www/models/soli.safetensors");
const RECORD: &str = include_str!("fixtures/native_captions.json");

/// The pixels that both sides get byte for byte: 96 x 64, see `native_captions.rs`.
const PIXELS: &[u8] = include_bytes!("fixtures/cat_96x64.rgba");

const PHOTOGRAPHS: [(&str, &[u8]); 3] = [
    ("www/photos/astronaut.jpg", include_bytes!("../www/photos/astronaut.jpg")),
    ("www/photos/cat.jpg", include_bytes!("../www/photos/cat.jpg")),
    ("www/photos/coffee.jpg", include_bytes!("../www/photos/coffee.jpg")),
];

/// Same pixels: only the order of sums differs between the processors' kernels.
const SAME_PIXELS: f32 = 1e-3;
/// Levels, of 255, by which the browser's JPEG decoder and native's may differ on average: they round differently.
const SAME_DECODING: f64 = 1.0;

/// What JavaScript gets, and what native wrote down.
#[derive(Debug, Deserialize)]
struct Caption {
    text: String,
    score: f32,
    tokens: Vec<String>,
}

#[derive(Deserialize)]
struct Recorded {
    picture: String,
    beam: u32,
    #[serde(flatten)]
    caption: Caption,
}

/// Native's captions of one picture, one for each beam recorded.
fn recorded(picture: &str) -> Vec<Recorded> {
    let all: Vec<Recorded> = serde_json::from_str(RECORD).expect("the record is JSON");
    let found: Vec<_> = all.into_iter().filter(|one| one.picture == picture).collect();
    assert!(!found.is_empty(), "nothing recorded for {picture}");
    found
}

fn options(beam: impl Into<JsValue>) -> JsValue {
    let options = Object::new();
    Reflect::set(&options, &"beam".into(), &beam.into()).expect("a plain object takes any key");
    options.into()
}

fn captioner() -> WebCaptioner {
    WebCaptioner::new(WEIGHTS).expect("the bundled weights load")
}

fn assert_as_recorded(soli: &WebCaptioner, picture: &str, size: (u32, u32), rgba: &[u8], tolerance: f32) {
    for Recorded { beam, caption: native, .. } in recorded(picture) {
        let value = soli.caption(rgba, size.0, size.1, options(beam)).expect("a caption");
        let here: Caption = serde_wasm_bindgen::from_value(value).expect("text, score and tokens");
        assert_eq!(here.text, native.text, "{picture}, beam {beam}");
        assert_eq!(here.tokens, native.tokens, "{picture}, beam {beam}");
        let gap = (here.score - native.score).abs();
        assert!(
            gap <= tolerance,
            "{picture}, beam {beam}: score {} here, {} native",
            here.score,
            native.score
        );
    }
}

/// Decodes with the decoder that native uses.
fn decode_as_native(jpeg: &[u8]) -> image::RgbaImage {
    image::load_from_memory(jpeg).expect("the photographs are JPEG files").into_rgba8()
}

/// Decodes as the npm package does: Blob, `createImageBitmap`, canvas, pixels.
async fn decode(jpeg: &[u8]) -> Result<(u32, u32, Vec<u8>), JsValue> {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(jpeg)))?;
    let window = web_sys::window().expect("the tests run in a page");
    let bitmap = JsFuture::from(window.create_image_bitmap_with_blob(&blob)?).await?;
    let bitmap: ImageBitmap = bitmap.dyn_into()?;
    let (width, height) = (bitmap.width(), bitmap.height());
    let context = OffscreenCanvas::new(width, height)?.get_context("2d")?.expect("a 2d context");
    let context: OffscreenCanvasRenderingContext2d = context.dyn_into()?;
    context.draw_image_with_image_bitmap(&bitmap, 0.0, 0.0)?;
    let pixels = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height))?;
    Ok((width, height, pixels.data().0))
}

/// The `code` and message of something thrown.
fn thrown(value: JsValue) -> (String, String) {
    let error: Error = value.dyn_into().expect("an Error is thrown");
    let code = Reflect::get(&error, &"code".into()).expect("an Error is an object");
    (code.as_string().expect("with a code"), error.message().into())
}

#[wasm_bindgen_test]
fn same_pixels_give_the_same_caption_as_native() {
    assert_as_recorded(&captioner(), "tests/fixtures/cat_96x64.rgba", (96, 64), PIXELS, SAME_PIXELS);
}

#[wasm_bindgen_test]
fn photographs_decoded_as_natively_are_described_as_natively() {
    let soli = captioner();
    for (name, jpeg) in PHOTOGRAPHS {
        let picture = decode_as_native(jpeg);
        assert_as_recorded(&soli, name, picture.dimensions(), picture.as_raw(), SAME_PIXELS);
    }
}

#[wasm_bindgen_test]
async fn the_browser_decodes_photographs_as_native_does() {
    // Not the captions: where two are about as good, a level in some pixels decides between them.
    for (name, jpeg) in PHOTOGRAPHS {
        let native = decode_as_native(jpeg);
        let (width, height, rgba) = decode(jpeg).await.expect("the browser decodes it");
        assert_eq!((width, height), native.dimensions(), "{name}");
        let gaps: u64 =
            rgba.iter().zip(native.as_raw()).map(|(here, there)| u64::from(here.abs_diff(*there))).sum();
        let mean = gaps as f64 / rgba.len() as f64;
        assert!(mean <= SAME_DECODING, "{name}: {mean} levels between the decoders on average");
    }
}

#[wasm_bindgen_test]
fn absent_options_are_the_defaults() {
    let soli = captioner();
    let text = |options| {
        let value = soli.caption(PIXELS, 96, 64, options).expect("a caption");
        serde_wasm_bindgen::from_value::<Caption>(value).expect("a caption's fields").text
    };
    let expected = text(options(3));
    for absent in [JsValue::UNDEFINED, JsValue::NULL, Object::new().into(), options(JsValue::UNDEFINED)] {
        assert_eq!(text(absent), expected);
    }
}

#[wasm_bindgen_test]
fn the_longest_caption_can_be_limited() {
    let limit = Object::new();
    Reflect::set(&limit, &"maxTokens".into(), &3.into()).expect("a plain object takes any key");
    let value = captioner().caption(PIXELS, 96, 64, limit.into()).expect("a caption");
    let caption: Caption = serde_wasm_bindgen::from_value(value).expect("a caption's fields");
    assert!(caption.tokens.len() < 3, "two words and the end: {:?}", caption.tokens);
}

#[wasm_bindgen_test]
fn info_is_a_plain_object() {
    let info = captioner().info().expect("info");
    let number = |key: &str| Reflect::get(&info, &key.into()).ok().and_then(|value| value.as_f64());
    assert!(number("inputSide").is_some_and(|side| side >= 32.0), "{info:?}");
    assert!(number("vocabSize").is_some_and(|size| size > 3.0), "{info:?}");
    assert!(number("maxTokens").is_some_and(|tokens| tokens > 1.0), "{info:?}");
    let provenance = Reflect::get(&info, &"provenance".into()).expect("info is an object");
    assert!(provenance.is_object() && !provenance.is_instance_of::<js_sys::Map>(), "{provenance:?}");
}

#[wasm_bindgen_test]
fn damaged_weights_throw_a_typed_error() {
    for bytes in [&WEIGHTS[..WEIGHTS.len() - 1], &[], b"<!doctype html>"] {
        let error = WebCaptioner::new(bytes).err().expect("damaged weights are refused");
        let (code, message) = thrown(error);
        assert_eq!(code, "invalid-weights");
        assert!(!message.is_empty());
    }
}

#[wasm_bindgen_test]
fn bad_requests_throw_typed_errors_and_the_captioner_goes_on() {
    let soli = captioner();
    let cases = [
        ("invalid-image", soli.caption(PIXELS, 96, 63, JsValue::UNDEFINED)),
        ("invalid-image", soli.caption(&[], 0, 0, JsValue::UNDEFINED)),
        ("invalid-image", soli.caption(PIXELS, u32::MAX, u32::MAX, JsValue::UNDEFINED)),
        ("invalid-options", soli.caption(PIXELS, 96, 64, options(0))),
        ("invalid-options", soli.caption(PIXELS, 96, 64, options(9))),
        ("invalid-options", soli.caption(PIXELS, 96, 64, options(2.5))),
        ("invalid-options", soli.caption(PIXELS, 96, 64, options("three"))),
        ("invalid-options", soli.caption(PIXELS, 96, 64, 7.into())),
    ];
    for (place, (expected, result)) in cases.into_iter().enumerate() {
        let (code, message) = thrown(result.err().unwrap_or_else(|| panic!("case {place} is refused")));
        assert_eq!(code, expected, "case {place}: {message}");
        assert!(!message.is_empty(), "case {place}");
    }
    assert!(soli.caption(PIXELS, 96, 64, JsValue::UNDEFINED).is_ok());
}
