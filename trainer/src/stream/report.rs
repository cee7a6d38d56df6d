//! How far a stream is: on the terminal, or a line a minute where standard error goes elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::feed::Progress;

const LINES: Duration = Duration::from_secs(60);
const TERMINAL: Duration = Duration::from_millis(500);

/// Shows the rate and the time left.
pub struct Report {
    bar: Option<ProgressBar>,
    read: Arc<Progress>,
    started: Instant,
    shown: Instant,
}

impl Report {
    /// Shows something only if `wanted`.
    pub fn new(wanted: bool, read: Arc<Progress>) -> Self {
        let bar = wanted.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        if let Some(bar) = &bar
            && let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg}")
        {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, read, started: now, shown: now }
    }

    /// There are so many rows now, with so many errors.
    pub fn rows(&mut self, rows: u64, errors: u64) {
        let Some(bar) = &self.bar else { return };
        let every = if bar.is_hidden() { LINES } else { TERMINAL };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let text = message(rows, errors, self.started.elapsed(), self.read.get());
        if bar.is_hidden() {
            eprintln!("{text}");
        } else {
            bar.set_message(text);
            bar.tick();
        }
    }

    /// Clears the terminal's line.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn message(rows: u64, errors: u64, time: Duration, read: f64) -> String {
    let seconds = time.as_secs_f64();
    let mut text = format!("{rows} pictures, {:.1} a second", rows as f64 / seconds.max(1e-3));
    if errors > 0 {
        text.push_str(&format!(", {errors} with errors"));
    }
    // Before that it would be a guess.
    if read > 0.001 {
        let left = (seconds * (1.0 - read) / read) as u64;
        let (hours, minutes) = (left / 3600, left / 60 % 60);
        let left = match (hours, minutes) {
            (0, 0) => format!("{left} s"),
            (0, _) => format!("{minutes} min"),
            _ => format!("{hours} h {minutes:02} min"),
        };
        text.push_str(&format!(", {:.0} % read, about {left} left", read * 100.0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_are_said() {
        let seconds = Duration::from_secs;
        assert_eq!(message(600, 0, seconds(10), 0.0), "600 pictures, 60.0 a second");
        assert_eq!(
            message(600, 2, seconds(100), 0.25),
            "600 pictures, 6.0 a second, 2 with errors, 25 % read, about 5 min left"
        );
        assert!(message(1, 0, seconds(4000), 0.1).ends_with("about 10 h 00 min left"));
        assert!(message(1, 0, seconds(10), 0.5).ends_with("about 10 s left"));
    }
}
