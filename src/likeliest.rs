//! The likeliest words of a picture, and what the decoder is told of their probabilities.

/// Smallest probability that is told from none: the decoder reads its logarithm.
const LEAST: f32 = 1e-4;

/// The likeliest words of one picture, the likeliest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Likeliest {
    /// Places in the list of concepts.
    pub places: Vec<u32>,
    /// Their probabilities, 0 to 1.
    pub probabilities: Vec<f32>,
}

impl Likeliest {
    /// Takes the `count` highest of `logits`, highest first and by place where equal.
    pub fn choose(&mut self, logits: &[f32], count: usize) {
        let Self { places: order, probabilities } = self;
        order.clear();
        order.extend(0..logits.len() as u32);
        let count = count.min(order.len());
        let by =
            |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then_with(|| a.cmp(b));
        if count > 0 && count < order.len() {
            order.select_nth_unstable_by(count - 1, by);
        }
        order.truncate(count);
        order.sort_unstable_by(by);
        probabilities.clear();
        probabilities.extend(order.iter().map(|&i| 1.0 / (1.0 + (-logits[i as usize]).exp())));
    }
}

/// What the decoder is told of a probability: itself, and its logarithm over four, so that both have about one size.
pub fn signals(probability: f32) -> [f32; 2] {
    [probability, probability.max(LEAST).ln() / 4.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_come_first_and_equal_ones_in_order() {
        let mut found = Likeliest::default();
        found.choose(&[0.0, 2.0, -1.0, 2.0, 1.0], 4);
        assert_eq!(found.places, [1, 3, 4, 0]);
        for (p, logit) in found.probabilities.iter().zip([2.0f64, 2.0, 1.0, 0.0]) {
            assert!((f64::from(*p) - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
        }
        found.choose(&[1.0], 3);
        assert_eq!(found.places, [0]);
        assert_eq!(found.probabilities.len(), 1);
    }
}
