//! The `soli` command.
fn main() {}
