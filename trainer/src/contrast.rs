//! Losses on pairs of embeddings: what makes versions of a picture lie together.
//!
//! An embedding is what the decoder reads: (pictures, latents, width). Its values are layer-normed, each of about unit
//! variance, and there are thousands of them, so that two pictures lie about a hundred apart. Distances here are
//! therefore Euclidean distances divided by the square root of the number of values: two unrelated pictures are about
//! 1.4 apart, and the paper's margin of 1 means something.

use candle_core::{DType, Result, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use soli::graph::kernels::cross_entropy::cross_entropy;

/// For each of `count` pictures (at least 2) another one: what it is contrasted with.
pub fn other_pictures(count: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|i| ((i + rng.random_range(1..count.max(2))) % count) as u32).collect()
}

/// Squared distances (pictures) of embeddings (pictures, latents, width), row by row: mean squares of differences.
///
/// # Errors
/// If the shapes differ.
pub fn squared_distances(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a - b)?.sqr()?.flatten_from(1)?.mean(1)
}

/// The contrastive loss of Hadsell, Chopra and LeCun (2006) as SOLI uses it: `d^2` for versions of the same picture,
/// `max(0, margin - d)^2` for different pictures, as many of the one as of the other, and their mean. Row `i` of `a`
/// and `b` shows the same picture; row `others[i]` of `b` a different one.
///
/// Returns the loss with the mean distances of the same and of different pictures.
///
/// # Errors
/// If the shapes do not fit.
pub fn contrastive(a: &Tensor, b: &Tensor, others: &[u32], margin: f64) -> Result<(Tensor, f32, f32)> {
    let same = squared_distances(a, b)?;
    let others = b.index_select(&Tensor::new(others, b.device())?, 0)?;
    // The root has no slope at 0.
    let different = (squared_distances(a, &others)? + 1e-12)?.sqrt()?;
    let short = (margin - &different)?.relu()?.sqr()?;
    let loss = ((same.mean_all()? + short.mean_all()?)? * 0.5)?;
    let mean = |d: &Tensor| d.detach().to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>();
    Ok((loss, mean(&same.detach().sqrt()?)?, mean(&different)?))
}

/// For each row of `a` the nearest row of `b` that shows another picture: a hard negative. At least two pictures.
///
/// # Errors
/// If the shapes differ.
pub fn nearest_others(a: &Tensor, b: &Tensor) -> Result<Vec<u32>> {
    let (a, b) = (a.detach().flatten_from(1)?, b.detach().flatten_from(1)?);
    // |a - b|^2 without |a|^2, which is the same for all of a row.
    let products = (a.matmul(&b.t()?.contiguous()?)? * -2.0)?;
    let distances = products.broadcast_add(&b.sqr()?.sum(1)?.unsqueeze(0)?)?.to_vec2::<f32>()?;
    let nearest = |(i, row): (usize, &Vec<f32>)| {
        let others = row.iter().enumerate().filter(|(j, _)| *j != i);
        others.min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(j, _)| j as u32)
    };
    Ok(distances.iter().enumerate().map(nearest).collect())
}

/// VICReg (Bardes, Ponce and LeCun 2022, arXiv 2105.04906) with its weights of 25, 25 and 1: the two views of a picture lie
/// together, every value varies from picture to picture, and no two values vary together. Divided by 25. `a` and `b` are
/// (pictures, values), at least two pictures.
///
/// # Errors
/// If the shapes differ.
pub fn vicreg(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let invariance = (a - b)?.sqr()?.mean_all()?;
    let spread = |x: &Tensor| -> Result<Tensor> {
        let (pictures, values) = x.dims2()?;
        let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
        let covariance = (centred.t()?.contiguous()?.matmul(&centred)? / (pictures - 1) as f64)?;
        let variances = (centred.sqr()?.sum(0)? / (pictures - 1) as f64)?;
        let short = (1.0 - (&variances + 1e-4)?.sqrt()?)?.relu()?.mean_all()?;
        let together = (covariance.sqr()?.sum_all()? - variances.sqr()?.sum_all()?)?;
        // The variances are averaged over the two views, the covariances added, as in the paper's code.
        short + (together * (2.0 / (25.0 * values as f64)))?
    };
    let (a, b) = (spread(a)?, spread(b)?);
    invariance + ((a + b)? * 0.5)?
}

/// Pulls the embeddings of degraded pictures to those of the sharp ones, which stay where they are: mean squared
/// difference.
///
/// # Errors
/// If the shapes differ.
pub fn distillation(degraded: &Tensor, sharp: &Tensor) -> Result<Tensor> {
    squared_distances(degraded, &sharp.detach())?.mean_all()
}

/// InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) on the cosines of mean embeddings, as in CLIP: each row of `a`
/// has to find its own picture among all rows of `b`, and the other way round.
///
/// # Errors
/// If the shapes differ.
pub fn info_nce(a: &Tensor, b: &Tensor, temperature: f64) -> Result<Tensor> {
    let unit = |x: &Tensor| -> Result<Tensor> {
        let pooled = x.mean(1)?;
        // Without what all pictures share, such as the places' marks.
        let pooled = pooled.broadcast_sub(&pooled.mean_keepdim(0)?)?;
        let length = (pooled.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
        pooled.broadcast_div(&length)
    };
    let (a, b) = (unit(a)?, unit(b)?);
    let targets: Vec<u32> = (0..a.dim(0)? as u32).collect();
    let similar = (a.matmul(&b.t()?.contiguous()?)? / temperature)?;
    let forth = cross_entropy(&similar, &targets, 0.0)?.mean_all()?;
    let back = cross_entropy(&similar.t()?.contiguous()?, &targets, 0.0)?.mean_all()?;
    (forth + back)? * 0.5
}
