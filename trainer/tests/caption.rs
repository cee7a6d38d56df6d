//! `soli caption` as a user runs it, with weights that were never trained.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::weights_file;
use serde_json::Value;
use tempfile::TempDir;

fn photo(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    image::RgbImage::from_fn(50, 40, |x, y| image::Rgb([x as u8 * 5, y as u8 * 6, (x * y) as u8]))
        .save(&path)
        .unwrap();
    path
}

/// Runs in an empty folder, so that no published weights are found.
fn soli(folder: &TempDir, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.current_dir(folder.path()).arg("caption");
    for argument in arguments {
        command.arg(argument);
    }
    command.output().unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn captions_come_one_object_a_line_and_errors_do_not_stop_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights_file(folder.path());
    let (first, second) = (photo(folder.path(), "first.png"), photo(folder.path(), "second.jpg"));
    let corrupt = folder.path().join("corrupt.jpg");
    std::fs::write(&corrupt, b"\xFF\xD8\xFF\xE0 nothing more").unwrap();
    let missing = folder.path().join("missing.png");
    let output = soli(
        &folder,
        &[&"--weights", &weights, &"--json", &first, &corrupt, &folder.path(), &missing, &second],
    );
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 5);
    for (line, path) in lines.iter().zip([&first, &corrupt, &folder.path().to_owned(), &missing, &second]) {
        assert_eq!(line["file"], path.display().to_string());
    }
    for good in [&lines[0], &lines[4]] {
        assert!(good["text"].is_string() && good["score"].as_f64().unwrap() <= 0.0, "{good}");
        assert!(good["ms"].as_f64().unwrap() >= 0.0 && good.get("error").is_none(), "{good}");
        let tokens = good["tokens"].as_array().unwrap();
        assert!(tokens.len() < 6 && tokens.iter().all(Value::is_string), "{good}");
    }
    for (bad, said) in [(&lines[1], "broken JPEG"), (&lines[2], "directory"), (&lines[3], "cannot be read")] {
        assert!(bad["error"].as_str().unwrap().contains(said) && bad.get("text").is_none(), "{bad}");
    }
}

#[test]
fn success_is_status_zero_and_options_are_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, photo) = (weights_file(folder.path()), photo(folder.path(), "photo.webp"));
    let output =
        soli(&folder, &[&"--weights", &weights, &"--json", &"--beam", &"1", &"--max-tokens", &"3", &photo]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = json_lines(&output);
    assert!(lines[0]["tokens"].as_array().unwrap().len() <= 2, "{}", lines[0]);
    let output = soli(&folder, &[&"--weights", &weights, &photo]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with(&format!("{}: ", photo.display())) && text.contains("(score -"), "{text}");
    for (option, value) in [("--beam", "0"), ("--beam", "9"), ("--max-tokens", "1")] {
        let output = soli(&folder, &[&"--weights", &weights, &option, &value, &photo]);
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
    }
}

#[test]
fn weights_that_are_missing_or_broken_are_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let photo = photo(folder.path(), "photo.png");
    let broken = folder.path().join("broken.safetensors");
    std::fs::write(&broken, "<html>404</html>").unwrap();
    for (arguments, said) in [
        (vec![&photo as &dyn AsRef<std::ffi::OsStr>], "name a file with --weights"),
        (vec![&"--weights", &"nowhere.safetensors", &photo], "cannot read the weights nowhere.safetensors"),
        (vec![&"--weights", &broken, &photo], "a web page"),
    ] {
        let output = soli(&folder, &arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(said), "{message}");
    }
}
