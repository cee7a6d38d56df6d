//! The study on a tiny data set: rows are trained and measured once, and the report says what the records say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use soli_trainer::study::record::Record;
use soli_trainer::study::report::{Heading, markdown, rows};

const HEAD: &str = r#"
seed = 1
min_word_count = 1
dev_images = 2

[model.encoder]
input_side = 32

[model.decoder]
layers = 1
width = 16
heads = 2
ffn_width = 32
max_tokens = 8
"#;

const SCHEDULE: &str = r#"
epochs = 1
batch = 4
learning_rate = 1e-3
trunk_learning_rate = 1e-3
warmup_steps = 1
weight_decay = 0.0
gradient_clip = 1.0
ema_decay = 0.5
"#;

fn write_study(folder: &Path) {
    let images = folder.join("data/Images");
    fs::create_dir_all(&images).unwrap();
    let mut captions = "image,caption,split\n".to_owned();
    for i in 0..9u8 {
        let name = format!("{i}.jpg");
        RgbImage::from_pixel(48, 40, Rgb([i * 25, 255 - i * 20, 90])).save(images.join(&name)).unwrap();
        let split = ["train", "dev", "test"][usize::from(i % 3)];
        let word = ["red", "green"][usize::from(i % 2)];
        captions.push_str(&format!("{name},A {word} square .,{split}\n{name},One {word} thing .,{split}\n"));
    }
    fs::write(folder.join("data/captions.csv"), captions).unwrap();
    let text = "[text]\nlabel_smoothing = 0.1\ndropout = 0.0\n[text.schedule]";
    fs::write(folder.join("start.toml"), format!("{HEAD}\n{text}{SCHEDULE}")).unwrap();
    let captions =
        "[captions]\nlabel_smoothing = 0.1\ndropout = 0.0\n[captions.views]\nflip = true\ncrop_area = 1.0\n";
    for (name, degraded) in [("base", "0.0"), ("aug", "1.0")] {
        let recipe = format!("{HEAD}\n{captions}degraded = {degraded}\n[captions.schedule]{SCHEDULE}");
        fs::write(folder.join(format!("{name}.toml")), recipe).unwrap();
    }
    let photo = images.join("0.jpg");
    let plan = format!(
        "title = \"Which?\"\nfrom = \"words\"\nbaseline = \"aug\"\nstart = \"start.toml\"\npx = [48, 25]\nbeam = 2\ndistance_pictures = 3\nexamples = [{photo:?}]\n\
         [[rows]]\nname = \"base\"\nwhat = \"sharp\"\nrecipe = \"base.toml\"\nseeds = [1]\n\
         [[rows]]\nname = \"aug\"\nwhat = \"degraded\"\nrecipe = \"aug.toml\"\nseeds = [1, 2]\n"
    );
    fs::write(folder.join("study.toml"), plan).unwrap();
}

fn study(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_soli"));
    command.arg("study").arg("--pretrained").arg("none");
    for (name, path) in
        [("--config", "study.toml"), ("--data", "data"), ("--runs", "runs"), ("--out", "docs/study")]
    {
        command.arg(name).arg(folder.join(path));
    }
    command.arg("--unlabelled").arg(folder.join("data/Images")).args(more);
    command.output().unwrap()
}

#[test]
fn a_ladder_goes_on_from_row_to_row() {
    let folder = tempfile::tempdir().unwrap();
    write_study(folder.path());
    let rung = |name: &str, more: &str| format!("[[rungs]]\nname = {name:?}\nwhat = \"w\"\n{more}\n");
    let first = rung("first", "recipe = \"base.toml\"");
    let second = rung("second", "recipe = \"aug.toml\"\nfrom = \"first\"\nseeds = [1, 2]\nfloat = true");
    let file = folder.path().join("runs/first-1/soli.safetensors");
    let as_it_is = rung("as it is", &format!("weights = {file:?}"));
    let plan = |rungs: &str| {
        let head = "title = \"Which?\"\nhow = \"so\"\npx = [48, 25]\nbeam = 2\n";
        fs::write(folder.path().join("study.toml"), format!("{head}{rungs}")).unwrap();
    };
    plan(&(first.clone() + &second + &as_it_is));
    let all = study(folder.path(), &["--split", "dev"]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    let record = |name: &str| {
        let path = folder.path().join("docs/study").join(name);
        soli_trainer::study::ladder::Record::load(&path).unwrap().unwrap()
    };
    let (first_run, second_run, again) =
        (record("first-1.json"), record("second-2.json"), record("as-it-is-1.json"));
    assert_eq!((first_run.sets[0].pictures, first_run.sets[0].name.as_str()), (3, "data dev"));
    assert_eq!(first_run.weights_sha256, again.weights_sha256, "the same file, measured as it is");
    assert_eq!(first_run.sets, again.sets);
    assert_ne!(first_run.weights_sha256, second_run.weights_sha256);
    assert_eq!(second_run.sets[0].float_cider.len(), 2);
    assert!(again.recipe.is_none() && second_run.recipe.unwrap().contains("seed = 2"));
    let document = folder.path().join("docs/study.md");
    let text = fs::read_to_string(&document).unwrap();
    assert!(text.contains("| second | w | first | 2 |") && text.contains("differences.svg"), "{text}");
    let report = study(folder.path(), &["--report-only", "--split", "dev"]);
    assert!(report.status.success());
    assert_eq!(fs::read_to_string(&document).unwrap(), text);

    // What a row needs and cannot have is told before anything is trained.
    plan(&(second + &first));
    let said = String::from_utf8_lossy(&study(folder.path(), &[]).stderr).into_owned();
    assert!(said.contains("goes on from `first`, which is no row above it"), "{said}");
}

#[test]
fn rows_are_measured_once_and_the_report_repeats_the_records() {
    let folder = tempfile::tempdir().unwrap();
    write_study(folder.path());
    let empty = study(folder.path(), &["--report-only"]);
    assert!(String::from_utf8_lossy(&empty.stderr).contains("no records yet"));

    let first = study(folder.path(), &["--row", "base"]);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(first.status.success() && said.contains("not measured yet: aug, seed 1; aug, seed 2"), "{said}");
    let path = folder.path().join("docs/study/base-1.json");
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let all = study(folder.path(), &[]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    assert_eq!(
        fs::metadata(&path).unwrap().modified().unwrap(),
        written,
        "a measured row was measured again"
    );

    let record = Record::load(&path).unwrap().unwrap();
    assert_eq!((record.pictures, record.budget, record.seed), (3, 1, 1));
    assert_eq!(record.scores.keys().copied().collect::<Vec<_>>(), [25, 48]);
    let [small, sharp] = [record.distances[&25], record.distances[&48]];
    assert!(sharp.same.abs() < 1e-6 && sharp.different > 0.0, "{sharp:?}");
    assert!(small.different > 0.0, "{small:?}");
    assert_eq!(record.examples["0.jpg"].len(), 2);

    let text = fs::read_to_string(folder.path().join("docs/study.md")).unwrap();
    assert!(
        text.contains("| base | sharp | 1 | 1 |") && text.contains("| aug | degraded | 1 | 2 |"),
        "{text}"
    );
    for picture in ["cider.svg", "distances.svg", "examples.svg"] {
        assert!(
            fs::metadata(folder.path().join("docs/study").join(picture)).unwrap().len() > 500,
            "{picture}"
        );
    }
    let again = study(folder.path(), &["--report-only"]);
    assert!(again.status.success());
    assert_eq!(fs::read_to_string(folder.path().join("docs/study.md")).unwrap(), text);
}

#[test]
fn differences_within_the_seeds_spread_stand_in_brackets() {
    let folder = tempfile::tempdir().unwrap();
    write_study(folder.path());
    assert!(study(folder.path(), &["--row", "base"]).status.success());
    let base = Record::load(&folder.path().join("docs/study/base-1.json")).unwrap().unwrap();
    let with = |row: &str, cider: [f64; 2]| {
        let mut record = base.clone();
        record.row = row.into();
        for (scores, cider) in record.scores.values_mut().zip(cider) {
            scores.cider = cider;
        }
        record
    };
    let records = vec![
        with("aug", [0.40, 0.50]),
        with("aug", [0.44, 0.52]),
        with("joint", [0.45, 0.51]),
        with("joint", [0.47, 0.53]),
    ];
    let names = ["aug".to_owned(), "joint".to_owned()];
    let text = markdown(
        &rows(&names, records),
        &Heading { title: "Which?", from: "words", baseline: "aug", folder: "study", command: "soli study" },
    );
    // Columns: 48 px, then 25 px.
    assert!(text.contains("| aug | 51.0 ± 1.0 | 42.0 ± 2.0 |"), "{text}");
    assert!(text.contains("| joint | (+1.0) | +4.0 |"), "{text}");
}
