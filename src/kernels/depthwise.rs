//! Depthwise convolution, channels last, ReLU6 included, over lines that carry their own margin of zeros.

use super::buffer::Buffer;
use super::simd::{Level, Plain, Vector, compile_for_levels};

/// Weights of a depthwise convolution of 3 x 3 or 5 x 5 taps at stride 1 or 2.
pub struct Depthwise {
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

impl Depthwise {
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
        unsafe {
            match (self.kernel, self.stride) {
                (3, 1) => filter_3_1(self.level, &call),
                (3, 2) => filter_3_2(self.level, &call),
                (5, 1) => filter_5_1(self.level, &call),
                _ => filter_5_2(self.level, &call),
            }
        }
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
    unsafe fn filter_3_1(call: &Call) = body_3_1;
}
compile_for_levels! {
    unsafe fn filter_3_2(call: &Call) = body_3_2;
}
compile_for_levels! {
    unsafe fn filter_5_1(call: &Call) = body_5_1;
}
compile_for_levels! {
    unsafe fn filter_5_2(call: &Call) = body_5_2;
}

/// # Safety
/// All pointers of `call` are good for its sizes.
#[inline(always)]
unsafe fn body_3_1<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { in_tiles::<V, 3, 1>(call) }
}

/// # Safety
/// As [`body_3_1`].
#[inline(always)]
unsafe fn body_3_2<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { in_tiles::<V, 3, 2>(call) }
}

/// # Safety
/// As [`body_3_1`].
#[inline(always)]
unsafe fn body_5_1<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { in_tiles::<V, 5, 1>(call) }
}

/// # Safety
/// As [`body_3_1`].
#[inline(always)]
unsafe fn body_5_2<V: Vector>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe { in_tiles::<V, 5, 2>(call) }
}

/// Pixels that are worked on together, so that what is loaded serves several windows.
const TILE: usize = 4;

#[inline(always)]
unsafe fn in_tiles<V: Vector, const K: usize, const S: usize>(call: &Call) {
    // SAFETY: the caller's promise.
    unsafe {
        let vectors = call.channels - call.channels % V::LANES;
        if call.width < TILE {
            for pixel in 0..call.width {
                for c in (0..vectors).step_by(V::LANES) {
                    single::<V, K, S>(call, pixel, c);
                }
            }
        } else {
            let mut pixel = 0;
            while pixel < call.width {
                // The last tile overlaps the one before instead of being a small one.
                let at = pixel.min(call.width - TILE);
                let mut c = 0;
                while c < vectors {
                    column::<V, K, S, TILE>(call, at, c);
                    c += V::LANES;
                }
                pixel += TILE;
            }
        }
        // The channels that do not fill a vector.
        for pixel in 0..call.width {
            for c in vectors..call.channels {
                single::<Plain<1>, K, S>(call, pixel, c);
            }
        }
    }
}

/// The channels from `c` on of one pixel, in few instructions instead of quickly: the network hardly needs it.
#[inline(always)]
unsafe fn single<V: Vector, const K: usize, const S: usize>(call: &Call, pixel: usize, c: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sum = V::load(call.bias.add(c));
        for line in 0..call.lines {
            for k in 0..K {
                let x = call.x.add(line * call.line + (pixel * S + k) * call.channels + c);
                let tap = call.taps.add((line * K + k) * call.channels + c);
                sum = sum.add_product(V::load(x), V::load(tap));
            }
        }
        call.finish(call.rounded(), sum, pixel * call.channels + c);
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
        let rounded = call.rounded();
        for t in 0..T {
            call.finish(rounded, sums[t], (pixel + t) * channels + c);
        }
    }
}

impl Call {
    /// Whether the results are to be rounded. Unknown to the compiler, which would make two functions of everything around.
    #[inline(always)]
    fn rounded(&self) -> bool {
        std::hint::black_box(!self.out_i16.is_null())
    }

    /// Writes what comes after `sum`.
    ///
    /// # Safety
    /// The output has room for a vector at `at`.
    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, rounded: bool, sum: V, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if !rounded {
                sum.relu6().store(self.out.add(at));
            } else {
                sum.relu6().mul(V::splat(self.scale)).store_i16(self.out_i16.add(at));
            }
        }
    }
}
