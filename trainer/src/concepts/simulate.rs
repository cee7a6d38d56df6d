//! Words for captions without a picture, made to look like those that the concept head finds in pictures.
//!
//! What five people say of one picture has the words that the head should find there. It finds some of them, more surely
//! those that everyone says, and others that nobody says. How surely, and which others, is looked up in what it found in
//! training pictures that it had not seen.

use rand::RngExt;
use rand::seq::IndexedRandom;
use soli::likeliest::Likeliest;

use super::Targets;

/// Captions that were written of the same picture, as token ids.
pub type Groups = Vec<Vec<Vec<u32>>>;

/// Shares of captions up to which a word's probabilities are looked up together.
const SHARES: [f32; 4] = [0.3, 0.5, 0.7, f32::INFINITY];

/// What the head finds in pictures that it has not seen.
#[derive(Debug, Clone, Default)]
pub struct Simulation {
    /// Probabilities of words that captions say, by the share that does.
    said: [Vec<f32>; 4],
    /// Of each picture, the likeliest words that no caption says.
    others: Vec<Vec<(u32, f32)>>,
    read: usize,
}

fn bin(share: f32) -> usize {
    SHARES.iter().position(|&most| share <= most).unwrap_or(SHARES.len() - 1)
}

impl Simulation {
    /// Nothing seen yet; `read` words are made for each picture.
    pub fn new(read: usize) -> Self {
        Self { read, ..Self::default() }
    }

    /// Learns from a picture: what its captions say, and the logits of a classifier that has not seen it.
    pub fn learn(&mut self, said: &[(u32, f32)], logits: &[f32]) {
        let probability = |place: u32| 1.0 / (1.0 + (-logits[place as usize]).exp());
        for &(place, share) in said {
            self.said[bin(share)].push(probability(place));
        }
        let mut found = Likeliest::default();
        found.choose(logits, self.read);
        let others = found.places.iter().zip(&found.probabilities);
        let unsaid = others.filter(|(place, _)| !said.iter().any(|(other, _)| other == *place));
        self.others.push(unsaid.map(|(&place, &probability)| (place, probability)).collect());
    }

    /// The words of a picture of which these captions are all that is known; none if nothing was learned yet.
    pub fn words(&self, captions: &[Vec<u32>], targets: &Targets, rng: &mut impl rand::Rng) -> Likeliest {
        let said = targets.of(captions);
        let mut words: Vec<(u32, f32)> = said
            .iter()
            .filter_map(|&(place, share)| {
                let like_it = &self.said[bin(share)];
                (!like_it.is_empty()).then(|| (place, like_it[rng.random_range(0..like_it.len())]))
            })
            .collect();
        let others = self.others.choose(rng).map_or(&[][..], Vec::as_slice);
        words.extend(others.iter().filter(|(place, _)| !said.iter().any(|(other, _)| other == place)));
        words.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.truncate(self.read);
        let (places, probabilities) = words.into_iter().unzip();
        Likeliest { places, probabilities }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn words_that_more_people_say_are_found_more_surely_and_false_ones_come_along() {
        let targets = Targets::new(&[3, 4, 5, 6]);
        let mut simulation = Simulation::new(3);
        // Said by all: 0.9; said by a quarter: 0.1; never said, but found: 0.5.
        let logit = |p: f32| (p / (1.0 - p)).ln();
        simulation.learn(&[(0, 1.0), (1, 0.25)], &[logit(0.9), logit(0.1), logit(0.5), logit(0.01)]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let words = simulation.words(&[vec![5, 6], vec![5], vec![5], vec![5]], &targets, &mut rng);
        // Token 5 (place 2) by all, 6 (place 3) by a quarter; place 2 is what was falsely found, but it is said here.
        assert_eq!(words.places, [2, 3]);
        for (p, expected) in words.probabilities.iter().zip([0.9, 0.1]) {
            assert!((p - expected).abs() < 1e-5);
        }
        let words = simulation.words(&[vec![3]], &targets, &mut rng);
        assert_eq!(words.places, [2], "one caption's share is 0.6, of which nothing was learned");
    }
}
