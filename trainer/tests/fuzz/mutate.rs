//! Files made of real ones by damage.

use std::ops::Range;

/// A real file that cases are made of.
pub struct Seed {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Where most of the damage goes: a header before megabytes of numbers.
    pub header: Option<usize>,
    /// Whether it is refused as it is, as damaged as it should be.
    pub refused: bool,
}

impl Seed {
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), header: None, refused: false }
    }
}

/// Numbers at which programs err.
const EDGES: [u64; 16] =
    [0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0xFFFF_FFFF, u64::MAX];

/// The same as text.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "2",
    "65536",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-0.0",
    "NaN",
    "null",
    "1e-300",
];

/// Makes one case; everything follows from seed, target and number.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    pub fn new(seed: u64, target: &str, number: u64) -> Self {
        let of_name =
            target.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
        Self { state: of_name.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `below` - 1; 0 if there is nothing below.
    fn below(&mut self, below: usize) -> usize {
        (self.next() % (below.max(1) as u64)) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A damaged copy of one of the seeds. `words` are put into texts.
    pub fn mutate<'a>(&mut self, seeds: &'a [Seed], words: &[&str]) -> (&'a Seed, Vec<u8>) {
        let seed = &seeds[self.below(seeds.len())];
        let other = &seeds[self.below(seeds.len())];
        let mut bytes = seed.bytes.clone();
        if let Some(header) = seed.header
            && header < bytes.len()
            && self.below(3) == 0
        {
            // Numbers of another value only: what the header says stays true, so that they are used.
            for _ in 0..1 + self.below(8) {
                let at = header + self.below(bytes.len() - header);
                bytes[at] = match self.below(3) {
                    0 => bytes[at] ^ (1 << self.below(8)),
                    1 => [0, 0x7F, 0x80, 0xFF][self.below(4)],
                    _ => self.next() as u8,
                };
            }
            return (seed, bytes);
        }
        // Small damage gets further than large.
        for _ in 0..1 + self.below(4).min(self.below(4)) {
            let all = bytes.len();
            let part = match seed.header {
                Some(header) if self.below(8) > 0 => 0..header.min(all),
                _ => 0..all,
            };
            self.damage(&mut bytes, part, other, words);
        }
        if let Some(header) = seed.header
            && self.below(4) > 0
        {
            // safetensors: the header's length, so that what it says is read.
            let near = &bytes[..bytes.len().min(header + 1000)];
            let end = near.windows(2).rposition(|pair| pair == b"}}").map_or(0, |at| at + 2);
            if end > 8 {
                bytes[..8].copy_from_slice(&(end as u64 - 8).to_le_bytes());
            }
        }
        (seed, bytes)
    }

    /// A place in `part`, and up to `most` bytes from there.
    fn stretch(&mut self, part: &Range<usize>, most: usize) -> Range<usize> {
        let start = part.start + self.below(part.len());
        let length = 1 + self.below(most);
        start..(start + length).min(part.end)
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, part: Range<usize>, other: &Seed, words: &[&str]) {
        if part.is_empty() {
            bytes.extend(other.bytes.iter().take(1 + self.below(64)));
            return;
        }
        let at = part.start + self.below(part.len());
        match self.below(if words.is_empty() { 10 } else { 13 }) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.next() as u8,
            2 => bytes[at] = EDGES[self.below(EDGES.len())] as u8,
            3 => {
                // A number of two, four or eight bytes, in either order.
                let size = [2, 4, 8][self.below(3)].min(bytes.len() - at);
                let edge = EDGES[self.below(EDGES.len())];
                let value = if self.below(2) == 0 {
                    edge.to_le_bytes()
                } else {
                    edge.rotate_right(8 * size as u32).to_be_bytes()
                };
                bytes[at..at + size].copy_from_slice(&value[..size]);
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(self.stretch(&part, 64))),
            6 => {
                let copy = bytes[self.stretch(&part, 200)].to_vec();
                bytes.splice(at..at, copy);
            }
            7 => {
                let noise: Vec<u8> = (0..1 + self.below(16)).map(|_| self.next() as u8).collect();
                bytes.splice(at..at, noise);
            }
            8 => {
                // A piece of another file.
                let piece = self.stretch(&(0..other.bytes.len()), 300);
                let here = self.stretch(&part, 300);
                bytes.splice(here, other.bytes[piece].iter().copied());
            }
            9 => {
                let stretch = self.stretch(&part, 40);
                bytes[stretch].fill([0, 0xFF][self.below(2)]);
            }
            10 => {
                // A number in text.
                let digit = |byte: &u8| byte.is_ascii_digit();
                if let Some(start) = bytes[at..].iter().position(digit).map(|ahead| at + ahead) {
                    let end =
                        bytes[start..].iter().position(|b| !digit(b)).map_or(bytes.len(), |n| start + n);
                    let number = self.pick(&NUMBERS);
                    bytes.splice(start..end, number.bytes());
                }
            }
            11 => {
                let word = self.pick(words);
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                // A whole line goes elsewhere.
                let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
                let end =
                    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |n| at + n + 1);
                let line: Vec<u8> = bytes.drain(start..end).collect();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, line);
            }
        }
    }
}
