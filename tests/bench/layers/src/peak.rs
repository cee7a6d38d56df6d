//! How many operations a second the vectors reach when nothing has to be loaded or stored.

use std::arch::wasm32::*;

use wasm_bindgen::prelude::*;

/// Chains of each of two instructions that do not wait for each other: with an operand, they nearly fill the registers.
const CHAINS: usize = 6;
/// Instructions in one turn of the loop, by chain.
const UNROLL: usize = 8;

/// Multiplies floats and adds up what comes out, `turns` times; returns the number of
/// operations, and hides a sum in it that nothing can be left out for.
#[wasm_bindgen]
pub fn peak_f32(turns: u32, factor: f32) -> f64 {
    let factor = f32x4_splat(factor);
    let (mut products, mut sums) = ([f32x4_splat(1.0); CHAINS], [f32x4_splat(1.0); CHAINS]);
    for _ in 0..turns {
        for _ in 0..UNROLL {
            for i in 0..CHAINS {
                products[i] = f32x4_mul(products[i], factor);
                sums[i] = f32x4_add(sums[i], products[i]);
            }
        }
    }
    let all = products.into_iter().chain(sums);
    let total = all.fold(f32x4_splat(0.0), |a, b| f32x4_add(a, b));
    count(turns, 8) + f64::from(f32x4_extract_lane::<0>(total)) * 1e-30
}

/// The same for dot products of 16-bit integers, two to each 32-bit sum.
#[wasm_bindgen]
pub fn peak_int(turns: u32, factor: i32) -> f64 {
    let factor = i32x4_splat(factor);
    let (mut products, mut sums) = ([i32x4_splat(1); CHAINS], [i32x4_splat(1); CHAINS]);
    for _ in 0..turns {
        for _ in 0..UNROLL {
            for i in 0..CHAINS {
                products[i] = i32x4_dot_i16x8(products[i], factor);
                sums[i] = i32x4_add(sums[i], products[i]);
            }
        }
    }
    let all = products.into_iter().chain(sums);
    let total = all.fold(i32x4_splat(0), |a, b| i32x4_add(a, b));
    count(turns, 16) + f64::from(i32x4_extract_lane::<0>(total)) * 1e-30
}

fn count(turns: u32, operations: usize) -> f64 {
    f64::from(turns) * (UNROLL * CHAINS * operations) as f64
}
