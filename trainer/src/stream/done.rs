//! What an output has already, when a stream is resumed.

use sha2::{Digest, Sha256};

/// The ids of an output, each as often as it is there: 17 bytes an id, whatever its length.
#[derive(Debug, Default)]
pub struct Done {
    /// The first half of the ids' SHA-256, sorted by [`Done::sort`]: among 10^9 ids no two are the same, but for one case
    /// in 10^20.
    keys: Vec<u128>,
    used: Vec<bool>,
}

impl Done {
    /// Notes an id of the output.
    pub fn add(&mut self, id: &str) {
        self.keys.push(key(id));
    }

    /// Notes all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.keys.extend(others.keys);
    }

    /// Must be called between the last [`Done::add`] and the first [`Done::take`].
    pub fn sort(&mut self) {
        self.keys.sort_unstable();
        self.used = vec![false; self.keys.len()];
    }

    /// Whether the output has a row for this id that was not taken yet; then it is taken. An id that the input has
    /// twice and the output once is therefore done once more.
    pub fn take(&mut self, id: &str) -> bool {
        let key = key(id);
        let start = self.keys.partition_point(|&other| other < key);
        let same = self.keys[start..].iter().take_while(|&&other| other == key).count();
        let free = self.used[start..start + same].iter_mut().find(|used| !**used);
        free.is_some_and(|used| !std::mem::replace(used, true))
    }

    /// Rows of the output.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the output is empty.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn key(id: &str) -> u128 {
    let digest = Sha256::digest(id.as_bytes());
    let half: [u8; 16] = std::array::from_fn(|i| digest[i]);
    u128::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_often_as_it_is_there() {
        let mut done = Done::default();
        for id in ["b", "a", "b", "c"] {
            done.add(id);
        }
        done.sort();
        assert_eq!(done.len(), 4);
        let taken: Vec<bool> = ["a", "b", "x", "b", "b", "a", "c"].iter().map(|id| done.take(id)).collect();
        assert_eq!(taken, [true, true, false, true, false, false, true]);
        let mut empty = Done::default();
        empty.sort();
        assert!(!empty.take("a") && empty.is_empty());
    }
}
