//! Golden tests against pycocoevalcap 1.2; the values come from `tests/reference/metrics.py`.

use std::path::Path;

use serde::Deserialize;

use super::{cider::Cider, *};

#[derive(Deserialize)]
struct Reference {
    corpus: Corpus,
    images: Vec<Image>,
    tokens: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Corpus {
    bleu: [f64; 4],
    rouge_l: f64,
    cider: f64,
    meteor: Option<f64>,
}

#[derive(Deserialize)]
struct Image {
    candidate: String,
    references: Vec<String>,
    bleu: [f64; 4],
    rouge_l: f64,
    cider: f64,
}

impl Reference {
    fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    fn fixture() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/metrics/pycocoevalcap.json");
        Self::read(Path::new(path))
    }

    /// Values of real captions, where the environment names a file of them.
    fn of_real_captions() -> Option<Self> {
        let path = std::env::var_os("SOLI_TEST_METRICS");
        if path.is_none() {
            println!(
                "left out: set SOLI_TEST_METRICS to a file of tests/reference/metrics.py --flickr8k for real captions"
            );
        }
        path.map(|path| Self::read(Path::new(&path)))
    }

    fn captions(&self) -> (Vec<String>, Vec<Vec<String>>) {
        self.images.iter().map(|image| (image.candidate.clone(), image.references.clone())).unzip()
    }

    /// Compares all figures, of the whole and of each image, to 1e-9.
    fn check_figures(&self) {
        let (candidates, references) = self.captions();
        let (scores, each) = evaluate_each(&candidates, &references).unwrap();
        assert_eq!(scores, evaluate(&candidates, &references).unwrap());
        assert_close("corpus BLEU", &scores.bleu, &self.corpus.bleu);
        assert_close("corpus ROUGE-L", &[scores.rouge_l], &[self.corpus.rouge_l]);
        assert_close("corpus CIDEr", &[scores.cider], &[self.corpus.cider]);
        assert_eq!(each.len(), self.images.len());
        for (found, image) in each.iter().zip(&self.images) {
            assert_close(&format!("BLEU of {:?}", image.candidate), &found.bleu, &image.bleu);
            assert_close(&format!("ROUGE-L of {:?}", image.candidate), &[found.rouge_l], &[image.rouge_l]);
            assert_close(&format!("CIDEr of {:?}", image.candidate), &[found.cider], &[image.cider]);
        }
    }

    /// Compares all tokens and names every caption that differs.
    fn check_tokens(&self) {
        let different: Vec<String> = self
            .tokens
            .iter()
            .filter(|(text, tokens)| tokenise(text) != *tokens)
            .map(|(text, tokens)| format!("{text:?}\n  expected {tokens:?}\n  but got  {:?}", tokenise(text)))
            .collect();
        let (count, all) = (different.len(), self.tokens.len());
        assert!(different.is_empty(), "{count} of {all} captions differ:\n{}", different.join("\n"));
    }
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-9, "{what}: {found}, but pycocoevalcap gives {expected}");
    }
}

fn strings(captions: &[&str]) -> Vec<String> {
    captions.iter().map(|caption| (*caption).to_owned()).collect()
}

#[test]
fn figures_equal_pycocoevalcap() {
    let reference = Reference::fixture();
    assert!(reference.images.len() >= 200, "the fixture has {} captions", reference.images.len());
    reference.check_figures();
}

#[test]
fn tokens_equal_the_stanford_tokeniser() {
    let reference = Reference::fixture();
    assert!(reference.tokens.len() >= 40, "the fixture has {} texts", reference.tokens.len());
    reference.check_tokens();
}

#[test]
fn real_captions_agree_too() {
    if let Some(reference) = Reference::of_real_captions() {
        reference.check_figures();
        reference.check_tokens();
    }
}

#[test]
fn meteor_equals_the_official_program() {
    let Some(jar) = std::env::var_os("SOLI_TEST_METEOR_JAR") else {
        println!("left out: set SOLI_TEST_METEOR_JAR to meteor-1.5.jar to compare METEOR");
        return;
    };
    let reference = Reference::fixture();
    let (candidates, references) = reference.captions();
    let found = meteor::score(Path::new(&jar), &candidates, &references).unwrap();
    assert_close("corpus METEOR", &[found.corpus], &[reference.corpus.meteor.unwrap()]);
    assert_eq!(found.each.len(), candidates.len());
}

#[test]
fn meteor_says_what_is_missing() {
    let (candidates, references) = (strings(&["a dog"]), vec![strings(&["a dog"])]);
    let error = meteor::score(Path::new("no/such.jar"), &candidates, &references).unwrap_err();
    assert!(
        matches!(&error, MetricError::JarMissing { path } if path == Path::new("no/such.jar")),
        "{error}"
    );
    let no_jar = tempfile::NamedTempFile::new().unwrap();
    let error = meteor::score(no_jar.path(), &candidates, &references).unwrap_err();
    // Which of the two depends on whether this machine has Java.
    assert!(matches!(error, MetricError::Meteor { .. } | MetricError::JavaMissing { .. }), "{error}");
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let one = strings(&["a dog"]);
    assert!(matches!(evaluate(&[], &[]), Err(MetricError::Empty)));
    assert!(matches!(evaluate(&one, &[]), Err(MetricError::Mismatch { candidates: 1, references: 0 })));
    let error = evaluate(&strings(&["a", "b"]), &[one, Vec::new()]).unwrap_err();
    assert!(matches!(error, MetricError::NoReferences { image: 1 }), "{error}");
}

/// CIDEr weighs words by how few of the pictures have them: nothing is left of it for one picture, or for several with
/// the same references.
#[test]
fn cider_is_said_to_be_undefined_where_it_is() {
    let one = evaluate(&strings(&["a dog runs"]), &[strings(&["a dog runs fast"])]).unwrap();
    let same = vec![strings(&["a dog runs fast"]); 3];
    let same = evaluate(&strings(&["a dog runs", "a cat", "a dog"]), &same).unwrap();
    for scores in [one, same] {
        assert!(!scores.cider_defined);
        assert_eq!(scores.cider_text(), "-");
        assert!(scores.to_string().contains("CIDEr is not defined"), "{scores}");
    }
    let two = [strings(&["a dog runs fast"]), strings(&["a cat sleeps"])];
    assert!(evaluate(&strings(&["a dog runs", "a cat"]), &two).unwrap().cider_defined);
}

#[test]
fn scores_print_as_a_table() {
    let mut scores = Scores {
        bleu: [0.6512, 0.4, 0.25, 0.1499],
        rouge_l: 0.5,
        cider: 1.0349,
        cider_defined: true,
        meteor: None,
    };
    assert_eq!(
        scores.to_string(),
        "BLEU-1  BLEU-2  BLEU-3  BLEU-4  ROUGE-L  CIDEr\n\
         \u{20} 65.1    40.0    25.0    15.0     50.0  103.5"
    );
    scores.meteor = Some(0.25);
    assert_eq!(
        scores.to_string(),
        "BLEU-1  BLEU-2  BLEU-3  BLEU-4  ROUGE-L  CIDEr  METEOR\n\
         \u{20} 65.1    40.0    25.0    15.0     50.0  103.5    25.0"
    );
}

/// Training rewards captions as token ids; the figure must be that of the same captions as words.
#[test]
fn cider_is_the_same_on_token_ids_as_on_words() {
    let reference = Reference::fixture();
    let (candidates, references) = reference.captions();
    let mut ids = std::collections::HashMap::new();
    let mut encode = |caption: &str| -> Vec<u32> {
        let words = tokenise::words(caption);
        words
            .into_iter()
            .map(|word| {
                // Sparse ids with no order of their own, as a vocabulary by frequency gives.
                let next = 7919 * (ids.len() as u32 + 1) % 65_521;
                *ids.entry(word).or_insert(next)
            })
            .collect()
    };
    let encoded: Vec<Vec<Vec<u32>>> =
        references.iter().map(|captions| captions.iter().map(|caption| encode(caption)).collect()).collect();
    let cider = Cider::new(&encoded);
    assert_eq!(cider.len(), reference.images.len());
    for (image, candidate) in candidates.iter().enumerate() {
        assert_close(candidate, &[cider.score(image, &encode(candidate))], &[reference.images[image].cider]);
    }
}

#[test]
fn a_single_image_has_no_cider() {
    let scores = evaluate(&strings(&["a dog runs"]), &[strings(&["a dog runs", "a dog"])]).unwrap();
    assert_eq!(scores.cider, 0.0);
    assert!(scores.bleu[0] > 0.99, "{scores}");
}

/// Whatever the signs between them, letters and digits come out in their order and none gets lost.
#[test]
fn no_letter_is_lost_whatever_surrounds_it() {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let signs: Vec<char> =
        "aabBnstSdDlLtyY01295      ''’’..,,:;!?-–—/\\*_+=@#%$^~|`\"“”éñ日я\t\u{ad}\u{200b}\u{a0}"
            .chars()
            .collect();
    for _ in 0..20_000 {
        let length = rng.random_range(0..24);
        let text: String = (0..length).map(|_| signs[rng.random_range(0..signs.len())]).collect();
        let kept = |text: &str| {
            text.to_lowercase().chars().filter(|sign| sign.is_alphanumeric()).collect::<String>()
        };
        let tokens = tokenise(&text);
        assert_eq!(kept(&tokens), kept(&text), "{text:?} gave {tokens:?}");
        assert!(
            !tokens.starts_with(' ') && !tokens.ends_with(' ') && !tokens.contains("  "),
            "{text:?}: {tokens:?}"
        );
    }
}
