//! What goes through the stream: a picture's id, its bytes or where they lie, and the row that comes of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// What a picture is called in the output.
///
/// A path, the path of an archive and a member's name in it (`shards/0001.tar/000017.jpg`), or what an NDJSON line or a
/// Parquet row says. A number stays a number in NDJSON; elsewhere it is its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    text: String,
    number: bool,
}

impl Id {
    /// An id that is a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: false }
    }

    /// An id that is a whole number.
    pub fn number(number: impl Into<i128>) -> Self {
        Self { text: number.into().to_string(), number: true }
    }

    /// A path as it was given.
    pub fn path(path: &Path) -> Self {
        Self::text(readable(path.as_os_str().as_encoded_bytes()))
    }

    /// The member `name` of an archive.
    pub fn member(&self, name: &[u8]) -> Self {
        Self::text(format!("{}/{}", self.text, readable(name)))
    }

    /// A string or a number of JSON, the number with the digits that it was written with.
    pub fn json(raw: &RawValue) -> Option<Self> {
        match raw.get().as_bytes().first()? {
            b'"' => serde_json::from_str(raw.get()).ok().map(|text: String| Self::text(text)),
            b'-' | b'0'..=b'9' => Some(Self { text: raw.get().to_owned(), number: true }),
            _ => None,
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.number {
            let raw = RawValue::from_string(self.text.clone()).map_err(serde::ser::Error::custom)?;
            return raw.serialize(serializer);
        }
        serializer.serialize_str(&self.text)
    }
}

/// A file name as text. Bytes that are no UTF-8 become `\xNN`, so that two names never become the same id.
fn readable(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

/// Where a picture's bytes are.
#[derive(Debug)]
pub enum Payload {
    /// In a file that nobody has opened yet.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
    /// Nowhere, and why.
    Missing(String),
}

impl Payload {
    /// Bytes of memory that it holds.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(_) | Self::Missing(_) => 0,
        }
    }
}

/// What became of a picture.
#[derive(Debug, Clone)]
pub struct Row {
    /// The picture.
    pub id: Id,
    /// All fields of [`soli::captioner::Caption`] as one JSON object, or why there is none. Text, so that a field that is
    /// added there reaches the output without a change here.
    pub outcome: Result<Arc<str>, String>,
    /// Milliseconds from decoded pixels to text; 0 if the caption was there already.
    pub ms: f64,
}

impl Row {
    /// The row as one line of NDJSON, without its end: the id, then the caption's fields or `error`.
    pub fn line(&self) -> String {
        let id = serde_json::to_string(&self.id).unwrap_or_else(|_| "null".to_owned());
        match &self.outcome {
            Ok(caption) => match caption.strip_prefix('{') {
                Some(fields) if fields != "}" => format!("{{\"id\":{id},{fields}"),
                _ => format!("{{\"id\":{id}}}"),
            },
            Err(error) => {
                let error = serde_json::to_string(error).unwrap_or_else(|_| "\"\"".to_owned());
                format!("{{\"id\":{id},\"error\":{error}}}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(json: &str) -> Option<Id> {
        Id::json(&serde_json::from_str::<Box<RawValue>>(json).unwrap())
    }

    #[test]
    fn ids_come_out_of_ndjson_as_they_went_in() {
        for json in ["\"a\\\"b\"", "7", "-1", "123456789012345678901234567890", "1.50", "\"\""] {
            let id = id_of(json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
        }
        for json in ["null", "true", "[1]", "{}", "\"\\ud800\""] {
            assert_eq!(id_of(json), None, "{json}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_no_text_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let id = |bytes: &[u8]| Id::path(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        assert_eq!(id(b"caf\xC3\xA9.jpg").as_str(), "caf\u{e9}.jpg");
        assert_eq!(id(b"caf\xE9.jpg").as_str(), "caf\\xE9.jpg");
        assert_ne!(id(b"\xE9"), id(b"\xE8"));
    }

    #[test]
    fn fields_that_a_caption_gets_later_are_in_the_row() {
        let outcome = Ok(Arc::from(r#"{"text":"a dog","kind":"photo"}"#));
        let row = Row { id: Id::number(3), outcome, ms: 1.0 };
        assert_eq!(row.line(), r#"{"id":3,"text":"a dog","kind":"photo"}"#);
        let row = Row { id: Id::text("x"), outcome: Err("a \"bad\"\nfile".to_owned()), ms: 0.0 };
        assert_eq!(row.line(), r#"{"id":"x","error":"a \"bad\"\nfile"}"#);
    }
}
