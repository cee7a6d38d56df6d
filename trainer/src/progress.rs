//! What a run shows while it trains.

use std::cell::Cell;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress bar: step, loss, pictures a second, time left. Plain lines where there is no terminal.
pub struct TrainingBar {
    bar: ProgressBar,
    loss: Cell<f32>,
    images: Cell<usize>,
    started: Instant,
    said: Cell<Instant>,
}

impl TrainingBar {
    /// For a run of `steps` steps of which `done` are taken.
    pub fn new(steps: usize, done: usize) -> Self {
        let bar = ProgressBar::new(steps as u64).with_position(done as u64);
        let style = "{bar:30} step {pos}/{len}  {msg}  {elapsed} gone, {eta} left";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.reset_eta();
        let now = Instant::now();
        Self { bar, loss: Cell::new(f32::NAN), images: Cell::new(0), started: now, said: Cell::new(now) }
    }

    /// Counts a step of `images` pictures with its loss.
    pub fn step(&self, images: usize, loss: f32) {
        let smooth = self.loss.get();
        self.loss.set(if smooth.is_nan() {
            loss
        } else if loss.is_nan() {
            smooth
        } else {
            0.98 * smooth + 0.02 * loss
        });
        self.images.set(self.images.get() + images);
        let rate = self.images.get() as f64 / self.started.elapsed().as_secs_f64();
        let told = match self.loss.get() {
            // What only looks at pictures has none.
            loss if loss.is_nan() => format!("{rate:.1} images/s"),
            loss => format!("loss {loss:.3}  {rate:.1} images/s"),
        };
        self.bar.set_message(told.clone());
        self.bar.inc(1);
        if self.bar.is_hidden() && self.said.get().elapsed().as_secs() >= 30 {
            let (at, of, left) =
                (self.bar.position(), self.bar.length().unwrap_or(0), self.bar.eta().as_secs());
            eprintln!("step {at}/{of}  {told}  {left} s left");
            self.said.set(Instant::now());
        }
    }

    /// The smoothed loss.
    pub fn loss(&self) -> f32 {
        self.loss.get()
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
    }

    /// Ends the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
