//! The `soli` command.

use anyhow::Result;
use clap::{Parser, Subcommand};
use soli_trainer::cli::train::Train;

// Training allocates and frees the same large buffers over and over; the system's allocator gives them back to the
// kernel each time and pays for fresh pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains and runs soli, a small image captioner.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Train(Train),
}

fn main() -> Result<()> {
    match Cli::parse().verb {
        Verb::Train(train) => train.run(),
    }
}
