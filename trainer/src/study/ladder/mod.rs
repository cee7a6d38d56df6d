//! A study of whole networks: each row is a run of `soli train`, or a file of weights, and may go on from another row. What
//! a stage, a data set or an objective brings is the difference between two rows.

mod plan;
mod record;
mod report;

pub use plan::{Plan, Row};
pub use record::{Measured, Record, Scored};
pub use report::{differences, markdown};
