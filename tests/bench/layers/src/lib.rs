//! soli's kernels layer by layer, in the shapes of its network, beside what the vectors of WebAssembly can do at most:
//! for the table in docs/performance.md. Values are made up; only the time counts.
#![cfg(target_arch = "wasm32")]

mod peak;

use soli::kernels::packed::{Filter, Finish, Level, Matrix, MatrixI8, Placement, Sink};
use wasm_bindgen::prelude::*;

/// EfficientNet-Lite0's stages: repeats, kernel, stride of the first, expansion, channels out; see src/encoder.rs.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

enum Kernel {
    F32 { matrix: Matrix, x: Vec<f32> },
    Int8 { matrix: MatrixI8, x: Vec<i16> },
    Filter { filter: Filter, x: Vec<f32>, line: usize, rounded: Option<Vec<i16>> },
}

struct Layer {
    name: String,
    kernel: Kernel,
    rows: usize,
    operations: f64,
    finish: Finish<'static>,
    out: Vec<f32>,
}

impl Layer {
    /// `rows` rows of `inputs` values to as many of `outputs`.
    fn product(name: String, rows: usize, inputs: usize, outputs: usize, int8: bool, relu: bool) -> Self {
        let level = Level::detect();
        let bias = vec![0.1; outputs];
        let kernel = if int8 {
            let integers: Vec<u8> = (0..inputs * outputs).map(|i| (i * 13 % 127) as u8).collect();
            let matrix = MatrixI8::pack(level, inputs, &vec![0.01; outputs], &bias, &[&integers]);
            let x = (0..rows * matrix.stride()).map(|i| (i % 1000) as i16).collect();
            Kernel::Int8 { matrix, x }
        } else {
            let matrix = Matrix::pack(level, inputs, &bias, |k, n| ((k + n) % 9) as f32);
            Kernel::F32 { matrix, x: (0..rows * inputs).map(|i| (i % 5) as f32).collect() }
        };
        let finish = if relu { Finish::Relu6 } else { Finish::Plain };
        let operations = 2.0 * (rows * inputs * outputs) as f64;
        Self { name, kernel, rows, operations, finish, out: vec![0.0; rows * outputs] }
    }

    /// A depthwise convolution of a square of `side` by `side` pixels, line by line, as in the network.
    fn filter(name: String, side: usize, kernel: usize, stride: usize, channels: usize, int8: bool) -> Self {
        let (taps, bias) = (vec![0.1; kernel * kernel * channels], vec![0.1; channels]);
        let filter = Filter::new(Level::detect(), kernel, stride, &taps, &bias).expect("the network has it");
        let output = side.div_ceil(stride);
        let line = (side + kernel) * channels;
        let width = output * channels;
        let operations = 2.0 * (output * width * kernel * kernel) as f64;
        let x = (0..line * (kernel + stride)).map(|i| (i % 7) as f32).collect();
        let rounded = int8.then(|| vec![0; width]);
        let kernel = Kernel::Filter { filter, x, line, rounded };
        Self { name, kernel, rows: output, operations, finish: Finish::Plain, out: vec![0.0; width] }
    }

    fn run(&mut self) {
        match &mut self.kernel {
            Kernel::F32 { matrix, x } => {
                let place = Placement::dense(matrix.outputs());
                matrix.multiply(x, matrix.inputs(), self.rows, &mut self.out, place, self.finish);
            }
            Kernel::Int8 { matrix, x } => {
                let place = Placement::dense(matrix.outputs());
                matrix.multiply(x, &[0.01], self.rows, &mut self.out, place, self.finish);
            }
            Kernel::Filter { filter, x, line, rounded } => {
                for _ in 0..self.rows {
                    let sink = match rounded {
                        Some(rounded) => Sink::I16(rounded, 100.0),
                        None => Sink::F32(&mut self.out),
                    };
                    filter.line(x, *line, filter.kernel(), 0, self.rows, sink);
                }
            }
        }
    }
}

/// The layers of the trunk for one picture, and those of the decoder for one word of three beams.
#[wasm_bindgen]
pub struct Layers(Vec<Layer>);

#[wasm_bindgen]
impl Layers {
    /// For pictures of `side` pixels and a vocabulary of `words`; products in integers or in floats.
    #[wasm_bindgen(constructor)]
    pub fn new(side: usize, words: usize, int8: bool) -> Layers {
        let mut side = side / 2;
        let mut layers = vec![Layer::product("stem".into(), side * side, 28, 32, false, true)];
        let mut channels = 32;
        let mut number = 0;
        for (repeats, kernel, first, expansion, out) in STAGES {
            for repeat in 0..repeats {
                let stride = if repeat == 0 { first } else { 1 };
                let wide = channels * expansion;
                let name = |part| format!("block {number} {part}");
                if expansion > 1 {
                    layers.push(Layer::product(name("expand"), side * side, channels, wide, int8, true));
                }
                layers.push(Layer::filter(name("depthwise"), side, kernel, stride, wide, int8));
                side = side.div_ceil(stride);
                layers.push(Layer::product(name("project"), side * side, wide, out, int8, false));
                channels = out;
                number += 1;
            }
        }
        const BEAMS: usize = 3;
        for (part, inputs, outputs) in [
            ("self-attention, query, key and value", 256, 768),
            ("self-attention, output", 256, 256),
            ("cross-attention, query", 256, 256),
            ("cross-attention, output", 256, 256),
            ("feed-forward, up", 256, 1024),
            ("feed-forward, down", 1024, 256),
        ] {
            layers.push(Layer::product(format!("decoder {part}"), BEAMS, inputs, outputs, int8, false));
        }
        layers.push(Layer::product("decoder words".into(), BEAMS, 256, words, int8, false));
        Layers(layers)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What layer `i` is called.
    pub fn name(&self, i: usize) -> String {
        self.0[i].name.clone()
    }

    /// Operations of one run of layer `i`: two for each multiply-add.
    pub fn operations(&self, i: usize) -> f64 {
        self.0[i].operations
    }

    /// Runs layer `i` `times` times.
    pub fn run(&mut self, i: usize, times: usize) {
        (0..times).for_each(|_| self.0[i].run());
    }
}
