//! Trains, evaluates and exports soli's captioner.

pub mod backbone;
pub mod calibrate;
pub mod checkpoint;
pub mod cli;
pub mod compact;
pub mod concepts;
pub mod config;
pub mod contrast;
pub mod data;
pub mod evaluate;
pub mod fold;
pub mod honesty;
pub mod kinds;
pub mod metrics;
pub mod optimiser;
pub mod parameters;
pub mod regression;
pub mod right;
pub mod run;
pub mod sample;
pub mod stages;
pub mod stream;
pub mod study;
pub mod warm_start;
