//! Random views of a picture that leave its captions true: mirrored, mildly cropped, degraded, corrupted.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{RgbImage, imageops};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use soli::config::EncoderConfig;
use soli::image::{ImageError, to_input};

use super::corruptions::corrupt;
use super::decode::Picture;
use super::degrade::{VERSIONS, resize_bilinear};

/// Which views are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// Mirror half of the pictures whose captions name no side.
    pub flip: bool,
    /// Smallest share of a picture's area that a random crop keeps, above 0 up to 1 (no crop).
    pub crop_area: f64,
    /// How much brightness, contrast and saturation vary, 0..1: each is multiplied by a factor of `1 - jitter` to
    /// `1 + jitter`.
    #[serde(default)]
    pub jitter: f32,
    /// Share of the views that are degraded, 0..=1.
    #[serde(default)]
    pub degraded: f64,
    /// What degraded views look like.
    #[serde(default)]
    pub versions: Versions,
    /// Share of the degraded views that suffer what real frames do (see [`super::corruptions`]) beside it, 0..=1.
    #[serde(default, alias = "damaged")]
    pub corrupted: f64,
}

/// Kinds of degraded views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versions {
    /// One of the paper's ten versions, the original among them, each as often (see [`super::degrade`]).
    #[default]
    Ten,
    /// Any size from [`SMALLEST`] to the picture's own, every octave as often; resized with or without anti-aliasing.
    AnySize,
}

/// Which two views of a picture make a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// Two different versions, as in the paper.
    TwoVersions,
    /// The sharp picture and a degraded one.
    SharpAndDegraded,
}

/// Smallest side in pixels of [`Versions::AnySize`].
pub const SMALLEST: f64 = 20.0;

/// Whether a caption would be wrong of the mirrored picture.
pub fn names_a_side(caption: &str) -> bool {
    caption
        .split(|c: char| !c.is_alphanumeric())
        .any(|w| ["left", "right", "leftmost", "rightmost"].iter().any(|side| w.eq_ignore_ascii_case(side)))
}

impl Views {
    /// The sharp picture as it is.
    pub const PLAIN: Self = Self {
        flip: false,
        crop_area: 1.0,
        jitter: 0.0,
        degraded: 0.0,
        versions: Versions::Ten,
        corrupted: 0.0,
    };

    /// One view of `picture`; `mirrors` tells whether it may be mirrored.
    pub fn one(&self, picture: &RgbImage, mirrors: bool, rng: &mut impl Rng) -> RgbImage {
        let part = self.frame(picture, mirrors, rng);
        if rng.random_bool(self.degraded) { self.degrade(&part, None, rng).0 } else { part }
    }

    /// Two views of the same part of `picture`.
    pub fn pair(
        &self,
        picture: &RgbImage,
        mirrors: bool,
        pairing: Pairing,
        rng: &mut impl Rng,
    ) -> (RgbImage, RgbImage) {
        let part = self.frame(picture, mirrors, rng);
        match pairing {
            Pairing::SharpAndDegraded => {
                let (degraded, _) = self.degrade(&part, None, rng);
                (part, degraded)
            }
            Pairing::TwoVersions => {
                let (first, version) = self.degrade(&part, None, rng);
                let (second, _) = self.degrade(&part, version, rng);
                (first, second)
            }
        }
    }

    /// Crops and mirrors.
    fn frame(&self, picture: &RgbImage, mirrors: bool, rng: &mut impl Rng) -> RgbImage {
        let (width, height) = picture.dimensions();
        let area = rng.random_range(self.crop_area..=1.0);
        // Aspect ratios of 4:5 to 5:4, as far as the area allows.
        let stretch = rng.random_range(0.8f64.sqrt()..=1.25f64.sqrt());
        let part =
            |length: u32, share: f64| ((f64::from(length) * share.min(1.0)).round() as u32).clamp(1, length);
        let (w, h) = if self.crop_area < 1.0 {
            (part(width, area.sqrt() * stretch), part(height, area.sqrt() / stretch))
        } else {
            (width, height)
        };
        let (x, y) = (rng.random_range(0..=width - w), rng.random_range(0..=height - h));
        let mut part = imageops::crop_imm(picture, x, y, w, h).to_image();
        if self.flip && mirrors && rng.random_bool(0.5) {
            imageops::flip_horizontal_in_place(&mut part);
        }
        if self.jitter > 0.0 {
            let mut factor = || rng.random_range(1.0 - self.jitter..=1.0 + self.jitter);
            relight(&mut part, factor(), factor(), factor());
        }
        part
    }

    /// A degraded view, and the version if it is one of the ten; not the one that `other` names.
    fn degrade(
        &self,
        picture: &RgbImage,
        other: Option<usize>,
        rng: &mut impl Rng,
    ) -> (RgbImage, Option<usize>) {
        let (degraded, version) = match self.versions {
            Versions::Ten => {
                let choices: Vec<usize> = (0..VERSIONS.len()).filter(|i| Some(*i) != other).collect();
                let chosen = choices.choose(rng).copied().unwrap_or(0);
                (VERSIONS[chosen].of(picture), Some(chosen))
            }
            Versions::AnySize => (any_size(picture, rng), None),
        };
        if rng.random_bool(self.corrupted) { (corrupt(&degraded, rng), version) } else { (degraded, version) }
    }
}

/// Multiplies a picture's brightness, its contrast (distances from its mean grey) and its saturation (distances of a
/// pixel's channels from their grey, by the luma of ITU-R BT.601).
pub fn relight(picture: &mut RgbImage, brightness: f32, contrast: f32, saturation: f32) {
    let grey = |p: &image::Rgb<u8>| {
        0.299 * f32::from(p.0[0]) + 0.587 * f32::from(p.0[1]) + 0.114 * f32::from(p.0[2])
    };
    let mean = picture.pixels().map(grey).sum::<f32>() / (picture.width() * picture.height()).max(1) as f32;
    for pixel in picture.pixels_mut() {
        let own = grey(pixel);
        for value in &mut pixel.0 {
            let coloured = own + (f32::from(*value) - own) * saturation;
            let spread = mean + (coloured - mean) * contrast;
            *value = (spread * brightness + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Shrinks to a random size, each octave as often.
fn any_size(picture: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    let longer = f64::from(picture.width().max(picture.height()));
    let side = rng.random_range(SMALLEST.min(longer).ln()..=longer.ln()).exp();
    let target = |length: u32| ((f64::from(length) * side / longer).round() as u32).clamp(1, length);
    let (width, height) = (target(picture.width()), target(picture.height()));
    if rng.random_bool(0.5) {
        resize_bilinear(picture, width, height)
    } else {
        resize_smoothly(picture, width, height)
    }
}

/// Resizes with anti-aliasing: what [`soli::image`] does to a square, to any size.
fn resize_smoothly(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let source =
        Image::from_vec_u8(picture.width(), picture.height(), picture.as_raw().clone(), PixelType::U8x3)
            .expect("three bytes a pixel");
    let mut small = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    match Resizer::new().resize(&source, &mut small, &options) {
        Ok(()) => RgbImage::from_raw(width, height, small.into_vec()).expect("three bytes a pixel"),
        Err(_) => resize_bilinear(picture, width, height),
    }
}

/// A view as the network's input: side * side * 3 values, channels last.
///
/// # Errors
/// If the picture cannot be resized.
pub fn input(view: &RgbImage, config: &EncoderConfig) -> Result<Vec<f32>, ImageError> {
    to_input(&Picture::from(view).rgba(), config)
}
