//! Caption metrics.

pub mod tokenise;
