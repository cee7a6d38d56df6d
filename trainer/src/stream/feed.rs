//! Between the readers of inputs and the workers: leaves out what is done, numbers the rest, waits when there is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use super::done::Done;
use super::gate::Gate;
use super::item::{Id, Payload};

/// A picture on its way to a worker.
#[derive(Debug)]
pub struct Job {
    /// The place in the input, counted without what is left out.
    pub number: u64,
    /// The picture.
    pub id: Id,
    /// Its bytes.
    pub payload: Payload,
}

/// Nobody takes pictures any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// What the reader alone knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Pictures that the output had already.
    pub done_before: u64,
    /// Files and members that are no pictures.
    pub passed_over: u64,
    /// Inputs that could not be read to their end.
    pub broken_inputs: u64,
}

/// Takes pictures from the readers.
pub struct Feed {
    gate: Arc<Gate>,
    jobs: Sender<Job>,
    done: Done,
    next: u64,
    counts: FeedCounts,
    read: Arc<Progress>,
    inputs: usize,
    input: usize,
}

/// How much of the inputs was read, 0 to 1, as the bits of a double.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// The part that was read, 0 to 1.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Feed {
    /// A feed of `inputs` inputs, without what is `done`.
    pub fn new(gate: Arc<Gate>, jobs: Sender<Job>, done: Done, inputs: usize, read: Arc<Progress>) -> Self {
        Self {
            gate,
            jobs,
            done,
            next: 0,
            counts: FeedCounts::default(),
            read,
            inputs: inputs.max(1),
            input: 0,
        }
    }

    /// Sends a picture to the workers, unless the output has it.
    ///
    /// # Errors
    /// [`Closed`] if nobody wants more.
    pub fn offer(&mut self, id: Id, payload: impl FnOnce() -> Payload) -> Result<(), Closed> {
        if self.done.take(id.as_str()) {
            self.counts.done_before += 1;
            return Ok(());
        }
        let payload = payload();
        if !self.gate.enter(payload.size()) {
            return Err(Closed);
        }
        let job = Job { number: self.next, id, payload };
        self.next += 1;
        self.jobs.send(job).map_err(|_| Closed)
    }

    /// Notes in a row that an input, such as an archive, cannot be read to its end: an unknown number of pictures is missing.
    ///
    /// # Errors
    /// [`Closed`] if nobody wants more.
    pub fn broken_input(&mut self, id: Id, reason: String) -> Result<(), Closed> {
        self.counts.broken_inputs += 1;
        self.offer(id, || Payload::Missing(reason))
    }

    /// Notes a file that is no picture.
    pub fn passed_over(&mut self) {
        self.counts.passed_over += 1;
    }

    /// Notes how much of the current input was read, 0 to 1.
    pub fn progress(&self, part: f64) {
        let part = (self.input as f64 + part) / self.inputs as f64;
        self.read.0.store(part.to_bits(), Ordering::Relaxed);
    }

    /// The current input is at its end.
    pub fn next_input(&mut self) {
        self.input += 1;
        self.progress(0.0);
    }

    /// What was counted.
    pub fn counts(&self) -> FeedCounts {
        self.counts
    }
}
