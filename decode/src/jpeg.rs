//! JPEG by libjpeg-turbo (as mozjpeg carries it), which is what browsers decode with: the matrix of `trainer/tests/decode.rs`
//! gives their pixels to the last bit. zune-jpeg (0.5.15) gets files with one scan a component, and with subsampled
//! luma, wrong without saying so.

use std::cell::Cell;
use std::io::{BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use image::metadata::Orientation;
use mozjpeg::{ColorSpace, Decompress, Marker};
use mozjpeg_sys::{
    JWRN_EXTRANEOUS_DATA, JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_MUST_RESYNC, jpeg_common_struct,
    jpeg_error_mgr, jpeg_std_error,
};
use soli::Rgba;

use super::{Decoded, Failure, Icc};

/// Most scans of a picture. Every one is a pass over all coefficients, so that a small file with thousands would keep
/// the decoder busy for hours; real files have about ten.
const MOST_SCANS: usize = 200;

thread_local! {
    /// Whether the file of this thread's decoder lacks data where a marker was met.
    static LACKS_DATA: Cell<bool> = const { Cell::new(false) };
    /// Whether something in it is no data.
    static DAMAGED: Cell<bool> = const { Cell::new(false) };
    /// Whether its restart markers are out of order.
    static OUT_OF_STEP: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Failure> {
    let outline = Outline::of(bytes);
    outline.check()?;
    LACKS_DATA.set(false);
    DAMAGED.set(false);
    OUT_OF_STEP.set(false);
    catch_unwind(AssertUnwindSafe(|| decode_outlined(bytes, &outline))).unwrap_or_else(|reason| {
        let reason = reason.downcast::<String>().map_or("the decoder panicked".to_owned(), |reason| *reason);
        Err(Failure::Broken(reason))
    })
}

fn decode_outlined(bytes: &[u8], outline: &Outline) -> Result<Decoded, Failure> {
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    let ended = Rc::new(Cell::new(false));
    let source = Source { left: bytes, ended: ended.clone() };
    let markers = [Marker::APP(1), Marker::APP(2)];
    let decoder = Decompress::builder().with_err(errors()).with_markers(&markers).from_reader(source);
    let decoder = decoder.map_err(broken)?;
    let (width, height) = (decoder.width() as u32, decoder.height() as u32);
    Rgba::check_size(width, height).map_err(Failure::Size)?;
    let (orientation, profile) = metadata(&decoder);
    let grey = decoder.color_space() == ColorSpace::JCS_GRAYSCALE;
    let ink = matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK);
    if ink && profile.as_ref().is_some_and(Icc::is_for_inks) {
        // Browsers apply it. No library here gives their colours, and to leave it out gives others.
        return Err(Failure::Unsupported("a JPEG in printing inks (CMYK) with a colour profile".to_owned()));
    }
    // Browsers leave one that is not for inks out of account.
    let profile = profile.filter(|_| !ink);
    let mut decoder = decoder
        .to_colorspace(if ink { ColorSpace::JCS_CMYK } else { ColorSpace::JCS_EXT_RGBA })
        .map_err(broken)?;
    let cut_off = || Failure::Broken(super::CUT_OFF.to_owned());
    let mut partial = false;
    if outline.many_scans && (OUT_OF_STEP.get() || (DAMAGED.get() && !outline.progressive())) {
        // A browser shows the scans before the damage; here all were read at once.
        return Err(Failure::Broken("its data are damaged".to_owned()));
    }
    if outline.many_scans && ended.get() {
        // All scans were read when decoding started, so where the data ended is not known: only whether some of every
        // part of the picture is there.
        partial = LACKS_DATA.get() || DAMAGED.get() || !outline.has_all_coefficients();
        if partial && !outline.shows_when_cut() {
            return Err(cut_off());
        }
    }
    // An end was put on again after data had been lost.
    partial |= outline.many_scans && LACKS_DATA.get() && !outline.restarts;
    let mut pixels = vec![0; width as usize * height as usize * 4];
    let mut rows = 0;
    for row in pixels.chunks_exact_mut(width as usize * 4) {
        decoder.read_scanlines_into(row).map_err(broken)?;
        let made_up = LACKS_DATA.get() && !outline.many_scans;
        if made_up && ended.get() {
            // A browser shows nothing there.
            row.fill(0);
            partial = true;
            break;
        }
        // Data that an end-of-image marker cuts off, and nothing to start again from: a browser shows the filling, and
        // so do we, but say so.
        partial |= made_up && !outline.restarts;
        rows += u32::from(outline.many_scans || !partial);
    }
    if ended.get() && outline.arithmetic && !outline.ended {
        // This coding does not notice that it lacks data.
        return Err(cut_off());
    }
    if ink {
        let there = if ended.get() { rows } else { height };
        for pixel in pixels[..there as usize * width as usize * 4].chunks_exact_mut(4) {
            // Stored inverted, as Adobe's programs do: 255 is no ink.
            let black = u32::from(pixel[3]);
            for value in &mut pixel[..3] {
                *value = multiply(u32::from(*value), black);
            }
            pixel[3] = u8::MAX;
        }
    }
    Ok(Decoded { width, height, pixels, orientation, profile, grey, rows, partial })
}

/// The product of two values of 0 to 255 as shares, rounded.
fn multiply(a: u32, b: u32) -> u8 {
    let product = a * b + 128;
    ((product + (product >> 8)) >> 8) as u8
}

/// Orientation and colour profile from the APP1 and APP2 segments.
fn metadata<R>(decoder: &Decompress<R>) -> (Orientation, Option<Icc>) {
    let mut orientation = None;
    let mut parts: Vec<(u8, &[u8])> = Vec::new();
    for segment in decoder.markers() {
        match segment.marker {
            Marker::APP(1) if orientation.is_none() => {
                orientation = segment.data.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
            }
            Marker::APP(2) => {
                if let Some([number, _of, part @ ..]) = segment.data.strip_prefix(b"ICC_PROFILE\0") {
                    parts.push((*number, part));
                }
            }
            _ => {}
        }
    }
    parts.sort_by_key(|(number, _)| *number);
    let profile = parts.iter().flat_map(|(_, part)| part.iter().copied()).collect();
    let profile = (!parts.is_empty()).then_some(Icc::Profile(profile));
    (orientation.unwrap_or(Orientation::NoTransforms), profile)
}

/// The file's bytes, and whether the decoder asked for more of them.
struct Source<'a> {
    left: &'a [u8],
    ended: Rc<Cell<bool>>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.left.read(buffer)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.left.is_empty() {
            self.ended.set(true);
        }
        Ok(self.left)
    }

    fn consume(&mut self, amount: usize) {
        self.left.consume(amount);
    }
}

/// What to do on errors and warnings: unwind, and note that data is lacking.
fn errors() -> jpeg_error_mgr {
    // SAFETY: all zeros are a valid jpeg_error_mgr: its fields are functions or pointers that may be null, numbers, and
    // a union of numbers and bytes.
    let mut errors: jpeg_error_mgr = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes the fields of the struct that it is given, and keeps no pointer to it.
    unsafe { jpeg_std_error(&mut errors) };
    errors.error_exit = Some(fail);
    errors.emit_message = Some(note);
    errors
}

/// Called by the decoder where it cannot go on; it must not return. The C code is compiled with tables for unwinding
/// (`mozjpeg-sys`' feature `unwinding`), and the decoder may be destroyed after that, as after a `longjmp`.
extern "C-unwind" fn fail(decoder: &mut jpeg_common_struct) {
    // Without the panic hook, which would print a file's fault as if it were ours.
    std::panic::resume_unwind(Box::new(message(decoder)));
}

/// What the decoder says of its latest error.
fn message(decoder: &mut jpeg_common_struct) -> String {
    type Declared = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
    type Actual = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &mut [u8; 80]);
    // SAFETY: `err` points to the error manager, which lives as long as the decoder that calls this, and nothing
    // changes it while the reference exists.
    let errors = unsafe { decoder.err.as_ref() };
    let Some(declared) = errors.and_then(|errors| errors.format_message) else {
        return "it is damaged".to_owned();
    };
    // SAFETY: the types are pointers to functions that differ in `&` and `&mut` only, which are passed alike. The
    // function writes to the buffer, so that the declaration's `&` is the wrong one.
    let format = unsafe { std::mem::transmute::<Declared, Actual>(declared) };
    let mut buffer = [0; 80];
    // SAFETY: `decoder` is the one that called us, and the buffer has JMSG_LENGTH_MAX bytes, as many as are written at
    // most, the final zero included.
    unsafe { format(decoder, &mut buffer) };
    String::from_utf8_lossy(buffer.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

/// Called by the decoder with warnings (level -1) and traces.
extern "C-unwind" fn note(decoder: &mut jpeg_common_struct, level: std::os::raw::c_int) {
    // SAFETY: as in `message`.
    let code = unsafe { decoder.err.as_ref() }.map(|errors| errors.msg_code);
    let is = |warning| level < 0 && code == Some(warning as _);
    if is(JWRN_HIT_MARKER) {
        LACKS_DATA.set(true);
    } else if is(JWRN_EXTRANEOUS_DATA) || is(JWRN_HUFF_BAD_CODE) {
        DAMAGED.set(true);
    } else if is(JWRN_MUST_RESYNC) {
        OUT_OF_STEP.set(true);
    }
}

/// A scan of the entropy-coded data.
struct Scan {
    components: Vec<u8>,
    /// First and last coefficient.
    coefficients: (u8, u8),
    /// Whether it brings the coefficients' last bits.
    last_bits: bool,
    /// Whether something follows it, so that it was written to its end.
    complete: bool,
}

/// What a file's segments say (ITU-T T.81, annex B), found without decoding.
#[derive(Default)]
struct Outline {
    /// Whether there is an end-of-image marker.
    ended: bool,
    /// The start-of-frame marker, 0xC0 to 0xCF.
    frame: Option<u8>,
    /// Bits a sample.
    precision: u8,
    components: usize,
    arithmetic: bool,
    /// Whether there are restart markers.
    restarts: bool,
    scans: Vec<Scan>,
    many_scans: bool,
}

impl Outline {
    fn of(bytes: &[u8]) -> Self {
        let mut outline = Self::default();
        let mut at = 2;
        // To the next marker, over entropy-coded data or stray bytes between segments.
        while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF)) {
            at += found;
            let Some(&marker) = bytes.get(at + 1) else { break };
            match marker {
                // A stuffed zero or a marker without a segment.
                0x00 | 0x01 | 0xD0..=0xD8 => {
                    at += 2;
                    continue;
                }
                // A fill byte.
                0xFF => {
                    at += 1;
                    continue;
                }
                _ => {}
            }
            if let Some(scan) = outline.scans.last_mut() {
                scan.complete = true;
            }
            if marker == 0xD9 {
                outline.ended = true;
                break;
            }
            let Some(length) = bytes.get(at + 2..at + 4) else { break };
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let segment = bytes.get(at + 4..at + 2 + length).unwrap_or_default();
            outline.note(marker, segment);
            at += 2 + length;
        }
        let first = outline.scans.first().map_or(0, |scan| scan.components.len());
        outline.many_scans = outline.progressive() || first < outline.components;
        outline
    }

    /// Whether the scans bring finer and finer coefficients.
    fn progressive(&self) -> bool {
        matches!(self.frame, Some(0xC2 | 0xCA))
    }

    fn note(&mut self, marker: u8, segment: &[u8]) {
        match (marker, segment) {
            // Of these, DHT, JPG and DAC are no frames.
            (0xC0..=0xCF, [precision, _, _, _, _, components, ..])
                if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && self.frame.is_none() =>
            {
                self.frame = Some(marker);
                self.precision = *precision;
                self.components = usize::from(*components);
                self.arithmetic = marker >= 0xC9;
            }
            (0xDD, [high, low, ..]) => self.restarts = (*high, *low) != (0, 0),
            (0xDA, [count, rest @ ..]) => {
                let count = usize::from(*count);
                let components = rest.iter().step_by(2).take(count).copied().collect();
                if let Some([from, to, bits]) = rest.get(2 * count..2 * count + 3) {
                    let (coefficients, last_bits) = ((*from, *to), bits & 15 == 0);
                    self.scans.push(Scan { components, coefficients, last_bits, complete: false });
                }
            }
            _ => {}
        }
    }

    /// # Errors
    /// If no decoder of a browser would read this kind of JPEG.
    fn check(&self) -> Result<(), Failure> {
        let unsupported = |what: &str| Err(Failure::Unsupported(what.to_owned()));
        match self.frame {
            // No frame: the decoder says best what is wrong.
            None => Ok(()),
            Some(0xC3 | 0xC7 | 0xCB | 0xCF) => {
                unsupported("a lossless JPEG, as scanners and X-ray machines write it")
            }
            Some(0xC5 | 0xC6 | 0xCD | 0xCE) => unsupported("a hierarchical JPEG"),
            Some(_) if self.precision != 8 => {
                unsupported(&format!("a JPEG with {} bits a sample instead of 8", self.precision))
            }
            Some(_) if self.scans.len() > MOST_SCANS => {
                Err(Failure::Broken(format!("{} scans; real pictures have about ten", self.scans.len())))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether the scans together bring every coefficient to its last bit.
    fn has_all_coefficients(&self) -> bool {
        let mut components: Vec<u8> = self.scans.iter().flat_map(|scan| scan.components.clone()).collect();
        components.sort_unstable();
        components.dedup();
        components.len() >= self.components
            && components.iter().all(|component| {
                (0..64).all(|coefficient| {
                    self.scans.iter().any(|scan| {
                        let (from, to) = scan.coefficients;
                        scan.last_bits
                            && scan.components.contains(component)
                            && (from..=to).contains(&coefficient)
                    })
                })
            })
    }

    /// Whether a browser shows something of the whole picture when the file is cut off: a progressive one of which the
    /// first scan, with the mean of every block, is whole.
    fn shows_when_cut(&self) -> bool {
        matches!(self.frame, Some(0xC2))
            && self.scans.first().is_some_and(|scan| {
                scan.complete && scan.coefficients.0 == 0 && scan.components.len() == self.components
            })
    }
}
