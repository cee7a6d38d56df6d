use std::collections::BTreeMap;

use half::f16;
use safetensors::tensor::{Dtype, TensorInfo};
use serde::Serialize;

use super::quantise::{ScaleAxis, quantise};
use super::{
    Expected, FORMAT, FORMAT_VERSION, FloatTensor, MAX_HEADER_BYTES, Precision, SCALE_SUFFIX, Weights,
    WeightsError, check_confidence, check_vocabulary, key,
};
use crate::layout::{Kind, TensorSpec};

/// Matrices with fewer values than this are not worth the loss of 8-bit integers.
const LEAST_QUANTISED: usize = 1024;

/// A tensor ready to be written.
struct Encoded {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The header of a safetensors file. The `safetensors` crate would write the metadata in random order, and the same
/// weights should give the same file.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__")]
    metadata: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, TensorInfo>,
}

pub(super) fn write(
    weights: &Weights,
    expected: &Expected,
    precision: Precision,
) -> Result<Vec<u8>, WeightsError> {
    weights.config.validate()?;
    check_vocabulary(&weights.config, &weights.vocabulary)?;
    check_confidence(&weights.config, weights.confidence.as_ref())?;
    let mut tensors: Vec<_> = encode_all(weights, expected, precision)?.into_iter().collect();
    // The widest types first keeps every tensor aligned to its type.
    tensors.sort_by(|(a_name, a), (b_name, b)| {
        b.dtype.bitsize().cmp(&a.dtype.bitsize()).then_with(|| a_name.cmp(b_name))
    });
    let mut infos = BTreeMap::new();
    let mut end = 0;
    for (name, tensor) in &tensors {
        let start = end;
        end += tensor.bytes.len();
        let info =
            TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (start, end) };
        infos.insert(name.as_str(), info);
    }
    let header = Header { metadata: metadata(weights, precision)?, tensors: infos };
    let mut header = serde_json::to_vec(&header).map_err(|e| WeightsError::BadHeader(e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() > MAX_HEADER_BYTES {
        return Err(WeightsError::HeaderTooLong { bytes: header.len() as u64 });
    }
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    for (_, tensor) in tensors {
        file.extend(tensor.bytes);
    }
    Ok(file)
}

fn metadata(weights: &Weights, precision: Precision) -> Result<BTreeMap<&'static str, String>, WeightsError> {
    if let Some((name, score)) = weights.provenance.scores.iter().find(|(_, score)| !score.is_finite()) {
        // JSON has no word for it.
        let reason = format!("the score `{name}` is {score}; scores must be finite");
        return Err(WeightsError::BadMetadata { key: key::PROVENANCE, reason });
    }
    let bad = |key| move |e: serde_json::Error| WeightsError::BadMetadata { key, reason: e.to_string() };
    let mut entries = BTreeMap::from([
        (key::FORMAT, FORMAT.to_owned()),
        (key::FORMAT_VERSION, FORMAT_VERSION.to_owned()),
        (key::PRECISION, precision.name().to_owned()),
        (key::CONFIG, serde_json::to_string(&weights.config).map_err(bad(key::CONFIG))?),
        // Words hold no white space, and lines need no quotation marks, which would be escaped inside of JSON.
        (key::VOCABULARY, weights.vocabulary.words().join("\n")),
        (key::PROVENANCE, serde_json::to_string(&weights.provenance).map_err(bad(key::PROVENANCE))?),
    ]);
    if let Some(confidence) = &weights.confidence {
        entries.insert(key::CONFIDENCE, serde_json::to_string(confidence).map_err(bad(key::CONFIDENCE))?);
    }
    Ok(entries)
}

fn encode_all(
    weights: &Weights,
    expected: &Expected,
    precision: Precision,
) -> Result<BTreeMap<String, Encoded>, WeightsError> {
    if let Some(name) = weights.tensors.keys().filter(|name| !expected.contains_key(*name)).min() {
        return Err(WeightsError::ExtraTensor { name: name.clone() });
    }
    let mut encoded = BTreeMap::new();
    for (name, spec) in expected {
        let FloatTensor { shape, values } =
            weights.tensors.get(name).ok_or_else(|| WeightsError::MissingTensor { name: name.clone() })?;
        if *shape != spec.shape || values.len() != spec.shape.iter().product::<usize>() {
            let found = if *shape == spec.shape { vec![values.len()] } else { shape.clone() };
            return Err(WeightsError::WrongShape { name: name.clone(), expected: spec.shape.clone(), found });
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            let value = values[index].to_string();
            return Err(WeightsError::NotFinite { name: name.clone(), index, value });
        }
        encode(spec, values, precision, &mut encoded);
    }
    Ok(encoded)
}

fn encode(tensor: &TensorSpec, values: &[f32], precision: Precision, into: &mut BTreeMap<String, Encoded>) {
    let (name, shape) = (&tensor.name, tensor.shape.as_slice());
    let mut insert = |name: String, dtype, shape: &[usize], bytes| {
        into.insert(name, Encoded { dtype, shape: shape.to_vec(), bytes });
    };
    if let (Precision::Int8, &[rows, columns]) = (precision, shape)
        && values.len() >= LEAST_QUANTISED
    {
        // Words are read by the row, and the transpose of their table is the output matrix: both want a scale a row.
        let axis = if tensor.kind == Kind::Words { ScaleAxis::Rows } else { ScaleAxis::Columns };
        let (integers, scales) = quantise(values, columns, axis);
        let bytes = integers.iter().map(|&i| i as u8).collect();
        insert(name.to_owned(), Dtype::I8, shape, bytes);
        let scale_shape = axis.scale_shape(rows, columns);
        insert(format!("{name}{SCALE_SUFFIX}"), Dtype::F32, &scale_shape, f32_bytes(&scales));
        return;
    }
    // Vectors are small, and folded biases can be larger than 16 bits hold well.
    let fits = || values.iter().all(|&v| f16::from_f32(v).is_finite());
    if precision != Precision::F32 && shape.len() > 1 && fits() {
        let bytes = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
        insert(name.to_owned(), Dtype::F16, shape, bytes);
    } else {
        insert(name.to_owned(), Dtype::F32, shape, f32_bytes(values));
    }
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
