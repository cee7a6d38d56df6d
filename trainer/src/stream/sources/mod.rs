//! Where pictures come from: files, folders, lists, and archives as they lie.

mod folder;
mod lines;
mod sniff;
mod table;
mod tarball;
mod zipped;

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use self::sniff::Content;
pub use self::table::Columns;
use super::error::StreamError;
use super::feed::{Closed, Feed};
use super::item::{Id, Payload};

/// Something that pictures are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A picture, a folder or an archive.
    Path(PathBuf),
    /// A list of pictures, or an archive, in a file.
    List(PathBuf),
    /// The same from standard input.
    Stdin,
}

/// How inputs are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Whether folders are gone through with all that is in them.
    pub recursive: bool,
    /// Whether the pictures of a folder come in the order of their names, which needs memory for the names in one folder.
    pub sorted: bool,
    /// The columns of Parquet files.
    pub columns: Columns,
}

/// Why reading ended before the end of the inputs.
#[derive(Debug)]
pub enum Stop {
    /// Nobody wants pictures any more.
    Closed,
    /// The list itself cannot be read on.
    Failed(StreamError),
}

impl From<Closed> for Stop {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// Reads one input to its end. What is wrong with a picture or an archive goes into the feed as a row.
///
/// # Errors
/// A list that cannot be read, or that is none.
pub fn read(input: &Input, options: &ReadOptions, feed: &mut Feed) -> Result<(), Stop> {
    match input {
        Input::Path(path) => read_path(path, options, feed),
        Input::List(path) => {
            let failed = |source| {
                Stop::Failed(StreamError::Io { what: format!("cannot read {}", path.display()), source })
            };
            let file = File::open(path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?;
            if length.is_dir() {
                let reason = "is a folder; name it as an argument, with --recursive".to_owned();
                return Err(Stop::Failed(StreamError::List { name: path.display().to_string(), reason }));
            }
            let name = path.display().to_string();
            let counted = Counted::new(file, length.len());
            read_list(counted, &name, Some(path), options, feed)
        }
        Input::Stdin => read_list(Counted::new(std::io::stdin(), 0), "standard input", None, options, feed),
    }
}

/// A list or an archive by its content; `path` is where it can be opened again, for formats that are not read in order.
fn read_list(
    mut from: Counted<impl Read>,
    name: &str,
    path: Option<&Path>,
    options: &ReadOptions,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let wrong =
        |reason: &str| Stop::Failed(StreamError::List { name: name.to_owned(), reason: reason.to_owned() });
    let head = sniff::head(&mut from)
        .map_err(|source| Stop::Failed(StreamError::Io { what: format!("cannot read {name}"), source }))?;
    match (sniff::content(&head), path) {
        (Content::Text, _) => {
            let bytes = from.bytes.clone();
            lines::read(
                BufReader::with_capacity(1 << 16, Cursor::new(head).chain(from)),
                name,
                bytes,
                options,
                feed,
            )
        }
        (Content::Tar | Content::Gzip, None) => {
            let bytes = from.bytes.clone();
            Ok(tarball::read(Cursor::new(head).chain(from), &Id::text("-"), bytes, feed)?)
        }
        (Content::Tar | Content::Gzip | Content::Zip | Content::Parquet, Some(path)) => {
            Ok(read_archive(path, sniff::content(&head), options, feed)?)
        }
        (Content::Zip | Content::Parquet, None) => {
            Err(wrong("zip and Parquet files cannot be read from a pipe; name the file"))
        }
        (Content::Picture, None) => Err(wrong("this is a picture, not a list; name its file")),
        (Content::Picture, Some(path)) => Ok(feed.offer(Id::path(path), || Payload::File(path.to_owned()))?),
        (Content::Utf16, _) => Err(wrong("this is UTF-16; a list must be UTF-8")),
        (Content::Other, _) => {
            Err(wrong("this is neither NDJSON, nor paths one a line, nor a tar, zip or Parquet file"))
        }
    }
}

/// A picture, a folder or an archive. A path that a list has goes this way too.
fn read_path(path: &Path, options: &ReadOptions, feed: &mut Feed) -> Result<(), Stop> {
    if path.is_dir() {
        if options.recursive {
            return Ok(folder::read(path, options, feed)?);
        }
        let reason = format!("{}: is a directory; add --recursive to caption what is in it", path.display());
        return Ok(feed.offer(Id::path(path), || Payload::Missing(reason))?);
    }
    // What cannot be opened is said by the worker that tries to. Pipes must not be read twice.
    let content = match path.metadata() {
        Ok(metadata) if metadata.is_file() => sniff::content_of(path).unwrap_or(Content::Other),
        _ => Content::Other,
    };
    Ok(read_file(path, content, options, feed)?)
}

/// A file by its content.
fn read_file(path: &Path, content: Content, options: &ReadOptions, feed: &mut Feed) -> Result<(), Closed> {
    match content {
        Content::Tar | Content::Gzip | Content::Zip | Content::Parquet => {
            read_archive(path, content, options, feed)
        }
        _ => feed.offer(Id::path(path), || Payload::File(path.to_owned())),
    }
}

fn read_archive(path: &Path, content: Content, options: &ReadOptions, feed: &mut Feed) -> Result<(), Closed> {
    let id = Id::path(path);
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return feed.broken_input(id, format!("{}: cannot be read: {error}", path.display())),
    };
    let counted = Counted::new(file, length);
    let bytes = counted.bytes.clone();
    match content {
        Content::Zip => zipped::read(counted.inner, &id, feed),
        Content::Parquet => table::read(counted.inner, &id, &options.columns, feed),
        _ => tarball::read(counted, &id, bytes, feed),
    }
}

/// How far a file was read.
#[derive(Debug, Clone, Default)]
pub struct BytesRead {
    read: std::rc::Rc<std::cell::Cell<u64>>,
    length: u64,
}

impl BytesRead {
    /// The part that was read, 0 to 1; 0 for what has no length.
    fn fraction(&self) -> f64 {
        if self.length == 0 { 0.0 } else { (self.read.get() as f64 / self.length as f64).min(1.0) }
    }
}

/// A reader that counts.
struct Counted<R> {
    inner: R,
    bytes: BytesRead,
}

impl<R> Counted<R> {
    fn new(inner: R, length: u64) -> Self {
        Self { inner, bytes: BytesRead { length, ..BytesRead::default() } }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.read.set(self.bytes.read.get() + read as u64);
        Ok(read)
    }
}
