//! Kernels at work on made-up numbers.

use super::{
    Buffer, Depthwise, Finish, Level, Matrix, MatrixI8, Memory, Placement, Sink, attend, gelu, layer_norm,
    log_softmax, quantise,
};

/// Runs every kernel for about a millisecond, those first that take longest to compile.
///
/// A browser starts with code that is made quickly and runs slowly, notices after so many turns what is worth being made well, and
/// makes it beside what is running. Whoever waits for the weights anyhow can let it notice in the meantime.
pub fn warm_up(level: Level) {
    const WIDTH: usize = 64;
    let values: Vec<f32> = (0..WIDTH * WIDTH).map(|i| (i % 13) as f32 / 13.0).collect();
    let (ones, integers) = (vec![1.0; WIDTH], vec![1u8; WIDTH * WIDTH]);
    let mut out = vec![0.0; 1 << 15];
    let mut rounded = Buffer::<i16>::new(1 << 15);
    let place = Placement::dense(WIDTH);

    let int8 = MatrixI8::pack(level, WIDTH, &ones, &ones, &[&integers]);
    int8.multiply(&rounded, &[1.0], 512, &mut out, place, Finish::Relu6);
    for (kernel, stride) in [(3, 1), (5, 1), (5, 2), (3, 2)] {
        let taps = vec![0.1; kernel * kernel * WIDTH];
        let Some(filter) = Depthwise::new(level, kernel, stride, &taps, &ones) else { continue };
        for _ in 0..64 {
            filter.line(&values, 0, kernel, 0, 28, Sink::I16(&mut rounded, 100.0));
        }
    }
    for _ in 0..96 {
        int8.multiply(&rounded, &[1.0], 3, &mut out, place, Finish::Plain);
    }
    let floats = Matrix::pack(level, WIDTH, &ones, |_, _| 1.0);
    floats.multiply(&out.clone(), WIDTH, 256, &mut out, place, Finish::Relu6);
    let rows: Vec<u32> = (0..32).collect();
    for _ in 0..64 {
        let memory = Memory { keys: &values, values: &values, stride: WIDTH, rows: &rows };
        attend(level, &ones, memory, 1, &mut [0.0; 32], &mut out);
    }
    for _ in 0..8 {
        log_softmax(level, &mut out[..4096]);
        gelu(level, &mut out[..4096]);
        layer_norm(level, &values, &ones, &ones, &mut out[..WIDTH * WIDTH]);
        quantise(level, &values, int8.limit(), &mut rounded);
    }
}
