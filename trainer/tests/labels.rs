//! Labelled photographs teach the concept head of a network that can describe, and nothing else of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use soli::captioner::{CaptionOptions, Captioner};
use soli::weights::Weights;
use soli_trainer::data::{decode, labelled};

const MODEL: &str = r#"
seed = 7
min_word_count = 1
dev_images = 2

[model.encoder]
input_side = 64

[model.decoder]
layers = 1
width = 16
heads = 2
ffn_width = 32
max_tokens = 8

[model.concepts]
most = 20
rank = 8
read = 3
"#;

const VIEWS_AND_SCHEDULE: &str = r#"
[STAGE.views]
flip = true
crop_area = 0.8
degraded = 0.5

[STAGE.schedule]
epochs = EPOCHS
batch = 8
learning_rate = 1e-2
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9
"#;

fn recipe(path: &Path, stages: &[(&str, &str, usize)]) {
    let stage = |(name, settings, epochs): &(&str, &str, usize)| {
        let rest = VIEWS_AND_SCHEDULE.replace("STAGE", name).replace("EPOCHS", &epochs.to_string());
        format!("[{name}]\n{settings}\n{rest}")
    };
    fs::write(path, MODEL.to_owned() + &stages.iter().map(stage).collect::<String>()).unwrap();
}

fn square(colour: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(40, 36, |x, y| if x > 8 && y > 8 { Rgb(colour) } else { Rgb([250; 3]) })
}

const RED: [u8; 3] = [200, 30, 30];

/// Captions of red and green squares, and labels that call red squares flowers.
fn data_set(folder: &Path) -> Vec<String> {
    let data = folder.join("data");
    fs::create_dir_all(data.join("Images")).unwrap();
    let mut captions = "image,caption,split\n".to_owned();
    for i in 0..12 {
        let (word, colour) = [("red", RED), ("green", [30, 200, 30])][i % 2];
        square(colour).save(data.join(format!("Images/{i}.png"))).unwrap();
        let split = if i < 10 { "train" } else { "dev" };
        captions += &format!("{i}.png,A {word} square near me .,{split}\n");
    }
    // Somebody has said the word.
    captions += "1.png,A flower .,train\n";
    fs::write(data.join("captions.csv"), captions).unwrap();
    let names: Vec<String> = (0..12).map(|i| format!("label{i}.png")).collect();
    let mut table = "image,kind,label\n".to_owned();
    for name in &names {
        square(RED).save(data.join("Images").join(name)).unwrap();
        table += &format!("{name},plant,flower\n");
    }
    table += "0.png,drawing,flower\n";
    fs::write(data.join("labels.csv"), table).unwrap();
    names
}

fn train(folder: &Path, run: &str, arguments: &[&str]) -> Output {
    command(folder, run, arguments).output().unwrap()
}

fn command(folder: &Path, run: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.current_dir(folder).args(["train", "--config", &format!("{run}.toml"), "--data", "data"]);
    command.args(["--pretrained", "none", "--run", run]).args(arguments);
    command
}

fn well(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn labels_teach_the_concept_head_and_leave_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names = data_set(folder);
    recipe(
        &folder.join("first.toml"),
        &[("concepts", "dropout = 0.1", 6), ("captions", "label_smoothing = 0.1\ndropout = 0.1", 3)],
    );
    well(&train(folder, "first", &[]));
    for (run, settings) in [("kept", "dropout = 0.1\nkept_views = 2"), ("new", "dropout = 0.1\nlabels = 0.9")]
    {
        recipe(&folder.join(format!("{run}.toml")), &[("concepts", settings, 20)]);
        let weights = ["--weights", "first/soli.safetensors", "--labels", "data"];
        let said = well(&train(folder, run, &weights));
        let used = names.iter().filter(|name| !labelled::is_held_out(name)).count();
        assert!(used < names.len(), "some are kept for measuring");
        assert!(
            said.contains(&format!("13 pictures, 12 of them labelled photographs, {used} learned from")),
            "{said}"
        );
        assert!(!folder.join(run).join("concepts/kept").exists());
    }
    let read = |run: &str| fs::read(folder.join(run).join("soli.safetensors")).unwrap();
    let red = decode::Picture::from(&square(RED));
    let probability = |run: &str, word: &str| {
        let captioner = Captioner::from_bytes(&read(run)).unwrap();
        let caption = captioner.caption(&red.rgba(), &CaptionOptions::default()).unwrap();
        caption.words.iter().find(|found| found.word == word).map_or(0.0, |found| found.probability)
    };
    let before = probability("first", "flower");
    for run in ["kept", "new"] {
        let after = probability(run, "flower");
        assert!(after > before + 0.2 && after > 0.35, "{run}: {before} before, {after} after");
        // A label says nothing of the rest.
        assert!(probability(run, "red") > probability("first", "red") - 0.3, "{run}");
        let tensors = |run: &str| Weights::from_bytes(&read(run)).unwrap().tensors;
        let (old, new) = (tensors("first"), tensors(run));
        for (name, tensor) in &old {
            let learns = ["concepts.norm.", "concepts.hidden.", "concepts.output."];
            let learns = learns.iter().any(|prefix| name.starts_with(prefix));
            assert_eq!(new[name] != *tensor, learns, "{run}: {name}");
        }
    }

    // Started again, nothing is left to do.
    let arguments = ["--weights", "first/soli.safetensors", "--labels", "data"];
    assert!(well(&train(folder, "kept", &arguments)).contains("finished earlier"));

    // Killed when one of two views is kept, it goes on to the same numbers.
    fs::copy(folder.join("kept.toml"), folder.join("killed.toml")).unwrap();
    let mut child = command(folder, "killed", &arguments).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while fs::read_dir(folder.join("killed/concepts/kept")).map_or(0, Iterator::count) < 2 {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing is kept");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    well(&train(folder, "killed", &arguments));
    let tensors = |run: &str| Weights::from_bytes(&read(run)).unwrap().tensors;
    assert!(tensors("killed") == tensors("kept"), "other numbers");

    // Measured are those that were not learned from.
    let held_out = names.iter().filter(|name| labelled::is_held_out(name)).count();
    let mut eval = Command::new(env!("CARGO_BIN_EXE_soli"));
    eval.current_dir(folder).args([
        "eval",
        "--labels",
        "data",
        "--json",
        "--weights",
        "new/soli.safetensors",
    ]);
    let output = eval.output().unwrap();
    well(&output);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["images"], &found["with_own_word"]), (&held_out.into(), &held_out.into()));
    assert_eq!(found["own_in_12_words"], 1.0, "{found}");
}

#[test]
fn labels_need_a_network_that_knows_what_else_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data_set(folder);
    recipe(&folder.join("run.toml"), &[("concepts", "dropout = 0.1", 1)]);
    let output = train(folder, "run", &["--labels", "data"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("--weights"), "{said}");

    // The pretrained classifier cannot be asked where there is none.
    recipe(&folder.join("run.toml"), &[("concepts", "dropout = 0.1\nclassifier = 0.5", 1)]);
    let output = train(folder, "run", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("--pretrained"), "{said}");

    // Kept views go with a trunk that stays as it is.
    recipe(&folder.join("run.toml"), &[("concepts", "dropout = 0.1\nkept_views = 2", 1)]);
    let text = fs::read_to_string(folder.join("run.toml")).unwrap();
    let text = text.replace("warmup_steps", "trunk_learning_rate = 1e-3\nwarmup_steps");
    fs::write(folder.join("run.toml"), text).unwrap();
    let output = train(folder, "run", &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("concepts.schedule.trunk_learning_rate"), "{said}");
}
