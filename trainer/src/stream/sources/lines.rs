//! Lists of pictures: NDJSON or paths, one a line.

use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BytesRead, ReadOptions, Stop, read_path};
use crate::data::decode::MAX_FILE_BYTES;
use crate::stream::error::StreamError;
use crate::stream::feed::Feed;
use crate::stream::item::{Id, Payload};

/// Longest line: the longest picture in base64, and something for the rest.
const MAX_LINE: usize = (MAX_FILE_BYTES as usize) / 3 * 4 + (1 << 20);

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A line of NDJSON. Whatever else it has is left alone.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    file: Option<String>,
    #[serde(borrow)]
    bytes: Option<std::borrow::Cow<'a, str>>,
}

/// Reads a list. It is NDJSON if its first character is `{`, and paths otherwise.
///
/// # Errors
/// If the list cannot be read on.
pub fn read(
    mut from: impl BufRead,
    name: &str,
    bytes: BytesRead,
    options: &ReadOptions,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let mut line = Vec::new();
    let mut json = None;
    for number in 1u64.. {
        let whole = read_line(&mut from, &mut line, MAX_LINE).map_err(|source| {
            Stop::Failed(StreamError::Io {
                what: format!("cannot read {name} on, after line {}", number - 1),
                source,
            })
        })?;
        let Some(whole) = whole else { break };
        feed.progress(bytes.fraction());
        if number == 1 && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = || format!("{name}, line {number}");
        if !whole {
            feed.offer(Id::text(place()), || Payload::Missing(format!("{}: the line is too long", place())))?;
        } else if *json.get_or_insert_with(|| line.trim_ascii_start().starts_with(b"{")) {
            let (id, payload) = from_json(&line, &place());
            feed.offer(id, || payload)?;
        } else {
            match path_of(&line) {
                Some(path) => read_path(&path, options, feed)?,
                None => {
                    let reason = format!("{}: the path is not UTF-8", place());
                    feed.offer(Id::text(place()), || Payload::Missing(reason))?;
                }
            }
        }
    }
    Ok(())
}

fn from_json(line: &[u8], place: &str) -> (Id, Payload) {
    let line: Line = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => {
            // The position in the line, not "line 1".
            let reason = error.to_string().replace(" at line 1 column", " at column");
            return (Id::text(place), Payload::Missing(format!("{place}: not a JSON object: {reason}")));
        }
    };
    let named = line.id.map(Id::json);
    let id = match (named, &line.file) {
        (Some(Some(id)), _) => id,
        (Some(None), _) => {
            let reason = format!("{place}: \"id\" must be a string or a number");
            return (Id::text(place), Payload::Missing(reason));
        }
        (None, Some(file)) => Id::path(Path::new(file)),
        (None, None) => {
            let reason = format!("{place}: has no \"id\"; each picture's bytes need one");
            return (Id::text(place), Payload::Missing(reason));
        }
    };
    let payload = match (line.file, line.bytes) {
        (Some(file), None) => Payload::File(PathBuf::from(file)),
        (None, Some(bytes)) => match BASE64.decode(on_one_line(&bytes).as_bytes()) {
            Ok(bytes) => Payload::Bytes(bytes),
            Err(error) => Payload::Missing(format!("{}: \"bytes\" is no base64: {error}", id.as_str())),
        },
        (None, None) => Payload::Missing(format!("{}: neither \"file\" nor \"bytes\" is there", id.as_str())),
        (Some(_), Some(_)) => {
            Payload::Missing(format!("{}: both \"file\" and \"bytes\" are there; give one", id.as_str()))
        }
    };
    (id, payload)
}

/// Base64 without the line breaks that MIME has after every 76 characters; Spark's `base64()` has them too.
fn on_one_line(base64: &str) -> std::borrow::Cow<'_, str> {
    if base64.bytes().any(|byte| byte.is_ascii_whitespace()) {
        base64.split_ascii_whitespace().collect::<String>().into()
    } else {
        base64.into()
    }
}

#[cfg(unix)]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(line)))
}

#[cfg(not(unix))]
fn path_of(line: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(line).ok().map(PathBuf::from)
}

/// Reads a line without its end into `line`. `None` at the end of the input; `Some(false)` if the line is longer than
/// `longest`, whose rest is then left out.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>, longest: usize) -> std::io::Result<Option<bool>> {
    line.clear();
    // A long line must not keep its memory for the short ones after it.
    line.shrink_to(1 << 20);
    let (mut any, mut whole) = (false, true);
    loop {
        let buffer = match from.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        any = true;
        let end = buffer.iter().position(|&b| b == b'\n');
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        whole &= line.len() + piece.len() <= longest;
        if whole {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any.then_some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_on_any_system_and_long_ones_are_cut() {
        let mut from = std::io::BufReader::with_capacity(3, &b"one\r\n\ntoo long for us\nlast"[..]);
        let mut line = Vec::new();
        let mut seen = Vec::new();
        while let Some(whole) = read_line(&mut from, &mut line, 6).unwrap() {
            seen.push((whole, String::from_utf8(line.clone()).unwrap()));
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
        assert_eq!(
            (&seen[0], &seen[1], &seen[3]),
            (&(true, "one".into()), &(true, String::new()), &(true, "last".into()))
        );
        assert!(!seen[2].0);
    }

    #[test]
    fn a_line_says_where_the_picture_is_or_what_is_wrong() {
        for (line, id, said) in [
            (r#"{"id": "a", "file": "x.jpg"}"#, "a", "File(\"x.jpg\")"),
            (r#"{"file": "x.jpg", "more": [1]}"#, "x.jpg", "File(\"x.jpg\")"),
            (r#"{"id": 7, "bytes": "AQI="}"#, "7", "Bytes([1, 2])"),
            (r#"{"id": 7, "bytes": "AQI"}"#, "7", "Bytes([1, 2])"),
            (r#"{"id": 7, "bytes": "A\u0051I="}"#, "7", "Bytes([1, 2])"),
            (r#"{"id": 7, "bytes": " A\r\nQI=\r\n"}"#, "7", "Bytes([1, 2])"),
            (r#"{"id": 7, "bytes": "*"}"#, "7", "no base64"),
            (r#"{"id": 7}"#, "7", "neither"),
            (r#"{"id": 7, "file": "a", "bytes": ""}"#, "7", "give one"),
            (r#"{"bytes": "AQI="}"#, "list, line 3", "has no"),
            (r#"{"id": [], "file": "a"}"#, "list, line 3", "must be a string or a number"),
            (r#"{"id": "a", "file": "#, "list, line 3", "not a JSON object"),
            ("x.jpg", "list, line 3", "not a JSON object"),
        ] {
            let (found, payload) = from_json(line.as_bytes(), "list, line 3");
            assert_eq!(found.as_str(), id, "{line}");
            assert!(format!("{payload:?}").contains(said), "{line}: {payload:?}");
        }
    }
}
