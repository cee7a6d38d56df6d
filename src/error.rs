//! What can go wrong when a picture is captioned.

use crate::image::ImageError;
use crate::weights::WeightsError;

/// Why there is no caption.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The weights file cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The picture cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An option is out of range; the text names it.
    #[error("options: {0}")]
    Options(String),
    /// Weights that were checked do not make a network: a bug in soli.
    #[error("internal error: {0}")]
    Network(#[from] crate::packed::source::BadTensor),
}

impl Error {
    /// A name for programs, which stays the same when the message changes: `invalid-weights`, `invalid-image`,
    /// `invalid-options` or `internal`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Weights(_) => "invalid-weights",
            Self::Image(_) => "invalid-image",
            Self::Options(_) => "invalid-options",
            Self::Network(_) => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_code_and_keeps_its_message() {
        for (error, code, message) in [
            (Error::from(WeightsError::Empty), "invalid-weights", "weights: the file is empty"),
            (
                Error::from(ImageError::Empty { width: 0, height: 2 }),
                "invalid-image",
                "image: 0 x 2 pixels; both sides must be at least 1",
            ),
            (Error::Options("beam is 9".to_owned()), "invalid-options", "options: beam is 9"),
        ] {
            assert_eq!(error.code(), code);
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(Error::from(crate::packed::source::BadTensor("x".to_owned())).code(), "internal");
    }
}
