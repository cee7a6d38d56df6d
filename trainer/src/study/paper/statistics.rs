//! Means of a few seeds, and how far they can be trusted.

/// Two-sided 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom.
const T: [f64; 12] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179];

/// A mean, and half of its 95 % interval: infinite for a single value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Half of the interval.
    pub half: f64,
}

impl Mean {
    /// Of values that are drawn from a normal distribution.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len();
        let value = values.iter().sum::<f64>() / count.max(1) as f64;
        if count < 2 {
            return Self { value, half: f64::INFINITY };
        }
        let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (count - 1) as f64;
        let t = T.get(count - 2).copied().unwrap_or(1.96);
        Self { value, half: t * (variance / count as f64).sqrt() }
    }

    /// Of differences of pairs: a paired t-test says they differ if the interval is on one side of 0.
    pub fn of_differences(pairs: &[(f64, f64)]) -> Self {
        Self::of(&pairs.iter().map(|(a, b)| a - b).collect::<Vec<_>>())
    }

    /// Whether 0 lies outside the interval.
    pub fn differs(&self) -> bool {
        self.value.abs() > self.half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_students_t() {
        // scipy.stats.t.interval(0.95, 4, loc=3, scale=scipy.stats.sem([1, 2, 3, 4, 5])): 1.0368 to 4.9632.
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((mean.value - 3.0).abs() < 1e-12 && (mean.half - 1.9632).abs() < 1e-3, "{mean:?}");
        assert!(mean.differs());
        assert!(!Mean::of(&[1.0, -1.0, 0.5]).differs() && !Mean::of(&[7.0]).differs());
        // Pairs that vary together differ more surely than their means do.
        let pairs = [(10.0, 9.0), (20.0, 19.1), (30.0, 28.9)];
        assert!(Mean::of_differences(&pairs).differs());
    }
}
