//! `docs/honesty.md`: what an export measured of kinds and confidence, with the rules.

/// The document, given the tables of the classifier of kinds and of the confidence.
pub fn document(kinds: &str, confidence: &str) -> String {
    format!(
        "# What the captioner knows of its own doubts\n\n\
        Written by `soli export --kinds ... --calibrate ... --report docs/honesty.md`; the rules are stated in \
        `trainer/src/kinds.rs`, `trainer/src/right.rs` and `trainer/src/calibrate.rs`.\n\n\
        ## Which pictures are photographs\n\n\
        A linear classifier on the concept head's pooled features. Each picture was judged by a classifier that was fitted \
        without its source: a way of drawing, a template of rendered pages, a set of charts; photographs, of which there are \
        many sources, singly. What is shipped is fitted on all of them.\n\n\
        ```text\n{kinds}\n```\n\n\
        ## How far captions can be trusted\n\n\
        A caption is right if it names a thing, and every thing that it names (or a word that can stand for it) is said by at \
        least one of the people who described the picture. A logistic regression gives the probability of that, from the \
        caption's score, the support that it has in the words seen, the picture's unfamiliarity and its size. It is fitted on \
        every other dev picture, and measured on the others: said is the mean probability; the calibration error is over ten \
        bins of equal size; AUROC is how often a right caption has the higher probability. People are worded neutrally, as by \
        default.\n\n\
        ```text\n{confidence}\n```\n"
    )
}
