//! The pictures of a Parquet file: a row each, with bytes or with the path of a file.

use std::fs::File;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use crate::stream::columnar;
use crate::stream::feed::{Closed, Feed};
use crate::stream::item::{Id, Payload};

/// Rows that are in memory at a time: few, since each can be a large picture.
const ROWS: usize = 8;

/// Columns by name; what is not named is found.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// What pictures are called; else one of `id`, `key`, `__key__`, `file`, `path`, `name`, `url`, else the row's number.
    pub id: Option<String>,
    /// Their bytes; else the only binary column, or one of the usual names; else `file` or `path` with paths.
    pub bytes: Option<String>,
}

/// Reads the pictures of a Parquet file.
pub fn read(file: File, id: &Id, columns: &Columns, feed: &mut Feed) -> Result<(), Closed> {
    // A damaged file can make the library panic, which must not cost the other inputs.
    match columnar::quietly(|| rows(file, id, columns, feed)) {
        Some(Ok(())) => Ok(()),
        Some(Err(Trouble::Closed)) => Err(Closed),
        Some(Err(Trouble::Broken(reason))) => {
            feed.broken_input(id.clone(), format!("{}: {reason}", id.as_str()))
        }
        None => feed.broken_input(id.clone(), format!("{}: the Parquet file is broken", id.as_str())),
    }
}

enum Trouble {
    Closed,
    Broken(String),
}

impl From<Closed> for Trouble {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

fn rows(file: File, id: &Id, columns: &Columns, feed: &mut Feed) -> Result<(), Trouble> {
    let broken =
        |error: &dyn std::fmt::Display| Trouble::Broken(format!("the Parquet file is broken: {error}"));
    // Without the writer's own types there are fewer kinds of columns.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = columnar::open(file, options).map_err(|error| broken(&error))?;
    let found = Found::find(builder.schema(), columns).map_err(Trouble::Broken)?;
    let total = builder.metadata().file_metadata().num_rows().max(1) as f64;
    let wanted = found.id.into_iter().chain([found.picture]);
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let names = |index: usize| builder.schema().field(index).name().clone();
    let (id_name, picture_name) = (found.id.map(names), names(found.picture));
    let reader =
        builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|error| broken(&error))?;
    let mut row = 0u64;
    for batch in reader {
        let batch: RecordBatch = batch.map_err(|error| broken(&error))?;
        let ids = id_name.as_ref().and_then(|name| batch.column_by_name(name));
        let picture = batch
            .column_by_name(&picture_name)
            .ok_or_else(|| broken(&format!("the column {picture_name:?} is missing")))?;
        for i in 0..batch.num_rows() {
            feed.progress(row as f64 / total);
            let (payload, path) = picture_of(picture, i);
            let name = ids.and_then(|ids| id_of(ids, i)).or(path.filter(|_| ids.is_none()).map(Id::text));
            let name = name.unwrap_or_else(|| id.member(format!("row {row}").as_bytes()));
            let payload = payload
                .unwrap_or_else(|| Payload::Missing(format!("{}: {picture_name:?} is null", name.as_str())));
            feed.offer(name, || payload)?;
            row += 1;
        }
    }
    Ok(())
}

/// Indices of the columns that matter.
struct Found {
    id: Option<usize>,
    picture: usize,
}

impl Found {
    fn find(schema: &Schema, columns: &Columns) -> Result<Self, String> {
        let fields = schema.fields();
        let list = || fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
        let named = |name: &str| fields.iter().position(|field| field.name() == name);
        let id = match &columns.id {
            Some(name) => {
                let index =
                    named(name).ok_or_else(|| format!("there is no column {name:?}, but {}", list()))?;
                if !is_id(fields[index].data_type()) {
                    return Err(format!("the column {name:?} is neither text nor a whole number"));
                }
                Some(index)
            }
            None => ["id", "key", "__key__", "file", "path", "name", "url"]
                .into_iter()
                .filter_map(named)
                .find(|&index| is_id(fields[index].data_type())),
        };
        if let Some(name) = &columns.bytes {
            let index = named(name).ok_or_else(|| format!("there is no column {name:?}, but {}", list()))?;
            if !holds_pictures(fields[index].data_type()) {
                return Err(format!("the column {name:?} holds no bytes"));
            }
            return Ok(Self { id, picture: index });
        }
        let bytes: Vec<usize> =
            (0..fields.len()).filter(|&index| holds_pictures(fields[index].data_type())).collect();
        let usual = ["bytes", "image", "content", "jpg", "png", "data", "picture", "photo"]
            .into_iter()
            .filter_map(named)
            .find(|index| bytes.contains(index));
        let paths =
            ["file", "path"].into_iter().filter_map(named).find(|&index| is_text(fields[index].data_type()));
        match (bytes.as_slice(), usual, paths) {
            ([only], _, _) => Ok(Self { id, picture: *only }),
            ([_, _, ..], Some(usual), _) => Ok(Self { id, picture: usual }),
            ([_, _, ..], None, _) => Err(format!(
                "which column has the pictures? Name it with --bytes-column; there are {}",
                list()
            )),
            ([], _, Some(paths)) => Ok(Self { id, picture: paths }),
            ([], _, None) => {
                Err(format!("no column has bytes or is called \"file\" or \"path\"; there are {}", list()))
            }
        }
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8)
}

fn is_id(kind: &DataType) -> bool {
    is_text(kind) || kind.is_integer()
}

/// Bytes, or Hugging Face's structure of `bytes` and `path`.
fn holds_pictures(kind: &DataType) -> bool {
    match kind {
        DataType::Binary => true,
        DataType::Struct(fields) => {
            fields.iter().any(|field| field.name() == "bytes" && *field.data_type() == DataType::Binary)
        }
        _ => false,
    }
}

/// A row's picture, and the path that goes with it.
fn picture_of(column: &ArrayRef, row: usize) -> (Option<Payload>, Option<String>) {
    if column.is_null(row) {
        return (None, None);
    }
    match column.data_type() {
        DataType::Binary => (Some(Payload::Bytes(column.as_binary::<i32>().value(row).to_vec())), None),
        DataType::Struct(_) => {
            let parts = column.as_struct();
            let part = |name: &str| parts.column_by_name(name).filter(|part| !part.is_null(row));
            let path = part("path")
                .filter(|part| is_text(part.data_type()))
                .map(|part| part.as_string::<i32>().value(row).to_owned());
            let bytes = part("bytes").map(|part| part.as_binary::<i32>().value(row).to_vec());
            let payload = match (bytes, &path) {
                (Some(bytes), _) => Some(Payload::Bytes(bytes)),
                (None, Some(path)) => Some(Payload::File(PathBuf::from(path))),
                (None, None) => None,
            };
            (payload, path)
        }
        _ => (Some(Payload::File(PathBuf::from(column.as_string::<i32>().value(row)))), None),
    }
}

fn id_of(ids: &ArrayRef, row: usize) -> Option<Id> {
    if ids.is_null(row) {
        return None;
    }
    Some(match ids.data_type() {
        DataType::Utf8 => Id::text(ids.as_string::<i32>().value(row)),
        DataType::Int8 => Id::number(ids.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => Id::number(ids.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => Id::number(ids.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Id::number(ids.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Id::number(ids.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => Id::number(ids.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => Id::number(ids.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Id::number(ids.as_primitive::<UInt64Type>().value(row)),
        _ => return None,
    })
}
