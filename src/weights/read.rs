use std::collections::{BTreeMap, HashMap};

use half::f16;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::de::DeserializeOwned;

use super::error::{shortened, shown};
use super::quantise::ScaleAxis;
use super::{
    Expected, FORMAT, FORMAT_VERSION, MAX_HEADER_BYTES, SCALE_SUFFIX, StoredTensor, Values, WeightsError,
    WeightsFile, check_confidence, check_vocabulary, key,
};
use crate::config::ModelConfig;
use crate::layout::TensorSpec;
use crate::vocab::Vocabulary;

/// Bytes before the header: its length.
const PREFIX: usize = 8;

/// Checks a whole file; `expected` checks a configuration and names its tensors.
pub(super) fn open(
    bytes: &[u8],
    expected: impl FnOnce(&ModelConfig) -> Result<Expected, WeightsError>,
) -> Result<WeightsFile<'_>, WeightsError> {
    let (header, data) = split(bytes)?;
    let header: Metadata =
        serde_json::from_slice(header).map_err(|e| WeightsError::BadHeader(shortened(&e.to_string())))?;
    let entries = header.metadata().as_ref().ok_or(WeightsError::NotSoli)?;
    if entries.get(key::FORMAT).map(String::as_str) != Some(FORMAT) {
        return Err(WeightsError::NotSoli);
    }
    let version = entry(entries, key::FORMAT_VERSION)?;
    if version != FORMAT_VERSION {
        return Err(WeightsError::UnknownVersion { found: shown(version) });
    }
    let precision = entry(entries, key::PRECISION)?
        .parse()
        .map_err(|reason| WeightsError::BadMetadata { key: key::PRECISION, reason })?;
    let config: ModelConfig = json(entries, key::CONFIG)?;
    let expected = expected(&config)?;
    let words = entry(entries, key::VOCABULARY)?;
    let vocabulary = Vocabulary::new(words.split('\n').map(str::to_owned).collect())?;
    check_vocabulary(&config, &vocabulary)?;
    let provenance = json(entries, key::PROVENANCE)?;
    let confidence =
        if entries.contains_key(key::CONFIDENCE) { Some(json(entries, key::CONFIDENCE)?) } else { None };
    check_confidence(&config, confidence.as_ref())?;
    check_length(&header, data.len(), bytes.len())?;
    let tensors = tensors(&header, data, &expected)?;
    Ok(WeightsFile { config, vocabulary, provenance, confidence, precision, tensors })
}

/// The header's JSON, and the tensors' bytes.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), WeightsError> {
    if bytes.is_empty() {
        return Err(WeightsError::Empty);
    }
    if let Some(found) = something_else(bytes) {
        return Err(WeightsError::NotWeights { found });
    }
    let found = bytes.len() as u64;
    let Some((length, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(WeightsError::Truncated { expected: PREFIX as u64, found });
    };
    if rest.first().is_some_and(|&first| first != b'{') {
        return Err(WeightsError::NotWeights { found: "something else" });
    }
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES as u64 {
        return Err(WeightsError::HeaderTooLong { bytes: length });
    }
    // At most MAX_HEADER_BYTES, which fits a usize everywhere.
    rest.split_at_checked(length as usize)
        .ok_or(WeightsError::Truncated { expected: PREFIX as u64 + length, found })
}

/// What people load by mistake. The first bytes of a weights file are a length below [`MAX_HEADER_BYTES`], little end
/// first, so that its fifth to eighth byte are zero: none of these can be one.
fn something_else(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    if bytes.get(4..PREFIX).is_some_and(|high| high == [0; 4]) {
        return None;
    }
    let starts: [(&[u8], _); 8] = [
        (b"<", "a web page"),
        (b"{", "a JSON document"),
        (b"[", "a JSON document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"version https://git-lfs", "a Git LFS pointer"),
        (b"GGUF", "a GGUF file"),
        (b"\x89PNG", "an image"),
    ];
    starts.iter().find(|(magic, _)| start.starts_with(magic)).map(|&(_, name)| name)
}

fn entry<'a>(entries: &'a HashMap<String, String>, key: &'static str) -> Result<&'a str, WeightsError> {
    entries.get(key).map(String::as_str).ok_or(WeightsError::MissingMetadata { key })
}

fn json<T: DeserializeOwned>(
    entries: &HashMap<String, String>,
    key: &'static str,
) -> Result<T, WeightsError> {
    serde_json::from_str(entry(entries, key)?)
        .map_err(|e| WeightsError::BadMetadata { key, reason: shortened(&e.to_string()) })
}

/// The tensors have to fill the rest of the file. That they neither overlap nor leave gaps, and fill their own bytes,
/// was checked when the header was parsed.
fn check_length(header: &Metadata, present: usize, file: usize) -> Result<(), WeightsError> {
    let (needed, present, file) = (header.data_len() as u64, present as u64, file as u64);
    if needed > present {
        let expected = (file - present).saturating_add(needed);
        return Err(WeightsError::Truncated { expected, found: file });
    }
    if needed < present {
        return Err(WeightsError::TrailingBytes { extra: present - needed });
    }
    Ok(())
}

fn tensors<'a>(
    header: &Metadata,
    data: &'a [u8],
    expected: &Expected,
) -> Result<BTreeMap<String, StoredTensor<'a>>, WeightsError> {
    let mut found: BTreeMap<String, &TensorInfo> = header.tensors().into_iter().collect();
    let mut tensors = BTreeMap::new();
    for (name, TensorSpec { shape, .. }) in expected {
        let info = found.remove(name).ok_or_else(|| WeightsError::MissingTensor { name: name.clone() })?;
        check_shape(name, &info.shape, shape)?;
        let values = match info.dtype {
            Dtype::F32 => Values::F32(finite(name, slice(data, info)?, f32_values)?),
            Dtype::F16 => Values::F16(finite(name, slice(data, info)?, f16_values)?),
            Dtype::I8 => {
                let scale_name = format!("{name}{SCALE_SUFFIX}");
                let scale = found
                    .remove(&scale_name)
                    .ok_or_else(|| WeightsError::MissingTensor { name: scale_name.clone() })?;
                int8(name, info, &scale_name, scale, data)?
            }
            other => return Err(wrong_type(name, other, "F32, F16 or I8")),
        };
        tensors.insert(name.clone(), StoredTensor { shape: shape.clone(), values });
    }
    match found.first_key_value() {
        Some((name, _)) => Err(WeightsError::ExtraTensor { name: shown(name) }),
        None => Ok(tensors),
    }
}

fn int8<'a>(
    name: &str,
    info: &TensorInfo,
    scale_name: &str,
    scale: &TensorInfo,
    data: &'a [u8],
) -> Result<Values<'a>, WeightsError> {
    let &[rows, columns] = info.shape.as_slice() else {
        return Err(wrong_type(name, Dtype::I8, "F32 or F16, as it is no matrix"));
    };
    if scale.dtype != Dtype::F32 {
        return Err(wrong_type(scale_name, scale.dtype, "F32"));
    }
    let axis = if scale.shape == ScaleAxis::Rows.scale_shape(rows, columns) {
        ScaleAxis::Rows
    } else {
        check_shape(scale_name, &scale.shape, &ScaleAxis::Columns.scale_shape(rows, columns))?;
        ScaleAxis::Columns
    };
    let scales: Vec<f32> = f32_values(slice(data, scale)?).collect();
    // The largest integer times the scale has to stay finite too.
    let good = |scale: f32| scale > 0.0 && (scale * 127.0).is_finite();
    if let Some(index) = scales.iter().position(|&scale| !good(scale)) {
        return Err(WeightsError::BadScale { name: scale_name.to_owned(), index, value: scales[index] });
    }
    let integers = slice(data, info)?;
    let bad = |byte: u8| byte as i8 == i8::MIN;
    // Without a way out of the loop, and so a vector at a time: this runs over the whole file whenever a page opens.
    if integers.iter().fold(false, |any, &byte| any | bad(byte))
        && let Some(index) = integers.iter().position(|&byte| bad(byte))
    {
        return Err(WeightsError::BadInteger { name: name.to_owned(), index });
    }
    Ok(Values::Int8 { integers, scales, axis })
}

fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<(), WeightsError> {
    if found == expected {
        return Ok(());
    }
    // A hostile shape can have a million sizes.
    let found = found[..found.len().min(8)].to_vec();
    Err(WeightsError::WrongShape { name: name.to_owned(), expected: expected.to_vec(), found })
}

fn wrong_type(name: &str, found: Dtype, allowed: &'static str) -> WeightsError {
    WeightsError::WrongType { name: name.to_owned(), found: format!("{found:?}"), allowed }
}

/// The bytes of a tensor. The offsets were checked against each other and against the file's length before.
fn slice<'a>(data: &'a [u8], info: &TensorInfo) -> Result<&'a [u8], WeightsError> {
    let (start, end) = info.data_offsets;
    data.get(start..end).ok_or_else(|| WeightsError::BadHeader("offsets outside of the file".to_owned()))
}

fn finite<'a, I: Iterator<Item = f32>>(
    name: &str,
    bytes: &'a [u8],
    values: impl FnOnce(&'a [u8]) -> I,
) -> Result<&'a [u8], WeightsError> {
    match values(bytes).enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => {
            Err(WeightsError::NotFinite { name: name.to_owned(), index, value: value.to_string() })
        }
        None => Ok(bytes),
    }
}

/// Little-endian `f32`s.
pub(super) fn f32_values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four))
}

/// Little-endian halves.
pub(super) fn f16_values(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<2>().0.iter().map(|&two| f16::from_le_bytes(two).to_f32())
}
