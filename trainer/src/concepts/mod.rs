//! How the concept head of [`soli::graph::Concepts`] learns: which words it looks for, what it is taught of a picture, and what
//! words the decoder reads while it is trained.

mod choose;
pub mod folds;
pub mod imagenet;
mod kept;
mod simulate;
mod targets;
mod taught;

pub use choose::{choose, is_content};
pub use folds::{FOLDS, FOLDS_PREFIX, Folds, fold_of};
pub use imagenet::ImageNet;
pub use kept::Kept;
pub use simulate::{Groups, Simulation};
pub use targets::{Targets, loss};
pub use taught::{Lessons, Taught, Teachers};
