//! Rows as CSV.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;

use super::columns::{COLUMNS, fields};
use super::{Output, Target};
use crate::stream::done::Done;
use crate::stream::error::StreamError;
use crate::stream::item::Row;

/// Writes CSV.
pub struct CsvRows<W: Write> {
    out: Target<W>,
}

fn names() -> Vec<&'static str> {
    let columns = COLUMNS.iter().map(|column| column.name);
    std::iter::once("id").chain(columns).chain(["error"]).collect()
}

impl<W: Write> CsvRows<W> {
    /// Rows to `out`, after a line of names if it is `empty`.
    pub fn new(out: Target<W>, empty: bool) -> Result<Self, StreamError> {
        let mut rows = Self { out };
        if empty {
            rows.record(&names())?;
        }
        Ok(rows)
    }

    fn record<S: AsRef<[u8]>>(&mut self, cells: &[S]) -> Result<(), StreamError> {
        let failed = |source| StreamError::Io { what: "cannot write CSV".to_owned(), source };
        // Into memory first, so that the file has whole rows or none of a row's bytes that are buffered elsewhere.
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells).map_err(|error| failed(std::io::Error::other(error)))?;
        let bytes = writer.into_inner().map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        self.out.put(&bytes)
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl<W: Write> Output for CsvRows<W> {
    fn write(&mut self, row: &Row) -> Result<(), StreamError> {
        let mut cells = vec![row.id.as_str().to_owned()];
        match &row.outcome {
            Ok(caption) => {
                let fields = fields(caption);
                cells.extend(COLUMNS.iter().map(|column| cell(fields.get(column.name))));
                cells.push(String::new());
            }
            Err(error) => {
                cells.extend(COLUMNS.iter().map(|_| String::new()));
                cells.push(error.clone());
            }
        }
        self.record(&cells)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.out.flush()
    }

    fn finish(mut self: Box<Self>) -> Result<(), StreamError> {
        self.out.flush()
    }
}

/// What is whole of an output: a row ends with a line's end that is not between quotes.
pub fn scan(file: &File, path: &Path, done: &mut Done) -> Result<u64, StreamError> {
    let failed = |source| StreamError::Io { what: format!("cannot read {}", path.display()), source };
    let end = whole(file).map_err(failed)?;
    let mut from = BufReader::with_capacity(1 << 16, file);
    from.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(from.take(end));
    let names = names();
    let mut record = csv::ByteRecord::new();
    for number in 1u64.. {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) if number == 1 && !record.iter().eq(names.iter().map(|name| name.as_bytes())) => {
                return Err(StreamError::not_ours(path, format!("its columns are not {}", names.join(","))));
            }
            Ok(true) if number == 1 => {}
            Ok(true) if record.len() == names.len() => done.add(&String::from_utf8_lossy(&record[0])),
            Ok(true) => {
                return Err(StreamError::not_ours(
                    path,
                    format!("row {number} has {} columns", record.len()),
                ));
            }
            Err(error) => return Err(failed(std::io::Error::other(error))),
        }
    }
    Ok(end)
}

fn whole(mut file: &File) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut from = BufReader::with_capacity(1 << 16, file);
    let (mut at, mut end, mut quoted) = (0u64, 0u64, false);
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(end);
        }
        for &byte in buffer {
            at += 1;
            match byte {
                // A doubled quote goes out and in again.
                b'"' => quoted = !quoted,
                b'\n' if !quoted => end = at,
                _ => {}
            }
        }
        let used = buffer.len();
        from.consume(used);
    }
}
