//! A long short-term memory over whole sequences (Hochreiter and Schmidhuber 1997; gates and their order as PyTorch's
//! `LSTM`), from nothing on: one operation instead of a dozen a step.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::math::exp;
use super::matmul::{View, matmul_into, matmul_transposed};
use super::parallel;
use super::storage::{operand, with_values};

/// Sequences that one thread works through at a time.
const PIECE: usize = 32;
/// What is kept of each step, in numbers of hidden values: the four gates, the cell, the output.
const KEPT: usize = 6;

/// The output after each step (rows, steps, hidden), the first of which begins with a state of zeros. `inputs` (rows, steps, 4
/// hidden) are the inputs' shares of the gates, biases included: of the input gate, the forget gate, the cell and the output
/// gate. `weight` (4 hidden, hidden) is that of the last output.
///
/// # Errors
/// If the shapes do not fit or a tensor is not `f32` on the CPU.
pub fn lstm(inputs: &Tensor, weight: &Tensor) -> Result<Tensor> {
    inputs.contiguous()?.apply_op2(&weight.contiguous()?, Lstm { kept: Mutex::default() })
}

struct Lstm {
    /// (rows, steps, [`KEPT`], hidden): what the backward pass needs of the forward one.
    kept: Mutex<Vec<f32>>,
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// From the gates' sums to their values, the cell and the output; `before` is the cell of the step before.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn step(kept: &mut [f32], before: &[f32], hidden: usize) {
    let (gates, rest) = kept.split_at_mut(4 * hidden);
    let (cell, out) = rest.split_at_mut(hidden);
    let (input, gates) = gates.split_at_mut(hidden);
    let (forget, gates) = gates.split_at_mut(hidden);
    let (fresh, output) = gates.split_at_mut(hidden);
    for i in 0..hidden {
        input[i] = sigmoid(input[i]);
        forget[i] = sigmoid(forget[i]);
        fresh[i] = tanh(fresh[i]);
        output[i] = sigmoid(output[i]);
        cell[i] = forget[i] * before[i] + input[i] * fresh[i];
        out[i] = output[i] * tanh(cell[i]);
    }
}

/// The gradients of the gates' sums of a step, given those of its output, and of its cell by the step after it, which becomes
/// that of the cell before.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn step_back(
    sums: &mut [f32],
    of_cell: &mut [f32],
    kept: &[f32],
    before: &[f32],
    of_out: &[f32],
    hidden: usize,
) {
    let (input, kept) = kept.split_at(hidden);
    let (forget, kept) = kept.split_at(hidden);
    let (fresh, kept) = kept.split_at(hidden);
    let (output, cell) = kept.split_at(hidden);
    for i in 0..hidden {
        let squashed = tanh(cell[i]);
        let grad = of_cell[i] + of_out[i] * output[i] * (1.0 - squashed * squashed);
        sums[i] = grad * fresh[i] * input[i] * (1.0 - input[i]);
        sums[hidden + i] = grad * before[i] * forget[i] * (1.0 - forget[i]);
        sums[2 * hidden + i] = grad * input[i] * (1.0 - fresh[i] * fresh[i]);
        sums[3 * hidden + i] = of_out[i] * squashed * output[i] * (1.0 - output[i]);
        of_cell[i] = grad * forget[i];
    }
}

/// Works through some sequences: `kept` is theirs, and has the inputs' shares of the gates in it.
fn forward(kept: &mut [f32], weight: View, steps: usize, hidden: usize) {
    let (a_step, nothing) = (KEPT * hidden, vec![0f32; hidden]);
    let a_row = steps * a_step;
    for at in 0..steps {
        if at > 0 {
            let rows = kept.len() / a_row;
            let mut outputs = vec![0f32; rows * hidden];
            for (row, out) in outputs.chunks_exact_mut(hidden).enumerate() {
                out.copy_from_slice(&kept[row * a_row + at * a_step - hidden..][..hidden]);
            }
            let gates = &mut kept[at * a_step..];
            matmul_into(gates, a_row, View::new(&outputs, rows, hidden), weight.t(), 1.0, true);
        }
        for row in kept.chunks_exact_mut(a_row) {
            let (earlier, later) = row.split_at_mut(at * a_step);
            let before = match at {
                0 => &nothing[..],
                _ => &earlier[(at - 1) * a_step + 4 * hidden..][..hidden],
            };
            step(&mut later[..a_step], before, hidden);
        }
    }
}

/// The gradients of the inputs of some sequences into `sums` (rows, steps, 4 hidden), given those of the outputs.
fn backward(sums: &mut [f32], kept: &[f32], grad: &[f32], weight: View, steps: usize, hidden: usize) {
    let (a_step, nothing) = (KEPT * hidden, vec![0f32; hidden]);
    let rows = sums.len() / (steps * 4 * hidden);
    let (mut of_cell, mut of_out) = (vec![0f32; rows * hidden], vec![0f32; rows * hidden]);
    for at in (0..steps).rev() {
        for row in 0..rows {
            let place = row * steps + at;
            let mine = row * hidden..(row + 1) * hidden;
            let of_out = &mut of_out[mine.clone()];
            of_out.iter_mut().zip(&grad[place * hidden..]).for_each(|(sum, x)| *sum += x);
            let before = match at {
                0 => &nothing[..],
                _ => &kept[(place - 1) * a_step + 4 * hidden..][..hidden],
            };
            step_back(
                &mut sums[place * 4 * hidden..][..4 * hidden],
                &mut of_cell[mine],
                &kept[place * a_step..][..5 * hidden],
                before,
                of_out,
                hidden,
            );
        }
        let gates = View::strided(&sums[at * 4 * hidden..], rows, 4 * hidden, steps * 4 * hidden);
        matmul_into(&mut of_out, hidden, gates, weight, 1.0, false);
    }
}

impl CustomOp2 for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn cpu_fwd(
        &self,
        inputs: &CpuStorage,
        of_inputs: &Layout,
        weight: &CpuStorage,
        of_weight: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, steps, gates), (four, hidden)) = (of_inputs.shape().dims3()?, of_weight.shape().dims2()?);
        if gates != 4 * hidden || four != 4 * hidden || hidden == 0 || steps == 0 {
            bail!("lstm: inputs {:?} and weight {:?} do not fit", of_inputs.dims(), of_weight.dims());
        }
        let (inputs, weight) = (operand(inputs, of_inputs, "lstm")?, operand(weight, of_weight, "lstm")?);
        let weight = View::new(weight, 4 * hidden, hidden);
        let mut kept = vec![0f32; rows * steps * KEPT * hidden];
        parallel::for_each_chunk(&mut kept, PIECE * steps * KEPT * hidden, |piece, kept| {
            let inputs = &inputs[piece * PIECE * steps * gates..];
            for (step, inputs) in kept.chunks_exact_mut(KEPT * hidden).zip(inputs.chunks_exact(gates)) {
                step[..gates].copy_from_slice(inputs);
            }
            forward(kept, weight, steps, hidden);
        });
        let outputs =
            kept.chunks_exact(KEPT * hidden).flat_map(|step| &step[5 * hidden..]).copied().collect();
        *self.kept.lock().map_err(|_| candle_core::Error::Msg("lstm: a thread died".into()))? = kept;
        Ok((CpuStorage::F32(outputs), Shape::from((rows, steps, hidden))))
    }

    fn bwd(
        &self,
        inputs: &Tensor,
        weight: &Tensor,
        res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (rows, steps, hidden) = res.dims3()?;
        let kept = self.kept.lock().map_err(|_| candle_core::Error::Msg("lstm: a thread died".into()))?;
        let mut sums = vec![0f32; rows * steps * 4 * hidden];
        with_values(weight, |weight| {
            with_values(grad_res, |grad| {
                let weight = View::new(weight, 4 * hidden, hidden);
                parallel::for_each_chunk(&mut sums, PIECE * steps * 4 * hidden, |piece, sums| {
                    let first = piece * PIECE * steps;
                    backward(
                        sums,
                        &kept[first * KEPT * hidden..],
                        &grad[first * hidden..],
                        weight,
                        steps,
                        hidden,
                    );
                });
            })
        })??;
        // What each step was given of the one before; the first of each row was given nothing.
        let mut given = vec![0f32; rows * steps * hidden];
        with_values(res, |out| {
            for (given, out) in given.chunks_exact_mut(steps * hidden).zip(out.chunks_exact(steps * hidden)) {
                given[hidden..].copy_from_slice(&out[..(steps - 1) * hidden]);
            }
        })?;
        let of_weight = matmul_transposed(&sums, &given, rows * steps, 4 * hidden, hidden);
        Ok((
            Some(Tensor::from_vec(sums, inputs.shape(), inputs.device())?),
            Some(Tensor::from_vec(of_weight, weight.shape(), weight.device())?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn values(count: usize, seed: f32) -> Vec<f32> {
        (0..count).map(|i| ((i as f32 + seed) * 0.731).sin() * 0.8).collect()
    }

    fn var(shape: &[usize], seed: f32) -> Var {
        let tensor = Tensor::from_vec(values(shape.iter().product(), seed), shape, &Device::Cpu).unwrap();
        Var::from_tensor(&tensor).unwrap()
    }

    /// The same from candle's operations, step by step.
    fn plain(inputs: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let (rows, steps, _) = inputs.dims3()?;
        let hidden = weight.dim(1)?;
        let mut out = Tensor::zeros((rows, hidden), inputs.dtype(), inputs.device())?;
        let mut cell = out.clone();
        let mut all = Vec::new();
        let sigmoid = |x: &Tensor| (x.neg()?.exp()? + 1.0)?.recip();
        for at in 0..steps {
            let sums = (inputs.narrow(1, at, 1)?.squeeze(1)? + out.matmul(&weight.t()?)?)?;
            let gates = sums.chunk(4, 1)?;
            let kept = (sigmoid(&gates[1])? * cell)?;
            cell = (kept + (sigmoid(&gates[0])? * gates[2].tanh()?)?)?;
            out = (sigmoid(&gates[3])? * cell.tanh()?)?;
            all.push(out.clone());
        }
        Tensor::stack(&all, 1)
    }

    #[test]
    fn it_is_candles_step_by_step_with_its_gradients() -> Result<()> {
        // More rows than one thread takes at a time.
        let (rows, steps, hidden) = (PIECE + 3, 4, 5);
        let (inputs, weight) = (var(&[rows, steps, 4 * hidden], 1.0), var(&[4 * hidden, hidden], 2.0));
        let worth =
            Tensor::from_vec(values(rows * steps * hidden, 3.0), (rows, steps, hidden), &Device::Cpu)?;
        let [ours, theirs] = [lstm(&inputs, &weight)?, plain(&inputs, &weight)?];
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let close = |a: &Tensor, b: &Tensor| -> Result<bool> {
            Ok(flat(a)?.iter().zip(flat(b)?).all(|(a, b)| (a - b).abs() < 2e-5))
        };
        assert!(close(&ours, &theirs)?);
        let ours = (ours * &worth)?.sum_all()?.backward()?;
        let theirs = (theirs * &worth)?.sum_all()?.backward()?;
        for of in [&inputs, &weight] {
            let (a, b) = (ours.get(of).unwrap(), theirs.get(of).unwrap());
            assert!(close(a, b)?);
            assert!(flat(b)?.iter().any(|x| x.abs() > 0.01));
        }
        Ok(())
    }

    #[test]
    fn its_gradients_are_those_of_finite_differences() -> Result<()> {
        let (rows, steps, hidden) = (2, 3, 3);
        let (inputs, weight) = (var(&[rows, steps, 4 * hidden], 1.0), var(&[4 * hidden, hidden], 2.0));
        let worth =
            Tensor::from_vec(values(rows * steps * hidden, 3.0), (rows, steps, hidden), &Device::Cpu)?;
        let loss = |inputs: &Tensor, weight: &Tensor| (lstm(inputs, weight)? * &worth)?.sum_all();
        let grads = loss(&inputs, &weight)?.backward()?;
        let grad = grads.get(&weight).unwrap().flatten_all()?.to_vec1::<f32>()?;
        for (i, found) in grad.iter().enumerate().step_by(5) {
            let moved = |by: f32| -> Result<f32> {
                let mut values = weight.flatten_all()?.to_vec1::<f32>()?;
                values[i] += by;
                loss(&inputs, &Tensor::from_vec(values, weight.shape(), &Device::Cpu)?)?.to_scalar()
            };
            let slope = (moved(1e-2)? - moved(-1e-2)?) / 2e-2;
            assert!((found - slope).abs() < 2e-3, "{i}: {found} {slope}");
        }
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (inputs, weight) = (var(&[2, 3, 8], 1.0), var(&[12, 3], 2.0));
        assert!(lstm(&inputs, &weight).unwrap_err().to_string().contains("do not fit"));
    }
}
