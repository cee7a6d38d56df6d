//! Neutral words for people: a network's guess at somebody's gender and age is not passed on as a fact.
//!
//! It is done while words are chosen, not in the finished text: where "man" and "woman" are likely, their probabilities
//! together are that of "person", and what follows follows from that word.

use std::collections::HashMap;

use crate::likeliest::Likeliest;
use crate::vocab::{UNKNOWN, Vocabulary};

/// The word that is said, and those that it is said for.
const SAID_FOR: [(&str, &[&str]); 7] = [
    (
        "person",
        &["man", "woman", "guy", "lady", "gentleman", "bride", "groom", "mother", "father", "teenager"],
    ),
    ("people", &["men", "women", "guys", "ladies", "gentlemen", "males", "females", "teenagers"]),
    ("child", &["boy", "girl"]),
    ("children", &["boys", "girls"]),
    ("their", &["his", "her"]),
    ("they", &["he", "she"]),
    ("them", &["him", "hers"]),
];

/// What is not said of people, and of hardly anything else.
const UNSAID: [&str; 11] = [
    "male",
    "female",
    "young",
    "elderly",
    "older",
    "teenage",
    "middle-aged",
    "himself",
    "herself",
    "handsome",
    "pretty",
];

/// A description in words, without signs, as it would be worded by default: what is compared with captions that are.
pub fn neutral(words: &[String]) -> Vec<String> {
    let mut said: Vec<String> = Vec::with_capacity(words.len());
    for word in words.iter().filter(|word| !UNSAID.contains(&word.as_str())) {
        let group = SAID_FOR.iter().find(|(_, words)| words.contains(&word.as_str()));
        let word = group.map_or(word.as_str(), |(instead, _)| instead);
        let second = matches!(said.as_slice(), [.., noun, and] if and == "and" && (noun == "person" || noun == "child"));
        match (word, said.last_mut()) {
            // "An elderly man" has lost the reason for its n.
            ("person" | "people" | "child" | "children", Some(article)) if article == "an" => {
                "a".clone_into(article)
            }
            _ => {}
        }
        said.push(if second && (word == "a" || word == "an") { "another" } else { word }.to_owned());
    }
    said
}

/// The tokens of one vocabulary.
#[derive(Debug, Clone, Default)]
pub struct Neutral {
    said_for: Vec<(usize, Vec<usize>)>,
    unsaid: Vec<usize>,
    instead: HashMap<u32, u32>,
    /// Words of which a second one is "another": person, child.
    singular: Vec<u32>,
    and: Option<u32>,
    a: Option<usize>,
    another: Option<usize>,
}

impl Neutral {
    /// Finds the words in a vocabulary; what it lacks is left as it is.
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let token = |word: &str| Some(vocabulary.id(word)).filter(|&id| id != UNKNOWN);
        let mut neutral = Self { and: token("and"), ..Self::default() };
        for (said, words) in SAID_FOR {
            let Some(said) = token(said) else { continue };
            let words: Vec<u32> = words.iter().filter_map(|word| token(word)).collect();
            neutral.instead.extend(words.iter().map(|&word| (word, said)));
            neutral.said_for.push((said as usize, words.iter().map(|&word| word as usize).collect()));
        }
        neutral.unsaid = UNSAID.iter().filter_map(|word| token(word)).map(|word| word as usize).collect();
        neutral.singular = ["person", "child"].iter().filter_map(|word| token(word)).collect();
        neutral.a = token("a").map(|word| word as usize);
        neutral.another = token("another").map(|word| word as usize);
        neutral
    }

    /// Moves the probabilities of what is not said to what is said for it. `said` are the tokens before, `row` the
    /// log-probabilities of the next one.
    pub fn reword(&self, said: &[u32], row: &mut [f32]) {
        for (target, sources) in &self.said_for {
            for source in sources {
                give(row, *source, *target);
            }
        }
        for &word in &self.unsaid {
            row[word] = f32::NEG_INFINITY;
        }
        // "A man and a woman" is no "person and a person".
        if let (&[.., noun, and], Some(a), Some(another)) = (said, self.a, self.another)
            && Some(and) == self.and
            && self.singular.contains(&noun)
        {
            give(row, a, another);
        }
    }

    /// The word that is said for a token: often itself.
    pub fn of(&self, token: u32) -> u32 {
        self.instead.get(&token).copied().unwrap_or(token)
    }

    /// The place in `concepts` of the word that is said for the one at `place`: often the same.
    pub fn place(&self, place: u32, concepts: &[u32]) -> u32 {
        let said = self.of(concepts[place as usize]);
        concepts.iter().position(|&concept| concept == said).map_or(place, |place| place as u32)
    }

    /// Likeliest words (places in `concepts`) without what is not said: what is said for several is as likely as any of
    /// them.
    pub fn likeliest(&self, found: &Likeliest, concepts: &[u32]) -> Likeliest {
        let mut words = Likeliest::default();
        for (&place, &probability) in found.places.iter().zip(&found.probabilities) {
            let token = concepts[place as usize];
            if self.unsaid.contains(&(token as usize)) {
                continue;
            }
            let place = self.place(place, concepts);
            // The first one is the likeliest.
            if !words.places.contains(&place) {
                words.places.push(place);
                words.probabilities.push(probability);
            }
        }
        words
    }
}

/// Adds the probability of one word to that of another; `row` are logarithms.
pub(crate) fn give(row: &mut [f32], from: usize, to: usize) {
    let (high, low) = if row[from] > row[to] { (row[from], row[to]) } else { (row[to], row[from]) };
    if high > f32::NEG_INFINITY {
        row[to] = high + (low - high).exp().ln_1p();
    }
    row[from] = f32::NEG_INFINITY;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let words = ["a", "man", "woman", "person", "and", "another", "young", "female", "dog"];
        Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap()
    }

    #[test]
    fn probabilities_are_moved_and_none_is_lost() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word) as usize;
        let neutral = Neutral::new(&vocabulary);
        let mut row = vec![(0.1f32 / 6.0).ln(); vocabulary.len()];
        row[id("man")] = 0.4f32.ln();
        row[id("woman")] = 0.3f32.ln();
        row[id("person")] = 0.1f32.ln();
        row[id("young")] = 0.1f32.ln();
        neutral.reword(&[], &mut row);
        assert!((row[id("person")].exp() - 0.8).abs() < 1e-6);
        for unsaid in ["man", "woman", "young", "female"] {
            assert_eq!(row[id(unsaid)], f32::NEG_INFINITY, "{unsaid}");
        }
        neutral.reword(&[], &mut row);
        assert!((row[id("person")].exp() - 0.8).abs() < 1e-6, "again");
    }

    #[test]
    fn a_second_person_is_another() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word);
        let neutral = Neutral::new(&vocabulary);
        let next = |said: &[u32]| {
            let mut row = vec![-1.0f32; vocabulary.len()];
            neutral.reword(said, &mut row);
            row[id("a") as usize].is_finite()
        };
        assert!(!next(&[id("a"), id("person"), id("and")]));
        assert!(next(&[id("a"), id("dog"), id("and")]));
        assert!(next(&[id("and")]) && next(&[]));
    }

    #[test]
    fn descriptions_are_worded_neutrally() {
        for (given, expected) in [
            ("an elderly man and a woman with his dog", "a person and another person with their dog"),
            ("two young boys run", "two children run"),
            ("an apple and a man", "an apple and a person"),
            ("a dog", "a dog"),
        ] {
            let words: Vec<String> = given.split(' ').map(str::to_owned).collect();
            assert_eq!(neutral(&words).join(" "), expected);
        }
    }

    #[test]
    fn likeliest_words_are_said_once() {
        let vocabulary = vocabulary();
        let concepts: Vec<u32> =
            ["woman", "dog", "person", "young", "man"].map(|w| vocabulary.id(w)).to_vec();
        let found = Likeliest { places: vec![4, 3, 1, 0], probabilities: vec![0.9, 0.8, 0.7, 0.6] };
        let said = Neutral::new(&vocabulary).likeliest(&found, &concepts);
        assert_eq!((said.places, said.probabilities), (vec![2, 1], vec![0.9, 0.7]));
    }
}
