//! The trainer on a tiny rendered data set: every variable learns, and a killed run goes on as if nothing had happened.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use soli::encoder::Form;
use soli::model::Model;
use soli::vocab::Vocabulary;
use soli_trainer::config::Recipe;
use soli_trainer::data::augment::Augmentation;
use soli_trainer::data::batches::{Plan, tokenise};
use soli_trainer::data::{Dataset, Split, tokens};
use soli_trainer::optimiser::{is_statistic, warmup_cosine};
use soli_trainer::parameters::Parameters;
use soli_trainer::stages::captions;

const RECIPE: &str = r#"
seed = 7
min_word_count = 1

[model.encoder]
input_side = 32

[model.decoder]
layers = 2
width = 16
heads = 2
ffn_width = 32
max_tokens = 8

[captions]
epochs = EPOCHS
batch_images = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 1
warmup_steps = 2
weight_decay = 0.01
label_smoothing = 0.1
dropout = 0.1
gradient_clip = 1.0
ema_decay = 0.9
flip = true
crop_area = 0.8
dev_images = 2
"#;

/// Ten pictures of coloured squares in the Kaggle layout, one of them broken, and a recipe.
fn data_set(folder: &Path, epochs: usize) -> PathBuf {
    let images = folder.join("data/Images");
    fs::create_dir_all(&images).unwrap();
    let mut captions = "image,caption\n".to_owned();
    let mut names = Vec::new();
    for (i, (word, colour)) in
        [("red", [200, 30, 30]), ("green", [30, 200, 30]), ("blue", [30, 30, 200]), ("grey", [120, 120, 120])]
            .into_iter()
            .cycle()
            .take(10)
            .enumerate()
    {
        let name = format!("{i}.jpg");
        let picture =
            RgbImage::from_fn(40, 36, |x, y| if x > 8 && y > 8 { Rgb(colour) } else { Rgb([250; 3]) });
        picture.save(images.join(&name)).unwrap();
        captions.push_str(&format!("{name},A {word} square .\n{name},\"A square, {word} .\"\n"));
        names.push(name);
    }
    fs::write(images.join("9.jpg"), b"\xff\xd8\xff\xe0 no picture").unwrap();
    fs::write(folder.join("data/captions.txt"), captions).unwrap();
    fs::write(folder.join("data/Flickr_8k.trainImages.txt"), names.join("\n")).unwrap();
    fs::write(folder.join("data/Flickr_8k.devImages.txt"), names[..4].join("\n")).unwrap();
    let recipe = folder.join("recipe.toml");
    fs::write(&recipe, RECIPE.replace("EPOCHS", &epochs.to_string())).unwrap();
    recipe
}

#[test]
fn every_trainable_variable_gets_a_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = Recipe::load(&data_set(folder.path(), 1)).unwrap();
    let data = Dataset::open(&folder.path().join("data"), Split::Train).unwrap();
    let words = tokens::build_vocabulary(data.examples.iter().flat_map(|e| &e.captions), 1);
    let vocabulary = Vocabulary::new(words).unwrap();
    recipe.model.decoder.vocab_size = vocabulary.len();
    // Four cells: a decoder that can only look at one has nothing to learn of where to look.
    recipe.model.encoder.input_side = 64;
    let examples = tokenise(data.examples, &vocabulary);
    let parameters = Parameters::new(recipe.seed);
    let model = Model::new(parameters.builder(), &recipe.model, Form::Training).unwrap();
    let plan = Plan {
        seed: 1,
        batch_images: 9,
        encoder: recipe.model.encoder.clone(),
        augmentation: Augmentation { flip: true, crop_area: 0.8 },
    };
    let batch = plan.batch(&examples, 0).unwrap();
    let gradients = |frozen| {
        let loss = captions::loss(&model, &recipe.model, &batch, &recipe.captions, frozen, 3).unwrap();
        loss.backward().unwrap()
    };
    let grads = gradients(false);
    let positions = recipe.model.decoder.max_tokens;
    let mut seen = 0;
    for (name, var) in parameters.vars() {
        if is_statistic(&name) {
            assert!(grads.get(&var).is_none(), "{name} must stay as it is");
            continue;
        }
        let grad = grads.get(&var).unwrap_or_else(|| panic!("{name} gets no gradient"));
        let sum = grad.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        // A softmax does not see what all its inputs share: keys' biases cannot have a gradient beyond rounding.
        let useless = name.ends_with("attention.key.bias");
        assert!(sum.is_finite() && (sum > 0.0 || useless), "{name}: gradient sums to {sum}");
        seen += 1;
    }
    assert!(seen > 100, "only {seen} variables of a trunk of 16 blocks and a decoder of {positions} tokens");
    let grads = gradients(true);
    for (name, var) in parameters.vars() {
        let trunk = soli_trainer::optimiser::is_trunk(&name);
        assert_eq!(
            grads.get(&var).is_some(),
            !trunk && !is_statistic(&name),
            "{name} while the trunk is frozen"
        );
    }
}

#[test]
fn broken_pictures_are_named_and_the_epochs_differ() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::load(&data_set(folder.path(), 1)).unwrap();
    let data = Dataset::open(&folder.path().join("data"), Split::Train).unwrap();
    let words = tokens::build_vocabulary(data.examples.iter().flat_map(|e| &e.captions), 1);
    let examples = Arc::new(tokenise(data.examples, &Vocabulary::new(words).unwrap()));
    let augmentation = Augmentation { flip: true, crop_area: 0.5 };
    let plan = Plan { seed: 1, batch_images: 10, encoder: recipe.model.encoder.clone(), augmentation };
    let batch = plan.batch(&examples, 0).unwrap();
    assert_eq!(batch.broken.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["9.jpg"]);
    assert_eq!((batch.captions.len(), batch.pixels.dims()), (9, &[9, 32, 32, 3][..]));
    let values =
        |step| plan.batch(&examples, step).unwrap().pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(values(0), values(0));
    assert_ne!(values(0), values(1));
    let streamed = plan.clone().stream(examples.clone(), 1..2).recv().unwrap().unwrap();
    assert_eq!(streamed.pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap(), values(1));
}

fn train(folder: &Path, recipe: &Path, run: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.arg("train").arg("--config").arg(recipe).arg("--data").arg(folder.join("data"));
    command.arg("--backbone").arg("none").arg("--run").arg(folder.join(run)).stderr(Stdio::piped());
    command
}

#[test]
fn a_killed_run_goes_on_with_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 60);
    let whole = train(folder.path(), &recipe, "whole").output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    let mut child = train(folder.path(), &recipe, "killed").stderr(Stdio::null()).spawn().unwrap();
    let checkpoint = folder.path().join("killed/checkpoint.safetensors");
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the run ended before it could be killed");
    let resumed = train(folder.path(), &recipe, "killed").output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));

    let metrics = |run: &str| fs::read_to_string(folder.path().join(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("whole"), metrics("killed"));
    assert_eq!(metrics("whole").lines().count(), 1 + 60 * 3 + 60);
    let weights = fs::read(folder.path().join("killed/soli.safetensors")).unwrap();
    soli::captioner::Captioner::from_bytes(&weights).expect("the run's weights load");
    let file = |run: &str, name: &str| fs::read(folder.path().join(run).join(name)).unwrap();
    assert_eq!(file("whole", "curve.svg"), file("killed", "curve.svg"));

    let other = data_set(folder.path(), 61);
    let refused = train(folder.path(), &other, "killed").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another configuration"));
}

#[test]
fn a_recipe_with_a_mistake_names_key_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    for (from, to, expected) in [
        ("dropout = 0.1", "drop_out = 0.1", vec!["drop_out", "line 24"]),
        ("dropout = 0.1", "dropout = 1.5", vec!["captions.dropout", "1.5"]),
        ("heads = 2", "heads = 3", vec!["decoder.width", "3"]),
        ("input_side = 32", "input_side = 40", vec!["input_side"]),
        ("seed = 7", "seed = \"x\"", vec!["line 2", "seed"]),
    ] {
        fs::write(&path, RECIPE.replace("EPOCHS", "3").replace(from, to)).unwrap();
        let error = Recipe::load(&path).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{to}: {error}");
        }
    }
}

#[test]
fn the_learning_rate_rises_and_falls() {
    let rates: Vec<f64> = (0..=100).map(|step| warmup_cosine(step, 100, 10)).collect();
    assert!(
        (rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12 && (rates[10] - 1.0).abs() < 1e-12
    );
    assert!((rates[55] - 0.5).abs() < 1e-12 && rates[100].abs() < 1e-12);
    assert!(rates[10..].windows(2).all(|pair| pair[1] <= pair[0]));
}
