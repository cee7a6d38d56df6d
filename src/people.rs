//! Neutral words for people: a network's guess at somebody's gender and age is not passed on as a fact.
//!
//! Whether somebody is a child is a guess too. It is said where the concept head sees one with [`CHILD`] at least; else a child is
//! a person, and nobody is little.
//!
//! It is done while words are chosen, not in the finished text: where "man" and "woman" are likely, their probabilities
//! together are that of "person", and what follows follows from that word.

use std::collections::HashMap;

use crate::confidence::logistic;
use crate::likeliest::Likeliest;
use crate::vocab::{UNKNOWN, Vocabulary};

/// Somebody is called a child from this probability on: of Flickr8k's dev pictures that were called so with less, nobody mentions a
/// child in one of five, and of those with more in one of eighteen.
pub const CHILD: f32 = 0.5;

/// The word that is said, and those that it is said for.
const SAID_FOR: [(&str, &[&str]); 7] = [
    (
        "person",
        &["man", "woman", "guy", "lady", "gentleman", "bride", "groom", "mother", "father", "teenager"],
    ),
    ("people", &["men", "women", "guys", "ladies", "gentlemen", "males", "females", "teenagers"]),
    ("child", &["boy", "girl", "kid", "toddler"]),
    ("children", &["boys", "girls", "kids", "toddlers"]),
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

/// What is said of those who may be no children.
const GROWN: [(&str, &str); 2] = [("child", "person"), ("children", "people")];

/// What only children are, among people.
const OF_CHILDREN: [&str; 3] = ["little", "small", "tiny"];

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
    /// Tokens for children, and those that are said where none is seen.
    grown: Vec<(u32, u32)>,
    of_children: Vec<usize>,
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
        neutral.grown =
            GROWN.iter().filter_map(|(child, grown)| Some((token(child)?, token(grown)?))).collect();
        neutral.of_children =
            OF_CHILDREN.iter().filter_map(|word| token(word)).map(|word| word as usize).collect();
        neutral.unsaid = UNSAID.iter().filter_map(|word| token(word)).map(|word| word as usize).collect();
        neutral.singular = ["person", "child"].iter().filter_map(|word| token(word)).collect();
        neutral.a = token("a").map(|word| word as usize);
        neutral.another = token("another").map(|word| word as usize);
        neutral
    }

    /// The wording for a picture: `concepts` are the tokens that the concept head looks for, `logits` what it found. Without one
    /// a child is what the decoder says.
    pub fn of_picture(&self, concepts: &[u32], logits: &[f32]) -> Wording<'_> {
        let is_child = |token: u32| {
            let said = self.instead.get(&token).copied().unwrap_or(token);
            self.grown.iter().any(|&(child, _)| child == said)
        };
        let mut found = concepts.iter().zip(logits);
        let sees_children =
            concepts.is_empty() || found.any(|(&token, &logit)| is_child(token) && logistic(logit) >= CHILD);
        Wording { neutral: self, sees_children }
    }
}

/// The neutral words for one picture.
#[derive(Debug, Clone, Copy)]
pub struct Wording<'a> {
    neutral: &'a Neutral,
    sees_children: bool,
}

impl Wording<'_> {
    /// Moves the probabilities of what is not said to what is said for it. `said` are the tokens before, `row` the
    /// log-probabilities of the next one.
    pub fn reword(&self, said: &[u32], row: &mut [f32]) {
        let neutral = self.neutral;
        for (target, sources) in &neutral.said_for {
            for source in sources {
                give(row, *source, *target);
            }
        }
        for &word in &neutral.unsaid {
            row[word] = f32::NEG_INFINITY;
        }
        if !self.sees_children {
            for &(child, grown) in &neutral.grown {
                give(row, child as usize, grown as usize);
            }
            for &word in &neutral.of_children {
                row[word] = f32::NEG_INFINITY;
            }
        }
        // "A man and a woman" is no "person and a person".
        if let (&[.., noun, and], Some(a), Some(another)) = (said, neutral.a, neutral.another)
            && Some(and) == neutral.and
            && neutral.singular.contains(&noun)
        {
            give(row, a, another);
        }
    }

    /// The word that is said for a token: often itself.
    pub fn of(&self, token: u32) -> u32 {
        let said = self.neutral.instead.get(&token).copied().unwrap_or(token);
        let grown = self.neutral.grown.iter().find(|&&(child, _)| child == said && !self.sees_children);
        grown.map_or(said, |&(_, grown)| grown)
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
            let token = concepts[place as usize] as usize;
            let of_children = || !self.sees_children && self.neutral.of_children.contains(&token);
            if self.neutral.unsaid.contains(&token) || of_children() {
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
        let words = [
            "a", "man", "woman", "person", "and", "another", "young", "female", "dog", "boy", "child",
            "little",
        ];
        Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap()
    }

    #[test]
    fn probabilities_are_moved_and_none_is_lost() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word) as usize;
        let neutral = Neutral::new(&vocabulary);
        let mut row = vec![(0.1f32 / 9.0).ln(); vocabulary.len()];
        row[id("man")] = 0.4f32.ln();
        row[id("woman")] = 0.3f32.ln();
        row[id("person")] = 0.1f32.ln();
        row[id("young")] = 0.1f32.ln();
        neutral.of_picture(&[], &[]).reword(&[], &mut row);
        assert!((row[id("person")].exp() - 0.8).abs() < 1e-6);
        for unsaid in ["man", "woman", "young", "female"] {
            assert_eq!(row[id(unsaid)], f32::NEG_INFINITY, "{unsaid}");
        }
        neutral.of_picture(&[], &[]).reword(&[], &mut row);
        assert!((row[id("person")].exp() - 0.8).abs() < 1e-6, "again");
    }

    #[test]
    fn a_second_person_is_another() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word);
        let neutral = Neutral::new(&vocabulary);
        let next = |said: &[u32]| {
            let mut row = vec![-1.0f32; vocabulary.len()];
            neutral.of_picture(&[], &[]).reword(said, &mut row);
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
        let said = Neutral::new(&vocabulary).of_picture(&[], &[]).likeliest(&found, &concepts);
        assert_eq!((said.places, said.probabilities), (vec![2, 1], vec![0.9, 0.7]));
    }

    #[test]
    fn somebody_is_a_child_only_where_one_is_seen() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word);
        let concepts = ["boy", "dog", "person", "little"].map(id);
        let neutral = Neutral::new(&vocabulary);
        let said = |logit: f32| {
            let wording = neutral.of_picture(&concepts, &[logit, -3.0, -3.0, -3.0]);
            let mut row = vec![(0.1f32 / 13.0).ln(); vocabulary.len()];
            row[id("boy") as usize] = 0.5f32.ln();
            row[id("child") as usize] = 0.3f32.ln();
            row[id("person") as usize] = 0.1f32.ln();
            wording.reword(&[], &mut row);
            let found = Likeliest { places: vec![0, 3, 2], probabilities: vec![0.4, 0.3, 0.2] };
            let seen = wording.likeliest(&found, &concepts);
            let likely = |word: &str| row[id(word) as usize].exp();
            ((likely("child"), likely("person"), likely("little")), seen.places, wording.of(id("boy")))
        };
        let ((child, person, little), seen, boy) = said(0.1);
        assert!((child - 0.8).abs() < 1e-2 && (person - 0.1).abs() < 2e-2 && little > 0.0);
        // Nobody looks for the word child, so that it stays at the place of boy.
        assert_eq!((seen, boy), (vec![0, 3, 2], id("child")));
        let ((child, person, little), seen, boy) = said(-0.1);
        assert!(child == 0.0 && (person - 0.9).abs() < 2e-2 && little == 0.0);
        assert_eq!((seen, boy), (vec![2], id("person")));
    }
}
