//! The study: rows of training orders under the same budget, measured by resolution.
//!
//! [`plan`] says what is compared, [`record`] what is kept of a run, [`measure`] fills a record in, [`report`] writes
//! `docs/study.md` from records alone, [`charts`] its pictures. [`paper`] is a study of its own, with the paper's frozen encoder and small decoder, and
//! so is [`ladder`], of whole networks that go on from each other.

pub mod charts;
pub mod ladder;
pub mod measure;
mod panels;
pub mod paper;
pub mod plan;
pub mod record;
pub mod report;
