//! Why a stream cannot go on. What is wrong with one picture is a row of the output instead.

use std::path::{Path, PathBuf};

/// Why a stream cannot be started or finished.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A file or stream of inputs or outputs cannot be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its name.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The list of pictures is something else.
    #[error("{name}: {reason}")]
    List {
        /// The list.
        name: String,
        /// What it is, and what to do.
        reason: String,
    },
    /// There is an output already.
    #[error("{} is there already; add --resume to go on with it, or remove it", .path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// Another process is writing the same output.
    #[error("{} is being written by another soli; wait for it, or name another output", .path.display())]
    OutputInUse {
        /// The output.
        path: PathBuf,
    },
    /// The output cannot be gone on with.
    #[error("{}: {reason}; name another output", .path.display())]
    NotOurs {
        /// The output.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A Parquet file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Parquet {
        /// The output.
        path: PathBuf,
        /// What the library says.
        source: parquet::errors::ParquetError,
    },
}

impl StreamError {
    /// An error of the system while `what` was tried, for `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// An output that cannot be gone on with.
    pub fn not_ours(path: &Path, reason: impl Into<String>) -> Self {
        Self::NotOurs { path: path.to_owned(), reason: reason.into() }
    }

    /// Whether nobody reads the output any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
