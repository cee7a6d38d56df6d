//! How the concept head of [`soli::concepts`] learns: which words it looks for, what it is taught of a picture, and what
//! words the decoder reads while it is trained.

mod choose;
mod folds;
mod simulate;
mod targets;

pub use choose::{choose, is_content};
pub use folds::{FOLDS, FOLDS_PREFIX, Folds, fold_of};
pub use simulate::{Groups, Simulation};
pub use targets::{Targets, loss};
