//! A run's state on disk, written so that a kill at any moment leaves a whole one behind.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    #[error("checkpoint {} cannot be read ({reason}); put a copy of it back, or delete it to train its stage anew", path.display())]
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

/// What the last checkpoint but one is called, and a file that cannot be read and was set aside.
const PREVIOUS: &str = "previous.safetensors";
const DAMAGED: &str = "damaged";

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

/// Saves `tensors` and `progress` as `file` ([`RUNNING`] or [`FINISHED`]) in the folder `run`. The last checkpoint of a
/// running stage is kept too, for [`resume`].
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
    if file == RUNNING && path.exists() {
        let previous = run.join(PREVIOUS);
        fs::rename(&path, &previous).map_err(|source| CheckpointError::Io { path: previous, source })?;
    }
    write_whole(&path, &bytes).map_err(|source| CheckpointError::Io { path, source })
}

/// Loads the last whole checkpoint of a running stage, which one damaged file must not end: it is set aside, with a line
/// that says so, and the checkpoint before it is taken. `None` if there is no checkpoint yet.
///
/// # Errors
/// If the file system refuses, or no checkpoint is whole: to begin anew costs hours and is the user's choice.
pub fn resume(run: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    let (path, reason) = match load(run, RUNNING) {
        Ok(None) => return load(run, PREVIOUS),
        Err(CheckpointError::Damaged { path, reason }) => (path, reason),
        found => return found,
    };
    let Ok(Some(previous)) = load(run, PREVIOUS) else {
        return Err(CheckpointError::Damaged { path, reason });
    };
    let aside = path.with_added_extension(DAMAGED);
    eprintln!(
        "checkpoint {} cannot be read ({reason}); it is kept as {}, and the stage goes on from the one before it",
        path.display(),
        aside.display()
    );
    fs::rename(&path, &aside).map_err(|source| CheckpointError::Io { path, source })?;
    Ok(Some(previous))
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

/// Removes a file that [`save`] wrote, if it is there, and what it kept beside it.
///
/// # Errors
/// If the file system refuses.
pub fn remove(run: &Path, file: &str) -> Result<(), CheckpointError> {
    for name in [file, PREVIOUS] {
        let path = run.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CheckpointError::Io { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(step: usize) -> Progress {
        Progress {
            recipe: "seed = 1".to_owned(),
            words: vec!["dog".to_owned()],
            step,
            metrics_bytes: 10,
            seconds: 1.0,
            revision: None,
        }
    }

    fn tensors(value: f32) -> HashMap<String, Tensor> {
        HashMap::from([("a".to_owned(), Tensor::new(&[value; 4], &Device::Cpu).unwrap())])
    }

    /// Whatever length the last file was cut to, the run goes on from the checkpoint before it; without one, and for a
    /// finished stage, there is an error that says what to do, and nothing is lost.
    #[test]
    fn a_file_cut_at_any_length_costs_no_more_than_itself() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert!(resume(run).unwrap().is_none());
        for step in 1..=2 {
            save(run, RUNNING, &tensors(step as f32), &progress(step)).unwrap();
        }
        let whole = fs::read(run.join(RUNNING)).unwrap();
        assert_eq!(resume(run).unwrap().unwrap().1.step, 2);
        for end in 0..whole.len() {
            fs::write(run.join(RUNNING), &whole[..end]).unwrap();
            let (tensors, progress) = resume(run).unwrap().unwrap();
            assert_eq!(progress.step, 1, "{end} bytes");
            assert_eq!(tensors["a"].to_vec1::<f32>().unwrap(), [1.0; 4]);
            assert_eq!(fs::read(run.join(RUNNING).with_added_extension(DAMAGED)).unwrap().len(), end);
            fs::write(run.join(FINISHED), &whole[..end]).unwrap();
            assert!(load(run, FINISHED).is_err(), "{end} bytes");
        }
        let previous = fs::read(run.join(PREVIOUS)).unwrap();
        for name in [RUNNING, PREVIOUS] {
            fs::write(run.join(name), &previous[..50]).unwrap();
        }
        let error = resume(run).unwrap_err().to_string();
        assert!(error.contains(RUNNING) && error.contains("delete it"), "{error}");
        assert_eq!(fs::read(run.join(RUNNING)).unwrap(), previous[..50]);
        remove(run, RUNNING).unwrap();
        assert!(!run.join(PREVIOUS).exists());
    }
}
