//! The WebAssembly surface over [`Captioner`], nothing else. `pkg/` is what a web developer meets.
//!
//! Every failure is thrown as a JavaScript `Error` with a `code` (see [`Error::code`]). Anything else that
//! leaves this module is a trap, after which the whole instance has to be thrown away.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use crate::captioner::{CaptionOptions, Captioner};
use crate::error::Error;
use crate::image::Rgba;
use crate::kernels::{Level, warm_up};
use crate::weights::Provenance;

/// Runs once when the module is instantiated: from then on a panic is written to the console with its place.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// Lets the browser notice what it should optimise, while the weights are on the way: some milliseconds of work on
/// made-up numbers.
#[wasm_bindgen(js_name = warmUp)]
pub fn warm_up_kernels() {
    warm_up(Level::detect());
}

/// A captioner with its weights, living in WebAssembly's memory until it is freed.
#[wasm_bindgen]
pub struct WebCaptioner(Captioner);

/// What JavaScript may ask for; a key that is absent takes the default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    beam: Option<usize>,
    max_tokens: Option<usize>,
    neutral: Option<bool>,
    cells: Option<bool>,
}

/// What JavaScript gets to know of the loaded weights.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    input_side: usize,
    vocab_size: usize,
    max_tokens: usize,
    provenance: &'a Provenance,
}

#[wasm_bindgen]
impl WebCaptioner {
    /// Reads a whole weights file.
    ///
    /// # Errors
    /// Throws with the code `invalid-weights` and what is wrong with the file.
    #[wasm_bindgen(constructor)]
    pub fn new(weights: &[u8]) -> Result<WebCaptioner, JsValue> {
        Captioner::from_bytes(weights).map(Self).map_err(|error| thrown(error.code(), &error))
    }

    /// Captions one picture: `rgba` holds `width * height` pixels of four bytes, row by row from the top, alpha not
    /// premultiplied. `options` is `undefined` or `{ beam, maxTokens, neutral, cells }`. Gives `{ text, kind, score, tokens,
    /// confidence, certainty, words }`.
    ///
    /// # Errors
    /// Throws with the code `invalid-image` (sizes that do not fit), `invalid-options` or `internal`.
    pub fn caption(
        &self,
        rgba: &[u8],
        width: u32,
        height: u32,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let options = read_options(options)?;
        let image = Rgba::new(width, height, rgba).map_err(Error::from);
        let caption = image
            .and_then(|image| self.0.caption(&image, &options))
            .map_err(|error| thrown(error.code(), &error))?;
        to_js(&caption)
    }

    /// For the benchmarks: what the trunk sees in a picture given as to [`WebCaptioner::caption`]: a `Float32Array` of the features of its
    /// cells, row by row.
    ///
    /// # Errors
    /// Throws with the code `invalid-image`.
    #[cfg(feature = "bench")]
    pub fn features(&self, rgba: &[u8], width: u32, height: u32) -> Result<Vec<f32>, JsValue> {
        Rgba::new(width, height, rgba)
            .map_err(Error::from)
            .and_then(|image| self.0.features(&image))
            .map_err(|error| thrown(error.code(), &error))
    }

    /// What is loaded: `{ inputSide, vocabSize, maxTokens, provenance }`.
    ///
    /// # Errors
    /// Throws with the code `internal` if the provenance has no JavaScript form.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let config = self.0.config();
        to_js(&Info {
            input_side: config.encoder.input_side,
            vocab_size: config.decoder.vocab_size,
            max_tokens: config.decoder.max_tokens,
            provenance: self.0.provenance(),
        })
    }
}

/// Options from JavaScript over the defaults.
fn read_options(options: JsValue) -> Result<CaptionOptions, JsValue> {
    let given: Options = if options.is_undefined() || options.is_null() {
        Options::default()
    } else {
        serde_wasm_bindgen::from_value(options).map_err(|error| thrown("invalid-options", &error))?
    };
    let defaults = CaptionOptions::default();
    Ok(CaptionOptions {
        beam: given.beam.unwrap_or(defaults.beam),
        max_tokens: given.max_tokens.or(defaults.max_tokens),
        neutral: given.neutral.unwrap_or(defaults.neutral),
        cells: given.cells.unwrap_or(defaults.cells),
        ..defaults
    })
}

/// A value as plain JavaScript objects (never a `Map`).
fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| thrown("internal", &error))
}

/// A JavaScript `Error` that carries a machine-readable `code`.
fn thrown(code: &str, error: &dyn std::fmt::Display) -> JsValue {
    let thrown = js_sys::Error::new(&error.to_string());
    // Setting a new property on a fresh `Error` cannot fail.
    let _ = js_sys::Reflect::set(&thrown, &"code".into(), &code.into());
    thrown.into()
}
