//! How much may be under way between reader and writer, so that memory is bounded whatever the length of the stream.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of encoded pictures that wait for a worker, beyond the one that is always let in.
const MAX_BYTES: usize = 256 << 20;

/// Lets in a limited number of pictures, with a limited number of bytes.
pub struct Gate {
    inside: Mutex<Inside>,
    changed: Condvar,
    max_items: usize,
}

#[derive(Default)]
struct Inside {
    items: usize,
    bytes: usize,
    closed: bool,
}

impl Gate {
    /// A gate for `max_items` pictures, at least 1.
    pub fn new(max_items: usize) -> Self {
        Self { inside: Mutex::default(), changed: Condvar::new(), max_items: max_items.max(1) }
    }

    /// Waits until a picture of `bytes` may be sent; `false` if nobody takes pictures any more.
    pub fn enter(&self, bytes: usize) -> bool {
        let full = |inside: &mut Inside| {
            let too_long = inside.bytes > 0 && inside.bytes + bytes > MAX_BYTES;
            !inside.closed && (inside.items >= self.max_items || too_long)
        };
        let waited = self.changed.wait_while(self.lock(), full);
        let mut inside = waited.unwrap_or_else(PoisonError::into_inner);
        if inside.closed {
            return false;
        }
        inside.items += 1;
        inside.bytes += bytes;
        true
    }

    /// A worker has taken a picture's bytes.
    pub fn taken(&self, bytes: usize) {
        self.change(|inside| inside.bytes -= bytes);
    }

    /// A picture's row was written.
    pub fn leave(&self) {
        self.change(|inside| inside.items -= 1);
    }

    /// No picture is let in any more.
    pub fn close(&self) {
        self.change(|inside| inside.closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Counters are whole after every change.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// How many of three pictures of `bytes` a gate for `items` lets in before anything is done with them.
    fn let_in(items: usize, bytes: usize) -> usize {
        let gate = Arc::new(Gate::new(items));
        let (entered, seen) = channel();
        let reader = thread::spawn({
            let gate = gate.clone();
            move || {
                for _ in 0..3 {
                    if gate.enter(bytes) {
                        entered.send(()).unwrap();
                    }
                }
            }
        });
        let mut count = 0;
        while let Ok(()) = seen.recv_timeout(Duration::from_millis(100)) {
            count += 1;
        }
        gate.close();
        reader.join().unwrap();
        count
    }

    #[test]
    fn pictures_and_bytes_are_limited_and_closing_ends_the_wait() {
        assert_eq!(let_in(2, 1), 2);
        assert_eq!(let_in(9, MAX_BYTES / 2), 2);
        // One that is too large for the limit goes alone.
        assert_eq!(let_in(9, MAX_BYTES + 1), 1);
        assert_eq!(let_in(9, 0), 3);
    }
}
