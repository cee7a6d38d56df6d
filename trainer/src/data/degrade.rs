//! The ten versions of a picture that SOLI trains on (arXiv 2512.08873), made on the fly.
//!
//! A version's name says how it is made: `R` is the ratio of its sides to the photograph's, `S` the number of resize
//! steps, `GF` a Gaussian filter. The ratios are those of photographs about 500 pixels long: 0.2 is a picture 100 px
//! wide. A smaller source is taken for such a photograph already shrunk, so that `R0.2S1` gives about 100 px from it
//! too, and versions that would be larger than the source leave its size alone.
//!
//! A version keeps its own small size; [`soli::image::to_input`] scales it up to the network's input, as it would any
//! small picture.

use image::RgbImage;

/// Length in pixels of the longer side of the photographs that the versions' ratios are meant for (Flickr's).
pub const REFERENCE_SIDE: u32 = 500;

/// Standard deviation in pixels of the Gaussian filter. The paper publishes none; this one is ours: it blurs about as
/// much as resizing to half and back.
pub const GAUSSIAN_SIGMA: f32 = 2.0;

/// Smallest side of a version: the paper leaves out everything below.
pub const SMALLEST_SIDE: u32 = 25;

/// How one version of a picture is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Version {
    /// Its name in the paper.
    pub name: &'static str,
    /// Its sides as a share of the photograph's, above 0 up to 1.
    pub ratio: f64,
    /// Bilinear resizes on the way there; 50 lose more than one.
    pub steps: u32,
    /// Whether a Gaussian filter follows.
    pub gaussian: bool,
}

const fn version(name: &'static str, ratio: f64, steps: u32, gaussian: bool) -> Version {
    Version { name, ratio, steps, gaussian }
}

/// The ten versions.
pub const VERSIONS: [Version; 10] = [
    version("original", 1.0, 1, false),
    version("R0.5S1", 0.5, 1, false),
    version("R0.5S50", 0.5, 50, false),
    version("R0.2S1", 0.2, 1, false),
    version("R0.2S50", 0.2, 50, false),
    version("R0.1S1", 0.1, 1, false),
    version("R0.1S50", 0.1, 50, false),
    version("R0.05S50", 0.05, 50, false),
    version("R0.5S1_GF", 0.5, 1, true),
    version("R1S1_GF", 1.0, 1, true),
];

impl Version {
    /// This version of `picture`.
    pub fn of(&self, picture: &RgbImage) -> RgbImage {
        let longer = picture.width().max(picture.height());
        let scale = self.ratio * f64::from(longer.max(REFERENCE_SIDE)) / f64::from(longer.max(1));
        let target = |side: u32| {
            let least = SMALLEST_SIDE.min(side);
            ((f64::from(side) * scale).round() as u32).clamp(least, side)
        };
        let small = resize_in_steps(picture, target(picture.width()), target(picture.height()), self.steps);
        if self.gaussian { gaussian_blur(&small, GAUSSIAN_SIGMA) } else { small }
    }
}

/// Resizes as OpenCV's `INTER_LINEAR` does: each pixel is interpolated between its four nearest, however much the
/// picture shrinks, so that fine detail aliases. Within one grey level of OpenCV, which uses integers.
pub fn resize_bilinear(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    if (width, height) == picture.dimensions() {
        return picture.clone();
    }
    let columns = taps(picture.width(), width);
    let rows = taps(picture.height(), height);
    let stride = picture.width() as usize * 3;
    let source = picture.as_raw();
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    let mut blended = vec![0f32; stride];
    for &(above, below, y) in &rows {
        let (above, below) = (&source[above * stride..][..stride], &source[below * stride..][..stride]);
        for ((value, &a), &b) in blended.iter_mut().zip(above).zip(below) {
            *value = f32::from(a) + (f32::from(b) - f32::from(a)) * y;
        }
        for &(left, right, x) in &columns {
            for channel in 0..3 {
                let (a, b) = (blended[left * 3 + channel], blended[right * 3 + channel]);
                data.push((a + (b - a) * x + 0.5) as u8);
            }
        }
    }
    RgbImage::from_raw(width, height, data).expect("one value for every pixel and channel")
}

/// For each of `to` places on a line of `from` pixels: the pixels before and after it, and how far it is from the
/// first (0..1). Pixels' centres are at halves, as OpenCV has it.
fn taps(from: u32, to: u32) -> Vec<(usize, usize, f32)> {
    let scale = f64::from(from) / f64::from(to);
    let last = from as usize - 1;
    (0..to)
        .map(|i| {
            let place = ((f64::from(i) + 0.5) * scale - 0.5).clamp(0.0, last as f64);
            let before = place.floor() as usize;
            (before, (before + 1).min(last), (place - before as f64) as f32)
        })
        .collect()
}

/// Resizes in `steps` bilinear resizes, each by the same factor, `(target / source)^(1 / steps)`, and none below the
/// target.
pub fn resize_in_steps(picture: &RgbImage, width: u32, height: u32, steps: u32) -> RgbImage {
    let mut current = picture.clone();
    for (w, h) in step_sizes(picture.dimensions(), (width, height), steps) {
        current = resize_bilinear(&current, w, h);
    }
    current
}

/// The sizes that [`resize_in_steps`] goes through; the last is the target.
pub fn step_sizes(source: (u32, u32), target: (u32, u32), steps: u32) -> Vec<(u32, u32)> {
    let side = |source: u32, target: u32, share: f64| {
        let factor = f64::from(target) / f64::from(source);
        let side = (f64::from(source) * factor.powf(share)).round() as u32;
        if target <= source { side.max(target) } else { side.min(target) }
    };
    let steps = steps.max(1);
    let mut sizes: Vec<_> = (1..=steps)
        .map(|step| {
            let share = f64::from(step) / f64::from(steps);
            (side(source.0, target.0, share), side(source.1, target.1, share))
        })
        .collect();
    sizes.dedup();
    sizes
}

/// Blurs with a Gaussian of standard deviation `sigma` pixels, cut off beyond three of them; the picture is mirrored
/// at its edges without repeating the edge (OpenCV's `BORDER_REFLECT_101`).
pub fn gaussian_blur(picture: &RgbImage, sigma: f32) -> RgbImage {
    let reach = (3.0 * sigma).ceil() as i64;
    let weight = |i: i64| (-0.5 * (i as f32 / sigma).powi(2)).exp();
    let total: f32 = (-reach..=reach).map(weight).sum();
    let kernel: Vec<f32> = (-reach..=reach).map(|i| weight(i) / total).collect();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let source: Vec<f32> = picture.as_raw().iter().map(|&v| f32::from(v)).collect();
    let across = filter(&source, width, height * 3, 3, width * 3, &kernel);
    let down = filter(&across, height, width * 3, width * 3, 3, &kernel);
    let data = down.into_iter().map(|v| (v + 0.5).clamp(0.0, 255.0) as u8).collect();
    RgbImage::from_raw(picture.width(), picture.height(), data).expect("the size has not changed")
}

/// Convolves along lines of `length` values that are `stride` apart. The lines start at every value that is no later
/// place of one: `count` of them, in groups of three channels `next` apart.
fn filter(
    source: &[f32],
    length: usize,
    count: usize,
    stride: usize,
    next: usize,
    kernel: &[f32],
) -> Vec<f32> {
    let mut out = vec![0f32; source.len()];
    let reach = (kernel.len() / 2) as i64;
    let inside: Vec<usize> = (-reach..length as i64 + reach).map(|i| reflect(i, length)).collect();
    for line in 0..count {
        let start = line / 3 * next + line % 3;
        for place in 0..length {
            let near = &inside[place..place + kernel.len()];
            out[start + place * stride] =
                near.iter().zip(kernel).map(|(&i, weight)| source[start + i * stride] * weight).sum();
        }
    }
    out
}

/// The pixel that stands for place `i` of a line of `length`, mirrored at the first and the last pixel.
fn reflect(i: i64, length: usize) -> usize {
    let period = (2 * (length as i64 - 1)).max(1);
    let i = i.rem_euclid(period);
    (if i < length as i64 { i } else { period - i }) as usize
}
