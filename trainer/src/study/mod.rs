//! The study: rows of training orders under the same budget, measured by resolution.
//!
//! [`plan`] says what is compared, [`record`] what is kept of a run, [`measure`] fills a record in, [`report`] writes
//! `docs/study.md` from records alone, [`charts`] its pictures. [`paper`] is a study of its own, with the paper's frozen encoder and small decoder.

pub mod charts;
pub mod measure;
pub mod paper;
pub mod plan;
pub mod record;
pub mod report;
