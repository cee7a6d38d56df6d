//! The stages of a training run, one file each.

pub mod captions;
