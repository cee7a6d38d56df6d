//! Decoded pixels beside Chromium's, over the matrix of files that `tests/reference/decode.py` makes.

use std::fs;
use std::path::{Path, PathBuf};

use soli_trainer::data::decode::{DecodeError, Picture, load};

/// The files of the matrix; those that Chromium shows have its pixels beside them.
fn matrix() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decode");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| !file.to_string_lossy().ends_with(".expected.png"));
    files.sort();
    files
}

/// Whether a file of the matrix ends too early.
fn is_cut(name: &str) -> bool {
    name.starts_with("cut-")
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

/// What Chromium's canvas holds, over white.
fn expected(file: &Path) -> Option<image::RgbImage> {
    let bytes = fs::read(format!("{}.expected.png", file.display())).ok()?;
    let canvas = image::load_from_memory(&bytes).unwrap().into_rgba8();
    Some(image::RgbImage::from_fn(canvas.width(), canvas.height(), |x, y| {
        let [r, g, b, a] = canvas.get_pixel(x, y).0.map(u32::from);
        image::Rgb([r, g, b].map(|v| ((v * a + 255 * (255 - a) + 127) / 255) as u8))
    }))
}

/// The largest difference of a value and the mean difference.
fn difference(picture: &Picture, expected: &image::RgbImage) -> (u8, f64) {
    let pixels = picture.rgb();
    let apart: Vec<u8> = pixels.iter().zip(expected.iter()).map(|(a, b)| a.abs_diff(*b)).collect();
    (*apart.iter().max().unwrap(), apart.iter().map(|v| f64::from(*v)).sum::<f64>() / apart.len() as f64)
}

/// The file whose pixels in Chromium are right for this one. Of a baseline JPEG without its end-of-image marker Chromium
/// leaves out the last row of blocks, though all of it is there: the whole picture, which libjpeg gives too, is right.
fn model(file: &Path) -> PathBuf {
    match name(file) {
        "jpeg-no-end.jpg" | "jpeg-half-end.jpg" => file.with_file_name("jpeg-trailer.jpg"),
        _ => file.to_owned(),
    }
}

/// How far values may be from Chromium's: not at all, but for arithmetic that rounds (CMYK, transparency over white on a
/// canvas with premultiplied values, and colour profiles).
fn tolerance(name: &str) -> (u8, f64) {
    if name.starts_with("icc")
        || name.contains("gamma")
        || name.contains("chromaticities")
        || name.contains("cicp")
    {
        (3, 0.6)
    } else if ["clear", "alpha", "rgba", "cmyk", "ycck", "no-end-progressive"]
        .iter()
        .any(|part| name.contains(part))
    {
        (1, 0.6)
    } else {
        (0, 0.0)
    }
}

#[test]
fn pixels_are_chromiums() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for file in matrix().iter().filter(|file| !is_cut(name(file))) {
        let name = name(file);
        match (load(file), expected(&model(file))) {
            (Err(_), None) => {}
            // Browsers show it with its profile.
            (Err(DecodeError::Unsupported { .. }), Some(_)) if name == "icc-ink.jpg" => {}
            (Ok(_), None) => wrong.push(format!("{name}: decoded, but Chromium does not show it")),
            (Err(error), Some(_)) => wrong.push(format!("{name}: {error}")),
            (Ok(picture), Some(expected)) => {
                compared += 1;
                let (size, other) = ((picture.width(), picture.height()), expected.dimensions());
                if size != other {
                    wrong.push(format!("{name}: {size:?} instead of {other:?} pixels"));
                    continue;
                }
                let (worst, mean) = difference(&picture, &expected);
                let (most, mean_most) = tolerance(name);
                if worst > most || mean > mean_most {
                    wrong.push(format!("{name}: values differ by up to {worst}, {mean:.2} in the mean"));
                }
                if picture.partial() && !name.contains("damaged") {
                    wrong.push(format!("{name}: called partial"));
                }
            }
        }
    }
    assert!(compared > 200, "{compared} files");
    assert!(wrong.is_empty(), "{} of {compared} files:\n{}", wrong.len(), wrong.join("\n"));
}

/// A file that ends too early gives Chromium's pixels and says that a part is missing, or an error: there is one where less
/// than half of the rows are there, and where a browser shows all of it coarsely but our decoder shows nothing.
#[test]
fn cut_files_are_chromiums_or_refused() {
    let (mut wrong, mut shown) = (Vec::new(), Vec::new());
    for file in matrix().iter().filter(|file| is_cut(name(file))) {
        let name = name(file);
        let Ok(picture) = load(file) else { continue };
        shown.push(name.to_owned());
        if !picture.partial() && !name.contains("zeros") {
            wrong.push(format!("{name}: not called partial"));
        }
        let Some(expected) = expected(file) else {
            wrong.push(format!("{name}: decoded, but Chromium does not show it"));
            continue;
        };
        let (worst, mean) = difference(&picture, &expected);
        // Missing coefficients of a progressive file are smoothed over a little differently by each release of libjpeg-turbo.
        // Chromium shows the beginning of the GIF's row that is cut off.
        let allowed = match name {
            _ if name.contains("progressive") => 64,
            _ if name.ends_with("plain.gif") => 255,
            _ => u8::from(name.contains("cmyk")),
        };
        if worst > allowed || mean > 0.8 {
            wrong.push(format!("{name}: values differ by up to {worst}, {mean:.2} in the mean"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in ["baseline.jpg", "restarts.jpg", "progressive.jpg", "cmyk.jpg", "plain.png", "plain.gif"] {
        assert!(shown.contains(&format!("cut-95-{kind}")), "cut-95-{kind} is refused");
        assert!(kind == "progressive.jpg" || !shown.contains(&format!("cut-30-{kind}")), "cut-30-{kind}");
    }
    assert!(shown.contains(&"cut-75-restarts.jpg".to_owned()), "{shown:?}");
    assert!(!shown.contains(&"cut-75-baseline.jpg".to_owned()), "less than half of it is there");
}

/// What no browser shows is named as what it is, with what to do.
#[test]
fn kinds_that_are_not_supported_are_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decode");
    for (file, said) in
        [("refused-jpeg-12-bit.jpg", "12 bits a sample"), ("refused-jpeg-lossless.jpg", "a lossless JPEG")]
    {
        let error = load(folder.join(file)).unwrap_err();
        assert!(matches!(error, DecodeError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains(said) && error.to_string().contains("save it as"), "{error}");
    }
}

/// A cut progressive file is shown, coarse, once its first scan is whole; one whose scans bring a component each is not
/// shown before all of them are there.
#[test]
fn cut_files_of_many_scans_are_shown_as_chromium_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decode");
    let cut = |file: &str, share: usize| {
        let bytes = fs::read(folder.join(file)).unwrap();
        soli_trainer::data::decode::decode(Path::new(file), &bytes[..bytes.len() * share / 100])
    };
    for share in [70, 95] {
        assert!(cut("jpeg-2x2-progressive.jpg", share).unwrap().partial(), "{share}");
        assert!(cut("jpeg-2x2-scans.jpg", share).is_err(), "{share}");
        assert!(cut("jpeg-arithmetic.jpg", share).is_err(), "{share}");
    }
}
