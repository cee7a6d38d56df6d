//! An output that is resumed has every picture once, whatever moment the process before was killed at.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use arrow_array::cast::AsArray;
use common::{corpus, soli, weights_file};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How often each id is in an output that is whole.
fn ids(path: &Path) -> BTreeMap<String, usize> {
    let bytes = fs::read(path).unwrap();
    let mut found = BTreeMap::new();
    let mut add = |id: &str| *found.entry(id.to_owned()).or_insert(0) += 1;
    match path.extension().unwrap().to_str().unwrap() {
        "ndjson" => String::from_utf8(bytes).unwrap().lines().for_each(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            add(row["id"].as_str().unwrap());
        }),
        "csv" => {
            let mut reader = csv::Reader::from_reader(&bytes[..]);
            for row in reader.records() {
                add(&row.unwrap()[0]);
            }
        }
        _ => {
            let file = File::open(path).unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                batch.unwrap().column(0).as_string::<i32>().iter().flatten().for_each(&mut add);
            }
        }
    }
    found
}

/// Pictures with names that CSV must put between quotes, one of them twice in the list, and one that is broken.
fn list(folder: &Path, count: usize) -> BTreeMap<String, usize> {
    let mut lines = String::new();
    let mut expected = BTreeMap::new();
    for (i, (name, bytes)) in corpus(count).into_iter().enumerate() {
        let bytes = if i == 5 { &bytes[..50] } else { &bytes };
        fs::write(folder.join(&name), bytes).unwrap();
        let id = if i % 3 == 0 { format!("\"{name}\",\nsecond line") } else { name.clone() };
        for _ in 0..=usize::from(i % 10 == 9) {
            lines.push_str(&format!("{}\n", serde_json::json!({"id": id, "file": name})));
            *expected.entry(id.clone()).or_insert(0) += 1;
        }
    }
    fs::write(folder.join("list.ndjson"), lines).unwrap();
    expected
}

#[test]
fn no_row_is_lost_or_doubled_at_a_hundred_moments() {
    let folder = tempfile::tempdir().unwrap();
    weights_file(folder.path());
    let expected = list(folder.path(), 120);
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let mut kills = 0;
    let mut run = 0;
    while kills < 100 {
        let name = format!("{run}.{}", ["ndjson", "csv", "parquet"][run % 3]);
        let order = if run % 2 == 0 { "--unordered" } else { "--quiet" };
        run += 1;
        // How long it takes here is not known: the longest wait grows until runs end.
        let mut longest = 40.0;
        loop {
            let mut child =
                soli(folder.path(), &["--from", "list.ndjson", "--out", &name, "--resume", "--threads", "2"])
                    .arg(order)
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
            std::thread::sleep(Duration::from_secs_f64(random.random_range(0.0..longest) / 1e3));
            // SIGKILL on Unix.
            let _ = child.kill();
            if child.wait().unwrap().success() {
                break;
            }
            kills += 1;
            longest *= 1.2;
        }
        assert_eq!(ids(&folder.path().join(&name)), expected, "{name}");
        assert!(!folder.path().join(format!("{name}.journal")).exists());
    }
}

/// The same for every length that a file can have when its writer dies.
#[test]
fn an_output_that_ends_anywhere_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    weights_file(folder.path());
    let expected = list(folder.path(), 10);
    let resume = |name: &str| {
        let run = soli(folder.path(), &["--from", "list.ndjson", "--out", name, "--resume", "-q"])
            .output()
            .unwrap();
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    };
    for name in ["a.ndjson", "a.csv"] {
        let path = folder.path().join(name);
        resume(name);
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(61) {
            fs::write(&path, &whole[..length]).unwrap();
            resume(name);
            assert_eq!(ids(&path), expected, "{name} cut at {length}");
            assert_eq!(fs::read(&path).unwrap(), whole, "{name} cut at {length}");
        }
    }
}

/// Parquet: killed after the file was made and before its journal was removed; killed while the file was being made; and
/// pictures that were added after the file was whole.
#[test]
fn a_journal_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    weights_file(folder.path());
    let expected = list(folder.path(), 20);
    let (path, journal) = (folder.path().join("a.parquet"), folder.path().join("a.parquet.journal"));
    let lines = fs::read_to_string(folder.path().join("list.ndjson")).unwrap();
    let run = |arguments: &[&str]| soli(folder.path(), arguments).output().unwrap();
    let resume = |list: &str| {
        let run = run(&["--from", list, "--out", "a.parquet", "--resume"]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    // The journal of a run that went on to its end, by a list that breaks off.
    let half: String = lines.lines().take(9).map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("half.ndjson"), &half).unwrap();
    resume("half.ndjson");
    let made_of = parquet_journal(&path);
    let row = "{\"id\":\"000\",\"text\":\"x\"}\n";
    fs::write(&journal, format!("{{\"journal\":\"{made_of}\"}}\n{row}")).unwrap();
    fs::write(folder.path().join("a.parquet.new"), "half a file").unwrap();
    resume("half.ndjson");
    assert_eq!(ids(&path).values().sum::<usize>(), 9, "the journal's rows are in the file already");
    resume("list.ndjson");
    assert_eq!(ids(&path), expected);
    assert!(!journal.exists());
    // Another journal is no copy of the file's rows.
    fs::write(&journal, format!("{{\"journal\":\"another\"}}\n{row}")).unwrap();
    resume("list.ndjson");
    assert_eq!(ids(&path).values().sum::<usize>(), expected.values().sum::<usize>() + 1);
}

fn parquet_journal(path: &Path) -> String {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    pairs.into_iter().find(|pair| pair.key == "soli.journal").unwrap().value.unwrap()
}
