//! What the Python package `soli_captioner` is made of: the captioner on bytes and on pixels. The package itself
//! (python/soli_captioner) turns whatever shows a picture into one of the two.

use std::path::Path;

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use soli::{Caption, CaptionOptions, Error, Rgba};

/// The published weights.
static WEIGHTS: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/models/soli.safetensors"));

create_exception!(
    soli_captioner,
    PictureError,
    PyValueError,
    "A picture that cannot be captioned; the message says why."
);
create_exception!(
    soli_captioner,
    WeightsError,
    PyValueError,
    "Weights that cannot be used; the message says why."
);

/// A captioner with its weights.
#[pyclass(frozen, module = "soli_captioner._native")]
struct Captioner(soli::Captioner);

#[pymethods]
impl Captioner {
    /// Reads weights, or the published ones.
    #[new]
    #[pyo3(signature = (weights=None))]
    fn new(py: Python<'_>, weights: Option<&[u8]>) -> PyResult<Self> {
        let weights = weights.unwrap_or(WEIGHTS);
        let captioner = py.detach(|| soli::Captioner::from_bytes(weights));
        captioner.map(Self).map_err(|error| WeightsError::new_err(error.to_string()))
    }

    /// Captions the bytes of an image file; `name` is named in errors. All fields of the caption as JSON.
    #[pyo3(signature = (name, data, beam, max_tokens, neutral))]
    fn encoded(
        &self,
        py: Python<'_>,
        name: &str,
        data: &[u8],
        beam: usize,
        max_tokens: Option<usize>,
        neutral: bool,
    ) -> PyResult<String> {
        let options = options(beam, max_tokens, neutral);
        let described = py.detach(|| {
            let picture =
                soli_decode::decode(Path::new(name), data).map_err(|error| Failed::picture(&error))?;
            describe(&self.0, &picture.rgba(), picture.partial(), &options)
        });
        described.map_err(Failed::raise)
    }

    /// Captions `height` rows of `width` pixels with 1 (grey), 3 (RGB) or 4 (RGBA) bytes each. All fields of the caption
    /// as JSON.
    #[pyo3(signature = (width, height, channels, data, beam, max_tokens, neutral))]
    #[allow(clippy::too_many_arguments)]
    fn pixels(
        &self,
        py: Python<'_>,
        width: u32,
        height: u32,
        channels: u8,
        data: &[u8],
        beam: usize,
        max_tokens: Option<usize>,
        neutral: bool,
    ) -> PyResult<String> {
        let options = options(beam, max_tokens, neutral);
        let described = py.detach(|| {
            // Before memory is taken for them; that there are enough bytes is checked with the picture.
            Rgba::check_size(width, height).map_err(|error| Failed::picture(&error))?;
            let opaque = |pixel: [u8; 3]| [pixel[0], pixel[1], pixel[2], u8::MAX];
            let rgba: std::borrow::Cow<'_, [u8]> = match channels {
                1 => data.iter().flat_map(|&v| opaque([v, v, v])).collect::<Vec<_>>().into(),
                3 => data.chunks_exact(3).flat_map(|p| opaque([p[0], p[1], p[2]])).collect::<Vec<_>>().into(),
                4 => data.into(),
                _ => {
                    return Err(Failed::Picture(format!(
                        "a pixel has {channels} bytes, but must have 1, 3 or 4"
                    )));
                }
            };
            let picture = Rgba::new(width, height, &rgba).map_err(|error| Failed::picture(&error))?;
            describe(&self.0, &picture, false, &options)
        });
        described.map_err(Failed::raise)
    }
}

fn options(beam: usize, max_tokens: Option<usize>, neutral: bool) -> CaptionOptions {
    let options = CaptionOptions::default().with_beam(beam).with_neutral(neutral);
    max_tokens.map_or(options, |longest| options.with_max_tokens(longest))
}

/// Why there is no caption, until the GIL is held again.
enum Failed {
    Picture(String),
    Options(String),
}

impl Failed {
    fn picture(error: &dyn std::fmt::Display) -> Self {
        Self::Picture(error.to_string())
    }

    fn raise(self) -> PyErr {
        match self {
            Self::Picture(message) => PictureError::new_err(message),
            Self::Options(message) => PyValueError::new_err(message),
        }
    }
}

/// What a dict says of a picture: the fields of a row of `soli caption`.
#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    caption: Caption,
    /// Whether the file is cut off, so that only what is there (at least half) was described.
    partial: bool,
}

fn describe(
    captioner: &soli::Captioner,
    picture: &Rgba,
    partial: bool,
    options: &CaptionOptions,
) -> Result<String, Failed> {
    let caption = captioner.caption(picture, options).map_err(|error| match error {
        Error::Options(_) => Failed::Options(error.to_string()),
        error => Failed::picture(&error),
    })?;
    serde_json::to_string(&Described { caption, partial }).map_err(|error| Failed::picture(&error))
}

/// The module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<Captioner>()?;
    module.add("PictureError", py.get_type::<PictureError>())?;
    module.add("WeightsError", py.get_type::<WeightsError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
