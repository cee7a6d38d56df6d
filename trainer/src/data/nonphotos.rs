//! Pictures that are no photographs, drawn at random: what a captioner of photographs must not be sure of.
//!
//! Blank areas, gradients, noise, stripes, pages of text (dark words in lines; nobody needs to read them), diagrams.

use image::{Rgb, RgbImage};
use rand::{Rng, RngExt};

/// Width and height in pixels of the pictures.
const SIDE: u32 = 224;

type Colour = Rgb<u8>;

/// One picture that is no photograph.
pub fn draw(rng: &mut impl Rng) -> RgbImage {
    match rng.random_range(0..6) {
        0 => RgbImage::from_pixel(SIDE, SIDE, colour(rng)),
        1 => gradient(rng),
        2 => noise(rng),
        3 => stripes(rng),
        4 => text(rng),
        _ => diagram(rng),
    }
}

/// One that shows nothing at all: a colour, a gradient, noise or a pattern.
pub fn blank(rng: &mut impl Rng) -> RgbImage {
    match rng.random_range(0..4) {
        0 => RgbImage::from_pixel(SIDE, SIDE, colour(rng)),
        1 => gradient(rng),
        2 => noise(rng),
        _ => stripes(rng),
    }
}

fn colour(rng: &mut impl Rng) -> Colour {
    // White, black and grey are what blank pictures mostly are.
    match rng.random_range(0..4) {
        0 => Rgb([255; 3]),
        1 => Rgb([0; 3]),
        2 => Rgb([rng.random(); 3]),
        _ => Rgb(rng.random()),
    }
}

fn gradient(rng: &mut impl Rng) -> RgbImage {
    let (a, b): ([u8; 3], [u8; 3]) = (rng.random(), rng.random());
    let angle = rng.random_range(0.0..std::f32::consts::TAU);
    let (dx, dy) = (angle.cos(), angle.sin());
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let along = ((x as f32 * dx + y as f32 * dy) / (1.42 * SIDE as f32)).abs().min(1.0);
        Rgb(std::array::from_fn(|c| (f32::from(a[c]) * (1.0 - along) + f32::from(b[c]) * along) as u8))
    })
}

fn noise(rng: &mut impl Rng) -> RgbImage {
    let grey: bool = rng.random();
    let cell = rng.random_range(1..=8);
    let cells: Vec<[u8; 3]> =
        (0..SIDE * SIDE).map(|_| if grey { [rng.random(); 3] } else { rng.random() }).collect();
    RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb(cells[(y / cell * SIDE + x / cell) as usize]))
}

fn stripes(rng: &mut impl Rng) -> RgbImage {
    let (a, b, width) = (colour(rng), colour(rng), rng.random_range(3..40));
    let checked: bool = rng.random();
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let place = if checked { x / width + y / width } else { x / width };
        if place % 2 == 0 { a } else { b }
    })
}

fn fill(picture: &mut RgbImage, (x, y): (u32, u32), (width, height): (u32, u32), colour: Colour) {
    for py in y..(y + height).min(SIDE) {
        for px in x..(x + width).min(SIDE) {
            picture.put_pixel(px, py, colour);
        }
    }
}

/// Words as rows of strokes, in lines and paragraphs.
fn text(rng: &mut impl Rng) -> RgbImage {
    let dark: bool = rng.random_bool(0.15);
    let (paper, ink) = if dark { (Rgb([30; 3]), Rgb([230; 3])) } else { (Rgb([250; 3]), Rgb([25; 3])) };
    let mut picture = RgbImage::from_pixel(SIDE, SIDE, paper);
    let height = rng.random_range(4..14);
    let margin = rng.random_range(4..24);
    let mut y = margin;
    while y + height < SIDE - margin {
        if rng.random_bool(0.12) {
            // The end of a paragraph.
            y += height;
            continue;
        }
        let mut x = margin;
        let end = SIDE - margin - if rng.random_bool(0.2) { rng.random_range(0..90) } else { 0 };
        while x < end {
            let letters = rng.random_range(1..9);
            for _ in 0..letters {
                // A stem, and a bar or a bow as a second stroke.
                let width = (height / 2).max(2);
                let rise = if rng.random_bool(0.3) { 0 } else { height / 4 };
                let stroke = (height / 7).max(1);
                fill(&mut picture, (x, y + rise), (stroke, height - rise), ink);
                let bar = rng.random_range(0..3) * (height - rise) / 3;
                fill(&mut picture, (x, y + rise + bar), (width - 1, stroke), ink);
                x += width;
                if x >= end {
                    break;
                }
            }
            x += (height / 2).max(2);
        }
        y += height + height / 2;
    }
    picture
}

/// Boxes and lines on a plain ground, as in charts and drawings of structures.
fn diagram(rng: &mut impl Rng) -> RgbImage {
    let mut picture = RgbImage::from_pixel(SIDE, SIDE, Rgb([255; 3]));
    for _ in 0..rng.random_range(2..9) {
        let place = (rng.random_range(0..SIDE - 20), rng.random_range(0..SIDE - 20));
        let size = (rng.random_range(10..90), rng.random_range(6..90));
        let edge = Rgb([rng.random_range(0..120); 3]);
        fill(&mut picture, place, size, edge);
        let inside: Colour = if rng.random() { Rgb([255; 3]) } else { Rgb(rng.random()) };
        let (w, h) = (size.0 - 4, size.1 - 4);
        fill(&mut picture, (place.0 + 2, place.1 + 2), (w, h), inside);
        let line = if rng.random() { (rng.random_range(20..160), 2) } else { (2, rng.random_range(20..160)) };
        let start = (rng.random_range(0..SIDE - 20), rng.random_range(0..SIDE - 20));
        fill(&mut picture, start, line, edge);
    }
    picture
}
