//! The verbs of the `soli` command, one file each.

pub mod bench;
pub mod caption;
pub mod eval;
pub mod export;
pub mod print;
pub mod study;
mod study_ladder;
mod study_paper;
pub mod train;
