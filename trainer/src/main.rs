//! The `soli` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use soli_trainer::cli::bench::Bench;
use soli_trainer::cli::caption::Caption;
use soli_trainer::cli::eval::Eval;
use soli_trainer::cli::export::Export;
use soli_trainer::cli::study::Study;
use soli_trainer::cli::train::Train;

/// Trains and runs soli, a small image captioner.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Bench(Bench),
    Caption(Caption),
    Eval(Eval),
    Export(Export),
    Study(Study),
    Train(Train),
}

/// Keeps freed memory for the next step instead of giving it back to the kernel, which would have to clear every page
/// again: a third of the training time otherwise.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    // SAFETY: `mallopt` only sets numbers of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Keeps candle's own threads out: they spin while they wait for each other, which costs more than it brings beside the
/// threads of our kernels, and far more on a busy machine.
fn one_candle_thread() {
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
}

fn main() -> ExitCode {
    one_candle_thread();
    let verb = Cli::parse().verb;
    // A stream of pictures of all sizes must give its memory back, and its threads need an arena each.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if !matches!(verb, Verb::Caption(_)) {
        keep_memory();
    }
    let result = match verb {
        Verb::Bench(bench) => bench.run(),
        Verb::Caption(caption) => caption.run(),
        Verb::Eval(eval) => eval.run(),
        Verb::Export(export) => export.run(),
        Verb::Study(study) => study.run(),
        Verb::Train(train) => train.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // All causes on one line; a backtrace helps nobody who mistyped a path.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
