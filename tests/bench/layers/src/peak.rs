//! How many operations a second the vectors reach when nothing has to be loaded or stored.

use std::arch::wasm32::*;

use wasm_bindgen::prelude::*;

/// Chains that do not wait for each other: with two operands, they nearly fill the registers.
const CHAINS: usize = 12;
/// Steps of each chain in one turn of the loop.
const UNROLL: usize = 4;

/// Multiplies floats and adds to what comes out, `turns` times; returns the number of operations, and hides a sum in it
/// that nothing can be left out for. `factor` lies below 1, so that the values stay ordinary numbers.
#[wasm_bindgen]
pub fn peak_f32(turns: u32, factor: f32) -> f64 {
    let (factor, step) = (f32x4_splat(factor), f32x4_splat(1.0 - factor));
    let mut sums: [v128; CHAINS] = std::array::from_fn(|i| f32x4_splat(i as f32));
    for _ in 0..turns {
        for _ in 0..UNROLL {
            for sum in &mut sums {
                *sum = f32x4_add(f32x4_mul(*sum, factor), step);
            }
        }
    }
    let total = sums.into_iter().fold(f32x4_splat(0.0), |a, b| f32x4_add(a, b));
    count(turns, 8) + f64::from(f32x4_extract_lane::<0>(total)) * 1e-30
}

/// The same for dot products of 16-bit integers, two to each 32-bit sum.
#[wasm_bindgen]
pub fn peak_int(turns: u32, factor: i32) -> f64 {
    let factor = i32x4_splat(factor);
    let mut sums: [v128; CHAINS] = std::array::from_fn(|i| i32x4_splat(i as i32));
    for _ in 0..turns {
        for _ in 0..UNROLL {
            for sum in &mut sums {
                *sum = i32x4_add(i32x4_dot_i16x8(*sum, factor), factor);
            }
        }
    }
    let total = sums.into_iter().fold(i32x4_splat(0), |a, b| i32x4_add(a, b));
    count(turns, 16) + f64::from(i32x4_extract_lane::<0>(total)) * 1e-30
}

fn count(turns: u32, operations: usize) -> f64 {
    f64::from(turns) * (UNROLL * CHAINS * operations) as f64
}
