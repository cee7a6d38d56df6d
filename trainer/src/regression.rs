//! Logistic regression on a few variables.

use anyhow::{Result, ensure};

/// Weights, the bias first, that make the labels most probable under `1 / (1 + exp(-(w . x)))`, where the first value
/// of each row is a 1 for the bias: Newton's method on the likelihood, with next to no shrinkage.
///
/// # Errors
/// If all labels are the same, or a line parts them, so that no finite weights are best.
pub fn logistic_regression<const N: usize>(rows: &[([f64; N], bool)]) -> Result<[f64; N]> {
    let positive = rows.iter().filter(|(_, label)| *label).count();
    ensure!(
        positive > 0 && positive < rows.len(),
        "{positive} of {} labels are positive: nothing tells them apart",
        rows.len()
    );
    let mut weights = [0f64; N];
    for _ in 0..50 {
        let mut gradient = weights.map(|w| 1e-6 * w);
        let mut hessian = [[0f64; N]; N];
        (0..N).for_each(|i| hessian[i][i] = 1e-6);
        for &(x, label) in rows {
            let p = probability(weights, x);
            let error = p - f64::from(u8::from(label));
            for i in 0..N {
                gradient[i] += error * x[i];
                for j in 0..N {
                    hessian[i][j] += p * (1.0 - p) * x[i] * x[j];
                }
            }
        }
        let step = solve(hessian, gradient);
        weights.iter_mut().zip(step).for_each(|(w, s)| *w -= s);
        if step.iter().all(|s| s.abs() < 1e-9) {
            break;
        }
    }
    ensure!(weights.iter().all(|w| w.is_finite()), "the fit diverges: a line tells all labels apart");
    Ok(weights)
}

fn probability<const N: usize>(weights: [f64; N], x: [f64; N]) -> f64 {
    let logit: f64 = weights.iter().zip(x).map(|(w, x)| w * x).sum();
    1.0 / (1.0 + (-logit).exp())
}

/// Solves a system by Gaussian elimination with pivoting.
fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        let pivot = (i..N).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        for row in i + 1..N {
            let factor = a[row][i] / a[i][i];
            let pivot = a[i];
            a[row].iter_mut().zip(pivot).skip(i).for_each(|(value, above)| *value -= factor * above);
            b[row] -= factor * b[i];
        }
    }
    for i in (0..N).rev() {
        for column in i + 1..N {
            b[i] -= a[i][column] * b[column];
        }
        b[i] /= a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_weights_that_made_the_labels_are_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let made = [1.5, 2.0, -0.7];
        let rows: Vec<([f64; 3], bool)> = (0..40_000)
            .map(|_| {
                let x = [1.0, rng.random_range(-2.0..0.0), rng.random_range(-1.0..3.0)];
                (x, rng.random::<f64>() < probability(made, x))
            })
            .collect();
        let fitted = logistic_regression(&rows).unwrap();
        for (fitted, made) in fitted.iter().zip(made) {
            assert!((fitted - made).abs() < 0.1, "{fitted} {made}");
        }
        // At the optimum the mean probability is the share of positive labels.
        let mean = rows.iter().map(|(x, _)| probability(fitted, *x)).sum::<f64>() / rows.len() as f64;
        let positive = rows.iter().filter(|(_, label)| *label).count() as f64 / rows.len() as f64;
        assert!((mean - positive).abs() < 1e-6, "{mean} {positive}");
    }

    #[test]
    fn equal_labels_are_refused() {
        for label in [true, false] {
            assert!(logistic_regression(&[([1.0, -1.0, 0.0], label); 3]).is_err());
        }
    }
}
