//! `docs/honesty.md`: what an export measured of kinds, confidence and words, with the rules.

pub mod plots;
pub mod words;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::calibrate::Calibrated;
use crate::kinds::{Fitted, REFUSED};

/// Everything that was measured.
pub struct Honesty<'a> {
    /// The classifier of kinds, if one was fitted.
    pub kinds: Option<&'a Fitted>,
    /// The confidence.
    pub confidence: &'a Calibrated,
    /// What the ways of wording cost and save.
    pub words: &'a [words::Row],
}

impl Honesty<'_> {
    /// Writes the document, and its figures beside it under its name.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let panels = self.confidence.panels();
        plots::reliability(&path.with_file_name(format!("{name}-reliability.svg")), &panels)?;
        plots::risk(&path.with_file_name(format!("{name}-risk.svg")), &panels)?;
        std::fs::write(path, self.document(&name)).with_context(|| format!("cannot write {}", path.display()))
    }

    fn document(&self, name: &str) -> String {
        let kinds = self.kinds.map_or_else(String::new, |kinds| {
            format!(
                "## Which pictures are photographs\n\n\
                A linear classifier on what a picture's surface is like: mean and standard deviation over the cells of what seven \
                of the trunk's blocks give. Each picture was judged twice: by a classifier that was fitted without its source (a \
                way of drawing, a template of rendered pages, a set of charts; photographs, of which there are many sources, \
                singly), and by one that was fitted without that picture and others, but on some of its source. What is shipped \
                is fitted on all of them. Below the threshold lie {:.1} % of the photographs at 224 px.\n\n\
                ```text\n{kinds}\n```\n\n",
                100.0 * REFUSED
            )
        });
        let words: Vec<String> = self.words.iter().map(ToString::to_string).collect();
        format!(
            "# What the captioner knows of its own doubts\n\n\
            Written by `soli export --kinds ... --calibrate ... --report docs/honesty.md`; the rules are stated in \
            `trainer/src/kinds.rs`, `trainer/src/right.rs` and `trainer/src/calibrate.rs`.\n\n\
            {kinds}\
            ## How far captions can be trusted\n\n\
            A caption is right if it names a thing, and every thing that it names (or a word that can stand for it) is said by \
            at least one of the people who described the picture. A logistic regression gives the probability of that, from \
            the signs that are listed below. Dev pictures are measured by what was fitted on the other half of the dev \
            pictures, test pictures by what is shipped. Labelled photographs (classes of ImageNet and Caltech-101, rooms, \
            dishes, groceries, clothes) are of neither domain: of them a caption is right that names the label, a synonym or a \
            parent of it (`trainer/src/labels.tsv`), and they are measured by what was fitted on other labels. Said is the \
            mean probability; the calibration error is over ten bins of equal size, and beside it stands what it would be on \
            average of so few captions if the confidence were perfect; AUROC is how often a right caption has the higher probability.\n\n\
            ```text\n{}\n```\n\n\
            ![The share of right captions by confidence, for each set and width]({name}-reliability.svg)\n\n\
            ![The share of wrong captions among the surest, for each set and width]({name}-risk.svg)\n\n\
            How many captions are right of those that are told with a confidence of:\n\n\
            | pictures, all widths | 0.8 and more | 0.65 to 0.8 | 0.5 to 0.65 | 0.25 to 0.5 | less |\n\
            |---|---|---|---|---|---|\n{}\n\
            ## What leaving out costs and saves\n\n\
            CIDEr against what people said, and against the same with neutral words for people; words that say something \
            (things, actions, colours, numbers) in a caption, and the share of them that nobody said of the picture.\n\n\
            | pictures | words | CIDEr | CIDEr, neutral references | words that say something | of them wrong |\n\
            |---|---|---|---|---|---|\n{}\n",
            self.confidence,
            self.confidence.by_confidence(),
            words.join("\n"),
        )
    }
}
