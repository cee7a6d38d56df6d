//! Random views of a picture that leave its captions true: mirrored, mildly cropped.

use rand::{Rng, RngExt};
use soli::config::EncoderConfig;
use soli::image::{ImageError, Rgba, to_input};

/// Which views are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// Mirror left and right with probability 1/2.
    pub flip: bool,
    /// Smallest share of the area that a crop keeps, above 0 up to 1.
    pub crop_area: f64,
}

/// Whether a caption would be wrong of the mirrored picture.
pub fn names_a_side(caption: &str) -> bool {
    caption
        .split(|c: char| !c.is_alphanumeric())
        .any(|w| ["left", "right", "leftmost", "rightmost"].iter().any(|side| w.eq_ignore_ascii_case(side)))
}

/// A random view of `picture` as the network's input: side * side * 3 values, channels last.
///
/// # Errors
/// If the picture cannot be resized.
pub fn view(
    picture: &Rgba,
    config: &EncoderConfig,
    augmentation: Augmentation,
    rng: &mut impl Rng,
) -> Result<Vec<f32>, ImageError> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let area = rng.random_range(augmentation.crop_area..=1.0);
    // Aspect ratios of 4:5 to 5:4, as far as the area allows.
    let stretch = rng.random_range(0.8f64.sqrt()..=1.25f64.sqrt());
    let part =
        |length: usize, share: f64| ((length as f64 * share.min(1.0)).round() as usize).clamp(1, length);
    let (w, h) = (part(width, area.sqrt() * stretch), part(height, area.sqrt() / stretch));
    let (x, y) = (rng.random_range(0..=width - w), rng.random_range(0..=height - h));
    let mut pixels = Vec::with_capacity(w * h * 4);
    for row in y..y + h {
        pixels.extend_from_slice(&picture.data()[(row * width + x) * 4..][..w * 4]);
    }
    let side = config.input_side;
    let mut input = to_input(&Rgba::new(w as u32, h as u32, &pixels)?, config)?;
    if augmentation.flip && rng.random_bool(0.5) {
        for row in input.chunks_exact_mut(side * 3) {
            for i in 0..side / 2 {
                for c in 0..3 {
                    row.swap(i * 3 + c, (side - 1 - i) * 3 + c);
                }
            }
        }
    }
    Ok(input)
}
