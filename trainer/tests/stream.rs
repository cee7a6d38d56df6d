//! `soli caption` as a stream: lists, folders and archives in, NDJSON, CSV and Parquet out, in order, whole, resumed.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use base64::Engine;
use common::{corpus, picture, soli, weights_file};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

/// A folder with weights, and a command that runs in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        weights_file(folder.path());
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        soli(self.path(), arguments)
    }

    /// Runs with `input`; the exit status and what it wrote.
    fn run(&self, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // The program may end without reading all.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The rows of a run that must succeed.
    fn rows(&self, arguments: &[&str], input: &[u8]) -> Vec<Value> {
        let (status, out, err) = self.run(arguments, input);
        assert_eq!(status, Some(0), "{err}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().map_or_else(|| row["id"].to_string(), str::to_owned)).collect()
}

/// All that was said of each picture: the words alone can be the same for two pictures, the score is not.
fn captions(rows: &[Value]) -> BTreeMap<String, Value> {
    let fields = |row: &Value| {
        let mut row = row.as_object().unwrap().clone();
        row.remove("id");
        assert!(row["text"].is_string() && row["score"].is_number(), "{row:?}");
        Value::from(row)
    };
    ids(rows).into_iter().zip(rows.iter().map(fields)).collect()
}

#[test]
fn the_same_pictures_have_the_same_captions_however_they_lie() {
    let place = Place::new();
    // Weights that were never trained say the same of everything.
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/models/soli.safetensors");
    fs::copy(published, place.path().join("random.safetensors")).unwrap();
    let pictures = corpus(7);
    fs::create_dir_all(place.path().join("pictures/deep")).unwrap();
    let mut tar = tar::Builder::new(File::create(place.path().join("shard.tar")).unwrap());
    let gz = flate2::write::GzEncoder::new(
        File::create(place.path().join("shard.tgz")).unwrap(),
        flate2::Compression::fast(),
    );
    let mut tgz = tar::Builder::new(gz);
    let mut zip = zip::ZipWriter::new(File::create(place.path().join("all.zip")).unwrap());
    let (mut lines, mut paths) = (String::new(), String::new());
    for (name, bytes) in &pictures {
        let path = format!("pictures/deep/{name}");
        fs::write(place.path().join(&path), bytes).unwrap();
        for (member, content) in [(name.clone(), &bytes[..]), (name.replace(".png", ".json"), b"{}")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header.clone(), &member, content).unwrap();
            tgz.append_data(&mut header, &member, content).unwrap();
            zip.start_file(&member, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
        lines.push_str(&format!("{}\n", json!({"id": name, "bytes": bytes})));
        paths.push_str(&format!("{path}\r\n"));
    }
    tar.finish().unwrap();
    tgz.into_inner().unwrap().finish().unwrap();
    zip.finish().unwrap();
    fs::write(place.path().join("pictures/notes.txt"), "no picture").unwrap();
    fs::write(place.path().join("list.txt"), &paths).unwrap();
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(StringArray::from_iter_values(pictures.iter().map(|(name, _)| name)))),
        ("image", Arc::new(BinaryArray::from_iter_values(pictures.iter().map(|(_, bytes)| bytes)))),
    ];
    write_parquet(&place.path().join("table.parquet"), &columns);

    let expected = captions(&place.rows(&["--from", "-"], lines.as_bytes()));
    assert_eq!(expected.len(), 7);
    let scores: BTreeSet<String> = expected.values().map(|caption| caption["score"].to_string()).collect();
    assert!(scores.len() > 4, "{expected:?}");
    let shard = fs::read(place.path().join("shard.tar")).unwrap();
    let tgz = fs::read(place.path().join("shard.tgz")).unwrap();
    let row = ["--format", "ndjson"];
    for (prefix, arguments, input) in [
        ("pictures/deep/", vec!["--from", "-"], paths.as_bytes()),
        ("pictures/deep/", vec!["--from", "list.txt"], b""),
        ("pictures/deep/", [&["pictures", "-r"], &row[..]].concat(), b""),
        ("shard.tar/", [&["shard.tar"], &row[..]].concat(), b""),
        ("shard.tar/", vec!["--from", "shard.tar"], b""),
        ("shard.tgz/", [&["shard.tgz"], &row[..]].concat(), b""),
        ("-/", vec!["--from", "-"], &shard),
        ("-/", vec!["--from", "-"], &tgz),
        ("all.zip/", [&["all.zip"], &row[..]].concat(), b""),
        ("shard.tar/", vec!["--from", "-"], b"shard.tar\n"),
        ("", [&["table.parquet"], &row[..]].concat(), b""),
    ] {
        let rows = place.rows(&arguments, input);
        let named: BTreeMap<_, _> =
            expected.iter().map(|(id, text)| (format!("{prefix}{id}"), text.clone())).collect();
        assert_eq!(captions(&rows), named, "{arguments:?}");
        // In order, with as many threads as there are cores.
        assert_eq!(ids(&rows), named.keys().cloned().collect::<Vec<_>>(), "{arguments:?}");
    }
    // Without --out and --format, for people.
    let (status, out, _) = place.run(&["shard.tar"], b"");
    assert_eq!((status, out.lines().count()), (Some(0), 7));
    assert!(out.starts_with("shard.tar/000.png: "), "{out}");
}

fn write_parquet(path: &Path, columns: &[(&str, ArrayRef)]) {
    let batch =
        RecordBatch::try_from_iter(columns.iter().map(|(name, column)| (*name, column.clone()))).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn what_is_wrong_with_a_picture_is_its_row() {
    let place = Place::new();
    fs::write(place.path().join("good.png"), picture(1)).unwrap();
    fs::write(place.path().join("cut.png"), &picture(1)[..40]).unwrap();
    fs::create_dir(place.path().join("folder")).unwrap();
    let lines = [
        json!({"id": "good", "file": "good.png"}).to_string(),
        json!({"id": 2, "file": "cut.png"}).to_string(),
        json!({"id": "missing", "file": "missing.png"}).to_string(),
        "{\"id\": \"torn\"".to_owned(),
        json!({"id": "folder", "file": "folder"}).to_string(),
        json!({"id": "empty", "bytes": ""}).to_string(),
        String::new(),
        json!({"id": "last", "file": "good.png"}).to_string(),
    ]
    .join("\n");
    let rows = place.rows(&["--from", "-"], lines.as_bytes());
    let said = ["", "broken PNG", "cannot be read", "line 4: not a JSON object", "directory", "empty", ""];
    assert_eq!(rows.len(), said.len());
    for (row, said) in rows.iter().zip(said) {
        let error = row["error"].as_str().unwrap_or_default();
        assert!(error.contains(said) && error.is_empty() == said.is_empty(), "{row}");
        assert_eq!(row.get("text").is_some(), said.is_empty(), "{row}");
    }
    assert_eq!(ids(&rows), ["good", "2", "missing", "standard input, line 4", "folder", "empty", "last"]);
    assert_eq!(rows[1]["id"], 2);
}

#[test]
fn inputs_that_are_no_lists_and_archives_that_are_cut_off_are_said() {
    let place = Place::new();
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in corpus(3) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    // In the second picture, and in the header of the third.
    for (keep, whole) in [(512 + 4096 + 600, 1), (tar.len() / 3 * 2, 1)] {
        let cut = &tar[..keep.min(tar.len() - 2000)];
        let (status, out, err) = place.run(&["--from", "-"], cut);
        let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(status, Some(1), "{err}");
        assert!(rows.len() >= whole, "{out}");
        let last = rows.last().unwrap();
        assert_eq!(last["id"], "-");
        assert!(last["error"].as_str().unwrap().contains("the tar file is broken after"), "{last}");
        assert!(err.contains("pictures may be missing"), "{err}");
    }
    fs::write(place.path().join("no.zip"), b"PK\x03\x04 no zip").unwrap();
    fs::write(place.path().join("no.parquet"), b"PAR1 no parquet PAR1").unwrap();
    for archive in ["no.zip", "no.parquet"] {
        let (status, out, _) = place.run(&[archive, "--format", "ndjson"], b"");
        assert!(status == Some(1) && out.contains("broken"), "{out}");
    }
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("a.jpg\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let zip = b"PK\x03\x04".to_vec();
    for (input, said) in [
        (picture(1), "this is a picture"),
        (utf16, "UTF-16"),
        (zip, "name the file"),
        (vec![1, 0, 2], "neither"),
    ] {
        let (status, out, err) = place.run(&["--from", "-"], &input);
        assert!(status == Some(1) && out.is_empty() && err.contains(said), "{out} {err}");
    }
    let (status, _, err) = place.run(&["--from", "none.txt"], b"");
    assert!(status == Some(1) && err.contains("cannot read none.txt"), "{err}");
    // An empty list is no mistake.
    assert_eq!(place.rows(&["--from", "-"], b"").len(), 0);
}

#[test]
fn a_folder_is_searched_by_content_and_by_name() {
    let place = Place::new();
    let put = |name: &str, bytes: &[u8]| {
        let path = place.path().join("f").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("a/no extension", &picture(1));
    put("b.PNG", b"not a picture");
    put("c.heic", b"\0\0\0\x18ftypheic\0\0\0\0");
    put("d.txt", b"text");
    put("e.docx", b"PK\x03\x04 a document");
    put("f.log.gz", b"\x1F\x8B a log");
    put("._g.png", b"\0\x05\x16\x07 a resource fork");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("..", place.path().join("f/a/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", place.path().join("f/a/nowhere.gif")).unwrap();
    }
    let (status, out, err) = place.run(&["-r", "f", "--format", "csv"], b"");
    assert_eq!(status, Some(0), "{err}");
    assert!(err.contains("4 other files were passed over"), "{err}");
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!(rows[0], "id,text,kind,confidence,certainty,words,partial,error");
    assert_eq!(rows.len(), if cfg!(unix) { 5 } else { 4 }, "{out}");
    assert!(rows.iter().any(|row| row.starts_with("f/a/no extension,") && row.ends_with(',')), "{out}");
    assert!(out.contains("f/c.heic,,,,,,,\"f/c.heic: this is a HEIC picture"), "{out}");
    // Without --recursive a folder is a mistake.
    let rows = place.rows(&["f", "--format", "ndjson"], b"");
    assert!(rows[0]["error"].as_str().unwrap().contains("add --recursive"), "{rows:?}");
}

#[test]
fn identical_bytes_are_captioned_once() {
    let place = Place::new();
    for i in 0..12 {
        fs::write(place.path().join(format!("{i:02}.png")), picture(i % 3)).unwrap();
    }
    let list: String = (0..12).map(|i| format!("{i:02}.png\n")).collect();
    let plain = place.rows(&["--from", "-"], list.as_bytes());
    let (status, out, err) = place.run(&["--from", "-", "--dedupe", "--threads", "4"], list.as_bytes());
    let deduped: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((status, &deduped), (Some(0), &plain));
    assert!(err.contains("9 had the bytes of an earlier one"), "{err}");
}

#[test]
fn without_order_every_row_comes_all_the_same() {
    let place = Place::new();
    let lines: String = corpus(40)
        .iter()
        .map(|(name, bytes)| {
            let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("{}\n", json!({"id": name, "bytes": bytes}))
        })
        .collect();
    let ordered = place.rows(&["--from", "-", "--threads", "3"], lines.as_bytes());
    let unordered = place.rows(&["--from", "-", "--threads", "3", "--unordered"], lines.as_bytes());
    assert_eq!(ids(&ordered), (0..40).map(|i| format!("{i:03}.png")).collect::<Vec<_>>());
    assert_eq!(captions(&ordered), captions(&unordered));
}

/// An engine that pipes rows through may wait for each answer.
#[test]
fn a_row_comes_before_the_next_picture_is_given() {
    let place = Place::new();
    fs::write(place.path().join("a.png"), picture(1)).unwrap();
    let mut child = place
        .command(&["--from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..3 {
        to.write_all(b"a.png\n").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        assert!(line.starts_with("{\"id\":\"a.png\",\"text\""), "{line}");
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

/// `soli caption ... | head -1`, also while the input stays open.
#[test]
fn a_reader_that_has_enough_ends_it_without_a_word() {
    let place = Place::new();
    fs::write(place.path().join("a.png"), picture(1)).unwrap();
    let mut child = place
        .command(&["--from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    to.write_all(b"a.png\n").unwrap();
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    drop(from);
    to.write_all(b"a.png\n").unwrap();
    assert!(child.wait().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn parquet_has_the_rows_of_ndjson_and_its_own_ids() {
    let place = Place::new();
    let pictures = corpus(5);
    let mut bytes: Vec<Option<&[u8]>> = pictures.iter().map(|(_, bytes)| Some(&bytes[..])).collect();
    bytes[3] = None;
    let columns: [(&str, ArrayRef); 3] = [
        ("number", Arc::new(Int64Array::from(vec![10, 11, 12, 13, 14]))),
        ("photo", Arc::new(BinaryArray::from(bytes))),
        ("mask", Arc::new(BinaryArray::from_iter_values([b"", b"", b"", b"", b""]))),
    ];
    write_parquet(&place.path().join("in.parquet"), &columns);
    // "photo" is one of the usual names.
    let rows = place.rows(&["in.parquet", "--format", "ndjson"], b"");
    assert_eq!(rows[0]["id"], "in.parquet/row 0");
    assert!(rows[3]["error"].as_str().unwrap().contains("null"), "{}", rows[3]);
    let arguments = ["in.parquet", "--id-column", "number", "--bytes-column", "photo", "--format", "ndjson"];
    let rows = place.rows(&arguments, b"");
    assert_eq!(rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>(), [10, 11, 12, 13, 14]);
    let (_, out, _) = place.run(&["in.parquet", "--bytes-column", "none", "--format", "ndjson"], b"");
    assert!(out.contains("there is no column \\\"none\\\", but number, photo, mask"), "{out}");

    place.rows(&["in.parquet", "--id-column", "number", "--out", "out.parquet"], b"");
    let found = read_parquet(&place.path().join("out.parquet"));
    assert_eq!(found.len(), 5);
    for (row, (id, text, error)) in rows.iter().zip(&found) {
        assert_eq!(row["id"].to_string(), *id);
        assert_eq!(row["text"].as_str(), text.as_deref());
        assert_eq!(row["error"].as_str(), error.as_deref());
    }
    assert!(!place.path().join("out.parquet.journal").exists());
}

/// Id, text and error of each row.
fn read_parquet(path: &Path) -> Vec<(String, Option<String>, Option<String>)> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (ids, texts, errors) = (column("id"), column("text"), column("error"));
        let value = |column: &StringArray, i| column.is_valid(i).then(|| column.value(i).to_owned());
        rows.extend(
            (0..batch.num_rows()).map(|i| (ids.value(i).to_owned(), value(&texts, i), value(&errors, i))),
        );
    }
    rows
}

#[test]
fn an_output_is_not_written_over_and_only_gone_on_with_if_it_is_ours() {
    let place = Place::new();
    fs::write(place.path().join("a.png"), picture(1)).unwrap();
    for (name, other) in
        [("out.ndjson", "{\"a\": 1}\n"), ("out.csv", "name,age\nx,1\n"), ("out.parquet", "no Parquet file")]
    {
        place.rows(&["--from", "-", "--out", name], b"a.png\n");
        let before = fs::read(place.path().join(name)).unwrap();
        let (status, _, err) = place.run(&["--from", "-", "--out", name], b"a.png\n");
        assert!(status == Some(1) && err.contains("add --resume"), "{err}");
        let (status, _, err) = place.run(&["--from", "-", "--out", name, "--resume"], b"a.png\n");
        assert!(status == Some(0) && err.contains("1 were in the output already"), "{err}");
        assert_eq!(fs::read(place.path().join(name)).unwrap(), before, "{name}");
        fs::write(place.path().join(name), other).unwrap();
        let (status, _, err) = place.run(&["--from", "-", "--out", name, "--resume"], b"a.png\n");
        assert!(status == Some(1) && err.contains(name) && err.contains("name another output"), "{err}");
        assert_eq!(fs::read_to_string(place.path().join(name)).unwrap(), other);
    }
    let (status, _, err) = place.run(&["--from", "-", "--out", "out.txt"], b"a.png\n");
    assert!(status == Some(1) && err.contains("--format"), "{err}");
    let (status, _, err) = place.run(&["--from", "-", "--format", "parquet"], b"a.png\n");
    assert!(status == Some(1) && err.contains("--out"), "{err}");
}

/// 400 MB go in, through a pipe that is never waited for, to a reader that is slower than the writer.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::zombie_processes, reason = "wait4 waits, and says how much memory it took")]
fn memory_is_bounded_whatever_comes_in() {
    const PICTURES: usize = 300;
    let place = Place::new();
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(700, 500, |x, y| image::Rgb([x as u8, y as u8, 0]))
        .write_to(&mut bytes, image::ImageFormat::Bmp)
        .unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.encode(bytes.into_inner());
    let mut child = place
        .command(&["--from", "-", "--threads", "2", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for id in 0..PICTURES {
            to.write_all(json!({"id": id, "bytes": bytes}).to_string().as_bytes()).unwrap();
            to.write_all(b"\n").unwrap();
        }
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    let rows = BufReader::new(child.stdout.take().unwrap()).lines().count();
    writer.join().unwrap();
    let mut status = 0;
    // SAFETY: both pointers are to values that outlive the call, and the child is ours and not waited for yet.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(
            libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage),
            child.id() as libc::pid_t
        );
        usage
    };
    assert_eq!((rows, status), (PICTURES, 0));
    assert!(usage.ru_maxrss < 250_000, "{} kB at most", usage.ru_maxrss);
}
