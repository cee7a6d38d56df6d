//! The first frame of a GIF, on a screen that holds it.

use std::io::ErrorKind;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use image::metadata::Orientation;
use soli::{MAX_PIXELS, Rgba};

use super::{Decoded, Failure};

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Failure> {
    let mut options = DecodeOptions::new();
    // The library leaves a pixel clear whose colour is beyond the palette; browsers show black.
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes((MAX_PIXELS * 16).try_into().expect("not zero")));
    let mut decoder = options.read_info(bytes).map_err(failure)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(failure)?;
    let frame = frame.ok_or_else(|| Failure::Broken("it has no frame".to_owned()))?;
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let (frame_width, frame_height) = (u32::from(frame.width), u32::from(frame.height));
    let (interlaced, transparent) = (frame.interlaced, frame.transparent);
    let palette = frame.palette.clone();
    // As browsers: a screen that is too small grows.
    let (width, height) = (screen.0.max(left + frame_width), screen.1.max(top + frame_height));
    Rgba::check_size(width, height).map_err(Failure::Size)?;
    Rgba::check_size(frame_width, frame_height).map_err(Failure::Size)?;

    let palette = palette.or_else(|| decoder.global_palette().map(<[u8]>::to_vec)).unwrap_or_default();

    let line = frame_width as usize;
    let mut frame = vec![0; line * frame_height as usize];
    let mut there = frame_height;
    if interlaced {
        decoder.read_into_buffer(&mut frame).map_err(failure)?;
    } else {
        for (y, row) in frame.chunks_exact_mut(line).enumerate() {
            let filled = match decoder.fill_buffer(row) {
                Err(error) if is_end(&error) => false,
                filled => filled.map_err(failure)?,
            };
            if !filled {
                there = y as u32;
                break;
            }
        }
    }
    let mut pixels = vec![0; width as usize * height as usize * 4];
    for (y, row) in frame.chunks_exact(line).take(there as usize).enumerate() {
        let at = ((top as usize + y) * width as usize + left as usize) * 4;
        for (pixel, &index) in pixels[at..at + line * 4].chunks_exact_mut(4).zip(row) {
            if transparent != Some(index) {
                let colour = palette.chunks_exact(3).nth(usize::from(index)).unwrap_or(&[0; 3]);
                pixel[..3].copy_from_slice(colour);
                pixel[3] = u8::MAX;
            }
        }
    }
    let partial = there < frame_height;
    let rows = if partial { top + there } else { height };
    let (orientation, profile, grey) = (Orientation::NoTransforms, None, false);
    Ok(Decoded { width, height, pixels, orientation, profile, grey, rows, partial })
}

/// Whether the file ended too early.
fn is_end(error: &DecodingError) -> bool {
    match error {
        DecodingError::UnexpectedEof => true,
        DecodingError::Io(error) => error.kind() == ErrorKind::UnexpectedEof,
        _ => false,
    }
}

fn failure(error: DecodingError) -> Failure {
    Failure::Broken(if is_end(&error) { super::CUT_OFF.to_owned() } else { error.to_string() })
}
