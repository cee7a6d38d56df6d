//! Memory that starts at a cache line, so that no vector straddles two.

use std::marker::PhantomData;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read and written through pointers")] [u8; 64]);

/// Plain numbers, for which any bytes will do.
pub trait Number: Copy + 'static {}
impl Number for f32 {}
impl Number for i16 {}
impl Number for i8 {}

/// Values that start at a cache line; zero at first.
#[derive(Clone)]
pub struct Buffer<T> {
    lines: Vec<Line>,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Number> Buffer<T> {
    /// `len` zeros.
    pub fn new(len: usize) -> Self {
        let lines = vec![Line([0; 64]); (len * size_of::<T>()).div_ceil(64)];
        Self { lines, len, values: PhantomData }
    }

    /// Makes room for `len` values at least; whatever there was is kept.
    pub fn grow(&mut self, len: usize) {
        if len > self.len {
            self.lines.resize((len * size_of::<T>()).div_ceil(64), Line([0; 64]));
            self.len = len;
        }
    }
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), len: 0, values: PhantomData }
    }
}

impl<T: Number> std::ops::Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `lines` holds at least `len` values, any bytes make a number, and a line is aligned for all of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
