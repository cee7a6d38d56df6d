//! Where rows go: NDJSON or CSV to standard output or a file, Parquet to a file.
//!
//! A file can be gone on with after the process was killed at any moment. Of NDJSON and CSV, a last row that is not
//! whole is cut off. Rows of Parquet, which has its index at the end, are kept in a journal beside the file and made
//! into it at the end (`parquet_file.rs`).

mod columns;
mod csv_rows;
mod file;
mod parquet_file;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub use self::columns::{COLUMNS, Column, Kind};
use super::done::Done;
use super::error::StreamError;
use super::item::Row;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line: the id and all fields of the caption, or the id and `error`.
    Ndjson,
    /// Comma-separated values as in RFC 4180, with a line of names.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format that a file's name asks for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Takes rows.
pub trait Output {
    /// Writes a row, perhaps into memory only.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, row: &Row) -> Result<(), StreamError>;

    /// Gives all rows so far to the system, which keeps them if this process dies.
    ///
    /// # Errors
    /// If they cannot be written.
    fn flush(&mut self) -> Result<(), StreamError>;

    /// Ends the output.
    ///
    /// # Errors
    /// If it cannot be written.
    fn finish(self: Box<Self>) -> Result<(), StreamError>;
}

/// Rows to standard output.
///
/// # Errors
/// If the first line cannot be written; Parquet cannot be written to a pipe.
pub fn to_stdout(format: Format) -> Result<Box<dyn Output>, StreamError> {
    let out = Target { writer: BufWriter::new(std::io::stdout()), name: "standard output".to_owned() };
    match format {
        Format::Ndjson => Ok(Box::new(Lines { out })),
        Format::Csv => Ok(Box::new(csv_rows::CsvRows::new(out, true)?)),
        Format::Parquet => Err(StreamError::List {
            name: "standard output".to_owned(),
            reason: "Parquet needs a file; name it with --out".to_owned(),
        }),
    }
}

/// Rows to a file. With `resume`, an output that is there is gone on with, and its ids are returned.
///
/// # Errors
/// If there is one and `resume` was not asked for, or if it is not one of ours.
pub fn to_file(path: &Path, format: Format, resume: bool) -> Result<(Box<dyn Output>, Done), StreamError> {
    let mut done = Done::default();
    let output: Box<dyn Output> = match format {
        Format::Ndjson => {
            let (file, _) = file::open(path, resume, &mut done, file::scan_lines)?;
            Box::new(Lines { out: Target::new(file, path) })
        }
        Format::Csv => {
            let (file, rows_end) = file::open(path, resume, &mut done, csv_rows::scan)?;
            Box::new(csv_rows::CsvRows::new(Target::new(file, path), rows_end == 0)?)
        }
        Format::Parquet => Box::new(parquet_file::ParquetFile::open(path, resume, &mut done)?),
    };
    done.sort();
    Ok((output, done))
}

/// A buffered destination with its name.
struct Target<W: Write> {
    writer: BufWriter<W>,
    name: String,
}

impl Target<File> {
    fn new(file: File, path: &Path) -> Self {
        Self { writer: BufWriter::with_capacity(1 << 16, file), name: path.display().to_string() }
    }
}

impl<W: Write> Target<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let written = self.writer.write_all(bytes);
        written.map_err(StreamError::io(format!("cannot write {}", self.name)))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        let flushed = self.writer.flush();
        flushed.map_err(StreamError::io(format!("cannot write {}", self.name)))
    }
}

/// NDJSON.
struct Lines<W: Write> {
    out: Target<W>,
}

impl<W: Write> Output for Lines<W> {
    fn write(&mut self, row: &Row) -> Result<(), StreamError> {
        self.out.put(row.line().as_bytes())?;
        self.out.put(b"\n")
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.out.flush()
    }

    fn finish(mut self: Box<Self>) -> Result<(), StreamError> {
        self.out.flush()
    }
}

/// A file beside `path`, called like it with `end`.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
