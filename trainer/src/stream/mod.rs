//! Many pictures in, a row each out: on all cores, in bounded memory, and so that nothing is lost when the process dies.
//!
//! One thread reads the inputs, as many as are asked for decode and caption, and the caller's writes the rows. Reader
//! and writer are never further apart than a gate allows, so memory does not depend on the number of pictures.

mod columnar;
mod dedupe;
mod done;
mod error;
mod feed;
mod gate;
mod item;
pub mod output;
mod report;
pub mod sources;
mod work;

use std::collections::BTreeMap;
use std::sync::mpsc::{TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use soli::captioner::{CaptionOptions, Captioner};

pub use self::done::Done;
pub use self::error::StreamError;
use self::feed::{Feed, FeedCounts, Progress};
use self::gate::Gate;
pub use self::item::{Id, Payload, Row};
use self::output::Output;
use self::report::Report;
use self::sources::{Input, ReadOptions, Stop};
use self::work::{Made, Worker};

/// Pictures between reader and writer, for each thread: enough that a slow one does not stop the others while the rows
/// after it wait for their turn.
const AHEAD: usize = 32;

/// How a stream is captioned.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Threads that decode and caption; at least 1.
    pub threads: usize,
    /// Whether rows come in the order of the inputs.
    pub ordered: bool,
    /// Whether identical bytes are captioned once.
    pub dedupe: bool,
    /// Whether the standard error output shows how far it is.
    pub progress: bool,
    /// How inputs are read.
    pub read: ReadOptions,
    /// How pictures are captioned.
    pub caption: CaptionOptions,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Rows that were written.
    pub rows: u64,
    /// Those that have an error.
    pub errors: u64,
    /// Those whose caption was that of identical bytes before.
    pub repeated: u64,
    /// What the reader counted.
    pub inputs: FeedCounts,
    /// From the first picture to the last row.
    pub time: Duration,
    /// Whether whoever read the output had enough before the end.
    pub closed: bool,
}

/// Captions all pictures of `inputs` that are not `done`, and writes a row each.
///
/// If it ends early, with an error or because nobody reads the output, a reader may still wait for its input: the process
/// should end then.
///
/// # Errors
/// If the output cannot be written, or a list cannot be read; all rows so far are written before.
pub fn run(
    captioner: Arc<Captioner>,
    inputs: Vec<Input>,
    done: Done,
    mut output: Box<dyn Output>,
    options: &StreamOptions,
) -> Result<Summary, StreamError> {
    let started = Instant::now();
    let threads = options.threads.max(1);
    let gate = Arc::new(Gate::new(threads * AHEAD));
    let (jobs, waiting) = channel();
    let (made, rows) = channel();
    let progress = Arc::new(Progress::default());
    let mut feed = Feed::new(gate.clone(), jobs, done, inputs.len(), progress.clone());
    let read_options = ReadOptions { sorted: options.ordered, ..options.read.clone() };
    let reader = thread::spawn(move || {
        for input in &inputs {
            match sources::read(input, &read_options, &mut feed) {
                Ok(()) => feed.next_input(),
                Err(Stop::Closed) => break,
                Err(Stop::Failed(error)) => return (feed.counts(), Some(error)),
            }
        }
        (feed.counts(), None)
    });
    let worker = Arc::new(Worker::new(captioner, options));
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..threads {
        let (worker, waiting, made, gate) = (worker.clone(), waiting.clone(), made.clone(), gate.clone());
        thread::spawn(move || {
            loop {
                let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { break };
                let (number, size) = (job.number, job.payload.size());
                let row = worker.work(job);
                gate.taken(size);
                if made.send((number, row)).is_err() {
                    break;
                }
            }
        });
    }
    drop(made);

    let mut summary = Summary::default();
    let mut report = Report::new(options.progress, progress);
    let mut write = |made: Made, output: &mut dyn Output| {
        summary.rows += 1;
        summary.errors += u64::from(made.row.outcome.is_err());
        summary.repeated += u64::from(made.repeated);
        report.rows(summary.rows, summary.errors);
        let written = output.write(&made.row);
        gate.leave();
        written
    };
    let (mut next, mut early) = (0, BTreeMap::new());
    let mut take_all = || -> Result<(), StreamError> {
        loop {
            let received = match rows.try_recv() {
                // Whoever reads the output may wait for this row before giving us another picture.
                Err(TryRecvError::Empty) => {
                    output.flush()?;
                    rows.recv().ok()
                }
                Err(TryRecvError::Disconnected) => None,
                Ok(received) => Some(received),
            };
            let Some((number, made)) = received else { return output.flush() };
            if options.ordered {
                early.insert(number, made);
                while let Some(made) = early.remove(&next) {
                    next += 1;
                    write(made, &mut *output)?;
                }
            } else {
                write(made, &mut *output)?;
            }
        }
    };
    let taken = take_all();
    gate.close();
    summary.time = started.elapsed();
    report.close();
    match taken {
        Err(error) if error.is_closed_pipe() => {
            summary.closed = true;
            return Ok(summary);
        }
        taken => taken?,
    }
    let (counts, problem) = reader.join().unwrap_or_else(|_| {
        let reason = "the reader of the inputs panicked; this is a bug in soli".to_owned();
        (FeedCounts::default(), Some(StreamError::List { name: "inputs".to_owned(), reason }))
    });
    summary.inputs = counts;
    match problem {
        Some(problem) => Err(problem),
        None => {
            output.finish()?;
            summary.time = started.elapsed();
            Ok(summary)
        }
    }
}
