use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::*;
use crate::confidence::{Confidence, Domain, Short, Signs};
use crate::config::{ConfigError, DecoderConfig, EncoderConfig};
use crate::layout::{Kind, Start};
use crate::vocab::VocabularyError;

/// Vectors and matrices of every kind that the rules tell apart, in a net that is small enough to break byte by byte.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    BTreeMap::from([
        ("bias".to_owned(), vec![40]),
        ("matrix".to_owned(), vec![32, 40]),
        ("small".to_owned(), vec![3, 5]),
        ("words".to_owned(), vec![64, 16]),
    ])
}

fn specs(shapes: BTreeMap<String, Vec<usize>>) -> Expected {
    let spec = |(name, shape): (String, Vec<usize>)| {
        let kind = match (name.as_str(), shape.len()) {
            ("words", _) => Kind::Words,
            (_, 1) => Kind::Vector,
            _ => Kind::Matrix,
        };
        (name.clone(), TensorSpec { name, shape, kind, start: Start::Constant(0.0) })
    };
    shapes.into_iter().map(spec).collect()
}

fn small_shapes(config: &ModelConfig) -> Result<Expected, WeightsError> {
    config.validate()?;
    Ok(specs(shapes()))
}

fn open_small(bytes: &[u8]) -> Result<WeightsFile<'_>, WeightsError> {
    read::open(bytes, small_shapes)
}

/// Uniform in -1..1, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    fn value(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 30) as f32 - 1.0
    }
}

fn small() -> Weights {
    let mut random = Random(1);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.value()).collect();
        (name, FloatTensor { shape, values })
    };
    Weights {
        config: ModelConfig {
            encoder: EncoderConfig {
                trunk: Default::default(),
                head: false,
                input_side: 64,
                mean: [127.0, 126.5, 0.1],
                std: [128.0; 3],
            },
            decoder: DecoderConfig {
                layers: 1,
                width: 16,
                heads: 2,
                ffn_width: 32,
                max_tokens: 9,
                vocab_size: 6,
            },
            concepts: None,
        },
        vocabulary: Vocabulary::new(["a", "dog", "'s"].map(String::from).to_vec()).unwrap(),
        confidence: Some(Confidence {
            mean: vec![0.5; 16],
            deviation: vec![1.5; 16],
            weights: Signs { score: 1.0, unfamiliarity: -2.0, support: 1.5, ..Signs::default() },
            bias: 0.25,
            domain: Some(Domain { weights: vec![0.25; 16], bias: -0.5 }),
            short: Some(Short { weights: Signs { lead: 0.5, ..Signs::default() }, bias: -1.0 }),
            kinds: None,
        }),
        provenance: Provenance {
            created: Some("2026-01-02T03:04:05Z".to_owned()),
            recipe: Some("seed = 1\nname = \"x\"".to_owned()),
            scores: BTreeMap::from([("dev.cider".to_owned(), 51.25)]),
            ..Default::default()
        },
        tensors: shapes().into_iter().map(tensor).collect(),
    }
}

fn small_file(precision: Precision) -> Vec<u8> {
    write::write(&small(), &specs(shapes()), precision).unwrap()
}

/// The file with its header changed; the tensors' bytes stay.
fn with_header(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    change(&mut header);
    with_raw_header(file, &serde_json::to_vec(&header).unwrap())
}

fn with_raw_header(file: &[u8], header: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    [&(header.len() as u64).to_le_bytes()[..], header, &file[8 + length..]].concat()
}

/// Where the bytes of a tensor start in the file.
fn start_of(file: &[u8], name: &str) -> usize {
    let tensor = SafeTensors::deserialize(file).unwrap().tensor(name).unwrap();
    tensor.data().as_ptr() as usize - file.as_ptr() as usize
}

#[track_caller]
fn refused(file: &[u8]) -> WeightsError {
    open_small(file).expect_err("this file must be refused")
}

#[test]
fn what_is_written_is_read_back() {
    let original = small();
    for precision in Precision::ALL {
        let bytes = small_file(precision);
        let file = open_small(&bytes).unwrap();
        assert_eq!(file.precision(), precision);
        let read = file.expand();
        assert_eq!(read.config, original.config);
        assert_eq!(read.vocabulary, original.vocabulary);
        assert_eq!(read.provenance, original.provenance);
        assert_eq!(read.confidence, original.confidence);
        assert_eq!(read.tensors.len(), original.tensors.len());
        for (name, tensor) in &original.tensors {
            let read = &read.tensors[name];
            assert_eq!(read.shape, tensor.shape, "{name}");
            let allowed = match (precision, tensor.shape.len(), tensor.values.len()) {
                (Precision::F32, ..) | (_, 1, _) => 0.0,
                (Precision::F16, ..) | (_, _, ..1024) => 1.0 / 2048.0,
                // Half a step, or what clipping takes off the largest.
                _ => 1.0 / 127.0,
            };
            for (read, value) in read.values.iter().zip(&tensor.values) {
                assert!((read - value).abs() <= allowed, "{precision:?} {name}: {read} for {value}");
            }
        }
        assert_eq!(bytes, small_file(precision), "the same weights must give the same bytes");
    }
}

#[test]
fn the_safetensors_library_reads_the_file_and_everything_is_aligned() {
    for precision in Precision::ALL {
        let bytes = small_file(precision);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (name, tensor) in file.tensors() {
            assert_eq!(start_of(&bytes, &name) % (tensor.dtype().bitsize() / 8), 0, "{name}");
        }
        let dtypes = |names: [&str; 4]| names.map(|name| file.tensor(name).unwrap().dtype());
        let expected = match precision {
            Precision::F32 => [Dtype::F32; 4],
            Precision::F16 => [Dtype::F32, Dtype::F16, Dtype::F16, Dtype::F16],
            Precision::Int8 => [Dtype::F32, Dtype::F16, Dtype::I8, Dtype::I8],
        };
        assert_eq!(dtypes(["bias", "small", "matrix", "words"]), expected);
        if precision == Precision::Int8 {
            assert_eq!(file.tensor("matrix.scale").unwrap().shape(), [1, 40]);
            assert_eq!(file.tensor("words.scale").unwrap().shape(), [64, 1]);
        }
    }
}

#[test]
fn integers_and_scales_can_be_had_as_they_are() {
    let bytes = small_file(Precision::Int8);
    let file = open_small(&bytes).unwrap();
    let stored = file.tensor("matrix").unwrap();
    let Values::Int8 { integers, scales, axis: ScaleAxis::Columns } = &stored.values else {
        panic!("{stored:?}");
    };
    assert_eq!((integers.len(), scales.len()), (32 * 40, 40));
    let expanded = stored.to_f32();
    assert_eq!(expanded[3 * 40 + 7], f32::from(integers[3 * 40 + 7] as i8) * scales[7]);
    let words = file.tensor("words").unwrap();
    let Values::Int8 { integers, scales, axis: ScaleAxis::Rows } = &words.values else {
        panic!("{words:?}");
    };
    assert_eq!(words.to_f32()[5 * 16 + 2], f32::from(integers[5 * 16 + 2] as i8) * scales[5]);
}

#[test]
fn what_16_bits_cannot_hold_stays_32_bit() {
    let mut weights = small();
    let large = vec![70_000f32; 15];
    weights.tensors.insert("small".to_owned(), FloatTensor { shape: vec![3, 5], values: large.clone() });
    let bytes = write::write(&weights, &specs(shapes()), Precision::F16).unwrap();
    assert_eq!(open_small(&bytes).unwrap().expand().tensors["small"].values, large);
}

#[test]
fn weights_that_would_not_be_read_back_are_not_written() {
    let tensor = |values: Vec<f32>, shape: &[usize]| FloatTensor { shape: shape.to_vec(), values };
    let write = |change: &dyn Fn(&mut Weights)| {
        let mut weights = small();
        change(&mut weights);
        write::write(&weights, &specs(shapes()), Precision::Int8).unwrap_err()
    };
    let error = write(&|w| drop(w.tensors.remove("bias")));
    assert_eq!(error, WeightsError::MissingTensor { name: "bias".to_owned() });
    let error = write(&|w| drop(w.tensors.insert("more".to_owned(), tensor(vec![0.0], &[1]))));
    assert_eq!(error, WeightsError::ExtraTensor { name: "more".to_owned() });
    let error = write(&|w| drop(w.tensors.insert("small".to_owned(), tensor(vec![0.0; 15], &[5, 3]))));
    assert!(matches!(error, WeightsError::WrongShape { .. }), "{error}");
    let nan = [vec![0.0; 7], vec![f32::NAN; 8]].concat();
    let error = write(&|w| drop(w.tensors.insert("small".to_owned(), tensor(nan.clone(), &[3, 5]))));
    assert!(matches!(error, WeightsError::NotFinite { index: 7, .. }), "{error}");
    let error = write(&|w| drop(w.tensors.insert("small".to_owned(), tensor(vec![0.0; 14], &[3, 5]))));
    assert!(matches!(error, WeightsError::WrongShape { found, .. } if found == [14]));
    let error = write(&|w| w.config.decoder.vocab_size = 7);
    assert_eq!(error, WeightsError::VocabularySize { expected: 7, found: 6 });
    let error = write(&|w| w.config.decoder.layers = 0);
    assert!(matches!(error, WeightsError::Config(_)), "{error}");
    let error = write(&|w| w.provenance.scores = BTreeMap::from([("loss".to_owned(), f64::NAN)]));
    assert!(matches!(error, WeightsError::BadMetadata { key: "provenance", .. }), "{error}");
    let error = write(&|w| w.provenance.recipe = Some("x".repeat(MAX_HEADER_BYTES)));
    assert!(matches!(error, WeightsError::HeaderTooLong { .. }), "{error}");
}

#[test]
fn other_files_are_told_apart() {
    assert_eq!(refused(b""), WeightsError::Empty);
    for (bytes, found) in [
        (&b"<!doctype html><title>404</title>"[..], "a web page"),
        (b"  \n<html>", "a web page"),
        (b"{\"error\": \"not found\"}", "a JSON document"),
        (b"PK\x03\x04\x14\0\x08\0\x08\0", "a zip archive"),
        (b"\x1f\x8b\x08\0\x01\x02\x03\x04", "a gzip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x10\0\0\0\0\0\0\0not a header......", "something else"),
        (b"hello, this is a text", "something else"),
    ] {
        assert_eq!(refused(bytes), WeightsError::NotWeights { found }, "{bytes:?}");
    }
}

#[test]
fn cut_off_and_overlong_files_are_refused() {
    let file = small_file(Precision::Int8);
    let full = file.len() as u64;
    for keep in [full - 1, full / 2] {
        let error = refused(&file[..keep as usize]);
        assert_eq!(error, WeightsError::Truncated { expected: full, found: keep });
    }
    assert_eq!(refused(&file[..5]), WeightsError::Truncated { expected: 8, found: 5 });
    let header = u64::from_le_bytes(file[..8].try_into().unwrap());
    assert_eq!(refused(&file[..50]), WeightsError::Truncated { expected: 8 + header, found: 50 });
    assert_eq!(refused(&[&file[..], b"!?"].concat()), WeightsError::TrailingBytes { extra: 2 });
    // Every place at which a download can stop.
    for keep in 0..file.len() {
        refused(&file[..keep]);
    }
}

#[test]
fn a_header_that_asks_for_gigabytes_is_refused() {
    let mut file = small_file(Precision::F16);
    for bytes in [MAX_HEADER_BYTES as u64 + 1, 1 << 31, 1 << 40, u64::MAX] {
        file[..8].copy_from_slice(&bytes.to_le_bytes());
        assert_eq!(refused(&file), WeightsError::HeaderTooLong { bytes });
    }
    // As much in the shape and offsets of a tensor.
    let file = small_file(Precision::F16);
    let large = with_header(&file, |header| {
        header["small"]["shape"] = json!([1u64 << 40, 1u64 << 40]);
    });
    assert!(matches!(refused(&large), WeightsError::BadHeader(_)));
    let large = with_header(&file, |header| {
        let start = header["small"]["data_offsets"][0].as_u64().unwrap();
        header["small"]["shape"] = json!([1u64 << 32, 5]);
        header["small"]["data_offsets"] = json!([start, start + (10u64 << 32)]);
    });
    let error = refused(&large);
    assert!(matches!(error, WeightsError::BadHeader(_) | WeightsError::Truncated { .. }), "{error}");
}

#[test]
fn broken_headers_are_refused() {
    let file = small_file(Precision::F32);
    let deep = [b"{\"a\":".repeat(100_000), b"1".to_vec()].concat();
    for header in [
        &b"{"[..],
        b"{]",
        b"{\"bias\": 3}",
        b"{\"a\xff\": {}}",
        b"{\"bias\": {\"dtype\": \"F99\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
        b"{\"bias\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}",
        b"{\"__metadata__\": {\"format\": 1}}",
        &deep,
    ] {
        let error = refused(&with_raw_header(&file, header));
        assert!(matches!(error, WeightsError::BadHeader(_)), "{error}");
    }
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 5] = [
        ("overlap", |h| h["small"]["data_offsets"] = h["matrix"]["data_offsets"].clone()),
        ("swapped ends", |h| h["small"]["data_offsets"].as_array_mut().unwrap().reverse()),
        ("gap", |h| h["bias"]["data_offsets"] = json!([4, 164])),
        ("too few bytes", |h| h["small"]["shape"] = json!([3, 6])),
        ("shape overflow", |h| h["small"]["shape"] = json!([u64::MAX, u64::MAX])),
    ];
    for (what, change) in changes {
        let error = refused(&with_header(&file, change));
        assert!(matches!(error, WeightsError::BadHeader(_)), "{what}: {error}");
    }
}

#[test]
fn metadata_has_to_be_ours_and_complete() {
    let file = small_file(Precision::F16);
    let without = |key: &str| {
        with_header(&file, |header| drop(header["__metadata__"].as_object_mut().unwrap().remove(key)))
    };
    let with =
        |key: &str, value: &str| with_header(&file, |header| header["__metadata__"][key] = json!(value));
    let bare = with_header(&file, |header| drop(header.as_object_mut().unwrap().remove("__metadata__")));
    assert_eq!(refused(&bare), WeightsError::NotSoli);
    assert_eq!(refused(&without("format")), WeightsError::NotSoli);
    assert_eq!(refused(&with("format", "pt")), WeightsError::NotSoli);
    for key in ["format_version", "precision", "config", "vocabulary", "provenance"] {
        let error = refused(&without(key));
        assert!(matches!(error, WeightsError::MissingMetadata { key: missing } if missing == key), "{error}");
    }
    assert_eq!(refused(&with("format_version", "2")), WeightsError::UnknownVersion { found: "2".to_owned() });
    for (key, value) in [
        ("precision", "int4"),
        ("config", "{}"),
        ("config", "hello"),
        ("confidence", "{}"),
        ("confidence", "{\"mean\":[1],\"deviation\":[1],\"score\":1,\"unfamiliarity\":1,\"bias\":0}"),
        ("provenance", "3"),
        ("provenance", "{\"scores\": 3}"),
    ] {
        let error = refused(&with(key, value));
        assert!(matches!(error, WeightsError::BadMetadata { key: bad, .. } if bad == key), "{key}: {error}");
    }
    for (words, expected) in [
        ("", VocabularyError::EmptyWord { index: 0 }),
        ("a\n\ndog", VocabularyError::EmptyWord { index: 1 }),
        ("a\ndog\na", VocabularyError::Duplicate { index: 2, first: 0, word: "a".to_owned() }),
        (
            "a\ndog\nx\u{1b}[2J",
            VocabularyError::BadCharacter { index: 2, word: "x\u{1b}[2J".to_owned(), character: '\u{1b}' },
        ),
    ] {
        assert_eq!(refused(&with("vocabulary", words)), WeightsError::Vocabulary(expected));
    }
    let error = refused(&with("vocabulary", "a\ndog"));
    assert_eq!(error, WeightsError::VocabularySize { expected: 6, found: 5 });
    // Newer programs may say more.
    assert!(open_small(&with("colour", "green")).is_ok());
}

#[test]
fn impossible_configurations_are_refused() {
    let file = small_file(Precision::F16);
    let with = |part: &str, key: &str, value: Value| {
        with_header(&file, |header| {
            let text = header["__metadata__"]["config"].as_str().unwrap();
            let mut config: Value = serde_json::from_str(text).unwrap();
            config[part][key] = value;
            header["__metadata__"]["config"] = json!(config.to_string());
        })
    };
    for (part, key, value) in [
        ("decoder", "layers", json!(1_000_000_000)),
        ("decoder", "width", json!(1u64 << 40)),
        ("decoder", "vocab_size", json!(u64::MAX)),
        ("encoder", "input_side", json!(1 << 20)),
        ("encoder", "input_side", json!(0)),
    ] {
        let error = refused(&with(part, key, value));
        assert!(matches!(error, WeightsError::Config(ConfigError::OutOfRange { .. })), "{key}: {error}");
    }
    let error = refused(&with("encoder", "std", json!([1, 0, 1])));
    assert!(matches!(error, WeightsError::Config(ConfigError::BadNormalisation { .. })), "{error}");
    for value in [json!(-1), json!(1e300), json!("many"), json!(null)] {
        let error = refused(&with("decoder", "layers", value));
        assert!(matches!(error, WeightsError::BadMetadata { key: "config", .. }), "{error}");
    }
}

#[test]
fn tensors_have_to_be_those_of_the_network() {
    let file = small_file(Precision::Int8);
    let rename = |from: &str, to: &str| {
        with_header(&file, |header| {
            let header = header.as_object_mut().unwrap();
            let info = header.remove(from).unwrap();
            header.insert(to.to_owned(), info);
        })
    };
    assert_eq!(refused(&rename("bias", "bios")), WeightsError::MissingTensor { name: "bias".to_owned() });
    let error = refused(&rename("matrix.scale", "matrix.scales"));
    assert_eq!(error, WeightsError::MissingTensor { name: "matrix.scale".to_owned() });
    // One more, without bytes: nothing else is wrong with it.
    let extra = with_header(&file, |header| {
        header["a\u{1b}extra"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    });
    assert_eq!(refused(&extra), WeightsError::ExtraTensor { name: "a\\u{1b}extra".to_owned() });
    let error = refused(&with_header(&file, |header| header["matrix"]["shape"] = json!([40, 32])));
    let (expected, found) = (vec![32, 40], vec![40, 32]);
    assert_eq!(error, WeightsError::WrongShape { name: "matrix".to_owned(), expected, found });
    let error = refused(&with_header(&file, |header| header["matrix.scale"]["shape"] = json!([40])));
    assert!(matches!(error, WeightsError::WrongShape { .. }), "{error}");
    for (name, dtype, allowed) in [
        ("small", "BF16", "F32, F16 or I8"),
        ("bias", "I32", "F32, F16 or I8"),
        ("matrix", "U8", "F32, F16 or I8"),
        ("matrix.scale", "I32", "F32"),
    ] {
        let error = refused(&with_header(&file, |header| header[name]["dtype"] = json!(dtype)));
        let found = dtype.to_owned();
        assert_eq!(error, WeightsError::WrongType { name: name.to_owned(), found, allowed });
    }
    // A vector has no rows and columns to scale.
    let with_int8_vector = with_header(&file, |h| {
        h["bias"] = json!({"dtype": "I8", "shape": [160], "data_offsets": h["bias"]["data_offsets"]});
        h["bias.scale"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    });
    let expected = |_: &ModelConfig| {
        let mut shapes = shapes();
        shapes.insert("bias".to_owned(), vec![160]);
        Ok(specs(shapes))
    };
    let error = read::open(&with_int8_vector, expected).unwrap_err();
    assert!(matches!(error, WeightsError::WrongType { .. }), "{error}");
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    for (precision, name, bytes) in [
        (Precision::F32, "matrix", &f32::NAN.to_le_bytes()[..]),
        (Precision::F32, "bias", &f32::NEG_INFINITY.to_le_bytes()),
        (Precision::F16, "matrix", &[0, 0x7C]),
        (Precision::F16, "small", &[1, 0xFE]),
    ] {
        let mut file = small_file(precision);
        let at = start_of(&file, name) + 3 * bytes.len();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let error = refused(&file);
        assert!(matches!(&error, WeightsError::NotFinite { name: n, index: 3, .. } if n == name), "{error}");
    }
    for scale in [0.0, -0.5, f32::NAN, f32::INFINITY, f32::MAX] {
        let mut file = small_file(Precision::Int8);
        let at = start_of(&file, "matrix.scale") + 4;
        file[at..at + 4].copy_from_slice(&scale.to_le_bytes());
        assert!(matches!(refused(&file), WeightsError::BadScale { index: 1, .. }), "{scale}");
    }
    let mut file = small_file(Precision::Int8);
    let at = start_of(&file, "matrix") + 2;
    file[at] = 0x80;
    assert_eq!(refused(&file), WeightsError::BadInteger { name: "matrix".to_owned(), index: 2 });
}

/// Whatever happens to a file, it is refused or gives a whole network, and nothing panics.
#[test]
fn random_damage_is_refused_or_changes_values_only() {
    let mut random = Random(42);
    let mut accepted = 0;
    for precision in Precision::ALL {
        let good = small_file(precision);
        let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
        for round in 0..4000 {
            let mut file = good.clone();
            // Half of the rounds in the header, where the damage is subtle.
            let end = if round % 2 == 0 { header } else { file.len() };
            for _ in 0..1 + random.below(3) {
                let at = random.below(end);
                file[at] = if random.below(2) == 0 {
                    random.next() as u8
                } else {
                    file[at] ^ (1 << random.below(8))
                };
            }
            if random.below(4) == 0 {
                let (from, to, count) = (random.below(end), random.below(end), random.below(40));
                let count = count.min(end - from).min(end - to);
                file.copy_within(from..from + count, to);
            }
            if let Ok(opened) = open_small(&file) {
                accepted += 1;
                let read = opened.expand();
                assert_eq!(read.vocabulary.len(), read.config.decoder.vocab_size);
                for (name, shape) in shapes() {
                    assert_eq!(read.tensors[&name].shape, shape);
                    assert!(read.tensors[&name].values.iter().all(|v| v.is_finite()));
                }
                assert_eq!(read.tensors.len(), shapes().len());
            }
        }
    }
    assert!(accepted > 1000, "only {accepted} accepted: the damage says nothing about values");
}

#[test]
fn messages_stay_short_and_harmless() {
    let file = small_file(Precision::F32);
    let extra = with_header(&file, |header| {
        header["\u{1b}".repeat(100_000)] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    });
    let version =
        with_header(&file, |header| header["__metadata__"]["format_version"] = json!("\u{7}".repeat(9999)));
    let dtype = with_header(&file, |header| header["bias"]["dtype"] = json!("x".repeat(100_000)));
    for file in [extra, version, dtype] {
        let message = refused(&file).to_string();
        assert!(message.len() < 500 && !message.contains(char::is_control), "{message:?}");
    }
}

/// The real network, from the configuration to the tensors.
#[test]
fn the_real_network_survives_the_round_trip() {
    let mut weights = small();
    let mut random = Random(3);
    let shapes = expected(&weights.config).unwrap();
    weights.tensors = shapes
        .iter()
        .map(|(name, TensorSpec { shape, .. })| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.value()).collect();
            (name.clone(), FloatTensor { shape: shape.clone(), values })
        })
        .collect();
    let sizes = Precision::ALL.map(|precision| {
        let bytes = weights.to_bytes(precision).unwrap();
        let read = Weights::from_bytes(&bytes).unwrap();
        assert_eq!(read.tensors.len(), weights.tensors.len());
        bytes.len()
    });
    assert!(sizes[0] > sizes[1] * 19 / 10 && sizes[1] > sizes[2] * 18 / 10, "{sizes:?}");
}
