//! Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762) over runs of rows.
//!
//! Captions have different lengths. Instead of padding them, all their tokens lie one after the other in one
//! matrix, and each [`Segment`] says which rows of queries read which rows of keys and values. The same form serves
//! a decoding step, where each beam is a segment.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use multiversion::multiversion;

use super::math::softmax;
use super::matmul::{View, matmul_into};
use super::storage::{operand, with_values};

/// Which queries read which keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Rows of the queries. Segments are in order, and together cover all queries.
    pub queries: Range<usize>,
    /// Rows of the keys and values. No two segments share a row.
    pub keys: Range<usize>,
    /// Whether query `i` of the segment reads only its keys up to `i`.
    pub causal: bool,
}

/// Attention with `heads` heads for `q` (queries, width), `k` and `v` (keys, width): (queries, width).
///
/// # Errors
/// If the shapes do not fit, `heads` does not divide the width, the segments do not cover the queries in order, share
/// keys or point outside, or a tensor is not contiguous `f32` on the CPU.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, segments: &[Segment]) -> Result<Tensor> {
    let (queries, width) = q.dims2()?;
    let (keys, _) = k.dims2()?;
    if k.dims() != v.dims() || k.dim(1)? != width || heads == 0 || width % heads != 0 {
        bail!("attention: q {:?}, k {:?}, v {:?}, {heads} heads do not fit", q.dims(), k.dims(), v.dims());
    }
    let (mut next_query, mut next_key) = (0, 0);
    for s in segments {
        let in_order = s.queries.start == next_query && s.keys.start >= next_key;
        let inside = s.queries.end <= queries && s.keys.end <= keys;
        if !in_order || !inside || s.queries.is_empty() || s.keys.is_empty() {
            bail!(
                "attention: segment {s:?} is empty, out of order or outside {queries} queries, {keys} keys"
            );
        }
        if s.causal && s.queries.len() != s.keys.len() {
            bail!("attention: causal segment {s:?} needs as many keys as queries");
        }
        (next_query, next_key) = (s.queries.end, s.keys.end);
    }
    if next_query != queries {
        bail!("attention: the segments cover {next_query} of {queries} queries");
    }
    let op = Attention { heads, segments: segments.to_vec() };
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)
}

struct Attention {
    heads: usize,
    segments: Vec<Segment>,
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn softmax_rows(scores: &mut [f32], keys: usize, causal: bool) {
    for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
        let visible = if causal { i + 1 } else { keys };
        let (seen, hidden) = row.split_at_mut(visible);
        softmax(seen);
        hidden.fill(0.0);
    }
}

/// Turns `grad` (gradient of the probabilities) into the gradient of the scores, row by row.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn softmax_rows_backward(grad: &mut [f32], probabilities: &[f32], keys: usize) {
    for (grad, p) in grad.chunks_exact_mut(keys).zip(probabilities.chunks_exact(keys)) {
        let dot: f32 = grad.iter().zip(p).map(|(g, p)| g * p).sum();
        grad.iter_mut().zip(p).for_each(|(g, p)| *g = (*g - dot) * p);
    }
}

impl Attention {
    /// The columns of head `h` in rows `range` of a matrix of `width` columns.
    fn head<'a>(&self, values: &'a [f32], range: &Range<usize>, width: usize, h: usize) -> View<'a> {
        let d = width / self.heads;
        View::strided(&values[range.start * width + h * d..range.end * width], range.len(), d, width)
    }

    fn probabilities(&self, q: &[f32], k: &[f32], s: &Segment, width: usize, h: usize, out: &mut Vec<f32>) {
        let keys = s.keys.len();
        out.clear();
        out.resize(s.queries.len() * keys, 0.0);
        let scale = 1.0 / ((width / self.heads) as f32).sqrt();
        let (q, k) = (self.head(q, &s.queries, width, h), self.head(k, &s.keys, width, h));
        matmul_into(out, keys, q, k.t(), scale, false);
        softmax_rows(out, keys, s.causal);
    }

    fn forward(&self, out: &mut [f32], q: &[f32], k: &[f32], v: &[f32], s: &Segment, width: usize) {
        let d = width / self.heads;
        let mut p = Vec::new();
        for h in 0..self.heads {
            self.probabilities(q, k, s, width, h, &mut p);
            let p = View::new(&p, s.queries.len(), s.keys.len());
            matmul_into(&mut out[h * d..], width, p, self.head(v, &s.keys, width, h), 1.0, false);
        }
    }
}

/// A matrix to be written, and which of its rows are a segment's.
type Output<'a> = (&'a mut [f32], fn(&Segment) -> &Range<usize>);

/// Calls `f` with each segment and its own rows of the matrices `out`, over all threads.
fn for_each_segment<const N: usize>(
    segments: &[Segment],
    mut out: [Output; N],
    width: usize,
    f: impl Fn(&Segment, [&mut [f32]; N]) + Sync,
) {
    let mut next = [0; N];
    let mut work = Vec::with_capacity(segments.len());
    for s in segments {
        let mut i = 0;
        let pieces = out.each_mut().map(|(values, rows)| {
            let rows = rows(s);
            let rest = std::mem::take(values);
            let (_, rest) = rest.split_at_mut((rows.start - next[i]) * width);
            let (piece, rest) = rest.split_at_mut(rows.len() * width);
            *values = rest;
            next[i] = rows.end;
            i += 1;
            piece
        });
        work.push((s, pieces));
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        work.into_par_iter().for_each(|(s, pieces)| f(s, pieces));
    }
    #[cfg(target_arch = "wasm32")]
    work.into_iter().for_each(|(s, pieces)| f(s, pieces));
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = lq.shape().dims2()?;
        let op = self.name();
        let (q, k, v) = (operand(q, lq, op)?, operand(k, lk, op)?, operand(v, lv, op)?);
        let mut out = vec![0f32; q.len()];
        for_each_segment(&self.segments, [(&mut out, |s| &s.queries)], width, |s, [out]| {
            self.forward(out, q, k, v, s, width);
        });
        Ok((CpuStorage::F32(out), lq.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, width) = q.dims2()?;
        let d = width / self.heads;
        let scale = 1.0 / (d as f32).sqrt();
        let (mut gq, mut gk, mut gv) =
            (vec![0f32; q.elem_count()], vec![0f32; k.elem_count()], vec![0f32; v.elem_count()]);
        let mut backward = |q: &[f32], k: &[f32], v: &[f32], grad: &[f32]| {
            let out: [Output; 3] =
                [(&mut gq, |s| &s.queries), (&mut gk, |s| &s.keys), (&mut gv, |s| &s.keys)];
            for_each_segment(&self.segments, out, width, |s, [gq, gk, gv]| {
                let (queries, keys) = (s.queries.len(), s.keys.len());
                let (mut p, mut gp) = (Vec::new(), vec![0f32; queries * keys]);
                for h in 0..self.heads {
                    self.probabilities(q, k, s, width, h, &mut p);
                    let g = self.head(grad, &s.queries, width, h);
                    matmul_into(&mut gv[h * d..], width, View::new(&p, queries, keys).t(), g, 1.0, false);
                    matmul_into(&mut gp, keys, g, self.head(v, &s.keys, width, h).t(), 1.0, false);
                    softmax_rows_backward(&mut gp, &p, keys);
                    let gs = View::new(&gp, queries, keys);
                    let (hq, hk) = (self.head(q, &s.queries, width, h), self.head(k, &s.keys, width, h));
                    matmul_into(&mut gq[h * d..], width, gs, hk, scale, false);
                    matmul_into(&mut gk[h * d..], width, gs.t(), hq, scale, false);
                }
            });
        };
        with_values(q, |q| {
            with_values(k, |k| with_values(v, |v| with_values(grad_res, |grad| backward(q, k, v, grad))))
        })????;
        Ok((
            Some(Tensor::from_vec(gq, q.shape(), q.device())?),
            Some(Tensor::from_vec(gk, k.shape(), k.device())?),
            Some(Tensor::from_vec(gv, v.shape(), v.device())?),
        ))
    }
}
