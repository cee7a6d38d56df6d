//! Depthwise convolution, channels last, ReLU6 included, over lines that carry their own margin of zeros.

use super::buffer::Buffer;
use super::simd::{Level, Plain, Vector, compile_for_levels};

/// Weights of a depthwise convolution of 3 x 3 or 5 x 5 taps at stride 1 or 2.
pub struct Filter {
    level: Level,
    kernel: usize,
    stride: usize,
    channels: usize,
    taps: Buffer<f32>,
    bias: Buffer<f32>,
}

/// Where the results go.
pub enum Sink<'a> {
    /// As they are.
    F32(&'a mut [f32]),
    /// Multiplied and rounded.
    I16(&'a mut [i16], f32),
}

impl Filter {
    /// Takes `taps` (kernel * kernel, channels) and the bias of each channel; `None` if kernel or stride are others
    /// than there are kernels for, or if sizes do not fit.
    pub fn new(level: Level, kernel: usize, stride: usize, taps: &[f32], bias: &[f32]) -> Option<Self> {
        let known = matches!((kernel, stride), (3 | 5, 1 | 2)) && taps.len() == kernel * kernel * bias.len();
        let aligned = |values: &[f32]| {
            let mut buffer = Buffer::new(values.len());
            buffer.copy_from_slice(values);
            buffer
        };
        known.then(|| Self {
            level,
            kernel,
            stride,
            channels: bias.len(),
            taps: aligned(taps),
            bias: aligned(bias),
        })
    }

    /// Number of taps along an axis.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Pixels from one window to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// One line of the output: `width` pixels from the lines `x`, which start `line` values apart and belong to the
    /// rows of taps from `first_tap` on. The first value of a line meets the first tap of the first window.
    ///
    /// # Panics
    /// If there are more lines than taps, or a slice is too short.
    pub fn line(&self, x: &[f32], line: usize, lines: usize, first_tap: usize, width: usize, sink: Sink) {
        if width == 0 || self.channels == 0 {
            return;
        }
        let needed = ((width - 1) * self.stride + self.kernel) * self.channels;
        assert!(first_tap + lines <= self.kernel, "more lines than taps");
        assert!(lines == 0 || x.len() >= (lines - 1) * line + needed, "the input is too short");
        let len = width * self.channels;
        let (out, out_i16, scale) = match sink {
            Sink::F32(out) => {
                assert!(out.len() >= len, "the output is too short");
                (out.as_mut_ptr(), std::ptr::null_mut(), 0.0)
            }
            Sink::I16(out, scale) => {
                assert!(out.len() >= len, "the output is too short");
                (std::ptr::null_mut(), out.as_mut_ptr(), scale)
            }
        };
        let call = Call {
            x: x.as_ptr(),
            line,
            lines,
            taps: self.taps[first_tap * self.kernel * self.channels..].as_ptr(),
            bias: self.bias.as_ptr(),
            channels: self.channels,
            width,
            out,
            out_i16,
            scale,
        };
        // SAFETY: the assertions; taps and bias are as long as `new` found them.
        unsafe { filter_line(self.level, &call, self.kernel, self.stride) }
    }
}

struct Call {
    x: *const f32,
    line: usize,
    lines: usize,
    taps: *const f32,
    bias: *const f32,
    channels: usize,
    width: usize,
    out: *mut f32,
    out_i16: *mut i16,
    scale: f32,
}

compile_for_levels! {
    unsafe fn filter_line(call: &Call, kernel: usize, stride: usize) = filter_line_body;
}

/// # Safety
/// All pointers of `call` are good for its sizes.
#[inline(always)]
unsafe fn filter_line_body<V: Vector>(call: &Call, kernel: usize, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match (kernel, stride) {
            (3, 1) => in_tiles::<V, 3, 1>(call),
            (3, 2) => in_tiles::<V, 3, 2>(call),
            (5, 1) => in_tiles::<V, 5, 1>(call),
            _ => in_tiles::<V, 5, 2>(call),
        }
    }
}

/// Pixels that are worked on together, so that what is loaded serves several windows.
const TILE: usize = 4;

#[inline(always)]
unsafe fn in_tiles<V: Vector, const K: usize, const S: usize>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe {
        if call.width < TILE {
            for pixel in 0..call.width {
                tile::<V, K, S, 1>(call, pixel);
            }
            return;
        }
        let mut pixel = 0;
        while pixel < call.width {
            // The last tile overlaps the one before instead of being a small one.
            tile::<V, K, S, TILE>(call, pixel.min(call.width - TILE));
            pixel += TILE;
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Vector, const K: usize, const S: usize, const T: usize>(call: &Call, pixel: usize) {
    let mut c = 0;
    // SAFETY: the caller's promise; the second loop takes the channels that do not fill a vector.
    unsafe {
        while c + V::LANES <= call.channels {
            column::<V, K, S, T>(call, pixel, c);
            c += V::LANES;
        }
        while c < call.channels {
            column::<Plain<1>, K, S, T>(call, pixel, c);
            c += 1;
        }
    }
}

/// The channels from `c` on of `T` pixels.
#[inline(always)]
unsafe fn column<V: Vector, const K: usize, const S: usize, const T: usize>(
    call: &Call,
    pixel: usize,
    c: usize,
) {
    let channels = call.channels;
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [V::load(call.bias.add(c)); T];
        let mut x = call.x.add(pixel * S * channels + c);
        let mut taps = call.taps.add(c);
        for _ in 0..call.lines {
            let mut w = [V::splat(0.0); K];
            for k in 0..K {
                w[k] = V::load(taps.add(k * channels));
            }
            let mut at = x;
            for i in 0..(T - 1) * S + K {
                let value = V::load(at);
                at = at.add(channels);
                for k in 0..K {
                    // Window `t` meets pixel `i` with its tap `k`.
                    if i >= k && (i - k) % S == 0 && (i - k) / S < T {
                        let t = (i - k) / S;
                        sums[t] = sums[t].add_product(value, w[k]);
                    }
                }
            }
            x = x.add(call.line);
            taps = taps.add(K * channels);
        }
        for t in 0..T {
            let sum = sums[t];
            let at = (pixel + t) * channels + c;
            if call.out_i16.is_null() {
                sum.relu6().store(call.out.add(at));
            } else {
                sum.relu6().mul(V::splat(call.scale)).store_i16(call.out_i16.add(at));
            }
        }
    }
}
