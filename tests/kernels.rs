//! Every kernel against the same thing put together from candle's own operations, and against finite differences.
#![cfg(not(target_arch = "wasm32"))]

use candle_core::{D, Device, Result, Tensor, Var};
use soli::graph::kernels::attention::{Segment, attention};
use soli::graph::kernels::cross_entropy::{cross_entropy, soft_cross_entropy};
use soli::graph::kernels::depthwise::depthwise;
use soli::graph::kernels::dropout::dropout;
use soli::graph::kernels::gelu::gelu;
use soli::graph::kernels::inverted_residual::inverted_residual;
use soli::graph::kernels::layer_norm::layer_norm;
use soli::graph::kernels::linear::{Activation, linear};
use soli::layout::LAYER_NORM_EPSILON;

/// Values in -1..1 that look random and are the same every time.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn var(shape: &[usize], seed: u64) -> Var {
    Var::from_vec(values(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

fn close(got: &Tensor, want: &Tensor, tolerance: f32, what: &str) {
    assert_eq!(got.dims(), want.dims(), "{what}: shape");
    let worst = (got - want).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let worst = worst.to_scalar::<f32>().unwrap();
    let size = want.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    assert!(worst <= tolerance * size.max(1.0), "{what}: differs by {worst}, values up to {size}");
}

/// Results and gradients of `ours` and `reference` agree. The gradient flows from a fixed random weighting of the
/// result, so that no error can cancel.
fn same(
    what: &str,
    vars: &[&Var],
    ours: impl Fn() -> Result<Tensor>,
    reference: impl Fn() -> Result<Tensor>,
) {
    let (got, want) = (ours().unwrap(), reference().unwrap());
    close(&got, &want, 2e-5, what);
    let weights = Tensor::from_vec(values(got.elem_count(), 99), got.shape(), &Device::Cpu).unwrap();
    let backward = |y: Tensor| (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let (got, want) = (backward(got), backward(want));
    for (i, var) in vars.iter().enumerate() {
        let (got, want) = (got.get(var).expect("a gradient"), want.get(var).expect("a gradient"));
        let largest = got.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
        assert!(largest > 0.0, "{what}: gradient {i} is zero");
        close(got, want, 5e-5, &format!("{what}: gradient {i}"));
    }
}

/// The gradient of `f` agrees with central differences at a spread of single values.
fn differences(what: &str, vars: &[&Var], f: impl Fn() -> Result<Tensor>) {
    let weighted = || {
        let y = f().unwrap();
        let weights = Tensor::from_vec(values(y.elem_count(), 7), y.shape(), &Device::Cpu).unwrap();
        (y * weights).unwrap().sum_all().unwrap()
    };
    let grads = weighted().backward().unwrap();
    let step = 1e-2f32;
    for (v, var) in vars.iter().enumerate() {
        let grad = grads.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let original = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for i in (0..original.len()).step_by(original.len().div_ceil(7)) {
            let at = |delta: f32| {
                let mut moved = original.clone();
                moved[i] += delta;
                var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                weighted().to_scalar::<f32>().unwrap()
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (slope - grad[i]).abs() <= 2e-2 * (1.0 + slope.abs()),
                "{what}: value {i} of variable {v}: difference quotient {slope}, gradient {}",
                grad[i]
            );
        }
        var.set(&Tensor::from_vec(original, var.shape(), &Device::Cpu).unwrap()).unwrap();
    }
}

fn relu6(x: Tensor) -> Result<Tensor> {
    x.clamp(0f32, 6f32)
}

/// TensorFlow's "SAME" padding, candle's grouped convolution, bias, ReLU6.
fn stock_depthwise(x: &Tensor, w: &Tensor, b: &Tensor, stride: usize) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let kernel = w.dim(0)?.isqrt();
    let padding = |n: usize| (n.div_ceil(stride).saturating_sub(1) * stride + kernel).saturating_sub(n);
    let (pv, ph) = (padding(height), padding(width));
    let x = x.permute((0, 3, 1, 2))?.contiguous()?;
    let x = x.pad_with_zeros(2, pv / 2, pv - pv / 2)?.pad_with_zeros(3, ph / 2, ph - ph / 2)?;
    let w = w.t()?.reshape((channels, 1, kernel, kernel))?.contiguous()?;
    let y = x.conv2d(&w, 0, stride, 1, channels)?.permute((0, 2, 3, 1))?.contiguous()?;
    y.broadcast_add(b)
}

#[test]
fn linear_agrees_with_stock_operations() {
    for (rows, k, n) in [(1, 1, 1), (3, 5, 7), (70, 24, 96), (129, 33, 17)] {
        let (x, w, b) = (var(&[rows, k], 1), var(&[k, n], 2), var(&[n], 3));
        let plain = || x.matmul(&w)?.broadcast_add(&b);
        same(
            &format!("linear {rows}x{k}x{n}"),
            &[&x, &w, &b],
            || linear(&x, &w, &b, Activation::None),
            plain,
        );
    }
    let (x, w, b) = (var(&[40, 9], 4), var(&[9, 12], 5), var(&[12], 6));
    let w = Var::from_tensor(&(w.as_tensor() * 4.0).unwrap()).unwrap();
    let plain = || relu6(x.matmul(&w)?.broadcast_add(&b)?);
    same("linear with ReLU6", &[&x, &w, &b], || linear(&x, &w, &b, Activation::Relu6), plain);
}

#[test]
fn depthwise_agrees_with_stock_convolution() {
    for (height, width, channels, kernel, stride) in [
        (8, 8, 16, 3, 1),
        (8, 8, 16, 3, 2),
        (7, 9, 5, 3, 2),
        (9, 7, 33, 5, 1),
        (8, 6, 17, 5, 2),
        (1, 1, 3, 5, 1),
        (2, 3, 4, 5, 2),
        (1, 5, 1, 3, 2),
        // Wide enough for columns worked on together, and an odd kernel out.
        (5, 11, 32, 3, 1),
        (6, 12, 16, 5, 1),
        (7, 21, 16, 5, 2),
        (4, 14, 16, 3, 2),
        (8, 12, 16, 7, 1),
    ] {
        let what = format!("depthwise {height}x{width}x{channels}, kernel {kernel}, stride {stride}");
        let x = var(&[2, height, width, channels], 11);
        let (w, b) = (var(&[kernel * kernel, channels], 12), var(&[channels], 13));
        let all = [&x, &w, &b];
        same(
            &what,
            &all,
            || depthwise(&x, &w, &b, stride, Activation::None),
            || stock_depthwise(&x, &w, &b, stride),
        );
        differences(&what, &all, || depthwise(&x, &w, &b, stride, Activation::None));
        if height > 1 {
            let clipped = || relu6(stock_depthwise(&x, &w, &b, stride)?);
            same(&what, &all, || depthwise(&x, &w, &b, stride, Activation::Relu6), clipped);
        }
    }
}

#[test]
fn inverted_residual_agrees_with_its_parts() {
    for (side, channels, expansion, out, kernel, stride) in
        [(6, 8, 6, 8, 3, 1), (7, 8, 6, 12, 5, 2), (8, 16, 1, 8, 3, 1), (5, 4, 3, 4, 5, 1), (1, 8, 2, 8, 5, 1)]
    {
        let wide = channels * expansion;
        let x = var(&[3, side, side, channels], 21);
        let (ew, eb) = (var(&[channels, wide], 22), var(&[wide], 23));
        let (fw, fb) = (var(&[kernel * kernel, wide], 24), var(&[wide], 25));
        let (pw, pb) = (var(&[wide, out], 26), var(&[out], 27));
        let residual = stride == 1 && channels == out;
        let what =
            format!("block {side}x{channels}x{expansion}, out {out}, kernel {kernel}, stride {stride}");
        let expand = (expansion > 1).then_some((ew.as_tensor(), eb.as_tensor()));
        let plain = || {
            let h = match expand {
                Some((w, b)) => linear(&x, w, b, Activation::Relu6)?,
                None => x.as_tensor().clone(),
            };
            let h = depthwise(&h, &fw, &fb, stride, Activation::Relu6)?;
            let y = linear(&h, &pw, &pb, Activation::None)?;
            if residual { y + x.as_tensor() } else { Ok(y) }
        };
        let ours = || inverted_residual(&x, expand, (&fw, &fb), (&pw, &pb), stride, residual);
        let mut vars = vec![&x, &fw, &fb, &pw, &pb];
        if expand.is_some() {
            vars.extend([&ew, &eb]);
        }
        same(&what, &vars, ours, plain);
    }
}

#[test]
fn layer_norm_agrees_with_stock_operations() {
    for (rows, n) in [(1, 8), (5, 256), (130, 33)] {
        let (x, gamma, beta) = (var(&[rows, n], 31), var(&[n], 32), var(&[n], 33));
        let plain = || {
            let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            let normed = centred.broadcast_div(&(variance + f64::from(LAYER_NORM_EPSILON))?.sqrt()?)?;
            normed.broadcast_mul(&gamma)?.broadcast_add(&beta)
        };
        let ours = || layer_norm(&x, &gamma, &beta);
        same(&format!("layer norm {rows}x{n}"), &[&x, &gamma, &beta], ours, plain);
    }
    let (x, gamma, beta) = (var(&[4, 12], 34), var(&[12], 35), var(&[12], 36));
    differences("layer norm", &[&x, &gamma, &beta], || layer_norm(&x, &gamma, &beta));
}

#[test]
fn gelu_agrees_with_stock_gelu() {
    let x = Var::from_tensor(&(var(&[3, 50], 41).as_tensor() * 5.0).unwrap()).unwrap();
    same("gelu", &[&x], || gelu(&x), || x.gelu());
    differences("gelu", &[&x], || gelu(&x));
}

#[test]
fn cross_entropy_agrees_with_stock_operations() {
    let (rows, classes, smoothing) = (37, 23, 0.1f32);
    let logits = Var::from_tensor(&(var(&[rows, classes], 51).as_tensor() * 6.0).unwrap()).unwrap();
    let targets: Vec<u32> = (0..rows as u32).map(|i| i * 5 % classes as u32).collect();
    let plain = || {
        let log_p = candle_nn::ops::log_softmax(&logits, 1)?;
        let index = Tensor::new(targets.as_slice(), &Device::Cpu)?.unsqueeze(1)?;
        let own = (log_p.gather(&index, 1)?.squeeze(1)? * f64::from(1.0 - smoothing))?;
        (own + log_p.mean(1)? * f64::from(smoothing))?.neg()
    };
    same("cross-entropy", &[&logits], || cross_entropy(&logits, &targets, smoothing), plain);
    assert!(cross_entropy(&logits, &[classes as u32; 37], 0.0).is_err());
    assert!(cross_entropy(&logits, &targets[1..], 0.0).is_err());
}

#[test]
fn soft_cross_entropy_agrees_with_stock_operations() {
    let (rows, classes) = (37, 23);
    let scaled = |seed| (var(&[rows, classes], seed).as_tensor() * 4.0).unwrap();
    let (logits, teacher) = (Var::from_tensor(&scaled(52)).unwrap(), scaled(53));
    let plain = || {
        let p = candle_nn::ops::softmax(&teacher, 1)?;
        (p * candle_nn::ops::log_softmax(&logits, 1)?)?.sum(1)?.neg()
    };
    same("soft cross-entropy", &[&logits], || soft_cross_entropy(&logits, &teacher), plain);
    let narrow = Var::from_tensor(&logits.narrow(0, 0, 3).unwrap().contiguous().unwrap()).unwrap();
    let its_teacher = teacher.narrow(0, 0, 3).unwrap();
    differences("soft cross-entropy", &[&narrow], || soft_cross_entropy(&narrow, &its_teacher));
    assert!(soft_cross_entropy(&logits, &its_teacher).is_err());
}

#[test]
fn attention_agrees_with_stock_operations() {
    let (heads, width) = (2, 12);
    let segments = [
        Segment { queries: 0..5, keys: 0..5, causal: true },
        Segment { queries: 5..6, keys: 5..6, causal: true },
        Segment { queries: 6..9, keys: 6..13, causal: false },
    ];
    let (q, k, v) = (var(&[9, width], 61), var(&[13, width], 62), var(&[13, width], 63));
    let plain = || {
        let mut rows = Vec::new();
        for s in &segments {
            let split = |t: &Tensor, r: &std::ops::Range<usize>| {
                t.narrow(0, r.start, r.len())?
                    .reshape((r.len(), heads, width / heads))?
                    .transpose(0, 1)?
                    .contiguous()
            };
            let (q, k, v) = (split(&q, &s.queries)?, split(&k, &s.keys)?, split(&v, &s.keys)?);
            let scores = (q.matmul(&k.t()?.contiguous()?)? / ((width / heads) as f64).sqrt())?;
            let hidden: Vec<f32> = (0..s.queries.len())
                .flat_map(|i| (0..s.keys.len()).map(move |j| if s.causal && j > i { -1e9 } else { 0.0 }))
                .collect();
            let hidden = Tensor::from_vec(hidden, (s.queries.len(), s.keys.len()), &Device::Cpu)?;
            let p = candle_nn::ops::softmax(&scores.broadcast_add(&hidden)?, D::Minus1)?;
            rows.push(p.matmul(&v)?.transpose(0, 1)?.reshape((s.queries.len(), width))?);
        }
        Tensor::cat(&rows, 0)
    };
    same("attention", &[&q, &k, &v], || attention(&q, &k, &v, heads, &segments), plain);
    differences("attention", &[&q, &k, &v], || attention(&q, &k, &v, heads, &segments));
}

#[test]
fn attention_refuses_segments_that_do_not_fit() {
    let (q, k) = (var(&[4, 8], 71), var(&[6, 8], 72));
    let segment = |queries, keys, causal| Segment { queries, keys, causal };
    for bad in [
        vec![],
        vec![segment(0..3, 0..6, false)],
        vec![segment(0..4, 0..7, false)],
        vec![segment(0..4, 0..6, true)],
        vec![segment(0..4, 2..2, false)],
        vec![segment(0..2, 0..4, false), segment(2..4, 3..6, false)],
    ] {
        assert!(attention(&q, &k, &k, 2, &bad).is_err(), "{bad:?}");
    }
    assert!(attention(&q, &k, &k, 3, &[segment(0..4, 0..6, false)]).is_err());
}

#[test]
fn dropout_keeps_the_mean_and_repeats_for_a_seed() {
    let x = Tensor::ones(200_000, candle_core::DType::F32, &Device::Cpu).unwrap();
    let sum = |t: &Tensor| t.sum_all().unwrap().to_scalar::<f32>().unwrap() / 200_000.0;
    let once = dropout(&x, 0.3, 5).unwrap();
    // The standard deviation of the mean is 0.0015.
    assert!((sum(&once) - 1.0).abs() < 0.01, "mean {}", sum(&once));
    let zeros = once.eq(0f32).unwrap().to_dtype(candle_core::DType::F32).unwrap();
    assert!((sum(&zeros) - 0.3).abs() < 0.01, "{} are zero", sum(&zeros));
    let values = |t: &Tensor| t.to_vec1::<f32>().unwrap();
    assert_eq!(values(&once), values(&dropout(&x, 0.3, 5).unwrap()));
    assert_ne!(values(&once), values(&dropout(&x, 0.3, 6).unwrap()));
    let x = var(&[1000], 81);
    let y = dropout(&x, 0.5, 9).unwrap();
    let grad = y.sum_all().unwrap().backward().unwrap();
    let (y, x, grad) = (values(&y), values(&x), values(grad.get(&x).unwrap()));
    assert!(y.iter().zip(&x).zip(&grad).all(|((y, x), g)| (y - x * g).abs() < 1e-6));
}
