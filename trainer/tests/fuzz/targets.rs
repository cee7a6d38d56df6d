//! What is read, what cases are made of, and how much memory is due.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use image::RgbImage;
use soli::captioner::{CaptionOptions, Captioner};
use soli::image::{MAX_PIXELS, Rgba};
use soli::weights::Weights;
use soli_trainer::checkpoint::{self, Progress};
use soli_trainer::config::Recipe;
use soli_trainer::data::{Dataset, Split, decode};
use soli_trainer::kinds;
use soli_trainer::metrics_file::{MetricsFile, Row as MetricsRow};
use soli_trainer::stream::output::{self, Format};
use soli_trainer::stream::sources::{Columns, Input, ReadOptions};
use soli_trainer::stream::{self, Done, Id, Row, StreamOptions};
use soli_trainer::study::plan::Plan;
use soli_trainer::study::record::Record;
use soli_trainer::study::{ladder, paper};
use tempfile::TempDir;

use crate::Outcome;
use crate::mutate::Seed;

#[path = "../common/mod.rs"]
mod common;

/// A reader under test.
pub struct Target {
    pub name: &'static str,
    pub seeds: Vec<Seed>,
    /// Words of the format.
    pub words: &'static [&'static str],
    /// Cases in a short run.
    pub cases: u64,
    /// How many times the least share of a long run's time it gets: `cargo xtask fuzz` knows their sum.
    pub shares: u32,
    /// Cases after which a long run goes on to the next target, whatever time is left.
    pub goal: u64,
    pub read: Reader,
    /// What can be compared with another program's: a picture, and whether a part of it is missing.
    pub show: Option<Shower>,
}

impl Target {
    /// Different files that cases are made of.
    pub fn files(&self) -> usize {
        self.seeds.iter().map(|seed| &seed.name).collect::<std::collections::HashSet<_>>().len()
    }
}

type Reader = Box<dyn Fn(&Seed, &[u8]) -> Outcome>;
type Shower = fn(&[u8]) -> Option<(RgbImage, bool)>;

/// Cases of a long run of small texts, and of what comes from anywhere: pictures and weights.
const TEXTS: u64 = 200_000;
const FROM_ANYWHERE: u64 = 1_000_000;

const MIB: usize = 1 << 20;
/// Tables, and what messages, threads and the file system's calls take.
const SMALL: usize = 16 * MIB;
/// What a file may cost whose header promises the most pixels, before it is found not to have them: 16-bit RGBA, and as
/// much again. Most of it is never written to.
const PROMISED: usize = SMALL + MAX_PIXELS as usize * 16;

fn outcome<T, E>(result: Result<T, E>, due: usize) -> Outcome {
    match result {
        Ok(_) => Outcome::Accepted(due),
        Err(_) => Outcome::Refused(due),
    }
}

fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder as seeds, in the order of their names.
fn folder(path: &Path, keep: impl Fn(&str) -> bool) -> Vec<Seed> {
    let mut seeds: Vec<Seed> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file() && keep(&entry.file_name().to_string_lossy()))
        .map(|entry| Seed::new(entry.file_name().to_string_lossy(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!seeds.is_empty(), "{}", path.display());
    seeds
}

/// The matrix of `tests/decode.rs`. A picture may take 40 bytes a pixel: itself, its colours converted, and turned.
pub fn pictures() -> Target {
    let read = |_: &Seed, bytes: &[u8]| match decode::decode(Path::new("picture"), bytes) {
        Ok(picture) => {
            let pixels = picture.width() as usize * picture.height() as usize;
            assert!(pixels > 0 && pixels as u64 <= MAX_PIXELS && picture.rgba().data().len() == pixels * 4);
            Outcome::Accepted(SMALL + 40 * pixels)
        }
        Err(error) => {
            assert!(error.to_string().starts_with("picture: "), "{error}");
            Outcome::Refused(PROMISED)
        }
    };
    let mut seeds = folder(&package("tests/decode"), |name| !name.ends_with(".expected.png"));
    for seed in &mut seeds {
        seed.refused = decode::decode(Path::new("picture"), &seed.bytes).is_err();
    }
    assert!(seeds.iter().filter(|seed| !seed.refused).count() > 200);
    let show = |bytes: &[u8]| {
        let picture = decode::decode(Path::new("picture"), bytes).ok()?;
        Some((picture.rgb(), picture.partial()))
    };
    Target {
        name: "pictures",
        seeds,
        words: &[],
        cases: 1500,
        shares: 3,
        goal: FROM_ANYWHERE,
        read: Box::new(read),
        show: Some(show),
    }
}

/// The shipped weights and small ones of chance. The small ones caption if they are taken.
pub fn weights() -> Target {
    let place = TempDir::new().unwrap();
    let small = fs::read(common::weights_file(place.path())).unwrap();
    let shipped = fs::read(package("../www/models/soli.safetensors")).unwrap();
    // A case of the small ones takes a tenth of the time: they get seven of eight.
    let names = ["small"; 7].map(|name| (name, small.clone()));
    let seeds = names.into_iter().chain([("shipped", shipped)]).map(|(name, bytes)| {
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Seed { name: name.to_owned(), bytes, header: Some(8 + header), refused: false }
    });
    let grey = vec![128; 32 * 32 * 4];
    let taken = Cell::new(0u64);
    let read = move |of: &Seed, bytes: &[u8]| {
        // As floats, packed, and while one becomes the other.
        let due = SMALL + 16 * bytes.len();
        match Captioner::from_bytes(bytes) {
            Ok(captioner) => {
                if of.name != "shipped" {
                    let picture = Rgba::new(32, 32, &grey).unwrap();
                    let options = CaptionOptions::default().with_beam(2).with_max_tokens(6);
                    let _either = captioner.caption(&picture, &options);
                    taken.set(taken.get() + 1);
                    // As floats it takes four times as long as all the rest.
                    if taken.get() % 8 == 1 {
                        assert!(Weights::from_bytes(bytes).is_ok(), "read one way only");
                    }
                }
                Outcome::Accepted(due)
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                Outcome::Refused(due)
            }
        }
    };
    Target {
        name: "weights",
        seeds: seeds.collect(),
        words: &["\"I8\"", "\"F32\"", "\"data_offsets\"", "[]", "{}", "-1", "\\u0000", "null", ":", ","],
        cases: 150,
        shares: 24,
        goal: FROM_ANYWHERE,
        read: Box::new(read),
        show: None,
    }
}

/// Every layout of captions that is read.
pub fn captions() -> Target {
    let place = TempDir::new().unwrap();
    let names = ["a.png", "b b.png", "c.png"];
    let captions = ["A dog runs.", "Two \"big\" dogs, in the snow.", "Gr\u{fc}n."];
    let csv: String = names
        .iter()
        .zip(captions)
        .map(|(n, c)| format!("{n},\"{}\",train\n", c.replace('"', "\"\"")))
        .collect();
    let kaggle: String = names.iter().zip(captions).map(|(n, c)| format!("{n},{c}\n")).collect();
    let tokens: String = names.iter().zip(captions).map(|(n, c)| format!("{n}#0\t{c}\n")).collect();
    let karpathy = serde_json::json!({"dataset": "own", "images": names.iter().zip(captions).enumerate().map(|(i, (n, c))|
        serde_json::json!({"filename": n, "filepath": "Images", "split": "train", "imgid": i, "sentids": [i],
            "sentences": [{"raw": c, "tokens": ["a"], "imgid": i, "sentid": i}]})).collect::<Vec<_>>()});
    let coco = serde_json::json!({
        "images": names.iter().enumerate().map(|(i, n)| serde_json::json!({"id": i, "file_name": n})).collect::<Vec<_>>(),
        "annotations": captions.iter().enumerate().map(|(i, c)| serde_json::json!({"id": i, "image_id": i, "caption": c})).collect::<Vec<_>>(),
    });
    let seeds = vec![
        Seed::new("captions.csv", format!("image,caption,split\n{csv}")),
        Seed::new("captions.txt", format!("image,caption\n{kaggle}")),
        Seed::new("Flickr8k.token.txt", tokens),
        Seed::new("dataset_own.json", karpathy.to_string()),
        Seed::new("captions_train2014.json", coco.to_string()),
        Seed::new("Flickr_8k.trainImages.txt", names.join("\n")),
    ];
    for seed in &seeds {
        let folder = place.path().join(&seed.name);
        fs::create_dir_all(folder.join("Images")).unwrap();
        for name in names {
            fs::write(folder.join("Images").join(name), b"never decoded").unwrap();
        }
        if seed.name.starts_with("Flickr_8k.") {
            fs::write(folder.join("captions.txt"), &seeds[1].bytes).unwrap();
        } else if seed.name == "Flickr8k.token.txt" || seed.name == "captions.txt" {
            fs::write(folder.join("Flickr_8k.trainImages.txt"), names.join("\n")).unwrap();
        }
        fs::write(folder.join(&seed.name), &seed.bytes).unwrap();
        assert!(
            Dataset::open(&folder, Split::Train).is_ok_and(|data| data.examples.len() == 3),
            "{}",
            seed.name
        );
    }
    let read = move |of: &Seed, bytes: &[u8]| {
        let folder = place.path().join(&of.name);
        fs::write(folder.join(&of.name), bytes).unwrap();
        let due = MIB + 200 * bytes.len();
        let _either = Dataset::open(&folder, Split::Dev).map_err(|error| error.to_string());
        match Dataset::open(&folder, Split::Train) {
            Ok(data) => {
                // Nothing is lost without a word: what is not there as a caption is in the report.
                assert!(!data.examples.is_empty() && !data.report.to_string().is_empty());
                assert!(data.examples.iter().all(|e| e.image.is_file() && !e.captions.is_empty()));
                Outcome::Accepted(due)
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                Outcome::Refused(due)
            }
        }
    };
    let words = &[
        "\"", "\"\"", ",", "\n", "\r\n", "\t", "#", "train", "{", "}", "[", "]", ":", "\\", "\\ud800", "../",
        "null",
    ];
    Target {
        name: "captions",
        seeds,
        words,
        cases: 2000,
        shares: 1,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

/// The published recipes.
pub fn recipes() -> Target {
    let place = TempDir::new().unwrap();
    let mut seeds = folder(&package("configs"), |name| name.ends_with(".toml"));
    seeds.retain(|seed| !seed.name.starts_with("study"));
    let read = move |_: &Seed, bytes: &[u8]| {
        let path = place.path().join("recipe.toml");
        fs::write(&path, bytes).unwrap();
        outcome(Recipe::load(&path).map_err(|error| error.to_string()), MIB + 1000 * bytes.len())
    };
    let words = &[
        "[",
        "]",
        "=",
        "\"",
        "'''",
        "#",
        ".",
        "true",
        "inf",
        "nan",
        "\n",
        "{",
        "}",
        "next",
        "1979-05-27T07:32:00Z",
    ];
    Target {
        name: "recipes",
        seeds,
        words,
        cases: 2000,
        shares: 2,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

/// What the study and the fitting of kinds read: plans, records, a table of labels.
pub fn studies() -> Target {
    let place = TempDir::new().unwrap();
    let mut seeds = folder(&package("configs"), |name| name.starts_with("study") && name.ends_with(".toml"));
    let record = serde_json::json!({
        "row": "views", "what": "degraded views", "seed": 1, "recipe": "seed = 1\n", "budget": 6000, "seconds": 12.5,
        "revision": null, "weights_sha256": "ab", "beam": 3, "pictures": 1000,
        "scores": {"224": {"bleu4": 0.2, "rouge_l": 0.5, "cider": 0.6, "meteor": null}},
        "distances": {"224": {"same": 0.1, "different": 1.0}},
        "examples": {"a.jpg": {"224": {"text": "a dog", "score": -0.4}}},
    });
    seeds.push(Seed::new("record.json", record.to_string()));
    for name in ["a.png", "b.png"] {
        fs::write(place.path().join(name), "").unwrap();
    }
    seeds.push(Seed::new(
        "labels.csv",
        "image,kind,label\na.png,text,book one\nb.png,photograph,\"dog, brown\"\n",
    ));
    let read = move |of: &Seed, bytes: &[u8]| {
        let path = place.path().join(&of.name);
        fs::write(&path, bytes).unwrap();
        let due = MIB + 1000 * bytes.len();
        match of.name.as_str() {
            "record.json" => outcome(Record::load(&path), due),
            "labels.csv" => outcome(kinds::read(place.path()), due),
            "study-paper.toml" | "study-few.toml" | "study-domain.toml" => {
                outcome(paper::Plan::load(&path), due)
            }
            "study-world.toml" | "study-release.toml" => outcome(ladder::Plan::load(&path), due),
            _ => outcome(Plan::load(&path), due),
        }
    };
    let words = &["\"", ",", "\n", "{", "}", "[", "]", "null", "=", "\\ud800", "1e999"];
    Target {
        name: "studies",
        seeds,
        words,
        cases: 1000,
        shares: 1,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

/// A checkpoint of a running stage.
pub fn checkpoints() -> Target {
    let place = TempDir::new().unwrap();
    let tensors: HashMap<String, Tensor> = [("a.weight", vec![4, 3]), ("a.bias", vec![4]), ("step", vec![])]
        .into_iter()
        .map(|(name, shape)| {
            (name.to_owned(), Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap())
        })
        .collect();
    let progress = Progress {
        recipe: "seed = 1\n".to_owned(),
        words: vec!["dog".to_owned(), "gr\u{fc}n".to_owned()],
        step: 12,
        metrics_bytes: 100,
        seconds: 3.5,
        revision: None,
    };
    checkpoint::save(place.path(), checkpoint::RUNNING, &tensors, &progress).unwrap();
    let bytes = fs::read(place.path().join(checkpoint::RUNNING)).unwrap();
    let seeds = vec![Seed { name: "running".to_owned(), header: Some(bytes.len()), refused: false, bytes }];
    let read = move |_: &Seed, bytes: &[u8]| {
        fs::write(place.path().join(checkpoint::RUNNING), bytes).unwrap();
        let loaded = checkpoint::load(place.path(), checkpoint::RUNNING);
        outcome(loaded.map_err(|error| error.to_string()), MIB + 100 * bytes.len())
    };
    Target {
        name: "checkpoints",
        seeds,
        words: &["\"F64\"", "\"F32\"", "[]", "-1", "null", "\"shape\"", "}", "{"],
        cases: 2000,
        shares: 2,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

/// `metrics.csv` of a run that goes on.
pub fn metrics() -> Target {
    let place = TempDir::new().unwrap();
    let mut file = MetricsFile::open(place.path(), 0, &["own"]).unwrap();
    for step in 1..=6 {
        file.write(&MetricsRow::step(step, step as f64 / 3.0, 0.125, 1.0, 16, &[0.5])).unwrap();
    }
    file.flush().unwrap();
    let seeds = vec![Seed::new("metrics.csv", fs::read(place.path().join("metrics.csv")).unwrap())];
    let read = move |_: &Seed, bytes: &[u8]| {
        fs::write(place.path().join("metrics.csv"), bytes).unwrap();
        let opened = MetricsFile::open(place.path(), bytes.len() as u64, &["own"]).and_then(|mut file| {
            file.write(&MetricsRow::step(7, 2.3, 0.125, 1.0, 16, &[0.5]))?;
            file.flush()?;
            file.plot()
        });
        opened.expect("a damaged metrics file never ends a run");
        Outcome::Accepted(SMALL + 1000 * bytes.len())
    };
    let words = &["\"", ",", "\n", "NaN", "inf", "-", "1e308", ",,,,", "\0"];
    Target {
        name: "metrics",
        seeds,
        words,
        cases: 300,
        shares: 3,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

fn options() -> StreamOptions {
    StreamOptions {
        threads: 1,
        ordered: true,
        dedupe: false,
        progress: false,
        read: ReadOptions { recursive: false, sorted: true, columns: Columns { id: None, bytes: None } },
        caption: CaptionOptions::default().with_beam(1).with_max_tokens(2),
    }
}

/// Outputs of an earlier run that a new one goes on with.
pub fn rows() -> Target {
    let place = TempDir::new().unwrap();
    let mut seeds = Vec::new();
    for (name, format) in
        [("out.csv", Format::Csv), ("out.ndjson", Format::Ndjson), ("out.parquet", Format::Parquet)]
    {
        let path = place.path().join(name);
        let (mut out, _) = output::to_file(&path, format, false).unwrap();
        for i in 0..3 {
            let caption = r#"{"text":"a dog","confidence":0.5,"words":[{"word":"dog","probability":0.5}],"partial":false}"#;
            let outcome =
                if i == 1 { Err("broken, \"so\"\nto say".to_owned()) } else { Ok(Arc::from(caption)) };
            out.write(&Row { id: Id::number(i), outcome, ms: 1.0 }).unwrap();
        }
        out.flush().unwrap();
        if format == Format::Parquet {
            let journal = fs::read(place.path().join("out.parquet.journal")).unwrap();
            seeds.push(Seed::new("out.parquet.journal", journal));
        }
        out.finish().unwrap();
        seeds.push(Seed::new(name, fs::read(&path).unwrap()));
    }
    let read = move |of: &Seed, bytes: &[u8]| {
        for name in ["out.csv", "out.ndjson", "out.parquet", "out.parquet.journal"] {
            let _absent = fs::remove_file(place.path().join(name));
        }
        fs::write(place.path().join(&of.name), bytes).unwrap();
        let path = place.path().join(of.name.trim_end_matches(".journal"));
        let format = Format::of(&path).unwrap();
        let result = output::to_file(&path, format, true).map_err(|error| error.to_string()).and_then(
            |(mut out, _)| {
                out.write(&Row { id: Id::number(9), outcome: Err("x".to_owned()), ms: 0.0 })
                    .map_err(|e| e.to_string())?;
                out.finish().map_err(|error| error.to_string())
            },
        );
        outcome(result, 4 * SMALL + 1000 * bytes.len())
    };
    let words = &["\"", ",", "\n", "{", "}", "\"id\"", ":", "\\u0000", "null", "\0"];
    Target {
        name: "rows",
        seeds,
        words,
        cases: 800,
        shares: 1,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}

/// Lists and archives of pictures.
pub fn archives() -> Target {
    let place = TempDir::new().unwrap();
    let weights = fs::read(common::weights_file(place.path())).unwrap();
    let captioner = Arc::new(Captioner::from_bytes(&weights).unwrap());
    let pictures = common::corpus(2);
    let mut tarball = tar::Builder::new(Vec::new());
    let mut zipped = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut list = String::new();
    for (name, bytes) in &pictures {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tarball.append_data(&mut header, name, bytes.as_slice()).unwrap();
        zipped.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zipped, bytes).unwrap();
        let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        list.push_str(&format!(
            "{{\"id\":\"{name}\",\"bytes\":\"{bytes}\"}}\n{{\"file\":\"{name}\"}}\n{name}\n"
        ));
    }
    let seeds = vec![
        Seed::new("list.ndjson", list),
        Seed::new("pictures.tar", tarball.into_inner().unwrap()),
        Seed::new("pictures.zip", zipped.finish().unwrap().into_inner()),
    ];
    let read = move |of: &Seed, bytes: &[u8]| {
        let path = place.path().join(&of.name);
        fs::write(&path, bytes).unwrap();
        let input = if of.name.starts_with("list") { Input::List(path) } else { Input::Path(path) };
        let out = place.path().join("rows.ndjson");
        let _absent = fs::remove_file(&out);
        let (out, done): (_, Done) = output::to_file(&out, Format::Ndjson, false).unwrap();
        let ran = stream::run(captioner.clone(), vec![input], done, out, &options());
        outcome(ran.map_err(|error| error.to_string()), PROMISED + 100 * bytes.len())
    };
    let words =
        &["\"", "{", "}", ":", ",", "\n", "\"id\"", "\"file\"", "\"bytes\"", "\\u0000", "../", "=", "\0"];
    Target {
        name: "archives",
        seeds,
        words,
        cases: 400,
        shares: 1,
        goal: TEXTS,
        read: Box::new(read),
        show: None,
    }
}
