//! The packed kernels, at every level that this processor has, against the plainest loops in `f64`: random shapes, odd
//! sizes, both strides.
#![cfg(not(target_arch = "wasm32"))]

use soli::kernels::{
    Depthwise, Finish, Level, Matrix, MatrixI8, Memory, Placement, Sink, attend, gelu, layer_norm,
    log_softmax, quantise, warm_up,
};

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn value(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0
    }

    fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let gap = (f64::from(*found) - expected).abs();
        assert!(gap <= tolerance * expected.abs().max(1.0), "{what}, value {i}: {found}, not {expected}");
    }
}

fn relu6(x: f64) -> f64 {
    x.clamp(0.0, 6.0)
}

/// Shapes of products: those where tiles, panels and unrolled loops end, then any.
fn shapes(random: &mut Random) -> Vec<(usize, usize, usize)> {
    let mut shapes: Vec<_> = (1..=25).map(|rows| (rows, 16, 24)).collect();
    shapes.extend((1..=40).map(|n| (7, n, 41 - n)));
    shapes.extend((0..40).map(|_| (1 + random.below(70), 1 + random.below(200), 1 + random.below(70))));
    // Large enough to be cut into chunks.
    shapes.push((301, 600, 19));
    shapes
}

#[test]
fn products_of_floats_are_those_of_the_plain_loop() {
    let mut random = Random(1);
    for level in Level::available() {
        for (rows, inputs, outputs) in shapes(&mut random) {
            let stride = inputs + random.below(3);
            let (x, w) = (random.values(rows * stride), random.values(inputs * outputs));
            let (bias, more) = (random.values(outputs), random.values(rows * outputs));
            let matrix = Matrix::pack(level, inputs, &bias, |k, n| w[k * outputs + n]);
            let sums: Vec<f64> = (0..rows * outputs)
                .map(|i| {
                    let (m, n) = (i / outputs, i % outputs);
                    let product = |k| f64::from(x[m * stride + k]) * f64::from(w[k * outputs + n]);
                    f64::from(bias[n]) + (0..inputs).map(product).sum::<f64>()
                })
                .collect();
            let what = format!("{level:?} {rows} x {inputs} x {outputs}");
            // Long sums of floats lose more.
            let tolerance = 1e-7 * inputs.max(100) as f64;
            let mut out = vec![f32::NAN; rows * outputs];
            let mut run = |finish| {
                matrix.multiply(&x, stride, rows, &mut out, Placement::dense(outputs), finish);
                out.clone()
            };
            assert_close(&run(Finish::Plain), &sums, tolerance, &what);
            let clamped: Vec<f64> = sums.iter().map(|&x| relu6(x)).collect();
            assert_close(&run(Finish::Relu6), &clamped, tolerance, &what);
            let added: Vec<f64> = sums.iter().zip(&more).map(|(a, b)| a + f64::from(*b)).collect();
            assert_close(&run(Finish::Add(&more)), &added, tolerance, &what);
        }
    }
}

#[test]
fn lines_with_a_margin_keep_their_margin() {
    let mut random = Random(2);
    for level in Level::available() {
        for (lines, per_line, outputs) in [(1, 1, 5), (3, 5, 8), (4, 7, 24), (5, 13, 17)] {
            let (x, w, bias) =
                (random.values(lines * per_line * 6), random.values(6 * outputs), random.values(outputs));
            let matrix = Matrix::pack(level, 6, &bias, |k, n| w[k * outputs + n]);
            let rows = lines * per_line;
            let mut dense = vec![0f32; rows * outputs];
            matrix.multiply(&x, 6, rows, &mut dense, Placement::dense(outputs), Finish::Plain);
            let line = (per_line + 2) * outputs;
            let mut placed = vec![9f32; lines * line];
            let place = Placement { per_line, line, row: outputs };
            matrix.multiply(&x, 6, rows, &mut placed[outputs..], place, Finish::Plain);
            for (dense, placed) in dense.chunks_exact(per_line * outputs).zip(placed.chunks_exact(line)) {
                let (before, rest) = placed.split_at(outputs);
                let (values, after) = rest.split_at(per_line * outputs);
                assert_eq!(values, dense, "{level:?}");
                assert!(
                    before.iter().chain(after).all(|&x| x == 9.0),
                    "{level:?}: the margin was written to"
                );
            }
        }
    }
}

/// Integers as the weights file has them.
fn bytes(integers: &[i8]) -> Vec<u8> {
    integers.iter().map(|&integer| integer as u8).collect()
}

#[test]
fn a_matrix_can_be_packed_in_parts_or_as_its_transpose() {
    let mut random = Random(8);
    for level in Level::available() {
        for (rows, inputs, outputs) in shapes(&mut random) {
            let w: Vec<u8> =
                (0..inputs * outputs).map(|_| (random.below(255) as i16 - 127) as i8 as u8).collect();
            let (scales, bias) = (random.values(outputs), random.values(outputs));
            let x: Vec<i16> =
                (0..rows * inputs.next_multiple_of(2)).map(|i| (i * 31 % 200) as i16 - 99).collect();
            let product = |matrix: MatrixI8| {
                // An odd row's last value has to be zero.
                let mut x = x.clone();
                x.chunks_exact_mut(matrix.stride()).for_each(|row| row[inputs..].fill(0));
                let mut out = vec![f32::NAN; rows * outputs];
                matrix.multiply(&x, &[0.5], rows, &mut out, Placement::dense(outputs), Finish::Plain);
                out
            };
            let whole = product(MatrixI8::pack(level, inputs, &scales, &bias, &[&w]));
            let transposed: Vec<u8> =
                (0..outputs * inputs).map(|i| w[i % inputs * outputs + i / inputs]).collect();
            let other = product(MatrixI8::pack_transposed(level, inputs, &scales, &bias, &transposed));
            assert_eq!(whole, other, "{level:?} {rows} x {inputs} x {outputs}");
            let split = outputs / 3;
            let part = |from: usize, to: usize| -> Vec<u8> {
                w.chunks_exact(outputs).flat_map(|row| row[from..to].iter().copied()).collect()
            };
            let (left, right) = (part(0, split), part(split, outputs));
            let other = product(MatrixI8::pack(level, inputs, &scales, &bias, &[&left, &right]));
            assert_eq!(whole, other, "{level:?} {rows} x {inputs} x {outputs}, in parts");
        }
    }
}

#[test]
fn products_of_integers_are_exact() {
    let mut random = Random(3);
    for level in Level::available() {
        for (rows, inputs, outputs) in shapes(&mut random) {
            let w: Vec<i8> = (0..inputs * outputs).map(|_| random.below(255) as i8 as i16 as i8).collect();
            let w: Vec<i8> = w.into_iter().map(|w| w.max(-127)).collect();
            let (scales, bias) = (vec![1.0; outputs], vec![0.0; outputs]);
            let matrix = MatrixI8::pack(level, inputs, &scales, &bias, &[&bytes(&w)]);
            // Small enough for a float to hold the sum exactly.
            let most = ((1 << 24) / (127 * inputs)).clamp(1, matrix.limit() as usize);
            let stride = matrix.stride();
            let mut x = vec![0i16; rows * stride];
            for row in x.chunks_exact_mut(stride) {
                row[..inputs].fill_with(|| (random.below(2 * most + 1) as i64 - most as i64) as i16);
            }
            let mut out = vec![f32::NAN; rows * outputs];
            matrix.multiply(&x, &[1.0], rows, &mut out, Placement::dense(outputs), Finish::Plain);
            for (i, &found) in out.iter().enumerate() {
                let (m, n) = (i / outputs, i % outputs);
                let product = |k| i64::from(x[m * stride + k]) * i64::from(w[k * outputs + n]);
                let expected: i64 = (0..inputs).map(product).sum();
                assert_eq!(found as i64, expected, "{level:?} {rows} x {inputs} x {outputs}, {m} {n}");
            }
        }
    }
}

#[test]
fn the_largest_integers_do_not_overflow() {
    for level in Level::available() {
        for inputs in [1, 2, 7, 515, 516, 517, 1152, 8192] {
            for sign in [1, -1] {
                let matrix =
                    MatrixI8::pack(level, inputs, &[1.0], &[0.0], &[&bytes(&vec![127 * sign; inputs])]);
                let mut x = vec![matrix.limit() as i16; matrix.stride()];
                x[inputs..].fill(0);
                let mut out = [0f32];
                matrix.multiply(&x, &[1.0], 1, &mut out, Placement::dense(1), Finish::Plain);
                let expected = f64::from(matrix.limit()) * 127.0 * inputs as f64 * f64::from(sign);
                assert_close(&out, &[expected], 1e-6, &format!("{level:?}, {inputs} inputs"));
            }
        }
    }
}

#[test]
fn rounded_products_with_scales_are_close_to_those_of_floats() {
    let mut random = Random(4);
    for level in Level::available() {
        let (rows, inputs, outputs) = (5, 96, 21);
        let x: Vec<f32> = random.values(rows * inputs).iter().map(|x| x * 40.0).collect();
        let w: Vec<i8> =
            (0..inputs * outputs).map(|_| random.below(255) as i8).map(|w| w.max(-127)).collect();
        let scales: Vec<f32> = random.values(outputs).iter().map(|x| (x.abs() + 0.1) / 127.0).collect();
        let bias = random.values(outputs);
        let matrix = MatrixI8::pack(level, inputs, &scales, &bias, &[&bytes(&w)]);
        let mut rounded = vec![0i16; rows * inputs];
        let steps: Vec<f32> = x
            .chunks_exact(inputs)
            .zip(rounded.chunks_exact_mut(inputs))
            .map(|(x, rounded)| quantise(level, x, matrix.limit(), rounded))
            .collect();
        let mut out = vec![0f32; rows * outputs];
        matrix.multiply(&rounded, &steps, rows, &mut out, Placement::dense(outputs), Finish::Plain);
        let expected: Vec<f64> = (0..rows * outputs)
            .map(|i| {
                let (m, n) = (i / outputs, i % outputs);
                let product = |k| f64::from(x[m * inputs + k]) * f64::from(w[k * outputs + n]);
                f64::from(bias[n]) + f64::from(scales[n]) * (0..inputs).map(product).sum::<f64>()
            })
            .collect();
        assert_close(&out, &expected, 2e-3, &format!("{level:?}"));
    }
}

#[test]
fn rounding_is_to_the_nearest_step() {
    let mut random = Random(5);
    for level in Level::available() {
        for (len, size) in [(1, 1.0), (7, 1e-6), (64, 300.0), (1001, 3e30)] {
            let x: Vec<f32> = random.values(len).iter().map(|x| x * size).collect();
            let mut out = vec![0i16; len];
            let step = quantise(level, &x, 30_000.0, &mut out);
            for (x, &rounded) in x.iter().zip(&out) {
                let exact = f64::from(*x) / f64::from(step);
                assert!((exact - f64::from(rounded)).abs() <= 0.51, "{level:?}: {exact} became {rounded}");
            }
            assert!(out.iter().any(|x| x.abs() == 30_000), "{level:?}: the range is used");
        }
        let mut zeros = [7i16; 9];
        assert_eq!(quantise(level, &[0.0; 9], 30_000.0, &mut zeros), 0.0);
        assert_eq!(zeros, [0; 9]);
    }
}

#[test]
fn depthwise_convolutions_are_those_of_the_plain_loop() {
    let mut random = Random(6);
    for level in Level::available() {
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            for width in [1, 2, 3, 4, 5, 7, 8, 11] {
                let channels = 1 + random.below(40);
                let taps = random.values(kernel * kernel * channels);
                let bias = random.values(channels);
                let filter = Depthwise::new(level, kernel, stride, &taps, &bias).expect("a known kernel");
                let line = ((width - 1) * stride + kernel) * channels;
                let first = random.below(kernel);
                let lines = 1 + random.below(kernel - first);
                let x: Vec<f32> = random.values(lines * line).iter().map(|x| 3.0 * x).collect();
                let expected: Vec<f64> = (0..width * channels)
                    .map(|i| {
                        let (pixel, c) = (i / channels, i % channels);
                        let mut sum = f64::from(bias[c]);
                        for l in 0..lines {
                            for k in 0..kernel {
                                let x = x[l * line + (pixel * stride + k) * channels + c];
                                let w = taps[((first + l) * kernel + k) * channels + c];
                                sum += f64::from(x) * f64::from(w);
                            }
                        }
                        relu6(sum)
                    })
                    .collect();
                let what = format!("{level:?} kernel {kernel} stride {stride} {width} x {channels}");
                let mut out = vec![f32::NAN; width * channels];
                filter.line(&x, line, lines, first, width, Sink::F32(&mut out));
                assert_close(&out, &expected, 1e-5, &what);
                let mut rounded = vec![0i16; width * channels];
                filter.line(&x, line, lines, first, width, Sink::I16(&mut rounded, 5000.0));
                let rounded: Vec<f32> = rounded.into_iter().map(|x| f32::from(x) / 5000.0).collect();
                assert_close(&rounded, &expected, 1.2e-4, &what);
            }
        }
        assert!(Depthwise::new(level, 7, 1, &[0.0; 49], &[0.0]).is_none());
        assert!(Depthwise::new(level, 3, 3, &[0.0; 9], &[0.0]).is_none());
        assert!(Depthwise::new(level, 3, 1, &[0.0; 8], &[0.0]).is_none());
    }
}

#[test]
fn rows_are_treated_as_their_formulas_say() {
    let mut random = Random(7);
    for level in Level::available() {
        for len in (1..=40).chain([257, 2921]) {
            let x: Vec<f32> = random.values(len).iter().map(|x| x * 8.0).collect();
            let exact: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let what = format!("{level:?}, {len} values");

            let mut out = x.clone();
            gelu(level, &mut out);
            let slope = (2.0 / std::f64::consts::PI).sqrt();
            let expected: Vec<f64> =
                exact.iter().map(|x| x / 2.0 * (1.0 + (slope * (x + 0.044715 * x.powi(3))).tanh())).collect();
            assert_close(&out, &expected, 1e-6, &what);

            let mut out = x.clone();
            log_softmax(level, &mut out);
            let sum: f64 = exact.iter().map(|x| x.exp()).sum();
            let expected: Vec<f64> = exact.iter().map(|x| x - sum.ln()).collect();
            assert_close(&out, &expected, 2e-6, &what);

            let (gamma, beta) = (random.values(len), random.values(len));
            let mut out = vec![0f32; len];
            layer_norm(level, &x, &gamma, &beta, &mut out);
            let mean = exact.iter().sum::<f64>() / len as f64;
            let variance = exact.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / len as f64;
            let expected: Vec<f64> = (0..len)
                .map(|i| {
                    let normed = (exact[i] - mean) / (variance + 1e-5).sqrt();
                    normed * f64::from(gamma[i]) + f64::from(beta[i])
                })
                .collect();
            assert_close(&out, &expected, 2e-5, &what);
        }
    }
}

#[test]
fn attention_is_a_weighted_mean_of_the_rows_named() {
    let mut random = Random(8);
    for level in Level::available() {
        for (heads, head, count) in [(1, 1, 1), (1, 5, 3), (4, 64, 36), (3, 7, 24), (2, 16, 49)] {
            let width = heads * head;
            let stride = width + random.below(5);
            let table = count + 3;
            let query: Vec<f32> = random.values(width).iter().map(|x| x * 3.0).collect();
            let (keys, values) = (random.values(table * stride), random.values(table * stride));
            let rows: Vec<u32> = (0..count).map(|_| random.below(table) as u32).collect();
            let (mut scores, mut out) = (vec![0f32; count], vec![f32::NAN; width]);
            let memory = Memory { keys: &keys, values: &values, stride, rows: &rows };
            attend(level, &query, memory, heads, &mut scores, &mut out);
            let at = |table: &[f32], row: u32, i: usize| f64::from(table[row as usize * stride + i]);
            let expected: Vec<f64> = (0..width)
                .map(|i| {
                    let own = i / head * head..(i / head + 1) * head;
                    let weight = |row: u32| {
                        let dot: f64 = own.clone().map(|j| f64::from(query[j]) * at(&keys, row, j)).sum();
                        (dot / (head as f64).sqrt()).exp()
                    };
                    let total: f64 = rows.iter().map(|&row| weight(row)).sum();
                    rows.iter().map(|&row| weight(row) * at(&values, row, i)).sum::<f64>() / total
                })
                .collect();
            assert_close(&out, &expected, 1e-5, &format!("{level:?} {heads} x {head}, {count} rows"));
        }
    }
}

#[test]
fn warming_up_keeps_to_the_sizes_of_its_buffers() {
    for level in Level::available() {
        warm_up(level);
    }
}
