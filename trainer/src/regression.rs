//! Logistic regression on a few variables, and ridge regression on many.

use anyhow::{Result, ensure};

/// An example of a [`ridge`] regression: its values, what they should give, and how much it counts (above 0).
pub type Weighted = (Vec<f32>, f64, f64);

/// The linear map (weights and bias) that gives the targets with the least mean squared error, where weights of standardised
/// values cost `shrinkage` times as much as those explain on average (Hoerl and Kennard 1970).
///
/// # Errors
/// If there is no example, or one has another number of values.
pub fn ridge(rows: &[Weighted], shrinkage: f64) -> Result<(Vec<f64>, f64)> {
    let width = rows.first().map_or(0, |(values, ..)| values.len());
    ensure!(width > 0, "there is nothing to fit");
    ensure!(
        rows.iter().all(|(values, ..)| values.len() == width),
        "examples have different numbers of values"
    );
    let total: f64 = rows.iter().map(|(.., weight)| weight).sum();
    let mean = |of: &dyn Fn(&Weighted) -> f64| rows.iter().map(|row| row.2 * of(row)).sum::<f64>() / total;
    let target = mean(&|row| row.1);
    let centre: Vec<f64> = (0..width).map(|i| mean(&|row| row.0[i].into())).collect();
    let spread: Vec<f64> =
        (0..width).map(|i| mean(&|row| (f64::from(row.0[i]) - centre[i]).powi(2)).sqrt().max(1e-6)).collect();
    let mut products = vec![vec![0f64; width]; width];
    let mut right = vec![vec![0f64]; width];
    for (values, wanted, weight) in rows {
        let x: Vec<f64> =
            values.iter().zip(&centre).zip(&spread).map(|((v, m), s)| (f64::from(*v) - m) / s).collect();
        for i in 0..width {
            let scaled = x[i] * weight / total;
            products[i].iter_mut().zip(&x).for_each(|(p, x)| *p += scaled * x);
            right[i][0] += scaled * (wanted - target);
        }
    }
    let explained = (0..width).map(|i| products[i][i]).sum::<f64>() / width as f64;
    (0..width).for_each(|i| products[i][i] += shrinkage * explained + 1e-12);
    let solved = solve_definite(products, right);
    let weights: Vec<f64> = solved.iter().zip(&spread).map(|(w, s)| w[0] / s).collect();
    let bias = target - weights.iter().zip(&centre).map(|(w, m)| w * m).sum::<f64>();
    Ok((weights, bias))
}

/// Solves a symmetric positive definite system for many right sides at once (a row of `b` for each row of `a`), by Gaussian
/// elimination.
pub fn solve_definite(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    let less = |rows: &mut [Vec<f64>], of: usize, from: usize, factor: f64| {
        let (low, high) = rows.split_at_mut(of.max(from));
        let (row, other) = if of > from { (&mut high[0], &low[from]) } else { (&mut low[of], &high[0]) };
        row.iter_mut().zip(other.iter()).for_each(|(x, y)| *x -= factor * y);
    };
    for i in 0..n {
        for row in i + 1..n {
            let factor = a[row][i] / a[i][i];
            less(&mut a, row, i, factor);
            less(&mut b, row, i, factor);
        }
    }
    for i in (0..n).rev() {
        for (column, factor) in a[i].iter().enumerate().skip(i + 1) {
            less(&mut b, i, column, *factor);
        }
        let pivot = a[i][i];
        b[i].iter_mut().for_each(|x| *x /= pivot);
    }
    b
}

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
        let hessian = hessian.map(|row| row.to_vec()).to_vec();
        let step = solve_definite(hessian, gradient.map(|value| vec![value]).to_vec());
        weights.iter_mut().zip(&step).for_each(|(w, s)| *w -= s[0]);
        if step.iter().all(|s| s[0].abs() < 1e-9) {
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

    #[test]
    fn systems_are_solved() {
        // numpy.linalg.solve([[4, 1], [1, 3]], [[1, 0], [2, 1]]).
        let x = solve_definite(vec![vec![4.0, 1.0], vec![1.0, 3.0]], vec![vec![1.0, 0.0], vec![2.0, 1.0]]);
        let expected = [[1.0 / 11.0, -1.0 / 11.0], [7.0 / 11.0, 4.0 / 11.0]];
        for (x, expected) in x.iter().flatten().zip(expected.iter().flatten()) {
            assert!((x - expected).abs() < 1e-12, "{x} {expected}");
        }
    }

    #[test]
    fn a_linear_map_is_found_and_shrunk() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let rows: Vec<Weighted> = (0..2000)
            .map(|_| {
                let x = [rng.random_range(-3.0..3.0f32), rng.random_range(10.0..12.0f32)];
                (x.to_vec(), f64::from(2.0 * x[0] - 0.5 * x[1]) + 1.0, 1.0)
            })
            .collect();
        let (weights, bias) = ridge(&rows, 0.0).unwrap();
        assert!(
            (weights[0] - 2.0).abs() < 1e-4 && (weights[1] + 0.5).abs() < 1e-4 && (bias - 1.0).abs() < 1e-3
        );
        // With as much shrinkage as there is to explain, half is left of values that do not vary together.
        let (weights, _) = ridge(&rows, 1.0).unwrap();
        assert!((weights[0] - 1.0).abs() < 0.05 && (weights[1] + 0.25).abs() < 0.05, "{weights:?}");
        // An example that counts thrice is three.
        let few: Vec<Weighted> = vec![(vec![0.0], 0.0, 1.0), (vec![1.0], 1.0, 3.0), (vec![2.0], 1.0, 1.0)];
        let same: Vec<Weighted> = [0, 1, 1, 1, 2].map(|i| (few[i].0.clone(), few[i].1, 1.0)).to_vec();
        let ((a, b), (c, d)) = (ridge(&few, 0.1).unwrap(), ridge(&same, 0.1).unwrap());
        assert!((a[0] - c[0]).abs() < 1e-9 && (b - d).abs() < 1e-9);
        assert!(ridge(&[], 1.0).is_err());
    }
}
