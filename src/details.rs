//! What a caption says of things, colours, numbers and actions that were hardly seen, and leaving it out.
//!
//! Who cannot see the picture cannot tell a guessed detail from a seen one. The decoder's own probabilities do not tell them
//! apart either: trained on CIDEr it is sure of what it says. But the concept head is calibrated: of the colours that it gives
//! less than [`DETAIL`] most are wrong, of those above most are right. So such words are left out while words
//! are chosen, and where the whole caption is unsure it ends where what was seen ends: "a dog" for "a brown dog running on a
//! beach". Numbers, which the head does not look for, are "some" where the decoder is unsure of them. And what was named is not named
//! again: "a cat is looking at a cat" says no more than "a cat".

use std::collections::HashSet;

use crate::confidence::logistic;
use crate::people::{Wording, give};
use crate::vocab::{END, SPECIAL_TOKENS, UNKNOWN, Vocabulary};

/// Colours and actions are said from this probability on. This and the other numbers were chosen on dev:
/// `docs/honesty.md` has what they cost and save.
pub const DETAIL: f32 = 0.1;
/// Things below this probability are said less readily: their log-probability is lowered by [`RELUCTANCE`] times how far.
pub const THING: f32 = 0.05;
/// See [`THING`].
pub const RELUCTANCE: f32 = 0.5;
/// A number is said from this probability of the decoder's on.
pub const NUMBER: f32 = 0.5;
/// What an unsure caption keeps has at least this probability.
pub const KEPT: f32 = 0.15;

/// Words that say nothing of what a picture shows.
const FUNCTION_WORDS: &str = "a an the of in on with and is are to at by for from it its 's his her their our your my this \
    that these those there here two three four five six seven some several many few other others another each both all any \
    no not it's into onto up down out over under near next front back while as very has have had having be been being was \
    were he she they we you i them him who which what where when off through around about along across behind beside \
    beneath between inside outside top against above below middle side towards toward during than then so such or but if \
    too also just like one ones kind type lot lots bunch group couple pair pairs piece pieces set part something someone \
    image picture photo photograph view shot close-up closeup upon within without among amongst past after before can do \
    does doing get gets getting go goes going him himself her herself themselves itself there 're 've 'm n't least way ways \
    together each using use used seen shows showing shown made makes making make different various";

/// Whether a word may say something of what a picture shows.
pub fn says_something(word: &str) -> bool {
    is_long(word) && !FUNCTION_WORDS.split_whitespace().any(|function| function == word)
}

fn is_long(word: &str) -> bool {
    word.chars().count() > 2 && word.chars().any(char::is_alphabetic)
}

/// Numbers that captions say.
pub const NUMBERS: &str = "two three four five six seven eight nine ten";

const COLOURS: &str = "white black red blue green yellow brown orange grey gray pink purple gold golden silver tan beige \
    dark light bright colorful multicolored blond blonde red-haired dark-haired";

/// What else is said of a thing before its name.
const ADJECTIVES: &str = "large big small little tiny tall long short old new huge high low wide open closed full empty wooden \
    metal plastic wet dry clean dirty hot cold modern fresh cute blurry bare asian double single";

/// What is done, in the third person, by those who sit, run and hold in the present tense of captions.
const ACTIONS: &str = "sits sit stands stand runs run jumps jump plays play walks walk rides ride holds hold leaps climbs \
    climb smiles poses pose swims swim chases chase catches flies performs slides carries throws hangs eats eat drinks looks \
    look watches watch talks leans leaps kicks dances points pushes drives reads races raises splashes bites licks chews \
    fights digs skates surfs crouches kneels reaches falls rolls rests lies lays sleeps shakes waves sings laughs fetches";

/// Words in -ing that say no action: things, and what somebody has on.
const NO_ACTIONS: &str = "wearing building clothing railing string swing spring something nothing everything ceiling \
    painting wing ring king frosting icing crossing opening lighting wedding during including being having parking living \
    dining surrounding opposing setting landing";

/// Actions that need nothing after them. Those of things as much as of the living (sitting, standing, lying) say next to nothing
/// without a place: "a cup of coffee sitting".
const COMPLETE: &str = "running runs walking walks playing plays jumping jumps swimming swims \
    sleeping sleeps resting smiling smiles dancing surfing skiing skateboarding snowboarding grazing waiting \
    eating talking laughing biking hiking fishing";

/// Say nothing without what follows them: "a bowl filled", "a truck parked".
const INCOMPLETE: &str =
    "wearing filled covered topped surrounded dressed attached decorated parked placed stacked lined seated";

/// Between an article and "of", these name the picture and nothing in it: "a close up of a cup".
const FRAMING: &str = "close up closeup close-up view photo photograph picture image shot";

/// What may follow "is" and names nothing, beside what ends in -ed.
const STATES: &str =
    "asleep awake alone ready shown seen lit sat held full lost ridden driven worn stuck cut";

/// Begin with a vowel's letter but not with its sound.
const AS_CONSONANTS: [&str; 5] = ["uni", "use", "euro", "one", "ufo"];
/// Begin with a vowel's sound but not with its letter.
const AS_VOWELS: [&str; 4] = ["hour", "honest", "honor", "x-ray"];

/// Cannot follow an article: where the word that should is left out, none of these may take its place ("a and dog").
const NOT_AFTER_AN_ARTICLE: &str = "a an the and or in on at of with to by for from into onto over under near is are was were has have \
    that which who where while as it its his her their there";

/// The tokens of one vocabulary.
#[derive(Debug, Clone, Default)]
pub struct Details {
    numbers: Vec<usize>,
    some: Option<usize>,
    /// Colours and actions.
    left_out: Vec<usize>,
    roles: Vec<Role>,
    /// Whether a token begins with a vowel's sound.
    vowels: Vec<bool>,
    /// Need something after them.
    incomplete: Vec<u32>,
    /// Name the picture before "of".
    framing: Vec<u32>,
    of: Option<u32>,
    /// Cannot follow an article.
    not_after_an_article: Vec<usize>,
    /// Cannot follow "is": what is done was left out, and a name in its place makes "a dog is a person".
    not_after_be: Vec<usize>,
    be: Vec<u32>,
    and: Option<u32>,
    a: Option<u32>,
    an: Option<u32>,
    the: Option<u32>,
    /// After these a thing may be named again.
    another: Vec<u32>,
}

/// What a token is for in a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    /// Holds the sentence together.
    Function,
    /// Says what a thing is like, before its name.
    Adjective { colour: bool },
    /// What is done to something that has to follow.
    Open,
    /// A thing, or an action that nothing has to follow: a sentence may end with it.
    Closed { action: bool },
}

/// Makes tokens impossible, and says how probable they were together.
fn take_out(tokens: &[usize], row: &mut [f32]) -> f32 {
    tokens.iter().map(|&token| std::mem::replace(&mut row[token], f32::NEG_INFINITY).exp()).sum()
}

fn begins_with_a_vowel(word: &str) -> bool {
    let begins = |with: &[&str]| with.iter().any(|start| word.starts_with(start));
    word.starts_with(['a', 'e', 'i', 'o', 'u']) && !begins(&AS_CONSONANTS) || begins(&AS_VOWELS)
}

impl Details {
    /// Finds the words in a vocabulary; what it lacks is left as it is.
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let token = |word: &str| Some(vocabulary.id(word)).filter(|&id| id != UNKNOWN);
        // Each word of a vocabulary is looked for in all of them.
        let [function, numbers, colours, adjectives, actions, no_actions, complete, incomplete, states] =
            [FUNCTION_WORDS, NUMBERS, COLOURS, ADJECTIVES, ACTIONS, NO_ACTIONS, COMPLETE, INCOMPLETE, STATES]
                .map(|words| words.split_whitespace().collect::<HashSet<&str>>());
        let role = |word: &str| {
            let action = actions.contains(word) || word.ends_with("ing") && !no_actions.contains(word);
            match word {
                _ if incomplete.contains(word) => Role::Function,
                _ if function.contains(word) || numbers.contains(word) || !is_long(word) => Role::Function,
                _ if colours.contains(word) => Role::Adjective { colour: true },
                _ if adjectives.contains(word) => Role::Adjective { colour: false },
                _ if action && !complete.contains(word) => Role::Open,
                _ => Role::Closed { action },
            }
        };
        let special = std::iter::repeat_n(Role::Function, SPECIAL_TOKENS.len());
        let roles: Vec<Role> = special.chain(vocabulary.words().iter().map(|word| role(word))).collect();
        let special_vowels = std::iter::repeat_n(false, SPECIAL_TOKENS.len());
        let is_no_state = |(word, role): (&str, &Role)| match role {
            Role::Adjective { colour } => *colour,
            Role::Closed { action } => !action && !word.ends_with("ed") && !states.contains(word),
            Role::Function => ["a", "an", "the"].contains(&word),
            Role::Open => false,
        };
        let not_after_be = std::iter::once(END as usize)
            .chain((SPECIAL_TOKENS.len()..roles.len()).filter(|&token| {
                is_no_state((vocabulary.word(token as u32).unwrap_or_default(), &roles[token]))
            }))
            .collect();
        let is_left_out = |role: &Role| {
            matches!(role, Role::Adjective { colour: true } | Role::Open | Role::Closed { action: true })
        };
        let left_out = (0..roles.len()).filter(|&token| is_left_out(&roles[token])).collect();
        Self {
            numbers: NUMBERS.split_whitespace().filter_map(token).map(|id| id as usize).collect(),
            some: token("some").map(|id| id as usize),
            left_out,
            incomplete: INCOMPLETE.split_whitespace().filter_map(token).collect(),
            framing: FRAMING.split_whitespace().filter_map(token).collect(),
            of: token("of"),
            roles,
            vowels: special_vowels
                .chain(vocabulary.words().iter().map(|word| begins_with_a_vowel(word)))
                .collect(),
            not_after_an_article: NOT_AFTER_AN_ARTICLE
                .split_whitespace()
                .filter_map(token)
                .map(|id| id as usize)
                .chain([END as usize])
                .collect(),
            not_after_be,
            be: ["is", "are"].into_iter().filter_map(token).collect(),
            and: token("and"),
            a: token("a"),
            an: token("an"),
            the: token("the"),
            another: ["another", "other", "more"].into_iter().filter_map(token).collect(),
        }
    }

    /// How probable the concept head finds each token of the vocabulary: `concepts` are the tokens that it looks for,
    /// `logits` what it found. A word that is said for others is as probable as any of them; `None` where it does not look.
    pub fn seen(&self, concepts: &[u32], logits: &[f32], neutral: Option<&Wording>) -> Vec<Option<f32>> {
        let mut seen: Vec<Option<f32>> = vec![None; self.roles.len()];
        for (&token, &logit) in concepts.iter().zip(logits) {
            let said = neutral.map_or(token, |neutral| neutral.of(token));
            if let Some(most) = seen.get_mut(said as usize) {
                *most = Some(most.unwrap_or(0.0).max(logistic(logit)));
            }
        }
        seen
    }

    /// What is added to each token's log-probability for what was seen of it: nothing for one that was seen or is not looked
    /// for, infinitely little for a colour or an action that was not.
    pub fn reluctance(&self, seen: &[Option<f32>]) -> Vec<f32> {
        let reluctance = |seen: &Option<f32>| match seen {
            Some(p) if *p < THING => RELUCTANCE * (p.max(1e-4) / THING).ln(),
            _ => 0.0,
        };
        let mut all: Vec<f32> = seen.iter().map(reluctance).collect();
        for &detail in &self.left_out {
            let unseen = seen[detail].is_some_and(|p| p < DETAIL);
            all[detail] = if unseen { f32::NEG_INFINITY } else { 0.0 };
        }
        all
    }

    /// Makes the numbers that are too improbable "some" in `row`, the log-probabilities of the token after `said`, adds
    /// `reluctance`, and takes out the things that were named.
    pub fn leave_out(&self, said: &[u32], reluctance: &[f32], row: &mut [f32]) {
        let unsure = NUMBER.ln();
        if let Some(some) = self.some {
            for &number in &self.numbers {
                if row[number] < unsure {
                    give(row, number, some);
                }
            }
        }
        // "Red and" has to be followed by something, and "running and" too.
        if said.last().is_some_and(|&last| Some(last) == self.and) {
            return;
        }
        let mut lost = 0.0;
        if said.last().is_some_and(|&last| self.is_article(last) || Some(last) == self.the) {
            lost += take_out(&self.not_after_an_article, row);
        }
        if said.last().is_some_and(|last| self.be.contains(last)) {
            lost += take_out(&self.not_after_be, row);
        }
        if !said.last().is_some_and(|last| self.another.contains(last)) {
            for &token in said {
                if matches!(self.roles[token as usize], Role::Closed { action: false }) {
                    lost += row[token as usize].exp();
                    row[token as usize] = f32::NEG_INFINITY;
                }
            }
        }
        for (x, reluctance) in row.iter_mut().zip(reluctance) {
            if *reluctance == f32::NEG_INFINITY {
                lost += x.exp();
            }
            *x += reluctance;
        }
        // To leave a detail out is no mistake: the others share what it had. Nothing else may be left to say.
        let rest = (1.0 - lost).max(f32::EPSILON).ln();
        row.iter_mut().for_each(|x| *x -= rest);
    }

    /// The longest beginning of a caption that names nothing but what was seen with [`KEPT`] at least, without adjectives
    /// that were not. Empty if the first thing was not.
    pub fn shorten(&self, caption: &[u32], seen: &[Option<f32>]) -> Vec<u32> {
        let mut kept: Vec<u32> = Vec::with_capacity(caption.len());
        // Where a sentence can end, and where it could before the name that is being said: "a traffic light" has one name.
        let (mut end, mut before, mut after_name, mut dropped) = (0, 0, false, false);
        let is_adjective = |token: &u32| matches!(self.roles[*token as usize], Role::Adjective { .. });
        let is_and = |token: &u32| Some(*token) == self.and;
        for &token in caption {
            let role = match self.roles[token as usize] {
                Role::Adjective { .. } if after_name => Role::Closed { action: false },
                role => role,
            };
            let is_name = matches!(role, Role::Closed { action: false });
            let seen = role == Role::Function || seen[token as usize].is_some_and(|p| p >= KEPT);
            match role {
                Role::Adjective { .. }
                    if !seen
                        || kept
                            .iter()
                            .rev()
                            .take_while(|last| is_adjective(last) || is_and(last))
                            .any(|last| *last == token) =>
                {
                    // "Black and" without "white", but not "a cat and" without "black".
                    if let [.., before, last] = &kept[..]
                        && is_and(last)
                        && is_adjective(before)
                    {
                        kept.pop();
                    }
                    dropped = true;
                    continue;
                }
                // "And white" without "black".
                _ if dropped && is_and(&token) && !kept.last().is_some_and(is_adjective) => continue,
                _ if !seen => {
                    if is_name && after_name {
                        end = before;
                    }
                    break;
                }
                Role::Closed { .. } => {
                    kept.push(token);
                    if !after_name {
                        before = end;
                    }
                    end = kept.len();
                }
                _ => kept.push(token),
            }
            (after_name, dropped) = (is_name, false);
        }
        kept.truncate(end);
        self.make_articles_agree(&mut kept);
        kept
    }

    /// Leaves out what `caption` says of the picture itself before it comes to what is in it: "a close up of a cup" becomes "a cup".
    ///
    /// Nothing is seen of a frame: its words would make the caption as a whole less certain than what it says of the thing.
    pub fn drop_framing(&self, caption: &mut Vec<u32>) {
        let Some(of) = caption.iter().position(|token| Some(*token) == self.of) else { return };
        let frames = of >= 2
            && self.is_article(caption[0])
            && caption[1..of].iter().all(|token| self.framing.contains(token));
        if frames && of + 1 < caption.len() {
            caption.drain(..=of);
        }
    }

    /// Ends `caption` after the last word that can stand at an end, where its own last word needs something to follow: "a truck
    /// parked" becomes "a truck". Nothing is left out where no such word is in it.
    pub fn drop_loose_end(&self, caption: &mut Vec<u32>) {
        if caption.last().is_some_and(|last| self.incomplete.contains(last)) {
            let can_end = |token: &u32| matches!(self.roles[*token as usize], Role::Closed { .. });
            if let Some(end) = caption.iter().rposition(can_end) {
                caption.truncate(end + 1);
            }
        }
    }

    /// "An" before a vowel's sound and "a" before others, whatever was to stand there when it was said.
    pub fn make_articles_agree(&self, caption: &mut [u32]) {
        let (Some(a), Some(an)) = (self.a, self.an) else { return };
        for i in 1..caption.len() {
            if self.is_article(caption[i - 1]) {
                caption[i - 1] = if self.vowels[caption[i] as usize] { an } else { a };
            }
        }
    }

    fn is_article(&self, token: u32) -> bool {
        Some(token) == self.a || Some(token) == self.an
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 19] = [
        "a", "an", "two", "three", "some", "dog", "airplane", "black", "brown", "running", "building", "and",
        "runs", "holding", "beach", "on", "another", "parked", "is",
    ];

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(WORDS.map(str::to_owned).to_vec()).unwrap()
    }

    /// Probabilities of the words named; what is missing to 1 is spread over the others.
    fn row(vocabulary: &Vocabulary, known: &[(&str, f32)]) -> Vec<f32> {
        let rest = 1.0 - known.iter().map(|(_, p)| p).sum::<f32>();
        let mut row = vec![(rest / (vocabulary.len() - known.len()) as f32).ln(); vocabulary.len()];
        for (word, p) in known {
            row[vocabulary.id(word) as usize] = p.ln();
        }
        row
    }

    fn seen(vocabulary: &Vocabulary, known: &[(&str, f32)]) -> Vec<Option<f32>> {
        let concepts: Vec<u32> = known.iter().map(|(word, _)| vocabulary.id(word)).collect();
        let logits: Vec<f32> = known.iter().map(|(_, p)| (p / (1.0 - p)).ln()).collect();
        Details::new(vocabulary).seen(&concepts, &logits, None)
    }

    #[test]
    fn unseen_details_are_left_out_and_seen_ones_stay() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word) as usize;
        let details = Details::new(&vocabulary);
        let known = [
            ("black", 0.3),
            ("brown", 0.02),
            ("running", 0.05),
            ("building", 0.01),
            ("dog", 0.5),
            ("beach", 0.04),
        ];
        let reluctance = details.reluctance(&seen(&vocabulary, &known));
        let mut next = row(&vocabulary, &[("brown", 0.4), ("running", 0.1), ("black", 0.2), ("dog", 0.1)]);
        let before = next.clone();
        details.leave_out(&[], &reluctance, &mut next);
        assert_eq!((next[id("brown")], next[id("running")]), (f32::NEG_INFINITY, f32::NEG_INFINITY));
        // What is left shares what they had.
        assert!((next[id("black")] - before[id("black")] - 2f32.ln()).abs() < 1e-4);
        assert!(next[id("runs")].is_finite(), "nobody looks for it");
        let lowered = |word: &str| before[id(word)] + 2f32.ln() - next[id(word)];
        assert!((lowered("building") - RELUCTANCE * 5f32.ln()).abs() < 1e-3, "a building is a thing");
        assert!((lowered("beach") - RELUCTANCE * 1.25f32.ln()).abs() < 1e-3);
        assert!(lowered("dog").abs() < 1e-3);
    }

    #[test]
    fn unsure_numbers_are_some() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word) as usize;
        let details = Details::new(&vocabulary);
        let none = vec![0.0; vocabulary.len()];
        let mut unsure = row(&vocabulary, &[("two", 0.4), ("three", 0.3), ("a", 0.1), ("some", 0.1)]);
        details.leave_out(&[], &none, &mut unsure);
        assert!((unsure[id("some")].exp() - 0.8).abs() < 1e-4, "{}", unsure[id("some")].exp());
        assert_eq!(unsure[id("two")], f32::NEG_INFINITY);
        let mut sure = row(&vocabulary, &[("two", 0.9)]);
        details.leave_out(&[], &none, &mut sure);
        assert!((sure[id("two")].exp() - 0.9).abs() < 1e-4);
    }

    #[test]
    fn a_thing_is_named_once_but_for_another() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word);
        let details = Details::new(&vocabulary);
        let none = vec![0.0; vocabulary.len()];
        let next = |said: &[&str]| {
            let mut next = row(&vocabulary, &[("dog", 0.5), ("black", 0.2), ("running", 0.1)]);
            let said: Vec<u32> = said.iter().map(|word| id(word)).collect();
            details.leave_out(&said, &none, &mut next);
            ["dog", "black", "running"].map(|word| next[id(word) as usize].exp())
        };
        let close = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-2);
        assert!(close(next(&["a", "black", "running", "dog", "on"]), [0.0, 0.4, 0.2]));
        assert!(close(next(&["a", "dog", "and", "another"]), [0.5, 0.2, 0.1]));
        // But for the little that the beach had.
        assert!(close(next(&["a", "beach"]), [0.5, 0.2, 0.1]));
    }

    #[test]
    fn what_follows_an_article_can_follow_it() {
        let vocabulary = vocabulary();
        let id = |word: &str| vocabulary.id(word) as usize;
        let details = Details::new(&vocabulary);
        let reluctance = details.reluctance(&seen(&vocabulary, &[("black", 0.02)]));
        let mut next = row(&vocabulary, &[("black", 0.5), ("and", 0.2), ("on", 0.1), ("dog", 0.15)]);
        details.leave_out(&[vocabulary.id("a")], &reluctance, &mut next);
        for word in ["black", "and", "on", "a"] {
            assert_eq!(next[id(word)], f32::NEG_INFINITY, "{word}");
        }
        assert!(next[id("dog")].exp() > 0.7, "{}", next[id("dog")].exp());
        let mut next = row(&vocabulary, &[("and", 0.5)]);
        details.leave_out(&[vocabulary.id("dog")], &reluctance, &mut next);
        assert!(next[id("and")].is_finite());
    }

    #[test]
    fn nothing_is_said_to_be_another_thing() {
        let words = ["a", "is", "are", "dog", "black", "running", "parked", "on", "asleep"];
        let vocabulary = Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap();
        let details = Details::new(&vocabulary);
        let mut next = row(&vocabulary, &[("a", 0.4), ("dog", 0.2), ("on", 0.2)]);
        details.leave_out(&[vocabulary.id("is")], &vec![0.0; vocabulary.len()], &mut next);
        let is_possible = |word: &&str| next[vocabulary.id(word) as usize].is_finite();
        assert_eq!(
            words.into_iter().filter(|word| is_possible(word)).collect::<Vec<_>>(),
            ["is", "are", "running", "parked", "on", "asleep"]
        );
        assert_eq!(next[END as usize], f32::NEG_INFINITY, "and it goes on");
        assert!(next[vocabulary.id("on") as usize].exp() > 0.5);
    }

    #[test]
    fn articles_agree_with_what_follows() {
        let words = ["a", "an", "dog", "elephant", "unicycle", "hour", "orange", "ball", "on"];
        let vocabulary = Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap();
        let details = Details::new(&vocabulary);
        for (said, right) in [
            ("a elephant on an dog", "an elephant on a dog"),
            ("an orange ball on a orange", "an orange ball on an orange"),
            ("an unicycle on a hour", "a unicycle on an hour"),
            ("a", "a"),
        ] {
            let mut tokens: Vec<u32> = said.split(' ').map(|word| vocabulary.id(word)).collect();
            details.make_articles_agree(&mut tokens);
            assert_eq!(vocabulary.decode(&tokens), right);
        }
    }

    #[test]
    fn what_follows_and_is_not_left_out_and_nothing_is_nan() {
        let vocabulary = vocabulary();
        let details = Details::new(&vocabulary);
        let reluctance = details.reluctance(&seen(&vocabulary, &[("black", 0.02), ("brown", 0.02)]));
        let mut after = row(&vocabulary, &[("brown", 0.3)]);
        details.leave_out(&[vocabulary.id("black"), vocabulary.id("and")], &reluctance, &mut after);
        assert!(after[vocabulary.id("brown") as usize].is_finite());
        let mut only = vec![f32::NEG_INFINITY; vocabulary.len()];
        only[vocabulary.id("black") as usize] = 0.5f32.ln();
        only[vocabulary.id("brown") as usize] = 0.5f32.ln();
        details.leave_out(&[], &reluctance, &mut only);
        assert!(only.iter().all(|x| !x.is_nan() && *x <= 1e-6), "{only:?}");
    }

    #[test]
    fn a_caption_begins_with_what_is_in_the_picture() {
        let words = ["a", "close", "up", "view", "of", "cup", "coffee", "picture", "dog"];
        let vocabulary = Vocabulary::new(words.map(str::to_owned).to_vec()).unwrap();
        let details = Details::new(&vocabulary);
        for (said, right) in [
            ("a close up of a cup of coffee", "a cup of coffee"),
            ("a close up view of coffee", "coffee"),
            ("a picture of a dog", "a dog"),
            ("a cup of coffee", "a cup of coffee"),
            ("a dog picture of a dog", "a dog picture of a dog"),
            ("a of a dog", "a of a dog"),
            ("a view of", "a view of"),
        ] {
            let mut tokens: Vec<u32> = said.split(' ').map(|word| vocabulary.id(word)).collect();
            details.drop_framing(&mut tokens);
            assert_eq!(vocabulary.decode(&tokens), right);
        }
    }

    #[test]
    fn a_caption_ends_with_nothing_that_needs_more() {
        let vocabulary = vocabulary();
        let details = Details::new(&vocabulary);
        for (said, right) in [
            ("an airplane parked", "an airplane"),
            ("a dog and an airplane is parked", "a dog and an airplane"),
            ("an airplane parked on a beach", "an airplane parked on a beach"),
            ("a dog running", "a dog running"),
            ("parked", "parked"),
        ] {
            let mut tokens: Vec<u32> = said.split(' ').map(|word| vocabulary.id(word)).collect();
            details.drop_loose_end(&mut tokens);
            assert_eq!(vocabulary.decode(&tokens), right);
        }
    }

    #[test]
    fn a_caption_ends_where_what_was_seen_ends() {
        let vocabulary = vocabulary();
        let details = Details::new(&vocabulary);
        let short = |caption: &str, known: &[(&str, f32)]| {
            let tokens: Vec<u32> = caption.split(' ').map(|word| vocabulary.id(word)).collect();
            vocabulary.decode(&details.shorten(&tokens, &seen(&vocabulary, known)))
        };
        let dog = [("dog", 0.6), ("running", 0.3), ("black", 0.05), ("beach", 0.05), ("holding", 0.5)];
        assert_eq!(short("a black dog running on a beach", &dog), "a dog running");
        assert_eq!(short("a dog holding a beach", &dog), "a dog", "holding what?");
        assert_eq!(short("two dog and a building", &dog), "two dog", "nobody looks for buildings");
        assert_eq!(short("a beach and a dog", &dog), "");
        assert_eq!(short("a black airplane", &[("airplane", 0.5), ("black", 0.1)]), "an airplane");
        assert_eq!(short("a black dog", &[("dog", 0.5), ("black", 0.2)]), "a black dog");
        let both = "a black and brown dog";
        assert_eq!(short(both, &[("dog", 0.5), ("black", 0.5), ("brown", 0.05)]), "a black dog");
        assert_eq!(short(both, &[("dog", 0.5), ("black", 0.05), ("brown", 0.5)]), "a brown dog");
        assert_eq!(short(both, &[("dog", 0.5), ("black", 0.05), ("brown", 0.05)]), "a dog");
        assert_eq!(
            short("a black brown and black dog", &[("dog", 0.5), ("black", 0.5), ("brown", 0.05)]),
            "a black dog"
        );
        let two = [("dog", 0.5), ("airplane", 0.5), ("black", 0.05)];
        assert_eq!(short("a dog and a black airplane", &two), "a dog and an airplane");
        assert_eq!(short("some dog and black airplane", &two), "some dog and airplane");
        let beach = [("dog", 0.5), ("beach", 0.5), ("black", 0.05)];
        assert_eq!(short("a dog on a beach building", &beach), "a dog", "no beach was seen but a building");
        assert_eq!(short("a beach black on a dog", &beach), "", "black is a name here");
        // Where it is parked was not seen, and "an airplane parked" is no English.
        assert_eq!(short("an airplane parked on a beach", &two), "an airplane");
        let both = [("airplane", 0.5), ("beach", 0.5)];
        assert_eq!(short("an airplane is parked on a beach", &both), "an airplane is parked on a beach");
    }
}
