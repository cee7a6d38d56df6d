//! The study in the paper's own regime (SOLI, arXiv 2512.08873): an encoder that stays as it was pretrained, a linear head of
//! 50 values on its pooled features, and a small LSTM that reads them.
//!
//! What the frozen encoder sees of each version of each picture is computed once and kept, so that a run takes minutes and
//! every row can have several seeds. The encoder is EfficientNet-Lite0 with ImageNet's weights (the paper's: a ResNet-50); the
//! word embeddings are learned (the paper's: GloVe).

mod agreement;
mod chart;
mod features;
mod network;
mod objective;
mod plan;
mod record;
mod report;
mod restorer;
mod run;
pub(super) mod statistics;

pub use chart::differences;
pub use features::{Condition, Encoder, Seen};
pub use network::Network;
pub use plan::{Plan, Restored, Row, Share, Views};
pub use record::Record;
pub use report::markdown;
pub use run::{Data, TestSet, captioned, train};
