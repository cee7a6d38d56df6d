//! What was left out of a data set, and why.

use std::fmt;

/// How many names are kept of each kind of problem.
const NAMES_KEPT: usize = 20;

/// The kinds of blemish that cost an entry its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The image file is not there.
    MissingImage,
    /// A caption without a letter or digit.
    EmptyCaption,
    /// An image without a usable caption.
    NoCaption,
    /// A line or object of the captions file that cannot be understood.
    Malformed,
    /// An image file that does not decode.
    BrokenImage,
    /// A caption with commas but no quotes, whose pieces were put together again. It is used.
    Joined,
    /// A line with bytes that are no text; a mark stands for each. It is used.
    StrangeLetters,
}

impl Problem {
    const ALL: [Problem; 7] = [
        Problem::MissingImage,
        Problem::BrokenImage,
        Problem::NoCaption,
        Problem::EmptyCaption,
        Problem::Malformed,
        Problem::Joined,
        Problem::StrangeLetters,
    ];

    /// What became of the entries.
    fn fate(self) -> &'static str {
        match self {
            Problem::Joined | Problem::StrangeLetters => "used, but look at it",
            _ => "left out",
        }
    }

    /// The line's title for a count.
    fn title(self, count: usize) -> &'static str {
        match (self, count == 1) {
            (Problem::MissingImage, true) => "image is missing",
            (Problem::MissingImage, false) => "images are missing",
            (Problem::EmptyCaption, true) => "caption is empty",
            (Problem::EmptyCaption, false) => "captions are empty",
            (Problem::NoCaption, true) => "image has no caption",
            (Problem::NoCaption, false) => "images have no caption",
            (Problem::Malformed, true) => "entry cannot be understood",
            (Problem::Malformed, false) => "entries cannot be understood",
            (Problem::BrokenImage, true) => "image does not decode",
            (Problem::BrokenImage, false) => "images do not decode",
            (Problem::Joined, true) => "caption has commas without quotes",
            (Problem::Joined, false) => "captions have commas without quotes",
            (Problem::StrangeLetters, true) => "line has letters that are not UTF-8",
            (Problem::StrangeLetters, false) => "lines have letters that are not UTF-8",
        }
    }
}

/// All blemishes of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many there are.
    pub count: usize,
    /// The first 20, each a name or `name (why)`.
    pub first: Vec<String>,
}

/// What a data set gave, and what was left out of it and why. Prints as readable lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Usable examples.
    pub examples: usize,
    /// Captions of the usable examples.
    pub captions: usize,
    missing_images: Noted,
    empty_captions: Noted,
    without_captions: Noted,
    malformed: Noted,
    broken_images: Noted,
    joined: Noted,
    strange_letters: Noted,
}

impl Report {
    /// Notes an image that turned out not to decode when it was first used. The caller leaves it out from then on.
    pub fn add_broken(&mut self, name: &str, why: impl fmt::Display) {
        self.add(Problem::BrokenImage, name, &why.to_string());
    }

    /// What was noted of one kind.
    pub fn noted(&self, problem: Problem) -> &Noted {
        match problem {
            Problem::MissingImage => &self.missing_images,
            Problem::EmptyCaption => &self.empty_captions,
            Problem::NoCaption => &self.without_captions,
            Problem::Malformed => &self.malformed,
            Problem::BrokenImage => &self.broken_images,
            Problem::Joined => &self.joined,
            Problem::StrangeLetters => &self.strange_letters,
        }
    }

    /// Whether nothing was left out and nothing is doubtful.
    pub fn is_clean(&self) -> bool {
        Problem::ALL.iter().all(|&problem| self.noted(problem).count == 0)
    }

    /// Notes one blemish; `why` may be empty.
    pub(super) fn add(&mut self, problem: Problem, name: impl AsRef<str>, why: &str) {
        self.add_many(problem, 1, name.as_ref(), why);
    }

    /// Notes `count` blemishes of one entry under one name.
    pub(super) fn add_many(&mut self, problem: Problem, count: usize, name: &str, why: &str) {
        let noted = match problem {
            Problem::MissingImage => &mut self.missing_images,
            Problem::EmptyCaption => &mut self.empty_captions,
            Problem::NoCaption => &mut self.without_captions,
            Problem::Malformed => &mut self.malformed,
            Problem::BrokenImage => &mut self.broken_images,
            Problem::Joined => &mut self.joined,
            Problem::StrangeLetters => &mut self.strange_letters,
        };
        noted.count += count;
        if noted.first.len() < NAMES_KEPT {
            noted.first.push(if why.is_empty() { name.to_owned() } else { format!("{name} ({why})") });
        }
    }
}

impl Report {
    /// The lines on what was left out or is doubtful, each on a line of its own that starts with a line break.
    pub(super) fn left_out(&self) -> String {
        let mut text = String::new();
        for problem in Problem::ALL {
            let noted = self.noted(problem);
            if noted.count == 0 {
                continue;
            }
            let more = if noted.count > noted.first.len() { ", ..." } else { "" };
            let (fate, title, names) = (problem.fate(), problem.title(noted.count), noted.first.join(", "));
            text += &format!("\n{fate}: {} {title}: {names}{more}", noted.count);
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images with {} captions{}", self.examples, self.captions, self.left_out())
    }
}
