//! Tokens to text and back.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The tokens that are not words: their place in the vocabulary is their id.
pub const SPECIAL_TOKENS: [&str; 3] = ["<start>", "<end>", "<unk>"];
/// Id of the token that starts every caption.
pub const START: u32 = 0;
/// Id of the token that ends every caption.
pub const END: u32 = 1;
/// Id of the token that stands for every word outside the vocabulary; never generated.
pub const UNKNOWN: u32 = 2;

/// Longest word in bytes; longer ones are refused, they are never words.
pub const MAX_WORD_BYTES: usize = 100;

/// Why a list of words is no [`Vocabulary`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// There are no words.
    #[error("vocabulary: it has no words")]
    NoWords,
    /// A word has no characters.
    #[error("vocabulary: word {index} is empty")]
    EmptyWord {
        /// Place in the list, from 0.
        index: usize,
    },
    /// A word is too long to be one.
    #[error("vocabulary: word {index} has {bytes} bytes, more than {MAX_WORD_BYTES}")]
    WordTooLong {
        /// Place in the list, from 0.
        index: usize,
        /// Its length in bytes of UTF-8.
        bytes: usize,
    },
    /// A word holds a character that would break the text: white space or a control character.
    #[error(
        "vocabulary: word {index} {word:?} holds the character {character:?}; white space and control characters are not allowed"
    )]
    BadCharacter {
        /// Place in the list, from 0.
        index: usize,
        /// The word.
        word: String,
        /// The first such character.
        character: char,
    },
    /// A word is spelt like one of [`SPECIAL_TOKENS`].
    #[error(
        "vocabulary: word {index} is {word:?}, the name of a special token; the list must not hold those"
    )]
    SpecialToken {
        /// Place in the list, from 0.
        index: usize,
        /// The word.
        word: String,
    },
    /// A word occurs twice.
    #[error("vocabulary: word {index} {word:?} is there already, as word {first}")]
    Duplicate {
        /// Place of the second occurrence, from 0.
        index: usize,
        /// Place of the first occurrence, from 0.
        first: usize,
        /// The word.
        word: String,
    },
    /// There are more words than ids.
    #[error("vocabulary: {0} words are more than a token id can name")]
    TooManyWords(usize),
}

/// The words that a model knows. Ids 0 to 2 are the [`SPECIAL_TOKENS`], words start at 3.
///
/// Serialised as the list of words without the special tokens; reading one checks it like [`Vocabulary::new`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// Makes a vocabulary of `words`, which are without the special tokens and get ids from 3 in their order.
    ///
    /// # Errors
    /// Names the first word that is empty, too long, doubled, a special token, or holds white space or a control
    /// character; refuses an empty list.
    pub fn new(words: Vec<String>) -> Result<Self, VocabularyError> {
        if words.is_empty() {
            return Err(VocabularyError::NoWords);
        }
        let first_id = SPECIAL_TOKENS.len();
        if u32::try_from(words.len() + first_id).is_err() {
            return Err(VocabularyError::TooManyWords(words.len()));
        }
        let mut ids = HashMap::with_capacity(words.len());
        for (index, word) in words.iter().enumerate() {
            check_word(index, word)?;
            if let Some(first) = ids.insert(word.clone(), (index + first_id) as u32) {
                let first = first as usize - first_id;
                return Err(VocabularyError::Duplicate { index, first, word: word.clone() });
            }
        }
        Ok(Self { words, ids })
    }

    /// Number of tokens, the special ones included.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary is never empty")]
    pub fn len(&self) -> usize {
        self.words.len() + SPECIAL_TOKENS.len()
    }

    /// The words in the order of their ids, without the special tokens.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Id of `word`, that of `<unk>` if it is not in the vocabulary (the names of special tokens are not words either).
    pub fn id(&self, word: &str) -> u32 {
        self.ids.get(word).copied().unwrap_or(UNKNOWN)
    }

    /// The word, or the special token, of an id.
    pub fn word(&self, id: u32) -> Option<&str> {
        let id = usize::try_from(id).ok()?;
        match id.checked_sub(SPECIAL_TOKENS.len()) {
            None => Some(SPECIAL_TOKENS[id]),
            Some(index) => self.words.get(index).map(String::as_str),
        }
    }

    /// Ids of `words`, one each; no start or end token is added.
    pub fn encode(&self, words: &[impl AsRef<str>]) -> Vec<u32> {
        words.iter().map(|word| self.id(word.as_ref())).collect()
    }

    /// The words of a sequence of ids up to its end token; special tokens and ids beyond the vocabulary are left
    /// out.
    pub fn words_of(&self, ids: &[u32]) -> Vec<&str> {
        ids.iter()
            .take_while(|&&id| id != END)
            .filter(|&&id| id as usize >= SPECIAL_TOKENS.len())
            .filter_map(|&id| self.word(id))
            .collect()
    }

    /// The caption that a sequence of ids says, up to its end token: words joined by spaces, none before
    /// punctuation and clitics ("dog 's" gives "dog's"), none after an opening bracket, no final full stop; in the
    /// case of the words.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut words = self.words_of(ids);
        while words.last() == Some(&".") {
            words.pop();
        }
        let mut text = String::new();
        let mut glue = true;
        for word in words {
            if !glue && !joins_left(word) {
                text.push(' ');
            }
            text.push_str(word);
            glue = joins_right(word);
        }
        text
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = VocabularyError;

    fn try_from(words: Vec<String>) -> Result<Self, VocabularyError> {
        Self::new(words)
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.words
    }
}

fn check_word(index: usize, word: &str) -> Result<(), VocabularyError> {
    if word.is_empty() {
        return Err(VocabularyError::EmptyWord { index });
    }
    if word.len() > MAX_WORD_BYTES {
        return Err(VocabularyError::WordTooLong { index, bytes: word.len() });
    }
    if let Some(character) = word.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(VocabularyError::BadCharacter { index, word: word.to_owned(), character });
    }
    if SPECIAL_TOKENS.contains(&word) {
        return Err(VocabularyError::SpecialToken { index, word: word.to_owned() });
    }
    Ok(())
}

/// Whether no space goes before `word`: closing punctuation, and the clitics that Penn Treebank tokens split off.
fn joins_left(word: &str) -> bool {
    matches!(word, "." | "," | ";" | ":" | "!" | "?" | "%" | ")" | "]" | "}" | "..." | "n't")
        || (word.len() > 1 && word.starts_with('\'') && word.as_bytes()[1].is_ascii_alphabetic())
}

/// Whether no space goes after `word`.
fn joins_right(word: &str) -> bool {
    matches!(word, "(" | "[" | "{" | "$" | "#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(words: &[&str]) -> Result<Vocabulary, VocabularyError> {
        Vocabulary::new(words.iter().map(|&w| w.to_owned()).collect())
    }

    #[test]
    fn ids_start_after_the_special_tokens() {
        let v = vocabulary(&["a", "dog"]).unwrap();
        assert_eq!(v.len(), 5);
        assert_eq!((v.id("a"), v.id("dog"), v.id("cat")), (3, 4, UNKNOWN));
        assert_eq!(v.encode(&["dog", "cat", "a"]), [4, UNKNOWN, 3]);
        assert_eq!(v.id("<end>"), UNKNOWN, "text must not be able to write special tokens");
        assert_eq!(
            (v.word(START), v.word(END), v.word(UNKNOWN)),
            (Some("<start>"), Some("<end>"), Some("<unk>"))
        );
        assert_eq!((v.word(4), v.word(5), v.word(u32::MAX)), (Some("dog"), None, None));
    }

    #[test]
    fn text_is_joined_as_people_write_it() {
        for (tokens, text) in [
            ("a dog 's ball .", "a dog's ball"),
            ("two men , one dog", "two men, one dog"),
            ("it does n't run !", "it doesn't run!"),
            ("a sign ( red ) .", "a sign (red)"),
            ("the boys ' team", "the boys ' team"),
            ("a t-shirt . . .", "a t-shirt"),
            (". , a", "., a"),
            (".", ""),
            ("", ""),
        ] {
            let tokens: Vec<_> = tokens.split_whitespace().collect();
            let mut words: Vec<String> = tokens.iter().map(|&t| t.to_owned()).collect();
            words.push("filler".into());
            words.sort();
            words.dedup();
            let v = Vocabulary::new(words).unwrap();
            assert_eq!(v.decode(&v.encode(&tokens)), text, "{tokens:?}");
        }
    }

    #[test]
    fn decoding_stops_at_the_end_and_leaves_out_what_is_no_word() {
        let v = vocabulary(&["a", "dog"]).unwrap();
        assert_eq!(v.decode(&[START, 3, UNKNOWN, 99, 4, END, 3]), "a dog");
        assert_eq!(v.words_of(&[START, 3, 4, END]), ["a", "dog"]);
        assert_eq!(v.decode(&[]), "");
    }

    #[test]
    fn bad_words_are_named() {
        let long = "x".repeat(MAX_WORD_BYTES + 1);
        for (words, error) in [
            (&[][..], VocabularyError::NoWords),
            (&["a", ""], VocabularyError::EmptyWord { index: 1 }),
            (&["a", &long], VocabularyError::WordTooLong { index: 1, bytes: MAX_WORD_BYTES + 1 }),
            (&["a b"], VocabularyError::BadCharacter { index: 0, word: "a b".into(), character: ' ' }),
            (
                &["a\u{7}"],
                VocabularyError::BadCharacter { index: 0, word: "a\u{7}".into(), character: '\u{7}' },
            ),
            (&["a", "<unk>"], VocabularyError::SpecialToken { index: 1, word: "<unk>".into() }),
            (&["a", "b", "a"], VocabularyError::Duplicate { index: 2, first: 0, word: "a".into() }),
        ] {
            assert_eq!(vocabulary(words), Err(error));
        }
    }

    #[test]
    fn json_is_the_list_of_words_and_is_checked() {
        let v = vocabulary(&["a", "'s", "café"]).unwrap();
        let json = serde_json::to_string(&v).unwrap();
        assert_eq!(json, r#"["a","'s","café"]"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), v);
        let error = serde_json::from_str::<Vocabulary>(r#"["a","a"]"#).unwrap_err();
        assert!(error.to_string().contains("there already"), "{error}");
    }
}
