//! The project's chores: `cargo xtask <verb>`. One file a verb.

mod bench;
mod checks;
mod cmd;
mod demo;
mod extension;
mod fuzz;
mod lint;
mod page;
mod paths;
mod python;
mod serve;
mod setup;
mod test;
mod tools;
mod ui;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the soli project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install whatever the other verbs need and this machine lacks.
    Setup(setup::Args),
    /// Build the browser's WebAssembly module into pkg/wasm.
    Build,
    /// Write down the page's files and weights with their hashes; `build`, `serve`, `demo` and `test` do it too.
    Page,
    /// Serve the page of an earlier `build` until Ctrl-C.
    Serve(serve::Port),
    /// Set up, build, caption the bundled photographs in headless Chromium, then serve the page.
    Demo(demo::Args),
    /// Pack the browser extension: a folder and a zip file each for Chromium and Firefox, and lint both.
    Extension,
    /// Measure soli beside other runtimes in headless Chromium, and write docs/performance.md.
    Bench(bench::Args),
    /// Read damaged files of every kind for some minutes, and write the figures into docs/reliability.md.
    Fuzz(fuzz::Args),
    /// The Python package: its wheel and tests, and Spark and Ray where they are installed.
    Python,
    /// Kill tests, the Python package, and Spark and Ray with 10,000 pictures each.
    Scale(python::Args),
    /// Everything: formatting, lints, documentation, native and browser tests.
    Test,
    /// Formatting, clippy, documentation and licences, without any test.
    Lint,
}

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let outcome = match Cli::parse().verb {
        Verb::Setup(args) => setup::run(&args).map(done),
        Verb::Build => wasm::run().map(done),
        Verb::Page => page::run().map(done),
        Verb::Serve(args) => serve::run(&args).map(done),
        Verb::Demo(args) => demo::run(&args).map(done),
        Verb::Extension => extension::run().map(done),
        Verb::Bench(args) => bench::run(&args).map(done),
        Verb::Fuzz(args) => fuzz::run(&args).map(done),
        Verb::Python => python::run(),
        Verb::Scale(args) => python::scale(&args),
        Verb::Test => test::run(),
        Verb::Lint => lint::run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // One line: what went wrong, why, what to do.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
