//! Object recall: of the things that most people name in a picture, how many the captioner names.
//!
//! A thing is a word that at least three of a picture's captions (all of them, if it has fewer) say, and that is no function
//! word, form of a verb in -ing or adjective of a short list. It is found if it, its plural or its singular is in the
//! caption or among the words that the concept head gives.

use std::collections::{HashMap, HashSet};

use crate::concepts::is_content;
use crate::data::tokens;

/// People that must say a word.
const AGREE: usize = 3;

/// Words of the concept head that are looked at.
pub const WORDS: usize = 12;

/// Nouns that look like forms of verbs.
const NOUNS_IN_ING: [&str; 16] = [
    "building", "ceiling", "clothing", "painting", "railing", "string", "wing", "ring", "king", "icing",
    "frosting", "swing", "spring", "crossing", "opening", "lighting",
];

/// What is said of things, and what they do: no things themselves.
const NO_THINGS: &str = "white black red blue green yellow brown orange grey gray pink purple gold silver dark bright light \
    colorful colored large small big little tiny tall long short old new young huge high low wide open closed full empty \
    wooden metal plastic wet dry clean dirty hot cold modern fresh cute blurry wearing sits sit sat stands stand stood lying \
    lies laying rides ride holds hold held walks walk runs run jumps jump plays play eats eat looks look filled covered \
    parked sliced topped decorated mounted ready different double single bare blonde asian female male";

/// Whether a word names a thing.
pub fn is_thing(word: &str) -> bool {
    is_content(word)
        && (!word.ends_with("ing") || NOUNS_IN_ING.contains(&word))
        && !NO_THINGS.split_whitespace().any(|other| other == word)
}

/// The things that most of `captions` name.
pub fn things(captions: &[String]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for caption in captions {
        let words: HashSet<String> =
            tokens::words(caption).into_iter().filter(|word| is_thing(word)).collect();
        words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let agree = AGREE.min(captions.len());
    let mut things: Vec<String> =
        counts.into_iter().filter(|&(_, count)| count >= agree).map(|(word, _)| word).collect();
    things.sort_unstable();
    things
}

/// Whether two words are the same but for a plural.
fn same(a: &str, b: &str) -> bool {
    let plural = |one: &str, many: &str| {
        many.strip_suffix('s') == Some(one)
            || many.strip_suffix("es") == Some(one)
            || many.strip_suffix("ies").is_some_and(|stem| one.strip_suffix('y') == Some(stem))
            || [("man", "men"), ("woman", "women"), ("child", "children"), ("person", "people")]
                .contains(&(one, many))
    };
    a == b || plural(a, b) || plural(b, a)
}

/// How many of the things that `references` name are found in the caption or among the words: found, all.
pub fn recall(caption: &str, words: &[&str], references: &[String]) -> (usize, usize) {
    let said = tokens::words(caption);
    let things = things(references);
    let found = |thing: &&String| {
        let known = said.iter().map(String::as_str).chain(words.iter().copied().take(WORDS));
        known.into_iter().any(|word| same(word, thing))
    };
    (things.iter().filter(found).count(), things.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_what_three_people_name() {
        let captions =
            ["A black cat sleeping on a sofa", "a cat on the sofa", "Cat, wearing a hat.", "two cats"];
        let captions = captions.map(str::to_owned);
        assert_eq!(things(&captions), ["cat"]);
        assert_eq!(things(&captions[..1]), ["cat", "sofa"]);
        assert_eq!(recall("two cats in a box", &[], &captions[..1]), (1, 2));
        assert_eq!(recall("an animal", &["bed", "sofas"], &captions[..1]), (1, 2));
        assert_eq!(recall("", &[], &[]), (0, 0));
    }

    #[test]
    fn plurals_are_the_same_thing() {
        for (one, many) in [("bus", "buses"), ("baby", "babies"), ("woman", "women"), ("dog", "dogs")] {
            assert!(same(one, many) && same(many, one), "{one}");
        }
        assert!(!same("cat", "car") && !same("man", "woman"));
    }
}
