//! `soli eval` as a user runs it, with weights that were never trained.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{picture, weights_file};

/// Four dev pictures with a caption each.
fn data_set(folder: &Path) {
    let images = folder.join("data/Images");
    fs::create_dir_all(&images).unwrap();
    let names: Vec<String> = (0..4).map(|i| format!("{i}.jpg")).collect();
    let mut captions = "image,caption\n".to_owned();
    for (i, name) in names.iter().enumerate() {
        let pixels = image::load_from_memory(&picture(i)).unwrap().into_rgb8();
        pixels.save(images.join(name)).unwrap();
        captions.push_str(&format!("{name},A dog runs .\n"));
    }
    fs::write(folder.join("data/captions.txt"), captions).unwrap();
    fs::write(folder.join("data/Flickr_8k.devImages.txt"), names.join("\n")).unwrap();
}

fn eval(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.current_dir(folder);
    command.args(["eval", "--data", "data", "--weights", "random.safetensors", "--px", "32,24"]).args(more);
    command
}

#[test]
fn a_reader_who_has_seen_enough_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    data_set(folder.path());
    weights_file(folder.path());
    let whole = eval(folder.path(), &["--json", "--captions", "whole.ndjson"]).output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    assert_eq!(String::from_utf8(whole.stdout).unwrap().lines().count(), 2);

    for more in [&["--json"][..], &[], &["--captions", "closed.ndjson"]] {
        let mut command = eval(folder.path(), more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("panic"), "{more:?}: {said}");
    }
    // What was asked for in a file is there whole.
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("closed.ndjson"), read("whole.ndjson"));
}
