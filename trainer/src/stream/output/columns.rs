//! The columns of tables: CSV and Parquet. NDJSON has every field of a caption by itself.

use serde_json::{Map, Value};

/// A field of a caption that is a column of tables, between `id` and `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The field's name in a row as JSON: of [`soli::captioner::Caption`], or `partial`. Where it is missing, the column is empty or null.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A 32-bit float.
    Number,
    /// A list of words with their probabilities: JSON in CSV, a list of structures in Parquet.
    Words,
    /// True or false.
    Flag,
}

/// The columns. A further field of a caption becomes one by a line here.
pub const COLUMNS: &[Column] = &[
    Column { name: "text", kind: Kind::Text },
    Column { name: "kind", kind: Kind::Text },
    Column { name: "confidence", kind: Kind::Number },
    Column { name: "certainty", kind: Kind::Text },
    Column { name: "words", kind: Kind::Words },
    Column { name: "partial", kind: Kind::Flag },
];

/// The fields of a caption that was written as JSON; none if it is no object.
pub fn fields(caption: &str) -> Map<String, Value> {
    serde_json::from_str(caption).unwrap_or_default()
}
