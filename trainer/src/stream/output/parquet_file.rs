//! Rows as Parquet: a journal of NDJSON while the stream runs, made into the file at its end.
//!
//! The file replaces the earlier one in a single step, and names the journal that it was made of. So whatever moment the
//! process is killed at, the rows are in the journal or in the file, and a journal that is in the file already is known.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::builder::{BooleanBuilder, Float32Builder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::columns::{COLUMNS, Column, Kind};
use super::{Lines, Output, Target, beside, file};
use crate::stream::columnar;
use crate::stream::done::Done;
use crate::stream::error::StreamError;
use crate::stream::item::{Id, Row};

/// Rows that are made into columns at a time.
const BATCH: usize = 4096;
/// Rows of a row group: what a reader reads at a time.
const GROUP: usize = 1 << 17;
/// The key of the file's metadata that names the journal it was made of.
const JOURNAL: &str = "soli.journal";

/// Writes Parquet.
pub struct ParquetFile {
    path: PathBuf,
    journal_path: PathBuf,
    /// The journal's name, in its first line.
    name: String,
    journal: Lines<File>,
    /// Rows of the journal.
    rows: usize,
}

impl ParquetFile {
    /// Opens the journal, and notes what it and an earlier file have.
    pub fn open(path: &Path, resume: bool, done: &mut Done) -> Result<Self, StreamError> {
        let journal_path = beside(path, ".journal");
        if !resume && path.exists() {
            return Err(StreamError::OutputExists { path: path.to_owned() });
        }
        let made_of = if path.exists() { scan(path, done)? } else { None };
        let mut in_journal = Done::default();
        let (journal, mut end) = file::open(&journal_path, resume, &mut in_journal, scan_journal)?;
        let io = |what: &str| StreamError::io(format!("cannot {what} {}", journal_path.display()));
        let in_rows = in_journal.len();
        let mut name = first_line(&journal).map_err(io("read"))?;
        if end > 0 && name == made_of {
            // Its rows are in the file; the process was killed before it could remove the journal.
            journal.set_len(0).map_err(io("write"))?;
            (end, name) = (0, None);
        } else {
            done.extend(in_journal);
        }
        let rows = if end > 0 { in_rows } else { 0 };
        (&journal).seek(SeekFrom::Start(end)).map_err(io("write"))?;
        let mut journal = Lines { out: Target::new(journal, &journal_path) };
        let name = match name {
            Some(name) if end > 0 => name,
            _ => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let name = format!("{:x}-{:x}", now.as_nanos(), std::process::id());
                journal.out.put(format!("{{\"journal\":\"{name}\"}}\n").as_bytes())?;
                journal.flush()?;
                name
            }
        };
        Ok(Self { path: path.to_owned(), journal_path, name, journal, rows })
    }

    /// The earlier file's rows and the journal's into one file.
    fn make(&self) -> Result<(), StreamError> {
        let failed = |source| StreamError::Parquet { path: self.path.clone(), source };
        let made = beside(&self.path, ".new");
        let create = |path: &Path| {
            File::create(path).map_err(StreamError::io(format!("cannot write {}", path.display())))
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP))
            .set_key_value_metadata(Some(vec![KeyValue::new(JOURNAL.to_owned(), self.name.clone())]))
            .build();
        let schema = Arc::new(schema());
        let mut writer =
            ArrowWriter::try_new(create(&made)?, schema.clone(), Some(properties)).map_err(failed)?;
        if self.path.exists() {
            let earlier = File::open(&self.path)
                .map_err(StreamError::io(format!("cannot read {}", self.path.display())))?;
            columnar::guarded(|| {
                let builder = columnar::open(earlier, ArrowReaderOptions::new())?;
                for batch in builder.with_batch_size(BATCH).build()? {
                    writer.write(&batch?)?;
                }
                Ok(())
            })
            .map_err(failed)?;
        }
        let journal = File::open(&self.journal_path)
            .map_err(StreamError::io(format!("cannot read {}", self.journal_path.display())))?;
        let mut rows = Vec::with_capacity(BATCH);
        let mut write = |rows: &mut Vec<JournalRow>| -> Result<(), ParquetError> {
            let batch = batch(&schema, rows)?;
            rows.clear();
            writer.write(&batch)
        };
        let mut problem = None;
        let mut first = true;
        let read = file::lines(&journal, &self.journal_path, |line| {
            if std::mem::take(&mut first) {
                return Some(());
            }
            rows.push(JournalRow::read(line)?);
            if rows.len() == BATCH {
                problem = write(&mut rows).err();
            }
            problem.is_none().then_some(())
        });
        if let Some(problem) = problem {
            return Err(failed(problem));
        }
        read?;
        write(&mut rows).map_err(failed)?;
        let file = writer.into_inner().map_err(failed)?;
        let io = |what: &str| StreamError::io(format!("cannot {what} {}", made.display()));
        file.sync_all().map_err(io("write"))?;
        std::fs::rename(&made, &self.path).map_err(io("rename"))
    }
}

impl Output for ParquetFile {
    fn write(&mut self, row: &Row) -> Result<(), StreamError> {
        self.rows += 1;
        self.journal.write(row)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.journal.flush()
    }

    fn finish(mut self: Box<Self>) -> Result<(), StreamError> {
        self.journal.flush()?;
        if self.rows > 0 || !self.path.exists() {
            self.make()?;
        }
        let removed = std::fs::remove_file(&self.journal_path);
        removed.map_err(StreamError::io(format!("cannot remove {}", self.journal_path.display())))
    }
}

fn first_line(mut journal: &File) -> std::io::Result<Option<String>> {
    journal.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    BufReader::new(journal).read_until(b'\n', &mut line)?;
    Ok(journal_name(&line))
}

fn journal_name(line: &[u8]) -> Option<String> {
    let head: Map<String, Value> = serde_json::from_slice(line).ok()?;
    Some(head.get("journal")?.as_str()?.to_owned())
}

/// [`file::Scan`] of a journal: its name, then rows.
fn scan_journal(file: &File, path: &Path, done: &mut Done) -> Result<u64, StreamError> {
    let mut first = true;
    file::lines(file, path, |line| {
        if std::mem::take(&mut first) {
            return journal_name(line).map(|_| ());
        }
        done.add(&JournalRow::read(line)?.id);
        Some(())
    })
}

/// Notes the ids of a Parquet file of ours, and returns which journal it was made of.
fn scan(path: &Path, done: &mut Done) -> Result<Option<String>, StreamError> {
    let unreadable =
        |error: &dyn std::fmt::Display| StreamError::not_ours(path, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(StreamError::io(format!("cannot read {}", path.display())))?;
    let builder = columnar::open(file, ArrowReaderOptions::new()).map_err(|error| unreadable(&error))?;
    if builder.schema().fields() != schema().fields() {
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        return Err(StreamError::not_ours(
            path,
            format!("its columns are not id, {}, error", names.join(", ")),
        ));
    }
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), [0]);
    columnar::guarded(|| {
        for batch in builder.with_projection(mask).with_batch_size(BATCH).build()? {
            let batch = batch?;
            let ids = batch.column(0).as_string::<i32>();
            (0..ids.len()).for_each(|row| done.add(ids.value(row)));
        }
        Ok(())
    })
    .map_err(|error| unreadable(&error))?;
    Ok(metadata.into_iter().find(|pair| pair.key == JOURNAL).and_then(|pair| pair.value))
}

/// A row as the journal has it.
struct JournalRow {
    id: String,
    fields: Map<String, Value>,
}

impl JournalRow {
    fn read(line: &[u8]) -> Option<Self> {
        // The id by itself, since a long number would lose digits as a value.
        let id = Id::json(file::id_of(line)?)?.as_str().to_owned();
        Some(Self { id, fields: serde_json::from_slice(line).ok()? })
    }
}

fn word_fields() -> Fields {
    Fields::from(vec![
        Field::new("word", DataType::Utf8, true),
        Field::new("probability", DataType::Float32, true),
    ])
}

fn kind_of(column: &Column) -> DataType {
    match column.kind {
        Kind::Text => DataType::Utf8,
        Kind::Number => DataType::Float32,
        Kind::Flag => DataType::Boolean,
        Kind::Words => DataType::List(Arc::new(Field::new("item", DataType::Struct(word_fields()), true))),
    }
}

fn schema() -> Schema {
    let columns = COLUMNS.iter().map(|column| Field::new(column.name, kind_of(column), true));
    let id = Field::new("id", DataType::Utf8, false);
    let error = Field::new("error", DataType::Utf8, true);
    Schema::new(std::iter::once(id).chain(columns).chain([error]).collect::<Vec<_>>())
}

fn batch(schema: &Arc<Schema>, rows: &[JournalRow]) -> Result<RecordBatch, ParquetError> {
    let ids: StringBuilder = rows.iter().map(|row| Some(row.id.clone())).collect::<Texts>().0;
    let mut columns = vec![finish(ids)];
    for column in COLUMNS {
        let values = rows.iter().map(|row| row.fields.get(column.name));
        columns.push(match column.kind {
            Kind::Text => {
                finish(values.map(|v| v.and_then(Value::as_str).map(str::to_owned)).collect::<Texts>().0)
            }
            Kind::Number => {
                let mut builder = Float32Builder::new();
                values.for_each(|v| builder.append_option(v.and_then(Value::as_f64).map(|v| v as f32)));
                Arc::new(builder.finish()) as ArrayRef
            }
            Kind::Words => words(values),
            Kind::Flag => {
                let mut builder = BooleanBuilder::new();
                values.for_each(|v| builder.append_option(v.and_then(Value::as_bool)));
                Arc::new(builder.finish()) as ArrayRef
            }
        });
    }
    let errors = rows.iter().map(|row| row.fields.get("error").and_then(Value::as_str).map(str::to_owned));
    columns.push(finish(errors.collect::<Texts>().0));
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

struct Texts(StringBuilder);

impl FromIterator<Option<String>> for Texts {
    fn from_iter<I: IntoIterator<Item = Option<String>>>(values: I) -> Self {
        let mut builder = StringBuilder::new();
        values.into_iter().for_each(|value| builder.append_option(value));
        Self(builder)
    }
}

fn finish(mut builder: StringBuilder) -> ArrayRef {
    Arc::new(builder.finish())
}

fn words<'a>(values: impl Iterator<Item = Option<&'a Value>>) -> ArrayRef {
    let word = StructBuilder::new(
        word_fields(),
        vec![Box::new(StringBuilder::new()), Box::new(Float32Builder::new())],
    );
    let mut list = ListBuilder::new(word);
    for value in values {
        let Some(words) = value.and_then(Value::as_array) else {
            list.append(false);
            continue;
        };
        for word in words {
            let builder = list.values();
            if let Some(text) = builder.field_builder::<StringBuilder>(0) {
                text.append_option(word.get("word").and_then(Value::as_str));
            }
            if let Some(number) = builder.field_builder::<Float32Builder>(1) {
                number.append_option(word.get("probability").and_then(Value::as_f64).map(|p| p as f32));
            }
            builder.append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}
