//! A run's state on disk, written so that a kill at any moment leaves a whole one behind.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// The file of a stage in training: parameters and the optimiser's state.
pub const RUNNING: &str = "checkpoint.safetensors";

/// The file of a finished stage: its averaged parameters.
pub const FINISHED: &str = "parameters.safetensors";

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system refused.
    #[error("checkpoint {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is damaged.
    #[error("checkpoint {} cannot be read ({reason}); delete it to start the run anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Where a run stands, beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What the stage depends on as TOML: a checkpoint only goes on under the recipe that made it.
    pub recipe: String,
    /// The vocabulary's words.
    pub words: Vec<String>,
    /// Steps taken.
    pub step: usize,
    /// Bytes of the metrics file that belong to these steps.
    pub metrics_bytes: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The revision of the source that the stage was begun with.
    pub revision: Option<String>,
}

/// A run's tensors by name, and where it stands.
pub type Checkpoint = (HashMap<String, Tensor>, Progress);

/// Writes a file so that its name always holds either the old or the new content, whole.
///
/// # Errors
/// If the file system refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("part");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Saves `tensors` and `progress` as `file` ([`RUNNING`] or [`FINISHED`]) in the folder `run`.
///
/// # Errors
/// If the file system refuses or a tensor cannot be written.
pub fn save(
    run: &Path,
    file: &str,
    tensors: &HashMap<String, Tensor>,
    progress: &Progress,
) -> Result<(), CheckpointError> {
    let path = run.join(file);
    let damaged = |reason: String| CheckpointError::Damaged { path: path.clone(), reason };
    let json = serde_json::to_string(progress).map_err(|e| damaged(e.to_string()))?;
    let metadata = HashMap::from([("progress".to_string(), json)]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| damaged(e.to_string()))?;
    write_whole(&path, &bytes).map_err(|source| CheckpointError::Io { path, source })
}

/// Loads what [`save`] wrote; `None` if there is no such file yet.
///
/// # Errors
/// If the file cannot be read or is damaged.
pub fn load(run: &Path, file: &str) -> Result<Option<Checkpoint>, CheckpointError> {
    let path = run.join(file);
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |reason: String| CheckpointError::Damaged { path: path.clone(), reason };
    let bytes = fs::read(&path).map_err(|source| CheckpointError::Io { path: path.clone(), source })?;
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let json = header.metadata().as_ref().and_then(|m| m.get("progress"));
    let json = json.ok_or_else(|| damaged("it does not say how far the run was".into()))?;
    let progress = serde_json::from_str(json).map_err(|e| damaged(e.to_string()))?;
    let tensors =
        candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| damaged(e.to_string()))?;
    Ok(Some((tensors, progress)))
}

/// Removes a file that [`save`] wrote, if it is there.
///
/// # Errors
/// If the file system refuses.
pub fn remove(run: &Path, file: &str) -> Result<(), CheckpointError> {
    let path = run.join(file);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CheckpointError::Io { path, source })
        }
        _ => Ok(()),
    }
}

/// The revision of the working tree, if this is one.
pub fn git_revision() -> Option<String> {
    let output =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !revision.is_empty()).then_some(revision)
}
