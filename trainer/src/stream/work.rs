//! From a picture's bytes to its row.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use soli::captioner::{Caption, CaptionOptions, Captioner};

use super::StreamOptions;
use super::dedupe::Captions;
use super::feed::Job;
use super::item::{Payload, Row};
use crate::data::decode::{self, DecodeError, MAX_FILE_BYTES};

/// Captions pictures; shared by all threads.
pub struct Worker {
    captioner: Arc<Captioner>,
    options: CaptionOptions,
    known: Option<Captions>,
}

/// A row, and how it came to be.
pub struct Made {
    /// The row.
    pub row: Row,
    /// Whether identical bytes were captioned before.
    pub repeated: bool,
}

impl Worker {
    /// A worker with its captioner.
    pub fn new(captioner: Arc<Captioner>, options: &StreamOptions) -> Self {
        Self { captioner, options: options.caption, known: options.dedupe.then(Captions::default) }
    }

    /// Makes the row of a picture. Whatever is wrong with it is in the row.
    pub fn work(&self, job: Job) -> Made {
        let Job { id, payload, .. } = job;
        let mut ms = 0.0;
        let outcome = catch_unwind(AssertUnwindSafe(|| match payload {
            Payload::Missing(reason) => (Err(reason), false),
            Payload::Bytes(bytes) => self.describe(Path::new(id.as_str()), &bytes, &mut ms),
            Payload::File(path) => match read(&path) {
                Ok(bytes) => self.describe(&path, &bytes, &mut ms),
                Err(error) => (Err(error.to_string()), false),
            },
        }));
        let (outcome, repeated) = outcome.unwrap_or_else(|_| {
            (Err(format!("{}: the captioner panicked; this is a bug in soli", id.as_str())), false)
        });
        Made { row: Row { id, outcome, ms }, repeated }
    }

    fn describe(&self, name: &Path, bytes: &[u8], ms: &mut f64) -> (Result<Arc<str>, String>, bool) {
        let mut caption = || {
            let picture = decode::decode(name, bytes).map_err(|error| error.to_string())?;
            let started = Instant::now();
            let caption = self
                .captioner
                .caption(&picture.rgba(), &self.options)
                .map_err(|error| format!("{}: {error}", name.display()))?;
            *ms = started.elapsed().as_secs_f64() * 1e3;
            // All fields that a caption has, so that new ones need nothing here.
            serde_json::to_string(&Described { caption, partial: picture.partial() })
                .map(Arc::from)
                .map_err(|error| format!("{}: {error}", name.display()))
        };
        match &self.known {
            Some(known) => known.get(bytes, caption),
            None => (caption(), false),
        }
    }
}

/// What a row says of a picture.
#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    caption: Caption,
    /// Whether the file is cut off, so that only what is there (at least half) was described.
    partial: bool,
}

/// As [`decode::load`] reads: also what has no length, such as pipes.
fn read(path: &Path) -> Result<Vec<u8>, DecodeError> {
    let failed = |source| DecodeError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(DecodeError::Directory { path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(MAX_FILE_BYTES) as usize);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
