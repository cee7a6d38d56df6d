//! The resampling of `image.rs` in plain integers, byte for byte what `fast_image_resize` gives.
//!
//! That crate has functions of WebAssembly vectors in it whatever it is compiled for, and one such function makes the compiler
//! use vectors in the whole module. The module for browsers without them therefore has to do without the crate.

/// Precision of the sums: 8 bits of a value, 2 for safety, the rest of 32 for the coefficients.
const SUM_BITS: u32 = 32 - 8 - 2;
/// Coefficients have 16 bits, one of them the sign.
const COEFFICIENT_BITS: u32 = 15;

/// Resamples pixels of four bytes to a square, first the columns, then the rows, by a triangle filter as wide as the scale.
///
/// `pixels` are `width * height * 4` bytes, row by row; all sides are at least 1. Gives `side * side * 4` bytes.
pub fn bilinear(pixels: &[u8], width: usize, height: usize, side: usize) -> Vec<u8> {
    let columns =
        if height == side { pixels.to_vec() } else { pass(pixels, height, side, width * 4, (1, width * 4)) };
    if width == side { columns } else { pass(&columns, width, side, 4, (side, width * 4)) }
}

/// Resamples from `from` to `to` runs of `run` bytes, on each of `lines` lines that lie `stride` bytes apart.
fn pass(source: &[u8], from: usize, to: usize, run: usize, (lines, stride): (usize, usize)) -> Vec<u8> {
    let (taps, precision) = taps(from, to);
    let mut result = Vec::with_capacity(lines * to * run);
    let mut sums = vec![0i32; run];
    for line in 0..lines {
        for tap in &taps {
            sums.fill(1 << (precision - 1));
            let first = line * stride + tap.first * run;
            for (&coefficient, values) in tap.coefficients.iter().zip(source[first..].chunks_exact(run)) {
                for (sum, &value) in sums.iter_mut().zip(values) {
                    *sum += i32::from(value) * i32::from(coefficient);
                }
            }
            result.extend(sums.iter().map(|sum| (sum >> precision).clamp(0, 255) as u8));
        }
    }
    result
}

/// What one place of the result is made of.
struct Tap {
    /// The first place of the source that counts.
    first: usize,
    /// The weights from there on, as multiples of 2^-precision.
    coefficients: Vec<i16>,
}

/// The taps of all places, and their precision in bits.
fn taps(from: usize, to: usize) -> (Vec<Tap>, u32) {
    let scale = from as f64 / to as f64;
    let radius = scale.max(1.0);
    let shrink = 1.0 / radius;
    let mut weights: Vec<(usize, Vec<f64>)> = (0..to)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let first = (centre - radius).floor().max(0.0) as usize;
            let end = ((centre + radius).ceil() as usize).min(from);
            let weight = |x: usize| (1.0 - ((x as f64 - (centre - 0.5)) * shrink).abs()).max(0.0);
            let first = (first..end).find(|&x| weight(x) != 0.0).unwrap_or(end);
            (first, (first..end).map(weight).collect())
        })
        .collect();
    for (_, weights) in &mut weights {
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
    }
    let most = weights.iter().flat_map(|(_, weights)| weights).copied().fold(0.0, f64::max);
    let fits = |precision: u32| {
        (most * f64::from(1u32 << (precision + 1))).round() < f64::from(1u32 << COEFFICIENT_BITS)
    };
    let precision = (0..SUM_BITS - 1).find(|&precision| !fits(precision)).unwrap_or(SUM_BITS - 1);
    let unit = f64::from(1u32 << precision);
    let taps = weights
        .into_iter()
        .map(|(first, weights)| Tap {
            first,
            coefficients: weights.into_iter().map(|weight| (weight * unit).round() as i16).collect(),
        })
        .collect();
    (taps, precision)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

    use super::*;

    #[test]
    fn every_byte_is_that_of_the_crate() {
        for (width, height, side) in [
            (1, 1, 1),
            (1, 1, 8),
            (2, 3, 7),
            (96, 64, 256),
            (451, 300, 192),
            (512, 512, 256),
            (600, 400, 224),
            (256, 100, 256),
            (100, 256, 256),
            (1024, 7, 96),
            (20_000, 3, 32),
            (3, 65_535, 16),
        ] {
            let pixels: Vec<u8> =
                (0..width * height * 4).map(|i| (i * i / 7 + i * 31 + (i >> 9) * 77) as u8).collect();
            let source = ImageRef::new(width as u32, height as u32, &pixels, PixelType::U8x4).unwrap();
            let mut expected = Image::new(side as u32, side as u32, PixelType::U8x4);
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
                .use_alpha(false);
            Resizer::new().resize(&source, &mut expected, &options).unwrap();
            let found = bilinear(&pixels, width, height, side);
            assert!(found == expected.buffer(), "{width} x {height} to {side}");
        }
    }
}
