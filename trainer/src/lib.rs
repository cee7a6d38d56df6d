//! Trains, evaluates and exports soli's captioner.

pub mod data;
pub mod metrics;
pub mod stages;
