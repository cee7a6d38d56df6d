//! PNG, with the colour space that its chunks name.

use std::io::{Cursor, ErrorKind};

use image::metadata::Orientation;
use png::{ColorType, Decoder, DecodingError, Info, Limits, Reader, Transformations};
use soli::{MAX_PIXELS, Rgba};

use super::{Decoded, Failure, Icc};

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Failure> {
    let mut decoder =
        Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_PIXELS as usize * 16 });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(failure)?;
    let (width, height) = (header.width, header.height);
    Rgba::check_size(width, height).map_err(Failure::Size)?;
    let mut reader = decoder.read_info().map_err(failure)?;
    let info = reader.info();
    let orientation = info.exif_metadata.as_deref().and_then(Orientation::from_exif_chunk);
    let profile = colours(info);
    let interlaced = info.interlaced;
    let (colour, _) = reader.output_color_type();
    let grey = matches!(colour, ColorType::Grayscale | ColorType::GrayscaleAlpha);
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
    if interlaced {
        let size = reader.output_buffer_size().ok_or_else(|| Failure::Broken("too many bytes".to_owned()))?;
        let mut buffer = vec![0; size];
        reader.next_frame(&mut buffer).map_err(failure)?;
        extend(&mut pixels, &buffer, colour);
    } else {
        read_rows(&mut reader, &mut pixels, colour)?;
    }
    let rows = (pixels.len() / (width as usize * 4)) as u32;
    pixels.resize(width as usize * height as usize * 4, 0);
    let partial = rows < height;
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(Decoded { width, height, pixels, orientation, profile, grey, rows, partial })
}

/// Reads the rows that are there: all, or those before the file is cut off.
fn read_rows(
    reader: &mut Reader<Cursor<&[u8]>>,
    pixels: &mut Vec<u8>,
    colour: ColorType,
) -> Result<(), Failure> {
    loop {
        match reader.next_row() {
            Ok(Some(row)) => extend(pixels, row.data(), colour),
            Ok(None) => return Ok(()),
            Err(DecodingError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(failure(error)),
        }
    }
}

/// Adds pixels of 8 bits a channel as RGBA.
fn extend(pixels: &mut Vec<u8>, data: &[u8], colour: ColorType) {
    match colour {
        ColorType::Grayscale => pixels.extend(data.iter().flat_map(|&v| [v, v, v, u8::MAX])),
        ColorType::GrayscaleAlpha => {
            pixels.extend(data.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]));
        }
        ColorType::Rgba => pixels.extend_from_slice(data),
        // Palettes are expanded to one of the others.
        ColorType::Rgb | ColorType::Indexed => {
            pixels.extend(data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], u8::MAX]));
        }
    }
}

/// The colour space by the chunk that goes before the others (PNG 3rd edition, section 4.3).
fn colours(info: &Info) -> Option<Icc> {
    if let Some(points) = &info.coding_independent_code_points {
        return Some(Icc::CodePoints(points.color_primaries, points.transfer_function));
    }
    if let Some(profile) = &info.icc_profile {
        return Some(Icc::Profile(profile.to_vec()));
    }
    if info.srgb.is_some() {
        return None;
    }
    // What encoders write for sRGB, of which it is the nearest power.
    const SRGB: u32 = 45_455;
    let gamma = info.gama_chunk?;
    if info.chrm_chunk.is_none() && gamma.into_scaled().abs_diff(SRGB) <= 5 {
        return None;
    }
    let chromaticities = info.chrm_chunk.map(|c| {
        [c.white, c.red, c.green, c.blue].map(|(x, y)| (f64::from(x.into_value()), f64::from(y.into_value())))
    });
    Some(Icc::Gamma(gamma.into_value(), chromaticities))
}

fn failure(error: DecodingError) -> Failure {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Failure::Broken(super::CUT_OFF.to_owned())
        }
        error => Failure::Broken(error.to_string()),
    }
}
