//! Image files to pixels: JPEG, PNG, WebP, GIF (its first frame) and BMP, told apart by their content.
//!
//! The pixels are those that a browser shows, or there is an error: `trainer/tests/decode.rs` compares them with Chromium's over a
//! matrix of kinds of files. The camera's EXIF orientation and the colour profile are applied (values are sRGB then), and
//! alpha is kept; the captioner puts it over white. Of a file that was cut off, the rows that are there are a picture
//! if they are at least half of all.

mod colour;
mod gif;
mod jpeg;
mod png;
mod webp;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use soli::{ImageError, MAX_PIXELS, Rgba};

use colour::Icc;

/// Longest file that is read: a picture of the most pixels in 16-bit RGBA, not compressed, fits.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The formats that are read, and how to name them.
const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::Png, "PNG"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Gif, "GIF"),
    (ImageFormat::Bmp, "BMP"),
];

/// Why a file gives no picture. Every message starts with the file's path.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The path names a directory.
    #[error("{}: is a directory; name the files in it", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{}: the file is empty", .path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than [`MAX_FILE_BYTES`].
    #[error("{}: the file is longer than {MAX_FILE_BYTES} bytes", .path.display())]
    FileTooLong {
        /// The file.
        path: PathBuf,
    },
    /// The content is none of the formats that are read.
    #[error("{}: {found}", .path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What the content looks like, and what to do.
        found: String,
    },
    /// The format is read, but not this kind of it; browsers do not show it either.
    #[error("{}: this is {what}, which is not supported; save it as an ordinary JPEG or PNG", .path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The picture is empty or has too many pixels; found before memory for them is taken.
    #[error("{}: {source}", .path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The sizes found and allowed.
        source: ImageError,
    },
    /// The content breaks its format's rules.
    #[error("{}: broken {format}: {reason}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The format that the content starts as.
        format: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

/// A decoded picture: 8-bit RGBA with straight alpha, upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Vec<u8>,
    partial: bool,
}

impl Picture {
    /// Width in pixels, after the orientation was applied; at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, after the orientation was applied; at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Whether the file was cut off, so that a part of the picture (less than half) is missing and clear, or all of it is
    /// there but coarse.
    pub fn partial(&self) -> bool {
        self.partial
    }

    /// The picture as the model takes it.
    pub fn rgba(&self) -> Rgba<'_> {
        Rgba::new(self.width, self.height, &self.data).expect("checked when the picture was made")
    }

    /// The picture over white, shrunk (anti-aliased) to a square of `side` pixels: how a photograph of that size would
    /// look.
    ///
    /// # Errors
    /// If nothing can be resized to that side.
    pub fn shrunk(&self, side: usize) -> Result<Self, ImageError> {
        let rgb = self.rgba().to_square(side)?;
        Ok(Self { width: side as u32, height: side as u32, data: opaque(&rgb), partial: self.partial })
    }

    /// The picture over white.
    pub fn rgb(&self) -> image::RgbImage {
        let pixels = self.rgba().over_white();
        image::RgbImage::from_raw(self.width, self.height, pixels).expect("three bytes a pixel")
    }

    /// The pixels: R, G, B, A of each, row by row from the top.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

impl From<&image::RgbImage> for Picture {
    fn from(picture: &image::RgbImage) -> Self {
        Self {
            width: picture.width(),
            height: picture.height(),
            data: opaque(picture.as_raw()),
            partial: false,
        }
    }
}

/// RGB pixels as RGBA.
fn opaque(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], u8::MAX]).collect()
}

/// Reads and decodes an image file.
///
/// # Errors
/// A [`DecodeError`] that names the file: it cannot be read, is no image of a known format, is broken or cut off, or
/// has more than [`MAX_PIXELS`] pixels.
pub fn load(path: impl AsRef<Path>) -> Result<Picture, DecodeError> {
    let path = path.as_ref();
    let failed = |source| DecodeError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(DecodeError::Directory { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    // Not by the length in the metadata: pipes and devices have none.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    decode(path, &bytes)
}

/// Decodes the content of an image file; `path` is only named in errors.
///
/// # Errors
/// Those of [`load`].
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Picture, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::EmptyFile { path: path.to_owned() });
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DecodeError::FileTooLong { path: path.to_owned() });
    }
    let (format, name) = format_of(bytes)
        .map_err(|found| DecodeError::UnknownFormat { path: path.to_owned(), found: found.to_owned() })?;
    // A bug that some hostile file brings out in a decoder must cost that file only.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_format(bytes, format)))
        .unwrap_or_else(|_| Err(Failure::Broken("the decoder panicked".to_owned())));
    let path = path.to_owned();
    decoded.map_err(|failure| match failure {
        Failure::Broken(reason) => DecodeError::Broken { path, format: name, reason },
        Failure::Unsupported(what) => DecodeError::Unsupported { path, what },
        Failure::Size(source) => DecodeError::Size { path, source },
    })
}

/// The reason that is given for a file that ends too early.
const CUT_OFF: &str = "the file is cut off, and too little of the picture is there";

enum Failure {
    Broken(String),
    Unsupported(String),
    Size(ImageError),
}

impl From<image::ImageError> for Failure {
    fn from(error: image::ImageError) -> Self {
        // The library repeats the format's name, which our message has already.
        let reason = match &error {
            image::ImageError::Decoding(inner) => std::error::Error::source(inner).map(ToString::to_string),
            image::ImageError::IoError(inner) if inner.kind() == std::io::ErrorKind::UnexpectedEof => {
                Some(CUT_OFF.to_owned())
            }
            _ => None,
        };
        Self::Broken(reason.unwrap_or_else(|| error.to_string()))
    }
}

/// What a format's decoder gives.
struct Decoded {
    width: u32,
    height: u32,
    /// RGBA as stored: not turned, in the file's own colours.
    pixels: Vec<u8>,
    orientation: Orientation,
    profile: Option<Icc>,
    /// Whether the file has shades of grey only.
    grey: bool,
    /// How many rows from the top are there.
    rows: u32,
    /// Whether something is missing.
    partial: bool,
}

fn decode_format(bytes: &[u8], format: ImageFormat) -> Result<Picture, Failure> {
    let decoded = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes),
        ImageFormat::Png => png::decode(bytes),
        ImageFormat::Gif => gif::decode(bytes),
        _ => decode_by_image(bytes, format),
    }?;
    let Decoded { width, height, mut pixels, orientation, profile, grey, rows, partial } = decoded;
    if rows < height.div_ceil(2) {
        return Err(Failure::Broken(CUT_OFF.to_owned()));
    }
    if let Some(profile) = &profile {
        colour::to_srgb(&mut pixels, profile, grey)?;
    }
    let image = image::RgbaImage::from_raw(width, height, pixels);
    let mut image =
        DynamicImage::ImageRgba8(image.ok_or_else(|| Failure::Broken("too few pixels".to_owned()))?);
    image.apply_orientation(orientation);
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    Ok(Picture { width, height, data: image.into_raw(), partial })
}

/// WebP and BMP. Browsers leave the orientation in a WebP's EXIF out of account, and so do we.
fn decode_by_image(bytes: &[u8], format: ImageFormat) -> Result<Decoded, Failure> {
    let mut limits = Limits::no_limits();
    // 16-bit RGBA at most, and as much again for a decoder's own needs.
    limits.max_alloc = Some(MAX_PIXELS * 16);
    if format == ImageFormat::WebP {
        webp::check(bytes)?;
        let mut decoder = WebPDecoder::new(Cursor::new(bytes))?;
        decoder.set_limits(limits)?;
        if decoder.has_animation() {
            // Browsers show nothing beside the frame, whatever the file says of its background: clear, or where no pixel
            // can be, the white that everything is put over.
            let beside = if decoder.color_type().has_alpha() { 0 } else { u8::MAX };
            decoder.set_background_color(image::Rgba([beside; 4]))?;
        }
        return read_all(decoder);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    read_all(reader.into_decoder()?)
}

/// All pixels that a decoder of the `image` crate has.
fn read_all(mut decoder: impl ImageDecoder) -> Result<Decoded, Failure> {
    let (width, height) = decoder.dimensions();
    Rgba::check_size(width, height).map_err(Failure::Size)?;
    // A photograph with damaged metadata is still a photograph.
    let profile = decoder.icc_profile().ok().flatten().map(Icc::Profile);
    let pixels = DynamicImage::from_decoder(decoder)?.into_rgba8().into_raw();
    let (orientation, grey, partial) = (Orientation::NoTransforms, false, false);
    Ok(Decoded { width, height, pixels, orientation, profile, grey, rows: height, partial })
}

/// The format by the first bytes, or what else they look like.
fn format_of(bytes: &[u8]) -> Result<(ImageFormat, &'static str), &'static str> {
    let guess = image::guess_format(bytes).ok();
    if let Some(&known) = FORMATS.iter().find(|(format, _)| Some(*format) == guess) {
        return Ok(known);
    }
    let start = bytes.trim_ascii_start();
    Err(match (bytes.get(4..12), guess) {
        (Some(b"ftypavif" | b"ftypavis"), _) | (_, Some(ImageFormat::Avif)) => {
            "this is an AVIF picture, which the command line does not read (the page and the package do): save it as \
             JPEG or PNG"
        }
        (Some([b'f', b't', b'y', b'p', brand @ ..]), _) => match brand {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                "this is a HEIC picture, as iPhones take them: save it as JPEG or PNG, or set the camera to \
                 \"Most Compatible\""
            }
            _ => "this is a video, not a picture: save one of its frames as JPEG or PNG",
        },
        _ if bytes.starts_with(b"\xff\x0a") || bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") => {
            "this is a JPEG XL picture, which is not supported: save it as JPEG or PNG"
        }
        _ if bytes.starts_with(b"\0\0\0\x0cjP  \r\n\x87\n") || bytes.starts_with(b"\xff\x4f\xff\x51") => {
            "this is a JPEG 2000 picture, which is not supported: save it as JPEG or PNG"
        }
        (_, Some(ImageFormat::Tiff)) => "TIFF is not supported: save it as JPEG or PNG",
        (_, Some(ImageFormat::Ico)) => "icons are not supported: save it as PNG",
        _ if start.starts_with(b"%PDF") => "this is a PDF document, not a picture: save a page as PNG",
        _ if start.starts_with(b"<svg") || start.starts_with(b"<?xml") => {
            "SVG is not supported by the command line (the page and the package read it): save it as PNG"
        }
        _ if start.starts_with(b"<") => "this is a web page, not an image",
        _ => "the content is of no known image format; JPEG, PNG, WebP, GIF and BMP can be read",
    })
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba as RgbaPixel};

    use super::*;

    fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// 24 x 16: red above left, green above right, blue below left, grey below right.
    fn quarters() -> DynamicImage {
        DynamicImage::ImageRgb8(ImageBuffer::from_fn(24, 16, |x, y| {
            Rgb(match (x < 12, y < 8) {
                (true, true) => [220, 20, 20],
                (false, true) => [20, 200, 20],
                (true, false) => [20, 20, 220],
                (false, false) => [128, 128, 128],
            })
        }))
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 4] {
        let at = (y * picture.width + x) as usize * 4;
        picture.data[at..at + 4].try_into().unwrap()
    }

    fn name() -> &'static Path {
        Path::new("some/picture.txt")
    }

    /// Letters of the colours in the four corners: above left, above right, below left, below right.
    fn corners(picture: &Picture) -> String {
        let (right, bottom) = (picture.width - 3, picture.height - 3);
        [(2, 2), (right, 2), (2, bottom), (right, bottom)]
            .map(|(x, y)| match pixel(picture, x, y) {
                [r, g, b, 255] if r > 150 && g < 90 && b < 90 => 'R',
                [r, g, b, 255] if g > 150 && r < 90 && b < 90 => 'G',
                [r, g, b, 255] if b > 150 && r < 90 && g < 90 => 'B',
                [100..=150, 100..=150, 100..=150, 255] => '.',
                _ => '?',
            })
            .iter()
            .collect()
    }

    #[test]
    fn every_format_is_read_by_its_content() {
        for (format, label) in FORMATS {
            let picture = decode(name(), &encode(&quarters(), format)).unwrap();
            assert_eq!((picture.width(), picture.height()), (24, 16), "{label}");
            assert_eq!(corners(&picture), "RGB.", "{label}");
            assert_eq!(picture.rgba().data().len(), 24 * 16 * 4);
        }
    }

    #[test]
    fn lossless_formats_are_exact() {
        let image = DynamicImage::ImageRgba8(ImageBuffer::from_fn(31, 7, |x, y| {
            RgbaPixel([(x * 8) as u8, (y * 30) as u8, (x * y) as u8, (x * 3 + y) as u8])
        }));
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
            let picture = decode(name(), &encode(&image, format)).unwrap();
            assert_eq!(picture.into_data(), image.to_rgba8().into_raw(), "{format:?}");
        }
    }

    #[test]
    fn grey_and_deep_pixels_become_rgba() {
        let grey = DynamicImage::ImageLuma8(ImageBuffer::from_pixel(2, 2, Luma([77])));
        let deep = DynamicImage::ImageRgb16(ImageBuffer::from_pixel(2, 2, Rgb([65_535, 0x8080, 0])));
        let deep_grey = DynamicImage::ImageLumaA16(ImageBuffer::from_pixel(2, 2, LumaA([0x4040, 0xFFFF])));
        let clear = DynamicImage::ImageLumaA8(ImageBuffer::from_pixel(2, 2, LumaA([9, 50])));
        for (image, expected) in [
            (grey, [77, 77, 77, 255]),
            (deep, [255, 128, 0, 255]),
            (deep_grey, [64, 64, 64, 255]),
            (clear, [9, 9, 9, 50]),
        ] {
            let picture = decode(name(), &encode(&image, ImageFormat::Png)).unwrap();
            assert_eq!(picture.into_data(), expected.repeat(4), "{:?}", image.color());
        }
    }

    #[test]
    fn a_gif_shows_its_first_frame() {
        let mut bytes = Vec::new();
        {
            let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
            for colour in [[255, 0, 0, 255], [0, 255, 0, 255]] {
                let frame = image::Frame::new(ImageBuffer::from_pixel(4, 4, RgbaPixel(colour)));
                encoder.encode_frame(frame).unwrap();
            }
        }
        assert_eq!(pixel(&decode(name(), &bytes).unwrap(), 1, 1), [255, 0, 0, 255]);
    }

    /// The EXIF segment that a camera writes: a TIFF header and one entry, the orientation.
    fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
        let mut segment = vec![0xFF, 0xE1, 0, 34];
        segment.extend(b"Exif\0\0");
        if big_endian {
            segment.extend(b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
            segment.extend([orientation, 0, 0, 0, 0, 0, 0]);
        } else {
            segment.extend(b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0");
            segment.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        }
        segment
    }

    #[test]
    fn all_orientations_are_put_upright() {
        let jpeg = encode(&quarters(), ImageFormat::Jpeg);
        // What each tag says of the stored rows and columns is in EXIF 2.32, section 4.6.4.
        for (orientation, size, expected) in [
            (1, (24, 16), "RGB."),
            (2, (24, 16), "GR.B"),
            (3, (24, 16), ".BGR"),
            (4, (24, 16), "B.RG"),
            (5, (16, 24), "RBG."),
            (6, (16, 24), "BR.G"),
            (7, (16, 24), ".GBR"),
            (8, (16, 24), "G.RB"),
            // Not orientations: left alone.
            (0, (24, 16), "RGB."),
            (9, (24, 16), "RGB."),
        ] {
            for big_endian in [false, true] {
                let bytes = [&jpeg[..2], &exif(orientation, big_endian), &jpeg[2..]].concat();
                let picture = decode(name(), &bytes).unwrap();
                assert_eq!((picture.width(), picture.height()), size, "orientation {orientation}");
                assert_eq!(corners(&picture), expected, "orientation {orientation}");
            }
        }
    }

    #[test]
    fn damaged_exif_is_left_out_of_account() {
        let jpeg = encode(&quarters(), ImageFormat::Jpeg);
        let mut segment = exif(6, false);
        segment[14..18].fill(0xFF);
        let picture = decode(name(), &[&jpeg[..2], &segment, &jpeg[2..]].concat()).unwrap();
        assert_eq!(corners(&picture), "RGB.");
    }

    #[test]
    fn files_that_are_cut_off_are_refused() {
        let noise = DynamicImage::ImageRgb8(ImageBuffer::from_fn(64, 48, |x, y| {
            let v = x.wrapping_mul(2_654_435_761u32.wrapping_mul(y + 1)) >> 7;
            Rgb([v as u8, (v >> 8) as u8, (v >> 16) as u8])
        }));
        for (format, label) in FORMATS {
            let bytes = encode(&noise, format);
            for keep in [13, bytes.len() / 4, bytes.len() * 2 / 5] {
                let error = decode(name(), &bytes[..keep]).expect_err(label);
                assert!(matches!(error, DecodeError::Broken { .. }), "{label} {keep}: {error:?}");
                let message = error.to_string();
                assert!(message.starts_with(&format!("some/picture.txt: broken {label}: ")), "{message}");
            }
        }
    }

    /// Whatever length a file is cut to, there is an error, or a picture whose rows are those of the whole one as far as
    /// they go (at least half of them) and clear from there on.
    #[test]
    fn a_file_cut_at_any_length_gives_right_rows_or_an_error() {
        let noise = DynamicImage::ImageRgb8(ImageBuffer::from_fn(40, 48, |x, y| {
            let v = x.wrapping_mul(2_654_435_761u32.wrapping_mul(y + 1)) >> 7;
            Rgb([v as u8, (v >> 8) as u8, (v >> 16) as u8])
        }));
        for (format, label) in FORMATS {
            let bytes = encode(&noise, format);
            let whole = decode(name(), &bytes).unwrap();
            assert!(!whole.partial());
            let line = whole.width as usize * 4;
            let mut partial = 0;
            for keep in 0..bytes.len() {
                let Ok(picture) = decode(name(), &bytes[..keep]) else { continue };
                let equal = picture
                    .data
                    .chunks(line)
                    .zip(whole.data.chunks(line))
                    .take_while(|(a, b)| a == b)
                    .count();
                assert!(
                    picture.data[equal * line..].iter().all(|value| *value == 0),
                    "{label} {keep}: {equal}"
                );
                assert!(equal >= 24, "{label} cut to {keep} of {} bytes: {equal} rows", bytes.len());
                assert_eq!(picture.partial, equal < 48, "{label} {keep}: {equal}");
                partial += usize::from(picture.partial);
            }
            if ["JPEG", "PNG", "GIF"].contains(&label) {
                assert!(partial > 0, "{label}");
            }
        }
    }

    #[test]
    fn bytes_after_a_jpeg_do_not_matter() {
        let mut bytes = encode(&quarters(), ImageFormat::Jpeg);
        bytes.extend(b"a camera's trailer");
        assert_eq!(corners(&decode(name(), &bytes).unwrap()), "RGB.");
    }

    #[test]
    fn what_is_no_image_is_said() {
        for (bytes, said) in [
            (&b""[..], "the file is empty"),
            (b"hello", "no known image format"),
            (b"\n<!doctype html>", "a web page"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "save it as PNG"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "this is a HEIC picture"),
            (b"\xff\x0a\x10\x20", "this is a JPEG XL picture"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "this is a JPEG XL picture"),
            (b"\0\0\0\x18ftypisom\0\0\0\0", "this is a video"),
            (b"%PDF-1.7", "this is a PDF"),
            (b"\0\0\0\x18ftypavif\0\0\0\0", "this is an AVIF picture"),
        ] {
            let message = decode(name(), bytes).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn a_header_that_asks_for_too_many_pixels_is_refused_before_they_are_made() {
        // A BMP header of 60,000 x 60,000 pixels and nothing else.
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bmp.extend(60_000i32.to_le_bytes());
        bmp.extend(60_000i32.to_le_bytes());
        bmp.extend(b"\x01\0\x18\0");
        bmp.extend([0; 24]);
        let error = decode(name(), &bmp).unwrap_err();
        assert!(matches!(error, DecodeError::Size { .. }), "{error:?}");
        // A JPEG frame header claims 60,000 x 60,000.
        let mut jpeg = encode(&quarters(), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
        let error = decode(name(), &jpeg).unwrap_err();
        assert!(matches!(error, DecodeError::Size { .. }), "{error:?}");
    }

    #[test]
    fn random_damage_gives_a_picture_or_an_error() {
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for (format, label) in FORMATS {
            let good = encode(&quarters(), format);
            for _ in 0..300 {
                let mut bytes = good.clone();
                for _ in 0..1 + random() % 4 {
                    let at = random() % bytes.len();
                    bytes[at] = random() as u8;
                }
                if let Ok(picture) = decode(name(), &bytes) {
                    let size = u64::from(picture.width) * u64::from(picture.height);
                    assert!((1..=MAX_PIXELS).contains(&size), "{label}");
                }
            }
        }
    }

    /// As browsers do: black, which the library leaves clear.
    #[test]
    fn a_gif_with_colours_beyond_its_palette_is_black_there() {
        let mut bytes = Vec::new();
        {
            let mut encoder = ::gif::Encoder::new(&mut bytes, 3, 1, &[255, 0, 0, 0, 255, 0]).unwrap();
            let frame = ::gif::Frame {
                width: 3,
                height: 1,
                buffer: vec![1, 3, 2].into(),
                transparent: Some(2),
                ..::gif::Frame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
        let picture = decode(name(), &bytes).unwrap();
        assert_eq!(picture.into_data(), [0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0]);
    }

    /// Its decoder would go on with zeros where the data end.
    #[test]
    fn a_webp_whose_parts_are_beside_their_places_is_refused() {
        let good = encode(&quarters(), ImageFormat::WebP);
        assert!(decode(name(), &[&good[..], b"more behind it"].concat()).is_ok());
        for at in [4, 16] {
            // The size of the file, and of its first chunk: a little more, and much more, than is there.
            for more in [2, 200, u32::MAX / 2] {
                let mut bytes = good.clone();
                let size = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                bytes[at..at + 4].copy_from_slice(&(size + more).to_le_bytes());
                let error = decode(name(), &bytes).unwrap_err();
                assert!(matches!(error, DecodeError::Broken { .. }), "{error}");
            }
        }
        for end in 0..good.len() {
            assert!(decode(name(), &good[..end]).is_err(), "{end}");
        }
    }

    /// How colours far outside of all that can be shown are clipped differs from program to program.
    #[test]
    fn a_profile_whose_primaries_are_none_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trainer/tests/decode");
        let good = std::fs::read(folder.join("icc-swapped.webp")).unwrap();
        assert!(decode(name(), &good).is_ok());
        let at = good.windows(4).rposition(|tag| tag == b"XYZ ").unwrap() + 8;
        for value in [[0x40, 0, 0, 0], [0x9C, 0, 0, 0]] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&value);
            let error = decode(name(), &bytes).unwrap_err().to_string();
            assert!(error.contains("colour profile is damaged"), "{error}");
        }
    }

    /// Browsers show the scans before the damage, the library all of them.
    #[test]
    fn damage_between_the_scans_of_a_jpeg_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trainer/tests/decode");
        let good = std::fs::read(folder.join("jpeg-2x2-scans.jpg")).unwrap();
        assert!(decode(name(), &good).is_ok());
        let second = good.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
        let bytes = [&good[..second], &[0x55; 40], &good[second..]].concat();
        let error = decode(name(), &bytes).unwrap_err().to_string();
        assert!(error.contains("its data are damaged"), "{error}");
    }

    #[test]
    fn paths_that_are_no_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(folder.path()).unwrap_err();
        assert!(matches!(error, DecodeError::Directory { .. }), "{error:?}");
        let missing = folder.path().join("not there.jpg");
        let error = load(&missing).unwrap_err();
        assert!(matches!(error, DecodeError::Read { .. }), "{error:?}");
        assert!(error.to_string().contains("not there.jpg"), "{error}");
        let wrong_name = folder.path().join("photo.png");
        std::fs::write(&wrong_name, encode(&quarters(), ImageFormat::Jpeg)).unwrap();
        assert_eq!(corners(&load(&wrong_name).unwrap()), "RGB.");
    }
}
