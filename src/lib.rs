//! soli: a small image captioner that runs in any browser, offline.
//!
//! The network is described once, in this crate; the trainer and the browser share it. Everything is
//! channels-last (NHWC).

pub mod config;
pub mod image;
pub mod vocab;
pub mod weights;
