//! What a caption may rightly call a labelled photograph: the everyday words for its label, and for the label's parents.
//!
//! The table has the labels of ImageNet-1k, and those of Caltech-101, Food-101, the groceries, rooms and clothes that the
//! captioner is tried on. A label in two or more words has words of its own only where one of them names the thing ("ceiling
//! fan": fan). One in a single word has it first, unless people mean something else by it: the kite is the bird and the plane
//! the carpenter's. Two things of one label have the words of both: a crane is a bird or a machine, a cardigan a dog or
//! a sweater.
//!
//! The words stand in the form that the captioner's vocabulary has, where it has them: 1,058 of the 1,172 labels have one
//! that `www/models/soli.safetensors` knew when the table was made. Some are verbs or colours too ("watch", "drink",
//! "orange"), so to be named is evidence and no proof.

use crate::metrics::objects::same;

const TABLE: &str = include_str!("labels.tsv");

/// The words for a label, the most specific first; none if the table lacks it. Case does not matter, and hyphens and
/// underscores are spaces.
pub fn words(label: &str) -> Option<Vec<&'static str>> {
    let label = plain(label);
    lines().find(|&(other, _)| other == label).map(|(_, words)| words.split(' ').collect())
}

/// What a label's thing can be called: its words, or its own name where the table lacks it.
pub fn called(label: &str) -> Vec<String> {
    match words(label) {
        Some(words) => words.into_iter().map(str::to_owned).collect(),
        None => vec![plain(label)],
    }
}

/// Whether one of the words `said`, in lower case, is one of the label's words but for a plural. A label that the table
/// lacks has its own name alone.
pub fn names(label: &str, said: &[String]) -> bool {
    called(label).iter().any(|word| said.iter().any(|other| same(word, other)))
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

fn plain(label: &str) -> String {
    let label = label.to_lowercase().replace(['-', '_'], " ");
    label.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn said(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_is_a_label_and_its_words() {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        let lines_of_words = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((lines().count(), lines_of_words), (1172, 1172));
        for (label, list) in lines() {
            assert_eq!(label, plain(label));
            let words: Vec<&str> = list.split(' ').collect();
            assert!(words.iter().all(|word| is_word(word)), "{label}: {list}");
            assert_eq!(words.iter().collect::<HashSet<_>>().len(), words.len(), "{label}: {list}");
        }
    }

    #[test]
    fn labels_are_sorted_and_there_once() {
        assert!(lines().zip(lines().skip(1)).all(|((one, _), (next, _))| one < next));
    }

    #[test]
    fn labels_have_their_own_words_and_their_parents() {
        for (label, expected) in [
            ("tabby", "tabby cat kitten animal"),
            ("cocker spaniel", "cocker spaniel dog puppy animal"),
            ("espresso", "espresso coffee drink cup"),
            ("minivan", "minivan van car automobile vehicle"),
            ("airliner", "airliner plane airplane jet aircraft vehicle"),
            ("ceiling fan", "fan"),
            ("cougar body", "cougar animal"),
            ("crane", "crane bird animal machine"),
            ("crane bird", "crane bird animal"),
            ("kite", "hawk bird animal"),
            ("plane", "tool"),
            ("granny smith", "apple fruit food"),
            ("jack o' lantern", "pumpkin lantern"),
            ("bathroom", "bathroom restroom room"),
            ("t shirt", "t-shirt shirt clothing clothes"),
        ] {
            assert_eq!(words(label).map(|words| words.join(" ")).as_deref(), Some(expected), "{label}");
        }
        assert_eq!(words("Cocker_Spaniel"), words("cocker spaniel"));
        assert_eq!(words("T-shirt"), words("t shirt"));
        assert_eq!(words("sketch dog"), None);
    }

    #[test]
    fn a_label_is_named_by_its_words_but_for_a_plural() {
        for (label, right) in [
            ("tabby", "two cats on a sofa"),
            ("Siberian Husky", "a puppy in the snow"),
            ("studio couch", "a living room with a sofa"),
            ("motorbikes", "a man on a motorcycle"),
            ("banjo", "a man with an instrument"),
            ("cellular telephone", "a woman with a phone"),
            ("lighthouse", "a lighthouse by the sea"),
        ] {
            assert!(names(label, &said(right)), "{label}: {right}");
        }
        for (label, wrong) in [
            ("tabby", "a dog in a car"),
            ("cougar", "a cat on a rock"),
            ("kite", "a kite in the sky"),
            ("plane", "a plane on a runway"),
            ("black swan", "a black dog"),
            ("tabby", ""),
        ] {
            assert!(!names(label, &said(wrong)), "{label}: {wrong}");
        }
    }
}
