//! soli's kernels layer by layer, in the shapes of its network, beside what the vectors of WebAssembly can do at most:
//! for the table in docs/performance.md. Values are made up; only the time counts.
#![cfg(target_arch = "wasm32")]

mod peak;

use soli::kernels::{Depthwise, Finish, Level, Matrix, MatrixI8, Placement, Sink};
use soli::layout::{Linear, STEM_STRIDE, Trunk};
use wasm_bindgen::prelude::*;

/// A trunk without a head.
fn config() -> soli::EncoderConfig {
    soli::EncoderConfig::new(224)
}

enum Kernel {
    F32 { matrix: Matrix, x: Vec<f32> },
    Int8 { matrix: MatrixI8, x: Vec<i16> },
    Depthwise { filter: Depthwise, x: Vec<f32>, line: usize, rounded: Option<Vec<i16>> },
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
        let filter =
            Depthwise::new(Level::detect(), kernel, stride, &taps, &bias).expect("the network has it");
        let output = side.div_ceil(stride);
        let line = (side + kernel) * channels;
        let width = output * channels;
        let operations = 2.0 * (output * width * kernel * kernel) as f64;
        let x = (0..line * (kernel + stride)).map(|i| (i % 7) as f32).collect();
        let rounded = int8.then(|| vec![0; width]);
        let kernel = Kernel::Depthwise { filter, x, line, rounded };
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
            Kernel::Depthwise { filter, x, line, rounded } => {
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
        let trunk = Trunk::new(&config());
        let mut side = side / STEM_STRIDE;
        let pixels = side * side;
        // A window of the stem and the padding after it.
        let window = trunk.stem.inputs + 1;
        let mut layers = vec![Layer::product("stem".into(), pixels, window, trunk.stem.outputs, false, true)];
        for (number, block) in trunk.blocks.iter().enumerate() {
            let name = |part| format!("block {number} {part}");
            if let Some(Linear { inputs, outputs, .. }) = block.expand {
                layers.push(Layer::product(name("expand"), side * side, inputs, outputs, int8, true));
            }
            let wide = block.depthwise.outputs;
            layers.push(Layer::filter(name("depthwise"), side, block.kernel, block.stride, wide, int8));
            side = side.div_ceil(block.stride);
            let out = block.project.outputs;
            layers.push(Layer::product(name("project"), side * side, wide, out, int8, false));
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
