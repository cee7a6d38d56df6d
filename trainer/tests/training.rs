//! The trainer on a tiny rendered data set: every variable learns, and a killed run goes on as if nothing had happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candle_core::Tensor;
use image::{Rgb, RgbImage};
use soli::config::ConceptConfig;
use soli::graph::Model;
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::graph::{Dropout, TokenBatch};
use soli::vocab::Vocabulary;
use soli::weights::Weights;
use soli_trainer::concepts::{Folds, Simulation, Targets};
use soli_trainer::config::Recipe;
use soli_trainer::contrast;
use soli_trainer::data::batches::{Batch, Plan, TokenExample, tokenise};
use soli_trainer::data::views::{Pairing, Views};
use soli_trainer::data::{Dataset, Split, tokens};
use soli_trainer::optimiser::{WORD_TABLES, is_classifier, is_statistic, is_trunk, warmup_cosine};
use soli_trainer::parameters::Parameters;
use soli_trainer::stages::captions::CaptionStage;
use soli_trainer::stages::joint::{CaptionsOn, JointStage};
use soli_trainer::stages::reading::Reader;
use soli_trainer::stages::scst::ScstStage;
use soli_trainer::stages::{self, captions, joint, scst};
use soli_trainer::study::ladder::Plan as Ladder;

const RECIPE: &str = r#"
seed = 7
min_word_count = 1
dev_images = 2

[model.encoder]
input_side = 32

[model.decoder]
layers = 2
width = 16
heads = 2
ffn_width = 32
max_tokens = 8

[captions]
label_smoothing = 0.1
dropout = 0.1

[captions.views]
flip = true
crop_area = 0.8
degraded = 0.5

[captions.schedule]
epochs = EPOCHS
batch = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 1
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9
"#;

/// The stages around the captions.
const OTHER_STAGES: &str = r#"
[text]
label_smoothing = 0.1
dropout = 0.1

[text.schedule]
epochs = 2
batch = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 0
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9

[siamese]
margin = 1.0
unlabelled = true
pairing = "two-versions"

[siamese.views]
flip = true
crop_area = 0.8

[siamese.schedule]
epochs = 2
batch = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 0
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9

[joint]
label_smoothing = 0.1
dropout = 0.1
contrastive = 1.0
margin = 1.0
distillation = 0.5
word_distillation = 0.5
teacher = "start"
info_nce = 0.1
pairing = "sharp-and-degraded"
captions_on = "both"
unlabelled = 2

[joint.views]
flip = true
crop_area = 0.8
versions = "any-size"
corrupted = 0.3

[joint.schedule]
epochs = 2
batch = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 0
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9

[scst]
samples = 3
cross_entropy = 0.1
temperature = 0.8

[scst.views]
flip = true
crop_area = 0.8
degraded = 0.5

[scst.schedule]
epochs = 2
batch = 4
learning_rate = 3e-3
trunk_learning_rate = 1e-3
trunk_frozen_epochs = 0
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9

[model.concepts]
most = 20
rank = 8
read = 3

[concepts]
dropout = 0.2

[concepts.views]
flip = true
crop_area = 0.8
degraded = 0.5

[concepts.schedule]
epochs = 3
batch = 4
learning_rate = 3e-3
warmup_steps = 2
weight_decay = 0.01
gradient_clip = 1.0
ema_decay = 0.9
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

/// A network on the tiny data set, with all five stages' settings.
struct Tiny {
    recipe: Recipe,
    examples: Vec<TokenExample>,
    parameters: Parameters,
    model: Model,
    folds: Option<Folds>,
}

impl Tiny {
    fn new() -> Self {
        Self::with_words(false)
    }

    /// A network with EfficientNet's head before its embedding, or one that reads words.
    fn with_words(words_are_read: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = data_set(folder.path(), 1);
        fs::write(&path, fs::read_to_string(&path).unwrap() + OTHER_STAGES).unwrap();
        let mut recipe = Recipe::load(&path).unwrap();
        let data = Dataset::open(&folder.path().join("data"), Split::Train).unwrap();
        let words = tokens::build_vocabulary(data.examples.iter().flat_map(|e| &e.captions), 1);
        let vocabulary = Vocabulary::new(words).unwrap();
        recipe.model.decoder.vocab_size = vocabulary.len();
        // Four cells: a decoder that can only look at one has nothing to learn of where to look.
        recipe.model.encoder.input_side = 64;
        recipe.model.encoder.head = !words_are_read;
        recipe.model.concepts = words_are_read.then(|| ConceptConfig {
            most: 9,
            rank: 8,
            read: 3,
            tokens: (3..vocabulary.len() as u32).collect(),
        });
        let examples = tokenise(data.examples, &vocabulary, 0, 1.0);
        let parameters = Parameters::new(recipe.seed);
        let (model, folds) = stages::build(&parameters, &recipe.model).unwrap();
        // The pictures are decoded now: the folder goes away with this function.
        let tiny = Self { recipe, examples, parameters, model, folds };
        TINY_FOLDERS.lock().unwrap().push(folder);
        tiny
    }

    fn batch(&self, pairing: Option<Pairing>) -> Batch {
        let views = Views { degraded: 0.5, crop_area: 0.8, flip: true, ..Views::PLAIN };
        let encoder = self.recipe.model.encoder.clone();
        Plan { seed: 1, batch_images: 9, encoder, views, pairing }.batch(&self.examples, 0).unwrap()
    }

    /// Checks that exactly the parameters that `learns` names get a gradient, and none of them only zeros.
    fn check(&self, what: &str, loss: &Tensor, learns: impl Fn(&str) -> bool) {
        let grads = loss.backward().unwrap();
        let mut seen = 0;
        for (name, var) in self.parameters.vars() {
            let grad = grads.get(&var);
            if is_statistic(&name) || !learns(&name) {
                assert!(grad.is_none(), "{what}: {name} must stay as it is");
                continue;
            }
            let grad = grad.unwrap_or_else(|| panic!("{what}: {name} gets no gradient"));
            let sum = grad.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            // A softmax does not see what all its inputs share: keys' biases cannot have a gradient beyond rounding.
            let useless = name.ends_with("attention.key.bias");
            assert!(sum.is_finite() && (sum > 0.0 || useless), "{what}: {name}: gradient sums to {sum}");
            seen += 1;
        }
        assert!(seen > 20, "{what}: only {seen} variables learn");
    }
}

fn reader(tiny: &Tiny) -> Reader<'_> {
    Reader { model: &tiny.model, folds: tiny.folds.as_ref() }
}

/// The pictures of [`Tiny`] networks, until the tests end.
static TINY_FOLDERS: Mutex<Vec<tempfile::TempDir>> = Mutex::new(Vec::new());

#[test]
fn every_trainable_variable_gets_a_gradient() {
    let tiny = Tiny::new();
    let Recipe { model: config, captions, joint, scst, .. } = &tiny.recipe;
    let (captions, joint, scst) =
        (captions.as_ref().unwrap(), joint.as_ref().unwrap(), scst.as_ref().unwrap());

    let batch = tiny.batch(None);
    let of = |frozen| captions::loss(&tiny.model, None, config, &batch, captions, frozen, 3).unwrap().0;
    tiny.check("captions", &of(false), |_| true);
    tiny.check("captions while the trunk is frozen", &of(true), |name| !is_trunk(name));

    let pairs = tiny.batch(Some(Pairing::SharpAndDegraded));
    for captions_on in [CaptionsOn::Both, CaptionsOn::Second] {
        let stage = JointStage { captions_on, ..joint.clone() };
        let other = Tiny::new();
        scst::sharpen(&other.parameters, 0.5).unwrap();
        let losses = [None, Some(&other.model)].map(|teacher| {
            let loss = joint::loss(&tiny.model, teacher, config, &pairs, &stage, false, 3).unwrap();
            tiny.check(&format!("joint on {captions_on:?}"), &loss.total, |_| true);
            assert!(loss.terms.iter().all(|term| term.is_finite()));
            loss.total.to_scalar::<f32>().unwrap()
        });
        assert!((losses[0] - losses[1]).abs() > 1e-4, "a teacher of its own changes nothing: {losses:?}");
    }

    let references = scst::References::new(&tiny.examples);
    let (loss, [reward, entropy]) =
        scst::loss(reader(&tiny), config, &batch, scst, &references, false, 3).unwrap();
    tiny.check("self-critical", &loss, |_| true);
    assert!((0.0..=10.0).contains(&reward) && entropy > 0.0);

    // A network sharpened to a temperature divides its logits by it.
    let texts = [vec![vec![5u32, 6, 7]]];
    let tokens = TokenBatch::new(&texts, config.latents(), config.decoder.max_tokens);
    let embedding = tiny.model.embed(&batch.pixels.narrow(0, 0, 1).unwrap()).unwrap();
    let logits = || {
        let logits = tiny.model.decoder.forward(&tokens, &embedding, &mut Dropout::off()).unwrap();
        logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let before = logits();
    scst::sharpen(&tiny.parameters, 0.5).unwrap();
    for (before, after) in before.iter().zip(logits()) {
        assert!((2.0 * before - after).abs() < 1e-4, "{before} {after}");
    }

    // The Siamese loss reads the embedding; nothing of the decoder, and not the places' marks, which all share.
    let embed = |pixels| tiny.model.embed(pixels).unwrap();
    let (a, b) = (embed(&pairs.pixels), embed(pairs.paired.as_ref().unwrap()));
    let others = contrast::other_pictures(a.dim(0).unwrap(), 1);
    let (loss, _, _) = contrast::contrastive(&a, &b, &others, 3.0).unwrap();
    tiny.check("contrastive", &loss, |name| name.starts_with("encoder."));

    // Without pictures only the language is learned.
    let texts = vec![tiny.examples.iter().flat_map(|e| e.captions.clone()).collect::<Vec<_>>()];
    let tokens = TokenBatch::new(&texts, 1, config.decoder.max_tokens);
    let logits = tiny.model.decoder.forward_text(&tokens, &mut Dropout::new(0.1, 1)).unwrap();
    let loss = cross_entropy(&logits, &tokens.targets, 0.1).unwrap().mean_all().unwrap();
    tiny.check("text", &loss, |name| name.starts_with("decoder.") && !name.contains("cross_"));
}

#[test]
fn every_variable_of_a_network_that_reads_words_gets_a_gradient() {
    let tiny = Tiny::with_words(true);
    let Recipe { model: config, captions, scst, .. } = &tiny.recipe;
    let (captions, scst) = (captions.as_ref().unwrap(), scst.as_ref().unwrap());
    let folds = tiny.folds.as_ref().unwrap();
    let tokens = &config.concepts.as_ref().unwrap().tokens;
    let batch = tiny.batch(None);
    let groups = vec![batch.captions[0].clone(), batch.captions[1].clone()];
    let mut simulation = Simulation::new(3);
    let targets = Targets::new(tokens);
    for captions in &batch.captions {
        let logits: Vec<f32> = (0..tokens.len()).map(|i| i as f32 - 4.0).collect();
        simulation.learn(&targets.of(captions), &logits);
    }
    let head =
        captions::Head { folds, targets: targets.clone(), simulation: simulation.clone(), groups: &groups };
    let stage = CaptionStage { concepts: 0.5, groups: 3, ..captions.clone() };
    let (loss, terms) = captions::loss(&tiny.model, Some(&head), config, &batch, &stage, false, 3).unwrap();
    assert!(terms.iter().all(|term| term.is_finite()), "{terms:?}");
    tiny.check("captions with words", &loss, |_| true);

    // Without its own loss the head stays as it is, but for how words are read.
    let stage = CaptionStage { concepts: 0.0, groups: 0, ..stage };
    let (loss, terms) = captions::loss(&tiny.model, Some(&head), config, &batch, &stage, true, 3).unwrap();
    assert!(terms[1].is_nan() && terms[2].is_nan());
    tiny.check("captions on a fixed head", &loss, |name| !is_trunk(name) && !is_classifier(name));

    let references = scst::References::new(&tiny.examples);
    let (loss, _) = scst::loss(reader(&tiny), config, &batch, scst, &references, false, 3).unwrap();
    tiny.check("self-critical with words", &loss, |name| {
        !is_classifier(name) && !name.starts_with("concepts.head.")
    });

    // Captions of pictures that are not there: the decoder learns, and how words are read.
    let unseen = scst::Unseen::new(&groups, targets, simulation, 3);
    let stage = ScstStage { groups: 6, ..scst.clone() };
    let (loss, reward) = unseen.loss(&tiny.model, &stage, config.decoder.max_tokens, 3).unwrap().unwrap();
    assert!((0.0..=10.0).contains(&reward));
    tiny.check("self-critical without pictures", &loss, |name| {
        !is_classifier(name) && !name.starts_with("concepts.head.") && !name.starts_with("encoder.")
    });
    // A network that reads more words than there are is asked nothing.
    let unseen = scst::Unseen::new(&groups, Targets::new(tokens), Simulation::new(3), 3);
    assert!(unseen.loss(&tiny.model, &stage, 5, 3).unwrap().is_none());
}

#[test]
fn a_picture_of_weight_one_and_a_half_is_drawn_thrice_in_two_epochs() {
    let mut tiny = Tiny::new();
    tiny.examples.iter_mut().for_each(|example| example.weight = 1.5);
    let views = Views::PLAIN;
    let encoder = tiny.recipe.model.encoder.clone();
    let plan = Plan { seed: 1, batch_images: 2, encoder, views, pairing: None };
    let steps = plan.steps_per_epoch(&tiny.examples);
    assert_eq!(steps, (tiny.examples.len() * 3 / 2).div_ceil(2));
    let mut drawn = vec![0; tiny.examples.len()];
    for step in 0..2 * steps {
        plan.batch(&tiny.examples, step).unwrap().indices.iter().for_each(|&i| drawn[i] += 1);
    }
    // One of the pictures cannot be read. Each of the others once or twice an epoch.
    let readable: Vec<_> = drawn.iter().filter(|count| **count > 0).collect();
    assert!(readable.iter().all(|count| (2..=4).contains(*count)), "{drawn:?}");
    assert!(drawn.iter().sum::<usize>() >= 3 * readable.len() - 2, "{drawn:?}");
}

#[test]
fn broken_pictures_are_named_and_the_epochs_differ() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::load(&data_set(folder.path(), 1)).unwrap();
    let data = Dataset::open(&folder.path().join("data"), Split::Train).unwrap();
    let words = tokens::build_vocabulary(data.examples.iter().flat_map(|e| &e.captions), 1);
    let examples = Arc::new(tokenise(data.examples, &Vocabulary::new(words).unwrap(), 0, 1.0));
    let views = Views { flip: true, crop_area: 0.5, ..Views::PLAIN };
    let plan =
        Plan { seed: 1, batch_images: 10, encoder: recipe.model.encoder.clone(), views, pairing: None };
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
    command.arg("--pretrained").arg("none").arg("--run").arg(folder.join(run)).stderr(Stdio::piped());
    command
}

/// Runs `run` and kills it as soon as `path` is there.
fn kill_when(path: &Path, mut run: Command) {
    let mut child = run.stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while !path.exists() {
        assert!(started.elapsed() < Duration::from_secs(240), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "the run ended before it could be killed");
}

#[test]
fn a_killed_run_goes_on_with_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 40);
    let text = fs::read_to_string(&recipe).unwrap() + OTHER_STAGES;
    // Captions without pictures too, whose words are drawn as well.
    fs::write(
        &recipe,
        text.replace("[captions]\n", "[captions]\ngroups = 2\nconcepts = 0.1\n")
            .replace("[scst]\n", "[scst]\ngroups = 2\n"),
    )
    .unwrap();
    let texts = folder.path().join("texts.tsv");
    fs::write(&texts, "7\tA red square .\n7\tA square, red .\n9\tA blue square .\n").unwrap();
    let run = |name: &str| {
        let mut command = train(folder.path(), &recipe, name);
        command.arg("--text").arg(&texts);
        command.arg("--unlabelled").arg(folder.path().join("data/Images"));
        command
    };
    let whole = run("whole").output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    // In the middle of a stage, and between two.
    let killed = folder.path().join("killed");
    kill_when(&killed.join("captions/checkpoint.safetensors"), run("killed"));
    kill_when(&killed.join("captions/parameters.safetensors"), run("killed"));
    let resumed = run("killed").output().unwrap();
    let said = String::from_utf8_lossy(&resumed.stderr);
    assert!(resumed.status.success(), "{said}");
    assert!(said.contains("stage captions: finished earlier"), "{said}");

    let file = |run: &str, name: &str| fs::read(folder.path().join(run).join(name)).unwrap();
    for stage in stages::Stage::ALL.map(stages::Stage::name) {
        let metrics = |run: &str| String::from_utf8(file(run, &format!("{stage}/metrics.csv"))).unwrap();
        assert_eq!(metrics("whole"), metrics("killed"), "{stage}");
        assert!(metrics("whole").lines().count() > 4, "{stage}");
        let curve = format!("{stage}/curve.svg");
        assert_eq!(file("whole", &curve), file("killed", &curve), "{stage}");
        let numbers = |run: &str| {
            let bytes = file(run, &format!("{stage}/parameters.safetensors"));
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let mut values: Vec<_> =
                tensors.tensors().into_iter().map(|(name, t)| (name, t.data().to_vec())).collect();
            values.sort();
            values
        };
        assert!(numbers("whole") == numbers("killed"), "{stage}: other parameters");
    }
    soli::captioner::Captioner::from_bytes(&file("killed", "soli.safetensors"))
        .expect("the run's weights load");

    let text = fs::read_to_string(&recipe).unwrap().replace("samples = 3", "samples = 4");
    fs::write(&recipe, text).unwrap();
    let refused = run("killed").output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("scst") && said.contains("another configuration"), "{said}");
}

/// Copies a folder and all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

/// Each file of a run that was stopped, cut off: the run goes on to the same end, or says which file to delete. (What is read
/// back of them, checkpoint and metrics, is cut at every length by the unit tests of `checkpoint.rs` and `run.rs`.)
#[test]
fn a_run_goes_on_whichever_of_its_files_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 8);
    let whole = train(folder.path(), &recipe, "whole").output().unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let stopped = folder.path().join("stopped");
    kill_when(&stopped.join("captions/previous.safetensors"), train(folder.path(), &recipe, "stopped"));
    // It is killed while it replaces the checkpoint: then the last one but one is the only one.
    let (last, previous) =
        (stopped.join("captions/checkpoint.safetensors"), stopped.join("captions/previous.safetensors"));
    if !last.exists() {
        fs::copy(&previous, &last).unwrap();
    }
    let _half = fs::remove_file(last.with_extension("part"));

    let read = |run: &str, name: &str| fs::read(folder.path().join(run).join(name)).unwrap();
    let files = |run: &str, inside: &str| -> Vec<String> {
        let inside = if inside.is_empty() { inside.to_owned() } else { format!("{inside}/") };
        let entries = fs::read_dir(folder.path().join(run).join(&inside)).unwrap();
        let entries = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
        let mut names: Vec<_> =
            entries.map(|entry| format!("{inside}{}", entry.file_name().to_string_lossy())).collect();
        names.sort();
        names
    };
    let of = |run: &str| [files(run, ""), files(run, "captions")].concat();
    let mut torn = 0;
    // The unfinished run, and the finished one, which is started again.
    for (run, name) in
        ["stopped", "whole"].into_iter().flat_map(|run| of(run).into_iter().map(move |name| (run, name)))
    {
        let length = read(run, &name).len();
        for end in [0, length / 2] {
            torn += 1;
            let what = format!("{name} of the {run} run, cut to {end} of {length} bytes");
            let again = folder.path().join("again");
            copy(&folder.path().join(run), &again);
            fs::write(again.join(&name), &read(run, &name)[..end]).unwrap();
            let output = train(folder.path(), &recipe, "again").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if name.ends_with("parameters.safetensors") {
                assert!(!output.status.success(), "{what}");
                assert!(said.contains(&name) && said.contains("delete it"), "{what}: {said}");
            } else {
                assert!(output.status.success(), "{what}: {said}");
                assert_eq!(read("again", "config.toml"), read("whole", "config.toml"), "{what}");
                // The weights say when they were made, and for how many seconds.
                let tensors = |run| Weights::from_bytes(&read(run, "soli.safetensors")).unwrap().tensors;
                assert!(tensors("again") == tensors("whole"), "{what}: other weights");
                if !name.ends_with("metrics.csv") {
                    assert_eq!(
                        read("again", "captions/metrics.csv"),
                        read("whole", "captions/metrics.csv"),
                        "{what}"
                    );
                }
                let rest: Vec<_> =
                    of("again").into_iter().filter(|name| !name.ends_with(".damaged")).collect();
                assert_eq!(rest, of("whole"), "{what}");
            }
            fs::remove_dir_all(&again).unwrap();
        }
    }
    assert!(torn >= 20, "{torn} torn files");
}

#[test]
fn weights_are_trained_on_and_learn_new_words() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 8);
    let first = train(folder.path(), &recipe, "first").output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let captions = folder.path().join("data/captions.txt");
    fs::write(&captions, fs::read_to_string(&captions).unwrap() + "0.jpg,A ruby square .\n").unwrap();
    let weights = folder.path().join("first/soli.safetensors");
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.arg("train").arg("--config").arg(&recipe).arg("--data").arg(folder.path().join("data"));
    command.arg("--weights").arg(&weights).arg("--run").arg(folder.path().join("second"));
    let second = command.output().unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    let read = |run: &str| Weights::from_bytes(&fs::read(folder.path().join(run)).unwrap()).unwrap();
    let (before, after) = (read("first/soli.safetensors"), read("second/soli.safetensors"));
    let (old, new) = (before.vocabulary.words(), after.vocabulary.words());
    assert_eq!(&new[..old.len()], old);
    assert_eq!(&new[old.len()..], ["ruby"]);
    let losses = |run: &str| -> Vec<f32> {
        let metrics = fs::read_to_string(folder.path().join(run).join("captions/metrics.csv")).unwrap();
        metrics.lines().skip(1).filter_map(|line| line.split(',').nth(2)?.parse().ok()).collect()
    };
    let (fresh, trained_on) = (losses("first")[0], losses("second")[0]);
    assert!(trained_on < fresh - 0.3, "the first loss is {trained_on}, that of a fresh network {fresh}");
}

/// The numbers of a run's captions, as they are handed on.
fn handed_on(run: &Path) -> BTreeMap<String, Vec<f32>> {
    let file = run.join("captions/parameters.safetensors");
    let tensors = candle_core::safetensors::load(file, &candle_core::Device::Cpu).unwrap();
    let values = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors.into_iter().map(|(name, tensor)| (name, values(tensor))).collect()
}

#[test]
fn what_is_kept_is_averaged_with_what_is_learned_and_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 12);
    let text = fs::read_to_string(&recipe).unwrap();
    let keep = |share: f64| {
        let kept = text.replace("ema_decay = 0.9", &format!("ema_decay = 0.9\nkeep = {share}"));
        fs::write(&recipe, kept).unwrap();
    };
    keep(0.5);
    let refused = train(folder.path(), &recipe, "refused").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("captions.schedule.keep"), "{said}");
    assert!(said.contains("--weights"), "{said}");

    fs::write(&recipe, &text).unwrap();
    let first = train(folder.path(), &recipe, "first").output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let captions = folder.path().join("data/captions.txt");
    fs::write(&captions, fs::read_to_string(&captions).unwrap() + "0.jpg,A ruby square .\n").unwrap();
    let on = |run: &str| {
        let mut command = train(folder.path(), &recipe, run);
        command.arg("--weights").arg(folder.path().join("first/soli.safetensors"));
        command
    };
    for (run, share) in [("learned", 0.0), ("half", 0.25), ("known", 1.0)] {
        keep(share);
        let output = on(run).output().unwrap();
        assert!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let [learned, half, known] = ["learned", "half", "known"].map(|run| handed_on(&folder.path().join(run)));
    assert!(learned["decoder.embedding.weight"] != known["decoder.embedding.weight"], "nothing was learned");
    let mean = |(&is, &was): (&f32, &f32)| (0.25 * f64::from(was) + 0.75 * f64::from(is)) as f32;
    for (name, half) in &half {
        let mut expected: Vec<f32> = learned[name].iter().zip(&known[name]).map(mean).collect();
        if WORD_TABLES.contains(&name.as_str()) {
            // The new word is the last one, and all that is known of it was learned now.
            let row = if name.ends_with("weight") { 16 } else { 1 };
            let from = expected.len() - row;
            assert_eq!(learned[name][from..], known[name][from..], "{name}");
            expected[from..].copy_from_slice(&learned[name][from..]);
        }
        assert!(*half == expected, "{name} is not the mean");
    }

    let recipe_of = |run: &str| {
        Weights::from_bytes(&fs::read(folder.path().join(run).join("soli.safetensors")).unwrap())
            .unwrap()
            .provenance
            .recipe
            .unwrap()
    };
    assert!(recipe_of("half").contains("keep = 0.25") && !recipe_of("learned").contains("keep"));

    // The file that was started from, to the last bit of what is not rounded; in it a matrix is 8-bit integers.
    let read = |run: &str| Weights::from_bytes(&fs::read(folder.path().join(run)).unwrap()).unwrap();
    let (before, after) = (read("first/soli.safetensors").tensors, read("known/soli.safetensors").tensors);
    for name in ["decoder.norm.gamma", "encoder.stem.bias", "decoder.layers.1.ffn_up.bias"] {
        assert_eq!(before[name].values, after[name].values, "{name}");
    }
    for (name, before) in before.iter().filter(|(name, _)| !WORD_TABLES.contains(&name.as_str())) {
        let most = before.values.iter().fold(0f32, |most, value| most.max(value.abs()));
        for (before, after) in before.values.iter().zip(&after[name].values) {
            assert!((before - after).abs() <= 1e-5 * most, "{name}: {before} became {after}");
        }
    }

    keep(0.25);
    let killed = folder.path().join("killed");
    kill_when(&killed.join("captions/previous.safetensors"), on("killed"));
    // What is exported of a stage that is not finished is averaged too.
    let last = killed.join("captions/checkpoint.safetensors");
    if !last.exists() {
        fs::copy(killed.join("captions/previous.safetensors"), &last).unwrap();
    }
    let name = "decoder.layers.0.ffn_up.bias";
    let state = candle_core::safetensors::load(&last, &candle_core::Device::Cpu).unwrap();
    let is = state[&format!("ema:{name}")].to_vec1::<f32>().unwrap();
    let expected: Vec<f32> = is.iter().zip(&known[name]).map(mean).collect();
    assert!(is != known[name], "nothing was learned yet");
    assert_eq!(soli_trainer::cli::export::weights_of(&killed).unwrap().tensors[name].values, expected);
    let resumed = on("killed").output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert!(handed_on(&killed) == half, "a run that was killed ends elsewhere");
}

#[test]
fn classifiers_begin_afresh_and_nothing_else_learns() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 1);
    let text = fs::read_to_string(&recipe).unwrap() + OTHER_STAGES;
    fs::write(&recipe, &text).unwrap();
    let mut command = train(folder.path(), &recipe, "first");
    fs::write(folder.path().join("texts.txt"), "A red square .\n").unwrap();
    command.arg("--text").arg(folder.path().join("texts.txt"));
    command.arg("--unlabelled").arg(folder.path().join("data/Images"));
    let first = command.output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));

    let (network, stages) = text.split_once("[captions]").unwrap();
    let concepts = &stages[stages.find("[model.concepts]").unwrap()..];
    let learned = |run: &str, epochs: usize| {
        let concepts = concepts
            .replace("[concepts]\n", "[concepts]\nonly_folds = true\n")
            .replace("epochs = 3", &format!("epochs = {epochs}"));
        fs::write(&recipe, format!("{network}{concepts}")).unwrap();
        let mut command = train(folder.path(), &recipe, run);
        let output = command.arg("--weights").arg(folder.path().join("first/soli.safetensors")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = folder.path().join(run).join("concepts/parameters.safetensors");
        candle_core::safetensors::load(file, &candle_core::Device::Cpu).unwrap()
    };
    let (short, long) = (learned("short", 1), learned("long", 6));
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut folds = 0;
    for (name, short) in &short {
        let same = values(short) == values(&long[name]);
        let fold = name.starts_with("folds.");
        assert_eq!(same, !fold, "{name}");
        folds += usize::from(fold);
    }
    assert!(folds > 9, "{folds}");
    // Each has random numbers of its own, where those of weights begin as the head's.
    let of = |part: &str| values(&short[&format!("{part}.hidden.weight")]);
    let (head, others) = (of("concepts"), [of("folds.0"), of("folds.1"), of("folds.2")]);
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let length = distance(&head, &vec![0.0; head.len()]);
    for (i, fold) in others.iter().enumerate() {
        assert!(distance(&head, fold) > 0.5 * length);
        assert!(distance(&others[(i + 1) % 3], fold) > 0.5 * length);
    }
}

#[test]
fn every_published_recipe_can_be_used() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut read = Vec::new();
    let mut rows = Vec::new();
    let mut rungs = 0;
    let folders =
        ["", "study", "study/late", "study/world", "study/release"].map(|folder| configs.join(folder));
    for folder in folders {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if ["study-paper.toml", "study-few.toml", "study-domain.toml"].contains(&name.as_str()) {
                let plan =
                    soli_trainer::study::paper::Plan::load(&path).unwrap_or_else(|why| panic!("{why:#}"));
                assert!(plan.rows.len() > 4 && plan.seeds.len() >= 5, "{name}");
            } else if Ladder::is_at(&path) {
                for row in Ladder::load(&path).unwrap_or_else(|why| panic!("{why:#}")).rows {
                    rungs += 1;
                    row.recipe.iter().for_each(|path| assert!(path.is_file(), "{}", path.display()));
                }
            } else if name.starts_with("study") && name.ends_with(".toml") {
                rows.extend(
                    soli_trainer::study::plan::Plan::load(&path).unwrap_or_else(|why| panic!("{why:#}")).rows,
                );
            } else if name.ends_with(".toml") {
                Recipe::chain(&path).unwrap_or_else(|why| panic!("{why}"));
                read.push(name);
            }
        }
    }
    assert!(rows.len() > 8 && rungs > 10, "the studies' plans were not found");
    for row in rows {
        Recipe::load(&row.recipe).unwrap_or_else(|why| panic!("{}: {why}", row.name));
    }
    assert!(read.contains(&"release.toml".to_owned()) && read.len() > 10, "{read:?}");
}

#[test]
fn a_recipe_is_followed_by_its_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = data_set(folder.path(), 8);
    let text = fs::read_to_string(&recipe).unwrap();
    let last = folder.path().join("last.toml");
    fs::write(&last, text.replace("input_side = 32", "input_side = 96")).unwrap();
    fs::write(&recipe, format!("next = \"last.toml\"\n{text}")).unwrap();
    kill_when(&folder.path().join("run/last/captions/metrics.csv"), train(folder.path(), &recipe, "run"));
    let output = train(folder.path(), &recipe, "run").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("stage captions: finished earlier"), "{said}");
    let read = |run: &str| Weights::from_bytes(&fs::read(folder.path().join(run)).unwrap()).unwrap();
    let (first, second) = (read("run/soli.safetensors"), read("run/last/soli.safetensors"));
    assert_eq!((first.config.encoder.input_side, second.config.encoder.input_side), (32, 96));
    let losses = |stage: &str| -> Vec<f32> {
        let metrics = fs::read_to_string(folder.path().join("run").join(stage).join("metrics.csv")).unwrap();
        metrics.lines().skip(1).filter_map(|line| line.split(',').nth(2)?.parse().ok()).collect()
    };
    let (fresh, on) = (losses("captions")[0], losses("last/captions")[0]);
    assert!(on < fresh - 0.3, "the first loss is {on}, that of a fresh network {fresh}");

    // A mistake in a later recipe shows before anything is trained.
    fs::write(&last, text.replace("dropout = 0.1", "dropout = 2.0")).unwrap();
    let said = Recipe::chain(&recipe).unwrap_err().to_string();
    assert!(said.contains("last.toml") && said.contains("dropout"), "{said}");
    fs::write(&last, format!("next = \"recipe.toml\"\n{text}")).unwrap();
    let said = Recipe::chain(&recipe).unwrap_err().to_string();
    assert!(said.contains("never end"), "{said}");
}

#[test]
fn a_recipe_with_a_mistake_names_key_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    for (from, to, expected) in [
        ("dropout = 0.1", "drop_out = 0.1", vec!["drop_out", "line 18"]),
        ("dropout = 0.1", "dropout = 1.5", vec!["captions.dropout", "1.5", "line 18"]),
        (
            "ema_decay = 0.9",
            "ema_decay = 0.9\nkeep = 1.5",
            vec!["captions.schedule.keep", "1.5", "line 35", "lie in 0..=1"],
        ),
        (
            "ema_decay = 0.9",
            "keep = -0.1\nema_decay = 0.9",
            vec!["captions.schedule.keep", "-0.1", "line 34"],
        ),
        ("batch = 4", "batch = 0", vec!["captions.schedule.batch", "0", "line 27"]),
        ("degraded = 0.5", "degraded = 2", vec!["captions.views.degraded", "line 23"]),
        ("flip = true", "flip = true\nversions = \"all\"", vec!["line 22", "any-size"]),
        ("[captions]", "[caption]", vec!["caption", "line 16"]),
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
