//! Pixels to the network's input. Training, the native program and the browser all come through here, so that the
//! network sees a photograph the same way everywhere.

use std::borrow::Cow;

use crate::config::EncoderConfig;

/// Most pixels that a picture may have: those of cameras sold as having 100 and 108 megapixels fit.
pub const MAX_PIXELS: u64 = 110_000_000;

/// Longest side that the resampling filter takes directly. Its memory grows with the side and its 16-bit
/// coefficients lose precision; longer sides are averaged in blocks first.
const MAX_FILTER_SIDE: u32 = 1 << 16;

/// Largest side of the square that a picture can be resized to.
const MAX_INPUT_SIDE: usize = 4096;

/// Why pixels cannot become an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Width or height is zero.
    #[error("image: {width} x {height} pixels; both sides must be at least 1")]
    Empty {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// There are more than [`MAX_PIXELS`].
    #[error("image: {width} x {height} pixels are more than {MAX_PIXELS}; make the picture smaller first")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The buffer's length does not belong to the size.
    #[error("image: {width} x {height} RGBA pixels need {expected} bytes, but there are {found}")]
    WrongLength {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes needed.
        expected: u64,
        /// Bytes given.
        found: usize,
    },
    /// The square to resize to is empty or absurdly large.
    #[error("image: cannot resize to a square of side {0}; it must lie in 1..={MAX_INPUT_SIDE}")]
    BadInputSide(usize),
    /// The resampler refused; not known to happen.
    #[error("image: resizing failed: {0}")]
    Resize(String),
}

/// A borrowed picture: 8-bit sRGB with straight (not premultiplied) alpha, rows from the top without padding, as a
/// canvas's `ImageData` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgba<'a> {
    width: u32,
    height: u32,
    data: &'a [u8],
}

impl<'a> Rgba<'a> {
    /// Takes `width * height * 4` bytes: R, G, B, A of each pixel.
    ///
    /// # Errors
    /// Refuses empty pictures, more than [`MAX_PIXELS`] pixels, and a buffer of another length.
    pub fn new(width: u32, height: u32, data: &'a [u8]) -> Result<Self, ImageError> {
        check_size(width, height)?;
        let expected = u64::from(width) * u64::from(height) * 4;
        if data.len() as u64 != expected {
            return Err(ImageError::WrongLength { width, height, expected, found: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// Checks a picture's size, for those who have to know before they decode it.
    ///
    /// # Errors
    /// Refuses empty pictures and more than [`MAX_PIXELS`] pixels.
    pub fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
        check_size(width, height)
    }

    /// The picture put over white: R, G and B of each pixel.
    pub fn over_white(&self) -> Vec<u8> {
        over_white(self)
    }

    /// The picture put over white and resampled (anti-aliased) to `side` rows of `side` pixels, without cropping: R, G and B
    /// of each.
    ///
    /// # Errors
    /// If nothing can be resized to that side.
    pub fn to_square(&self, side: usize) -> Result<Vec<u8>, ImageError> {
        to_square(self, side)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: R, G, B, A of each, row by row from the top.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Checks a picture's size, for those who have to know before they decode it.
///
/// # Errors
/// [`ImageError::Empty`] or [`ImageError::TooLarge`].
pub fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Empty { width, height });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}

/// A picture as the network's input: [`to_square`] at the configured side, then [`normalise`].
///
/// Returns `side * side * 3` values, channels last (row, column, RGB).
///
/// # Errors
/// [`ImageError::BadInputSide`].
pub fn to_input(image: &Rgba, config: &EncoderConfig) -> Result<Vec<f32>, ImageError> {
    Ok(normalise(&to_square(image, config.input_side)?, config))
}

/// Puts a picture over white and squashes it to a square, without cropping; returns `side * side * 3` bytes,
/// channels last.
///
/// The resampling is anti-aliased: a triangle filter as wide as the scale, what Pillow calls `BILINEAR`. A picture
/// that has the size already is not touched. The arithmetic is in integers, so that every machine gets the same bytes.
///
/// # Errors
/// [`ImageError::BadInputSide`].
pub fn to_square(image: &Rgba, side: usize) -> Result<Vec<u8>, ImageError> {
    if !(1..=MAX_INPUT_SIDE).contains(&side) {
        return Err(ImageError::BadInputSide(side));
    }
    let (width, height, pixels) = flatten(image);
    let square = resample(&pixels, width, height, side)?;
    Ok(square.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
}

/// Pixels of four bytes, resampled to a square.
#[cfg(any(not(target_arch = "wasm32"), target_feature = "simd128"))]
fn resample(pixels: &[u8], width: u32, height: u32, side: usize) -> Result<Vec<u8>, ImageError> {
    use fast_image_resize::images::{Image, ImageRef};
    use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

    let failed = |error: &dyn std::fmt::Display| ImageError::Resize(error.to_string());
    let source = ImageRef::new(width, height, pixels, PixelType::U8x4).map_err(|e| failed(&e))?;
    let mut square = Image::new(side as u32, side as u32, PixelType::U8x4);
    let options =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    Resizer::new().resize(&source, &mut square, &options).map_err(|e| failed(&e))?;
    Ok(square.into_vec())
}

/// The same for engines without vectors.
#[cfg(all(target_arch = "wasm32", not(target_feature = "simd128")))]
fn resample(pixels: &[u8], width: u32, height: u32, side: usize) -> Result<Vec<u8>, ImageError> {
    Ok(crate::resample::bilinear(pixels, width as usize, height as usize, side))
}

/// The picture over white: R, G, B of each pixel, row by row from the top.
pub fn over_white(image: &Rgba) -> Vec<u8> {
    image
        .data
        .chunks_exact(4)
        .flat_map(|pixel| {
            let [r, g, b, _] = blend_white(pixel);
            [r, g, b]
        })
        .collect()
}

/// `(value - mean) / std` of RGB bytes, channel by channel.
pub fn normalise(rgb: &[u8], config: &EncoderConfig) -> Vec<f32> {
    let (mean, std) = (&config.mean, &config.std);
    rgb.iter().enumerate().map(|(i, &value)| (f32::from(value) - mean[i % 3]) / std[i % 3]).collect()
}

/// The picture over white, with no side longer than [`MAX_FILTER_SIDE`]; the fourth byte of a pixel means nothing any
/// more. An opaque picture of ordinary size, the usual case, is not copied.
fn flatten<'a>(image: &Rgba<'a>) -> (u32, u32, Cow<'a, [u8]>) {
    let (fx, fy) = (image.width.div_ceil(MAX_FILTER_SIDE), image.height.div_ceil(MAX_FILTER_SIDE));
    if fx > 1 || fy > 1 {
        let (width, height) = (image.width.div_ceil(fx), image.height.div_ceil(fy));
        (width, height, Cow::Owned(average_blocks(image, fx, fy)))
    } else if image.data.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX) {
        (image.width, image.height, Cow::Borrowed(image.data))
    } else {
        let pixels = image.data.chunks_exact(4).flat_map(blend_white).collect();
        (image.width, image.height, Cow::Owned(pixels))
    }
}

/// One pixel over white, rounded to nearest. The colour of a fully transparent pixel has no part in it, which is why
/// this comes before the resampling.
fn blend_white(pixel: &[u8]) -> [u8; 4] {
    let alpha = u32::from(pixel[3]);
    let blend = |value: u8| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    [blend(pixel[0]), blend(pixel[1]), blend(pixel[2]), u8::MAX]
}

/// Averages over white in blocks of `fx` by `fy` pixels, smaller ones at the right and bottom edges.
fn average_blocks(image: &Rgba, fx: u32, fy: u32) -> Vec<u8> {
    let row_bytes = image.width as usize * 4;
    let (fx, fy) = (fx as usize, fy as usize);
    let columns = (image.width as usize).div_ceil(fx);
    let mut averages = Vec::with_capacity(columns * (image.height as usize).div_ceil(fy) * 4);
    let mut sums = vec![[0u64; 4]; columns];
    for band in image.data.chunks(row_bytes * fy) {
        sums.fill([0; 4]);
        for row in band.chunks_exact(row_bytes) {
            for (block, sum) in row.chunks(fx * 4).zip(&mut sums) {
                for pixel in block.chunks_exact(4) {
                    for (total, value) in sum.iter_mut().zip(blend_white(pixel)) {
                        *total += u64::from(value);
                    }
                }
            }
        }
        // The fourth value counts 255 for each pixel of the block.
        averages.extend(sums.iter().flat_map(|sum| {
            let count = sum[3] / 255;
            sum.map(|total| ((total + count / 2) / count) as u8)
        }));
    }
    averages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(side: usize) -> EncoderConfig {
        EncoderConfig {
            trunk: Default::default(),
            head: false,
            input_side: side,
            mean: [127.0, 100.0, 0.0],
            std: [128.0, 50.0, 1.0],
        }
    }

    fn plain(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        pixel.repeat(width as usize * height as usize)
    }

    #[test]
    fn sizes_and_lengths_are_checked() {
        let data = plain(3, 2, [1, 2, 3, 255]);
        assert!(Rgba::new(3, 2, &data).is_ok());
        assert_eq!(
            Rgba::new(3, 3, &data),
            Err(ImageError::WrongLength { width: 3, height: 3, expected: 36, found: 24 })
        );
        assert_eq!(Rgba::new(0, 3, &[]), Err(ImageError::Empty { width: 0, height: 3 }));
        assert_eq!(Rgba::new(3, 0, &[]), Err(ImageError::Empty { width: 3, height: 0 }));
        for (width, height) in [(u32::MAX, u32::MAX), (11_000, 10_001), (MAX_PIXELS as u32 + 1, 1)] {
            assert_eq!(Rgba::new(width, height, &[]), Err(ImageError::TooLarge { width, height }));
        }
        assert_eq!(check_size(11_000, 10_000), Ok(()));
        let image = Rgba::new(3, 2, &data).unwrap();
        for side in [0, MAX_INPUT_SIDE + 1, usize::MAX] {
            assert_eq!(to_square(&image, side), Err(ImageError::BadInputSide(side)));
        }
    }

    #[test]
    fn one_colour_stays_one_colour_at_any_size() {
        for (width, height) in
            [(1, 1), (1, 999), (999, 1), (64, 64), (63, 65), (5000, 3), (70_000, 2), (3, 200_001)]
        {
            let data = plain(width, height, [250, 128, 3, 255]);
            let square = to_square(&Rgba::new(width, height, &data).unwrap(), 64).unwrap();
            assert_eq!(square.len(), 64 * 64 * 3);
            assert!(
                square.chunks_exact(3).all(|p| p == [250, 128, 3]),
                "{width} x {height}: {:?}",
                &square[..3]
            );
        }
    }

    #[test]
    fn normalisation_is_per_channel_and_channels_come_last() {
        let data = [255, 200, 7, 255].repeat(4);
        let input = to_input(&Rgba::new(2, 2, &data).unwrap(), &config(2)).unwrap();
        assert_eq!(input, [1.0, 2.0, 7.0].repeat(4));
    }

    #[test]
    fn alpha_shows_white_and_hides_colour() {
        for (pixel, shown) in [
            ([10, 20, 30, 0], [255, 255, 255]),
            ([10, 20, 30, 255], [10, 20, 30]),
            ([0, 100, 255, 128], [127, 177, 255]),
            ([0, 0, 0, 1], [254, 254, 254]),
        ] {
            // 70,000 columns take the way through blocks.
            for width in [1, 40, 70_000] {
                let data = plain(width, 1, pixel);
                let square = to_square(&Rgba::new(width, 1, &data).unwrap(), 4).unwrap();
                assert_eq!(square, shown.repeat(16), "{pixel:?} {width}");
            }
        }
        // Transparent red beside opaque black: only black and white may mix.
        let mut data = plain(64, 64, [255, 0, 0, 0]);
        data[..64 * 32 * 4].fill(0);
        data[..64 * 32 * 4].chunks_exact_mut(4).for_each(|p| p[3] = 255);
        let square = to_square(&Rgba::new(64, 64, &data).unwrap(), 9).unwrap();
        assert!(square.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]));
    }

    #[test]
    fn fine_stripes_become_grey() {
        let data: Vec<u8> =
            (0..512 * 512).flat_map(|i| if i % 2 == 0 { [0, 0, 0, 255] } else { [255; 4] }).collect();
        let square = to_square(&Rgba::new(512, 512, &data).unwrap(), 32).unwrap();
        // The edges see an odd number of stripes.
        let (least, most) = (square.iter().min().unwrap(), square.iter().max().unwrap());
        assert!((122..=133).contains(least) && (122..=133).contains(most), "{least} to {most}");
    }

    #[test]
    fn long_sides_keep_their_picture() {
        // Black, then white; the seam is at a quarter.
        let width = 300_000;
        let data: Vec<u8> =
            (0..width).flat_map(|x| if x < width / 4 { [0, 0, 0, 255] } else { [255; 4] }).collect();
        let square = to_square(&Rgba::new(width, 1, &data).unwrap(), 16).unwrap();
        let row: Vec<u8> = square[..48].iter().step_by(3).copied().collect();
        assert_eq!((&row[..3], &row[5..]), (&[0; 3][..], &[255; 11][..]), "{row:?}");
        assert!(row[3] < 64 && row[4] > 191, "{row:?}");
    }
}
