//! Tensors that take minutes to compute, kept in files that are named after all that they depend on.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor};

use crate::checkpoint::write_whole;

/// The tensor's name in its file.
const NAME: &str = "kept";

/// Makes a folder for such files.
///
/// # Errors
/// If the file system refuses.
pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Writes a tensor, whole or not at all.
///
/// # Errors
/// If the file system refuses.
pub fn store(path: &Path, tensor: Tensor) -> Result<()> {
    let bytes = safetensors::serialize(HashMap::from([(NAME, tensor)]), None)?;
    write_whole(path, &bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The tensor of this shape in a file; none if it is not there, damaged or of another shape: then it is computed again.
pub fn fetch(path: &Path, shape: [usize; 2]) -> Option<Tensor> {
    let tensor = candle_core::safetensors::load(path, &Device::Cpu).ok()?.remove(NAME)?;
    (tensor.dims() == shape).then_some(tensor)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_of_another_shape_is_not_there() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.safetensors");
        assert!(fetch(&path, [1, 2]).is_none());
        store(&path, Tensor::new(&[[1.0f32, 2.0]], &Device::Cpu)?)?;
        assert_eq!(fetch(&path, [1, 2]).expect("it was stored").to_vec2::<f32>()?, [[1.0, 2.0]]);
        assert!(fetch(&path, [2, 1]).is_none());
        let bytes = std::fs::read(&path)?;
        std::fs::write(&path, &bytes[..bytes.len() - 1])?;
        assert!(fetch(&path, [1, 2]).is_none());
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        Ok(())
    }
}
