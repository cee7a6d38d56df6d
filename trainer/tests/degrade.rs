//! Degraded versions against OpenCV (tests/reference/degrade.py), and that they are drawn as described.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use image::{Rgb, RgbImage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use soli_trainer::data::corruptions::{corrupt, jpeg, low_light, motion_blur, noise};
use soli_trainer::data::degrade::{
    GAUSSIAN_SIGMA, VERSIONS, gaussian_blur, resize_bilinear, resize_in_steps, step_sizes,
};
use soli_trainer::data::views::{Pairing, Versions, Views, relight};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)).unwrap()
}

fn cat() -> RgbImage {
    let rgb = fixture("cat_96x64.rgba").chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    RgbImage::from_raw(96, 64, rgb).unwrap()
}

fn decode(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn largest_difference(a: &RgbImage, b: &[u8]) -> u8 {
    assert_eq!(a.as_raw().len(), b.len());
    a.as_raw().iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn resizes_and_the_gaussian_are_opencvs() {
    let reference: serde_json::Value = serde_json::from_slice(&fixture("degrade.json")).unwrap();
    let mut seen = BTreeSet::new();
    let cat = cat();
    for case in reference["cases"].as_array().unwrap() {
        let number = |key: &str| case[key].as_u64().unwrap() as u32;
        let (width, height) = (number("width"), number("height"));
        let expected = decode(case["rgb"].as_str().unwrap());
        let kind = case["kind"].as_str().unwrap();
        // OpenCV's fixed-point arithmetic rounds down a little in every step.
        let (ours, allowed) = match kind {
            "bilinear" | "gaussian-of" => (resize_bilinear(&cat, width, height), 1),
            "steps" => {
                let steps = number("steps");
                (resize_in_steps(&cat, width, height, steps), 2 + (steps / 6) as u8)
            }
            _ => (gaussian_blur(&resize_bilinear(&cat, width, height), GAUSSIAN_SIGMA), 2),
        };
        let difference = largest_difference(&ours, &expected);
        assert!(difference <= allowed, "{kind} {width} x {height}: differs by {difference}");
        seen.insert(kind.to_owned());
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn steps_shrink_evenly_and_never_below_the_target() {
    let sizes = step_sizes((224, 160), (25, 25), 50);
    assert!(sizes.windows(2).all(|pair| pair[1].0 <= pair[0].0 && pair[1].1 <= pair[0].1));
    assert!(sizes.iter().all(|size| size.0 >= 25 && size.1 >= 25));
    assert_eq!(sizes.last(), Some(&(25, 25)));
    assert_eq!(step_sizes((100, 100), (25, 25), 2), [(50, 50), (25, 25)]);
    assert_eq!(step_sizes((100, 80), (100, 80), 50), [(100, 80)]);
}

#[test]
fn the_ten_versions_have_the_papers_sizes() {
    // A photograph of 500 px and the same already shrunk to 224 px.
    for (side, expected) in [
        (500, [500, 250, 250, 100, 100, 50, 50, 25, 250, 500]),
        (224, [224, 224, 224, 100, 100, 50, 50, 25, 224, 224]),
    ] {
        let picture =
            RgbImage::from_fn(side, side, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, (x ^ y) as u8]));
        let versions: Vec<RgbImage> = VERSIONS.iter().map(|version| version.of(&picture)).collect();
        assert_eq!(versions.iter().map(RgbImage::width).collect::<Vec<_>>(), expected);
        assert_eq!(versions[0], picture);
        assert_ne!(versions[3], versions[4], "fifty steps lose more than one");
        assert_ne!(versions[9], picture, "the Gaussian filters");
    }
    let wide = RgbImage::new(300, 40);
    let small = VERSIONS[7].of(&wide);
    assert_eq!(small.dimensions(), (25, 25), "no side of a version is below 25 px");
    assert_eq!(VERSIONS[7].of(&RgbImage::new(3, 2)).dimensions(), (3, 2), "nothing is made larger");
}

fn views(versions: Versions) -> Views {
    Views { flip: true, crop_area: 0.7, degraded: 1.0, versions, corrupted: 0.5, ..Views::PLAIN }
}

#[test]
fn the_same_seed_draws_the_same_views() {
    let cat = cat();
    for versions in [Versions::Ten, Versions::AnySize] {
        let views = views(versions);
        let one = |seed| views.one(&cat, true, &mut ChaCha8Rng::seed_from_u64(seed));
        let drawn: Vec<RgbImage> = (0..30).map(one).collect();
        assert_eq!(drawn, (0..30).map(one).collect::<Vec<_>>());
        let different: BTreeSet<&Vec<u8>> = drawn.iter().map(|view| view.as_raw()).collect();
        assert!(different.len() > 25, "{versions:?}: only {} different views", different.len());
        for pairing in [Pairing::TwoVersions, Pairing::SharpAndDegraded] {
            let pair = |seed| views.pair(&cat, true, pairing, &mut ChaCha8Rng::seed_from_u64(seed));
            assert_eq!(pair(3), pair(3));
            let same = (0..20).map(pair).filter(|(a, b)| a == b).count();
            // Three of the ten versions leave so small a picture's size alone.
            assert!(
                same <= if versions == Versions::Ten { 10 } else { 2 },
                "{versions:?} {pairing:?}: {same} of 20 pairs show the same twice"
            );
        }
    }
    let sharp = Views { degraded: 0.0, flip: false, crop_area: 1.0, ..views(Versions::Ten) };
    assert_eq!(sharp.one(&cat, true, &mut ChaCha8Rng::seed_from_u64(1)), cat);
}

#[test]
fn both_views_of_a_pair_show_the_same_part() {
    // Left half dark, right half bright: whatever the version, both views must agree on where the bright part is.
    let picture = RgbImage::from_fn(200, 200, |x, _| Rgb([if x < 100 { 20 } else { 230 }; 3]));
    let views = Views { corrupted: 0.0, crop_area: 0.5, ..views(Versions::AnySize) };
    for seed in 0..20 {
        let (a, b) =
            views.pair(&picture, true, Pairing::SharpAndDegraded, &mut ChaCha8Rng::seed_from_u64(seed));
        let bright = |view: &RgbImage| {
            view.pixels().filter(|p| p.0[0] > 125).count() as f64 / f64::from(view.width() * view.height())
        };
        let left = |view: &RgbImage| view.get_pixel(0, 0).0[0] > 125;
        assert!((bright(&a) - bright(&b)).abs() < 0.06, "seed {seed}: {} and {}", bright(&a), bright(&b));
        assert_eq!(left(&a), left(&b), "seed {seed}");
    }
}

#[test]
fn light_and_colour_vary_as_named() {
    let cat = cat();
    let of = |brightness, contrast, saturation| {
        let mut picture = cat.clone();
        relight(&mut picture, brightness, contrast, saturation);
        picture
    };
    let near = |a: u8, b: f64, what: &str| assert!((f64::from(a) - b).abs() <= 0.51, "{what}: {a} and {b}");
    assert_eq!(of(1.0, 1.0, 1.0), cat);
    // What `image` itself calls grey has other weights (BT.709), so the formula is written out.
    let grey =
        |p: &Rgb<u8>| 0.299 * f64::from(p.0[0]) + 0.587 * f64::from(p.0[1]) + 0.114 * f64::from(p.0[2]);
    let mean = cat.pixels().map(grey).sum::<f64>() / f64::from(cat.width() * cat.height());
    let (dim, flat, colourless) = (of(0.5, 1.0, 1.0), of(1.0, 0.0, 1.0), of(1.0, 1.0, 0.0));
    for (x, y, pixel) in cat.enumerate_pixels() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            near(dim.get_pixel(x, y).0[channel], f64::from(value) / 2.0, "brightness");
            near(flat.get_pixel(x, y).0[channel], mean, "contrast");
            near(colourless.get_pixel(x, y).0[channel], grey(pixel), "saturation");
        }
    }
    let jittered = Views { jitter: 0.3, ..Views::PLAIN };
    let one = |seed| jittered.one(&cat, false, &mut ChaCha8Rng::seed_from_u64(seed));
    assert_eq!(one(1), one(1));
    assert!(one(1) != one(2) && one(1) != cat);
}

#[test]
fn frames_suffer_as_named() {
    let cat = cat();
    let mean = |p: &RgbImage| p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64;
    let mut dark = cat.clone();
    low_light(&mut dark, 0.2);
    let expected = mean(&cat) * 0.2f64.powf(1.0 / 2.2);
    assert!((mean(&dark) - expected).abs() < 1.0, "{} instead of {expected}", mean(&dark));

    let mut noisy = RgbImage::from_pixel(200, 200, Rgb([128; 3]));
    noise(&mut noisy, 10.0, &mut ChaCha8Rng::seed_from_u64(1));
    let variance = noisy.iter().map(|v| (f64::from(*v) - 128.0).powi(2)).sum::<f64>() / noisy.len() as f64;
    assert!((variance.sqrt() - 10.0).abs() < 0.2, "{}", variance.sqrt());

    // A line across the movement is smeared over its length, one along it stays.
    let across = RgbImage::from_fn(21, 21, |x, _| Rgb([if x == 10 { 250 } else { 0 }; 3]));
    let blurred = motion_blur(&across, 5.0, 0.0);
    let row: Vec<u8> = (6..15).map(|x| blurred.get_pixel(x, 10).0[0]).collect();
    assert_eq!(row, [0, 0, 50, 50, 50, 50, 50, 0, 0]);
    assert_eq!(motion_blur(&across, 5.0, std::f32::consts::FRAC_PI_2), across);

    let error = |quality| {
        let saved = jpeg(&cat, quality).unwrap();
        cat.iter().zip(saved.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    assert!(error(5) > 2 * error(60), "{} {}", error(5), error(60));
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..20 {
        let corrupted = corrupt(&cat, &mut rng);
        assert_eq!(corrupted.dimensions(), cat.dimensions());
        assert_ne!(corrupted, cat);
    }
    corrupt(&RgbImage::new(1, 1), &mut rng);
}
