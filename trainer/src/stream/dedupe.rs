//! Identical bytes are captioned once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};

/// How many pictures are remembered: about 100 MB of captions. What comes again after more others than that is captioned
/// again, to the same caption.
const REMEMBERED: usize = 200_000;

type Place = Arc<OnceLock<Option<Arc<str>>>>;

/// Captions by the SHA-256 of the bytes that they describe.
#[derive(Default)]
pub struct Captions {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    places: HashMap<[u8; 32], Place>,
    oldest: VecDeque<[u8; 32]>,
}

impl Captions {
    /// The caption of `bytes`, from earlier or made by `caption` now, and whether it was there. Who asks while
    /// another makes it waits. What failed is tried again, since the reason names its own picture.
    pub fn get(
        &self,
        bytes: &[u8],
        caption: impl FnOnce() -> Result<Arc<str>, String>,
    ) -> (Result<Arc<str>, String>, bool) {
        let place = self.place(Sha256::digest(bytes).into());
        let mut caption = Some(caption);
        let mut ours = None;
        let known = place.get_or_init(|| {
            let made = caption.take().map_or_else(|| Err(String::new()), |caption| caption());
            let kept = made.as_ref().ok().cloned();
            ours = Some(made);
            kept
        });
        match (ours, known, caption) {
            (Some(made), _, _) => (made, false),
            (None, Some(text), _) => (Ok(text.clone()), true),
            (None, None, Some(caption)) => (caption(), false),
            (None, None, None) => (Err("not captioned".to_owned()), false),
        }
    }

    fn place(&self, digest: [u8; 32]) -> Place {
        // A panic elsewhere leaves the map whole.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.places.get(&digest) {
            return place.clone();
        }
        if known.oldest.len() >= REMEMBERED
            && let Some(oldest) = known.oldest.pop_front()
        {
            known.places.remove(&oldest);
        }
        known.oldest.push_back(digest);
        known.places.entry(digest).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_same_bytes_are_captioned_once_and_failures_are_tried_again() {
        let (captions, calls) = (Captions::default(), Cell::new(0));
        let ask = |bytes: &[u8], works: bool| {
            captions.get(bytes, || {
                calls.set(calls.get() + 1);
                if works { Ok(Arc::from("a dog")) } else { Err(format!("broken {}", calls.get())) }
            })
        };
        assert_eq!(ask(b"one", true), (Ok(Arc::from("a dog")), false));
        assert_eq!(ask(b"one", true), (Ok(Arc::from("a dog")), true));
        assert_eq!(calls.get(), 1);
        assert_eq!(ask(b"two", false), (Err("broken 2".to_owned()), false));
        assert_eq!(ask(b"two", false), (Err("broken 3".to_owned()), false));
    }
}
