//! The verbs of the `soli` command, one file each.

pub mod train;
