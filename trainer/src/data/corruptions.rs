//! What real frames suffer on their way to a captioner: motion, too little light, a noisy sensor, and JPEG files saved
//! to be small.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Corrupts a picture in one to three of the ways of this module, each as strongly as chance has it.
pub fn corrupt(picture: &RgbImage, rng: &mut impl Rng) -> RgbImage {
    let chosen = rng.random_range(1u8..16);
    let mut picture = picture.clone();
    // In the order in which it happens: before the lens, on the sensor, in the file.
    if chosen & 1 != 0 {
        picture =
            motion_blur(&picture, rng.random_range(2.0..=9.0), rng.random_range(0.0..std::f32::consts::PI));
    }
    if chosen & 2 != 0 {
        low_light(&mut picture, rng.random_range(0.15..=0.7));
    }
    if chosen & 4 != 0 {
        noise(&mut picture, rng.random_range(3.0..=20.0), rng);
    }
    if chosen & 8 != 0 {
        picture = jpeg(&picture, rng.random_range(5..=40)).unwrap_or(picture);
    }
    picture
}

/// Averages along a line of `length` pixels at `angle` (radians), as a camera that moves during the exposure does.
pub fn motion_blur(picture: &RgbImage, length: f32, angle: f32) -> RgbImage {
    let (dx, dy) = (angle.cos(), angle.sin());
    let points = (length.ceil() as i32).max(1);
    let offsets: Vec<(i64, i64)> = (0..points)
        .map(|i| {
            let t = (i as f32 / (points - 1).max(1) as f32 - 0.5) * (length - 1.0);
            ((t * dx).round() as i64, (t * dy).round() as i64)
        })
        .collect();
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let mut sums = [0u32; 3];
        for (ox, oy) in &offsets {
            let px = (i64::from(x) + ox).clamp(0, width - 1) as u32;
            let py = (i64::from(y) + oy).clamp(0, height - 1) as u32;
            for (sum, value) in sums.iter_mut().zip(picture.get_pixel(px, py).0) {
                *sum += u32::from(value);
            }
        }
        image::Rgb(sums.map(|sum| ((sum + points as u32 / 2) / points as u32) as u8))
    })
}

/// Takes away light: `exposure` (0..1) of it is left, in linear light (sRGB taken as a gamma of 2.2).
pub fn low_light(picture: &mut RgbImage, exposure: f32) {
    let factor = exposure.powf(1.0 / 2.2);
    for value in picture.iter_mut() {
        *value = (f32::from(*value) * factor + 0.5) as u8;
    }
}

/// Adds Gaussian noise of standard deviation `sigma` grey levels to every value.
pub fn noise(picture: &mut RgbImage, sigma: f32, rng: &mut impl Rng) {
    for value in picture.iter_mut() {
        let draw: f32 = StandardNormal.sample(rng);
        *value = (f32::from(*value) + sigma * draw + 0.5).clamp(0.0, 255.0) as u8;
    }
}

/// Saves as JPEG of `quality` (1 to 100) and reads it back.
///
/// # Errors
/// If the codec refuses; not known to happen.
pub fn jpeg(picture: &RgbImage, quality: u8) -> image::ImageResult<RgbImage> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture)?;
    Ok(image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg)?.into_rgb8())
}
