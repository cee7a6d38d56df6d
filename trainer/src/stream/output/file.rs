//! Files that rows are appended to, and what is whole of them after a process was killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::stream::done::Done;
use crate::stream::error::StreamError;
use crate::stream::item::Id;

/// Reads what is whole of an output: notes its ids, and returns where its last whole row ends.
pub type Scan = fn(&File, &Path, &mut Done) -> Result<u64, StreamError>;

/// Opens `path` to append rows: a new file, or with `resume` also one that is there, whose end is cut off if it is not
/// whole. Returns its length too.
///
/// # Errors
/// If it is there without `resume`, is being written, or is not one of ours.
pub fn open(path: &Path, resume: bool, done: &mut Done, scan: Scan) -> Result<(File, u64), StreamError> {
    let failed = |source| StreamError::Io { what: format!("cannot write {}", path.display()), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if resume {
        options.create(true).truncate(false);
    } else {
        options.create_new(true);
    }
    let mut file = options.open(path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => StreamError::OutputExists { path: path.to_owned() },
        _ => failed(source),
    })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StreamError::OutputInUse { path: path.to_owned() }),
        // Some network file systems have no locks; they must not be useless for that.
        Err(TryLockError::Error(_)) => {}
    }
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(StreamError::not_ours(path, "is not a regular file, so it cannot be resumed"));
    }
    let end = scan(&file, path, done)?;
    file.set_len(end).map_err(failed)?;
    file.seek(SeekFrom::Start(end)).map_err(failed)?;
    Ok((file, end))
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

/// [`Scan`] of NDJSON: a row is whole if its line has an end.
pub fn scan_lines(file: &File, path: &Path, done: &mut Done) -> Result<u64, StreamError> {
    lines(file, path, |line| {
        done.add(Id::json(id_of(line)?)?.as_str());
        Some(())
    })
}

/// The id of a row of NDJSON as it is written there.
pub fn id_of(line: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice::<Head>(line).ok().map(|head| head.id)
}

/// Calls `take` for every whole line from the start of `file`, and returns where the last ends.
///
/// # Errors
/// If `take` returns nothing for one: it is not ours.
pub fn lines(
    file: &File,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Option<()>,
) -> Result<u64, StreamError> {
    let failed = |source| StreamError::Io { what: format!("cannot read {}", path.display()), source };
    let mut from = BufReader::with_capacity(1 << 16, file);
    from.seek(SeekFrom::Start(0)).map_err(failed)?;
    let (mut end, mut line) = (0, Vec::new());
    for number in 1u64.. {
        line.clear();
        let read = from.read_until(b'\n', &mut line).map_err(failed)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        if take(&line).is_none() {
            return Err(StreamError::not_ours(path, format!("line {number} is no row that soli wrote")));
        }
        end += read as u64;
    }
    Ok(end)
}
