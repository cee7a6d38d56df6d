//! Parquet files, which may be damaged: the library believes what they say of themselves, and panics where it is absurd.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

/// Opens a file whose columns lie in it.
///
/// # Errors
/// If the file cannot be read, is no Parquet, or says of a column that it lies elsewhere.
pub fn open(
    file: File,
    options: ArrowReaderOptions,
) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    let length = file.metadata()?.len();
    guarded(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
        for column in builder.metadata().row_groups().iter().flat_map(|group| group.columns()) {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = start >= 0
                && column.compressed_size() >= 0
                && end.is_some_and(|end| end.unsigned_abs() <= length);
            if !inside {
                return Err(ParquetError::General("a column lies outside of the file".to_owned()));
            }
        }
        Ok(builder)
    })
}

/// What `read` gives; an error if the library panics all the same.
///
/// # Errors
/// That of `read`, or that the file is damaged.
pub fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    quietly(read).unwrap_or_else(|| Err(ParquetError::General("the file is damaged".to_owned())))
}

thread_local! {
    /// Whether a panic of this thread is a damaged file's fault, and told as such.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; nothing if the library panics in it, which then prints nothing either: a message about its source would tell
/// the user nothing.
pub fn quietly<T>(read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                usual(info);
            }
        }));
    });
    let outer = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    EXPECTED.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn a_panic_of_the_library_is_a_damaged_file() {
        let error = guarded::<()>(|| panic!("offset + len out of bounds")).unwrap_err();
        assert_eq!(error.to_string(), "Parquet error: the file is damaged");
        assert!(!EXPECTED.get());
    }

    /// Every byte of a small file's description, made another one: an error, or rows, and no panic in either case.
    #[test]
    fn no_byte_of_a_file_makes_the_library_panic() {
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let mut whole = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut whole, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let mut read = 0;
        let mut refused = 0;
        for (at, byte) in
            (0..whole.len()).flat_map(|at| [0x01, 0x13, 0x7F, 0x80, 0xFF].map(|byte| (at, byte)))
        {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            file.seek(SeekFrom::Start(0)).unwrap();
            file.write_all(&bytes).unwrap();
            let rows = |file: File| {
                let reader = open(file, ArrowReaderOptions::new())?.build()?;
                reader
                    .map(|batch| batch.map(|batch| batch.num_rows()))
                    .sum::<Result<usize, _>>()
                    .map_err(Into::into)
            };
            // Not guarded: what panics here is a fault of the check.
            match rows(file.try_clone().unwrap()) {
                Ok(_) => read += 1,
                Err(ParquetError::General(said)) if said == "the file is damaged" => {
                    panic!("byte {at} as {byte}")
                }
                Err(_) => refused += 1,
            }
        }
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    }
}
