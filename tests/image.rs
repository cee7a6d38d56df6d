//! The resampling against Pillow and OpenCV; `reference/resize.py` made the values.
#![cfg(not(target_arch = "wasm32"))]

use serde::Deserialize;
use soli::image::{Rgba, to_square};

#[derive(Deserialize)]
struct Reference {
    side: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    pattern: String,
    width: u32,
    height: u32,
    pillow: String,
    opencv_area: Option<String>,
}

fn render(pattern: &str, width: u32, height: u32) -> Vec<u8> {
    let (w, h) = (u64::from(width), u64::from(height));
    let mut data = Vec::with_capacity((w * h * 4) as usize);
    for y in 0..h {
        for x in 0..w {
            let rgb: [u64; 3] = match pattern {
                "smooth" => [x * 255 / w, y * 255 / h, (x * h + y * w) * 127 / (w * h)],
                _ => [0, 1, 2].map(|c| (x * x * 7 + y * 13 + x * y * (c + 1) + c * 71) % 256),
            };
            data.extend(rgb.map(|value| value as u8));
            data.push(if pattern == "clear" { (x * 3 + y * y) % 256 } else { 255 } as u8);
        }
    }
    data
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn resampling_is_that_of_pillow_and_close_to_that_of_opencv() {
    let reference: Reference = serde_json::from_str(include_str!("fixtures/resize.json")).unwrap();
    for Case { pattern, width, height, pillow, opencv_area } in reference.cases {
        let data = render(&pattern, width, height);
        let ours = to_square(&Rgba::new(width, height, &data).unwrap(), reference.side).unwrap();
        let difference = largest_difference(&ours, &from_hex(&pillow));
        // Each of the two passes rounds, and Pillow takes them in the other order.
        assert!(difference <= 1, "{pattern} {width} x {height}: {difference} levels from Pillow");
        if let Some(area) = opencv_area {
            let difference = largest_difference(&ours, &from_hex(&area));
            assert!(difference <= 3, "{pattern} {width} x {height}: {difference} levels from OpenCV");
        }
    }
}
