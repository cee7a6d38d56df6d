//! What the matrix products of floats and of integers have in common: the order of the work, and what follows a sum.

use super::simd::Vector;

/// Where the rows of a product go: row `m` starts at `(m / per_line) * line + (m % per_line) * row`. A picture's
/// pixels are the rows; its lines may have a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Rows in a line.
    pub per_line: usize,
    /// Values from one line to the next.
    pub line: usize,
    /// Values from one row to the next.
    pub row: usize,
}

impl Placement {
    /// Rows of `columns` values, one after the other.
    pub fn dense(columns: usize) -> Self {
        Self { per_line: usize::MAX, line: 0, row: columns }
    }

    /// Values that `rows` rows of `columns` values span.
    pub(super) fn span(self, rows: usize, columns: usize) -> usize {
        match rows.checked_sub(1) {
            None => 0,
            Some(last) => {
                let lines = last / self.per_line;
                let widest = last.min(self.per_line - 1);
                lines * self.line + widest * self.row + columns
            }
        }
    }
}

/// What follows the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finish<'a> {
    /// Nothing.
    Plain,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// Adds values that lie as the product does.
    Add(&'a [f32]),
}

impl Finish<'_> {
    pub(super) fn raw(self) -> RawFinish {
        let (least, most) = match self {
            Self::Relu6 => (0.0, 6.0),
            Self::Plain | Self::Add(_) => (f32::NEG_INFINITY, f32::INFINITY),
        };
        let add = if let Self::Add(values) = self { values.as_ptr() } else { std::ptr::null() };
        RawFinish { least, most, add }
    }
}

/// Bounds for the sums, wide open unless they are wanted, or values to add: so that a tile takes one branch at most.
#[derive(Clone, Copy)]
pub(super) struct RawFinish {
    least: f32,
    most: f32,
    /// Null if there is nothing to add.
    add: *const f32,
}

/// A row of the output, found from the one before it: dividing for every tile would cost as much as a short product.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// Where the row starts.
    at: usize,
    /// Which row of its line it is.
    in_line: usize,
}

impl Cursor {
    fn new(place: Placement, row: usize) -> Self {
        let (line, in_line) = (row / place.per_line, row % place.per_line);
        Self { at: line * place.line + in_line * place.row, in_line }
    }

    #[inline(always)]
    fn advance(&mut self, place: Placement, rows: usize) {
        self.in_line += rows;
        self.at += rows * place.row;
        while self.in_line >= place.per_line {
            self.in_line -= place.per_line;
            self.at = self.at + place.line - place.per_line * place.row;
        }
    }
}

/// Where a tile's rows go, and how.
#[derive(Clone, Copy)]
pub(super) struct Output {
    pub values: *mut f32,
    pub placement: Placement,
    pub columns: usize,
    pub finish: RawFinish,
}

impl Output {
    /// Finishes and writes a tile of `R` rows from row `from` and column `n` on.
    ///
    /// # Safety
    /// The rows lie inside of the output and of what is added to it.
    #[inline(always)]
    pub unsafe fn write<V: Vector, const R: usize>(&self, tile: &[[V; 2]; R], from: Cursor, n: usize) {
        let whole = n + V::PANEL * V::LANES <= self.columns && from.in_line + R <= self.placement.per_line;
        // SAFETY: the caller's promise; what does not fit goes through memory of its own.
        unsafe {
            if !whole {
                let mut spilled = [[0f32; WIDEST]; R];
                for (row, spilled) in tile.iter().zip(&mut spilled) {
                    for p in 0..V::PANEL {
                        row[p].store(spilled.as_mut_ptr().add(p * V::LANES));
                    }
                }
                return self.write_spilled(&spilled, from, n, V::PANEL * V::LANES);
            }
            let (finish, step) = (self.finish, self.placement.row);
            let mut to = self.values.add(from.at + n);
            if finish.add.is_null() {
                let (least, most) = (V::splat(finish.least), V::splat(finish.most));
                for row in tile {
                    for p in 0..V::PANEL {
                        row[p].max(least).min(most).store(to.add(p * V::LANES));
                    }
                    to = to.add(step);
                }
            } else {
                let mut add = finish.add.add(from.at + n);
                for row in tile {
                    for p in 0..V::PANEL {
                        row[p].add(V::load(add.add(p * V::LANES))).store(to.add(p * V::LANES));
                    }
                    (to, add) = (to.add(step), add.add(step));
                }
            }
        }
    }

    /// Finishes and writes rows that reach over an edge. A function of its own, as it would be most of each tile's code.
    ///
    /// # Safety
    /// As [`Output::write`].
    #[inline(never)]
    unsafe fn write_spilled(&self, rows: &[[f32; WIDEST]], mut from: Cursor, n: usize, panel: usize) {
        let columns = (self.columns - n).min(panel);
        for row in rows {
            for (i, &x) in row[..columns].iter().enumerate() {
                let at = from.at + n + i;
                // SAFETY: the caller's promise.
                unsafe {
                    let x = if self.finish.add.is_null() {
                        x.max(self.finish.least).min(self.finish.most)
                    } else {
                        x + *self.finish.add.add(at)
                    };
                    *self.values.add(at) = x;
                }
            }
            from.advance(self.placement, 1);
        }
    }
}

/// Columns of the widest panel.
const WIDEST: usize = 16;

/// From so many rows on, tiles of at most four rows are never lower than three. What computes only those, or only lower ones,
/// is short, and so soon optimised by a browser.
pub(super) const NARROW: usize = 9;

/// Bytes of the left matrix that are kept in the nearest cache while the right one passes by.
const CHUNK: usize = 24 << 10;

/// One product, tile by tile. Traits instead of closures, as those are not compiled for the level of what calls them.
pub(super) trait Tiles {
    /// Where the rows go.
    fn placement(&self) -> Placement;

    /// Computes `rows` rows from row `m` on, which `to` is the place of, of the columns from `n` on.
    ///
    /// # Safety
    /// They lie inside of the matrices.
    unsafe fn tile<V: Vector, const WIDE: bool>(&self, m: usize, to: Cursor, rows: usize, n: usize);
}

/// Computes all tiles of a product, such that both matrices are read from near caches: runs of rows outside, panels of
/// the right matrix between, tiles of at most `most` rows inside.
///
/// # Safety
/// `rows` rows and `columns` columns lie inside of the matrices.
#[inline(always)]
pub(super) unsafe fn all_tiles<V: Vector, const WIDE: bool>(
    call: &impl Tiles,
    most: usize,
    rows: usize,
    row_bytes: usize,
    columns: usize,
) {
    let most = if WIDE || most > 4 { most } else { 3 };
    let tiles = rows.div_ceil(most);
    let per_chunk = (CHUNK / (row_bytes * most).max(1)).max(1);
    // Tiles of nearly equal height, the higher ones first: none is left with a single row.
    let (low, higher) = (rows / tiles, rows % tiles);
    let place = call.placement();
    let (mut first_tile, mut first_row) = (0, 0);
    while first_tile < tiles {
        let end = (first_tile + per_chunk).min(tiles);
        let start = Cursor::new(place, first_row);
        let mut row = first_row;
        let mut n = 0;
        while n < columns {
            let mut to = start;
            row = first_row;
            for i in first_tile..end {
                let height = low + usize::from(i < higher);
                // SAFETY: the caller's promise.
                unsafe { call.tile::<V, WIDE>(row, to, height, n) };
                to.advance(place, height);
                row += height;
            }
            n += V::PANEL * V::LANES;
        }
        (first_tile, first_row) = (end, row);
    }
}

/// Calls `$tile::<V, R, S>` for `$rows` rows of at most `$most`, and of three at least if `$most` is four and there are
/// [`NARROW`] rows in all (`$wide`), else of three at most: `R` rows in `S` partial sums each, as many as hide the
/// latency of an addition if that is `$slow`.
macro_rules! tile_of_rows {
    ($rows:expr, $most:expr, $wide:expr, $slow:expr, $vector:ty, $tile:ident $args:tt) => {
        match $rows {
            // Never where there are [`NARROW`] rows; not compiled, so that what computes only the others is short.
            1 | 2 if $wide && $most == 4 => unreachable!("a tile is too low"),
            1 if $slow => $tile::<$vector, 1, 4> $args,
            2 if $slow => $tile::<$vector, 2, 2> $args,
            3 if $slow => $tile::<$vector, 3, 2> $args,
            1 if !$slow => $tile::<$vector, 1, 1> $args,
            2 if !$slow => $tile::<$vector, 2, 1> $args,
            3 if !$slow => $tile::<$vector, 3, 1> $args,
            4 if $wide || $most > 4 => $tile::<$vector, 4, 1> $args,
            5 if $most > 4 => $tile::<$vector, 5, 1> $args,
            6 if $most > 4 => $tile::<$vector, 6, 1> $args,
            7 if $most > 6 => $tile::<$vector, 7, 1> $args,
            8 if $most > 6 => $tile::<$vector, 8, 1> $args,
            9 if $most > 6 => $tile::<$vector, 9, 1> $args,
            10 if $most > 6 => $tile::<$vector, 10, 1> $args,
            11 if $most > 6 => $tile::<$vector, 11, 1> $args,
            12 if $most > 6 => $tile::<$vector, 12, 1> $args,
            _ => unreachable!("no tile is that high"),
        }
    };
}
pub(super) use tile_of_rows;
