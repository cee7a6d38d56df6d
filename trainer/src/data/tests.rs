//! The four layouts, rendered into a temporary folder with the blemishes that real data sets have.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;

/// Writes files into a fresh folder; an empty text stands for an image, whose content is never looked at here.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Names and captions, in order.
fn contents(data: &Dataset) -> Vec<(&str, Vec<&str>)> {
    data.examples
        .iter()
        .map(|example| (example.name.as_str(), example.captions.iter().map(String::as_str).collect()))
        .collect()
}

/// The names noted of one kind, and that none got lost.
fn noted(data: &Dataset, problem: Problem) -> Vec<&str> {
    let noted = data.report.noted(problem);
    noted.first.iter().map(String::as_str).collect()
}

const TRAIN: &str = "Flickr_8k.trainImages.txt";
const DEV: &str = "Flickr_8k.devImages.txt";

const KAGGLE: &str = "image,caption\n\
    b.jpg,\"A dog , \"\"Rex\"\" , runs .\"\n\
    b.jpg,  A dog outside .\n\
    a.jpg,A cat .\n\
    a.jpg, . \n\
    gone.jpg,Nobody sees this .\n\
    bare.jpg,.\n\
    x.jpg.1,A name that no list has .\n\
    only-a-name\n\
    c.jpg,A child .\n";

#[test]
fn kaggle_layout_keeps_the_lists_order_and_names_what_it_leaves_out() {
    let data = folder(&[
        ("captions.txt", KAGGLE),
        (TRAIN, "b.jpg\na.jpg\ngone.jpg\nbare.jpg\nunheard.jpg\nb.jpg\n\n"),
        (DEV, "c.jpg\r\n"),
        ("Images/a.jpg", ""),
        ("Images/b.jpg", ""),
        ("Images/bare.jpg", ""),
        ("Images/unheard.jpg", ""),
        ("Images/c.jpg", ""),
    ]);
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(
        contents(&train),
        [("b.jpg", vec!["A dog , \"Rex\" , runs .", "A dog outside ."]), ("a.jpg", vec!["A cat ."])]
    );
    assert_eq!(train.examples[0].image, data.path().join("Images/b.jpg"));
    assert_eq!((train.report.examples, train.report.captions), (2, 3));
    assert_eq!(noted(&train, Problem::MissingImage), ["gone.jpg"]);
    assert_eq!(noted(&train, Problem::NoCaption), ["bare.jpg", "unheard.jpg"]);
    assert_eq!(noted(&train, Problem::EmptyCaption), ["a.jpg (1 of 2)", "bare.jpg (1 of 1)"]);
    assert_eq!(noted(&train, Problem::Malformed), ["captions.txt line 9 (no image or no caption)"]);
    assert_eq!(
        train.report.to_string(),
        "2 images with 3 captions\n\
         left out: 1 image is missing: gone.jpg\n\
         left out: 2 images have no caption: bare.jpg, unheard.jpg\n\
         left out: 2 captions are empty: a.jpg (1 of 2), bare.jpg (1 of 1)\n\
         left out: 1 entry cannot be understood: captions.txt line 9 (no image or no caption)"
    );

    let by_file = Dataset::open(&data.path().join("captions.txt"), Split::Dev).unwrap();
    assert_eq!(contents(&by_file), [("c.jpg", vec!["A child ."])]);

    let missing = Dataset::open(data.path(), Split::Test).unwrap_err();
    assert!(matches!(missing, DataError::NoSplitList { split: Split::Test, .. }), "{missing}");
    assert!(missing.to_string().contains("Flickr_8k.testImages.txt"), "{missing}");
}

#[test]
fn a_csv_of_ones_own_needs_no_lists() {
    let files = [("a.jpg", ""), ("b.jpg", ""), ("c.jpg", "")];
    let all = [
        &[("captions.csv", "image,caption\na.jpg,One .\nb.jpg,Two .\na.jpg,\"First, one .\"\n")],
        &files[..],
    ];
    let own = folder(&all.concat());
    for split in [Split::Train, Split::Dev, Split::Test] {
        let data = Dataset::open(own.path(), split).unwrap();
        assert_eq!(
            contents(&data),
            [("a.jpg", vec!["One .", "First, one ."]), ("b.jpg", vec!["Two ."])],
            "{split}"
        );
    }
    let text = "caption,split,image\nOne .,train,a.jpg\nTwo .,val,b.jpg\nThree .,future,c.jpg\n";
    let own = folder(&[&[("captions.csv", text)], &files[..]].concat());
    let data = Dataset::open(own.path(), Split::Dev).unwrap();
    assert_eq!(contents(&data), [("b.jpg", vec!["Two ."])]);
    let malformed = noted(&data, Problem::Malformed);
    assert!(
        malformed.len() == 1 && malformed[0].starts_with("captions.csv line 4 (`future`"),
        "{malformed:?}"
    );
    let absent = Dataset::open(own.path(), Split::Test).unwrap_err();
    assert!(matches!(absent, DataError::NoSuchSplit { .. }));
    let message = absent.to_string();
    assert!(message.contains("it has `future` (1), `train` (1), `val` (1)"), "{message}");
    assert!(message.contains("captions.csv line 4 (`future` is not a split"), "{message}");
}

/// A folder of one's own with these lines after the header, and three pictures.
fn own(header: &str, lines: &str) -> TempDir {
    folder(&[("captions.csv", &format!("{header}\n{lines}")), ("a.jpg", ""), ("b.jpg", ""), ("c.jpg", "")])
}

#[test]
fn commas_without_quotes_are_joined_or_named() {
    let data = own("image,caption", "a.jpg,In the garden, a girl, and a dog .\nb.jpg,Two .\n");
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(
        contents(&train),
        [("a.jpg", vec!["In the garden, a girl, and a dog ."]), ("b.jpg", vec!["Two ."])]
    );
    let joined = noted(&train, Problem::Joined);
    assert!(
        joined.len() == 1 && joined[0].starts_with("captions.csv line 2 (4 fields instead of 2"),
        "{joined:?}"
    );
    assert!(
        train.report.to_string().contains("used, but look at it: 1 caption has commas"),
        "{}",
        train.report
    );
    assert!(!train.report.is_clean());
    // Where other columns follow, the caption's commas cannot be told from theirs.
    let data = own(
        "image,caption,split",
        "a.jpg,In the garden, a girl .,train\nb.jpg,Two .,train\nc.jpg,\"Three, four .\",train\n",
    );
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(contents(&train), [("b.jpg", vec!["Two ."]), ("c.jpg", vec!["Three, four ."])]);
    let malformed = noted(&train, Problem::Malformed);
    assert!(malformed[0].starts_with("captions.csv line 2 (4 fields instead of 3"), "{malformed:?}");
}

#[test]
fn a_quote_that_is_never_closed_costs_its_own_line() {
    let closed_later = "a.jpg,\"A dog .\nb.jpg,A cat .\nc.jpg,\"A bird, blue .\"\n";
    for (lines, kept) in [
        ("a.jpg,\"A dog .\nb.jpg,A cat .\nc.jpg,A bird .\n", vec!["A cat .", "A bird ."]),
        (closed_later, vec!["A cat .", "A bird, blue ."]),
        ("a.jpg,\"A dog\nthat runs .\nb.jpg,A cat .\n", vec!["A cat ."]),
    ] {
        let data = own("image,caption", lines);
        let train = Dataset::open(data.path(), Split::Train).unwrap();
        let captions: Vec<&str> =
            train.examples.iter().flat_map(|e| &e.captions).map(String::as_str).collect();
        assert_eq!(captions, kept, "{lines}");
        let malformed = noted(&train, Problem::Malformed);
        assert_eq!(malformed[0], "captions.csv line 2 (its quote \" is never closed)", "{lines}");
    }
    // Names without an ending: the second quote stands in the middle of a field.
    let data = folder(&[
        ("captions.csv", "image,caption\na,\"A dog .\nb,\"A cat .\"\nc,A bird .\n"),
        ("a", ""),
        ("b", ""),
        ("c", ""),
    ]);
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(contents(&train), [("b", vec!["A cat ."]), ("c", vec!["A bird ."])]);
    assert_eq!(train.report.noted(Problem::Malformed).count, 1);
    // Captions of several lines, quotes in quotes, and inches are as they should be.
    let data = own(
        "image,caption",
        "a.jpg,\"A dog\nthat runs, fast .\"\nb.jpg,\"A \"\"cat\"\" .\"\nc.jpg,A 6\" pipe .\n",
    );
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(
        contents(&train),
        [
            ("a.jpg", vec!["A dog that runs, fast ."]),
            ("b.jpg", vec!["A \"cat\" ."]),
            ("c.jpg", vec!["A 6\" pipe ."])
        ]
    );
    assert!(train.report.is_clean(), "{}", train.report);
}

#[test]
fn lines_end_as_any_system_ends_them_and_utf_16_is_read() {
    let text = "image,caption\na.jpg,One caf\u{e9} .\nb.jpg,Two .\n";
    let wide = |to: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(to).collect()
    };
    for bytes in [
        text.replace('\n', "\r").into_bytes(),
        text.replace('\n', "\r\n").into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ] {
        let data = folder(&[("a.jpg", ""), ("b.jpg", "")]);
        fs::write(data.path().join("captions.csv"), &bytes).unwrap();
        let train = Dataset::open(data.path(), Split::Train).unwrap();
        assert_eq!(contents(&train), [("a.jpg", vec!["One caf\u{e9} ."]), ("b.jpg", vec!["Two ."])]);
        assert!(train.report.is_clean(), "{}", train.report);
    }
}

#[test]
fn a_row_without_a_split_is_named() {
    let data = own("image,caption,split", "a.jpg,One .,train\nb.jpg,Two .,\nc.jpg,Three .\n");
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(contents(&train), [("a.jpg", vec!["One ."])]);
    assert_eq!(train.report.noted(Problem::Malformed).count, 2);
}

/// What looks like one name is one, in whichever Unicode form the file system and the captions have it.
#[test]
fn names_match_in_any_unicode_form() {
    let (one, apart) = ("caf\u{e9}.jpg", "cafe\u{301}.jpg");
    for (listed, stored) in [(one, apart), (apart, one), (one, one)] {
        for under in ["", "Images/"] {
            let csv = format!("image,caption\n{listed},A cup .\n{stored},Coffee .\n");
            let data = folder(&[("captions.csv", &csv), (&format!("{under}{stored}"), "")]);
            let train = Dataset::open(data.path(), Split::Train).unwrap();
            assert_eq!(contents(&train), [(listed, vec!["A cup .", "Coffee ."])]);
            assert!(train.report.is_clean(), "{}", train.report);
        }
        let data = folder(&[
            ("captions.txt", &format!("image,caption\n{listed},A cup .\n")),
            (TRAIN, &format!("{stored}\n")),
            (&format!("Images/{listed}"), ""),
        ]);
        let train = Dataset::open(data.path(), Split::Train).unwrap();
        assert_eq!(contents(&train), [(stored, vec!["A cup ."])]);
    }
}

#[test]
fn captions_under_another_name_are_pointed_at() {
    let data = folder(&[("labels.csv", "image,caption\na.jpg,One .\n"), ("a.jpg", "")]);
    let error = Dataset::open(data.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("captions.csv"), "{error}");
    assert!(error.contains(&data.path().join("labels.csv").display().to_string()), "{error}");
    assert_eq!(Dataset::open(&data.path().join("labels.csv"), Split::Train).unwrap().examples.len(), 1);
}

#[test]
fn original_layout_is_read_with_and_without_a_text_folder() {
    let tokens = "a.jpg#0\tA cat .\na.jpg#1\tA black cat .\nb.jpg#0\tA dog # 1 .\nx.jpg.1#0\tA stray name .\nno tab here\n";
    for text in ["", "Flickr8k_text/"] {
        let data = folder(&[
            (&format!("{text}Flickr8k.token.txt"), tokens),
            (&format!("{text}Flickr8k.lemma.token.txt"), "not looked at"),
            (&format!("{text}{TRAIN}"), "a.jpg\n"),
            (&format!("{text}{DEV}"), "b.jpg\nx.jpg.1\n"),
            ("Flicker8k_Dataset/a.jpg", ""),
            ("Flicker8k_Dataset/b.jpg", ""),
        ]);
        for path in [data.path().to_owned(), data.path().join(format!("{text}Flickr8k.token.txt"))] {
            let train = Dataset::open(&path, Split::Train).unwrap();
            assert_eq!(contents(&train), [("a.jpg", vec!["A cat .", "A black cat ."])]);
            assert_eq!(noted(&train, Problem::Malformed).len(), 1);
            let dev = Dataset::open(&path, Split::Dev).unwrap();
            assert_eq!(contents(&dev), [("b.jpg", vec!["A dog # 1 ."])]);
            assert_eq!(noted(&dev, Problem::MissingImage), ["x.jpg.1"]);
        }
    }
}

#[test]
fn karpathy_json_is_read_and_restval_is_trained_on() {
    let json = r#"{"dataset": "coco", "images": [
        {"filename": "a.jpg", "filepath": "val2014", "split": "restval", "sentences": [{"raw": "A cat\n sits."}, {"tokens": []}]},
        {"filename": "b.jpg", "split": "train", "sentences": [{"raw": "A dog."}], "imgid": 1},
        {"filename": "c.jpg", "split": "val", "sentences": [{"raw": "A child."}]},
        {"filename": "../out.jpg", "split": "val", "sentences": [{"raw": "Outside."}]},
        {"split": "val"}, 7
    ]}"#;
    let data =
        folder(&[("dataset_tiny.json", json), ("val2014/a.jpg", ""), ("Images/b.jpg", ""), ("c.jpg", "")]);
    for path in [data.path().to_owned(), data.path().join("dataset_tiny.json")] {
        let train = Dataset::open(&path, Split::Train).unwrap();
        assert_eq!(contents(&train), [("a.jpg", vec!["A cat sits."]), ("b.jpg", vec!["A dog."])]);
        assert_eq!(train.report.noted(Problem::Malformed).count, 3);
        let dev = Dataset::open(&path, Split::Dev).unwrap();
        assert_eq!(contents(&dev), [("c.jpg", vec!["A child."])]);
        assert_eq!(dev.examples[0].image, data.path().join("c.jpg"));
        assert!(noted(&dev, Problem::Malformed)[2].starts_with("../out.jpg"));
    }
    let clean = folder(&[("dataset_tiny.json", r#"{"images": [{"filename": "b.jpg", "split": "train"}]}"#)]);
    let absent = Dataset::open(clean.path(), Split::Test).unwrap_err();
    assert!(absent.to_string().ends_with("has no test split: it has `train` (1)"), "{absent}");

    fs::write(data.path().join("dataset_other.json"), json).unwrap();
    let several = Dataset::open(data.path(), Split::Train).unwrap_err();
    assert!(matches!(&several, DataError::Ambiguous { files, .. } if files.len() == 2), "{several}");
}

const COCO: &str = r#"{"info": {}, "images": [
        {"id": 2, "file_name": "b.jpg"}, {"id": 1, "file_name": "a.jpg"}, {"id": 3, "file_name": "c.jpg"}, {"id": "x"}
    ], "annotations": [
        {"id": 1, "image_id": 1, "caption": "A cat. "}, {"id": 2, "image_id": 2, "caption": "A dog."},
        {"id": 3, "image_id": 1, "caption": "One cat."}, {"id": 4, "image_id": 9, "caption": "Nothing."}, {"id": 5}
    ]}"#;

#[test]
fn coco_splits_go_by_file_name_and_one_file_serves_all() {
    let one =
        folder(&[("captions.json", COCO), ("Images/a.jpg", ""), ("Images/b.jpg", ""), ("Images/c.jpg", "")]);
    for split in [Split::Train, Split::Dev, Split::Test] {
        let data = Dataset::open(one.path(), split).unwrap();
        assert_eq!(contents(&data), [("b.jpg", vec!["A dog."]), ("a.jpg", vec!["A cat.", "One cat."])]);
        assert_eq!(noted(&data, Problem::NoCaption), ["c.jpg"]);
        assert_eq!(data.report.noted(Problem::Malformed).count, 3);
    }
    let dev = r#"{"images": [{"id": 1, "file_name": "v.jpg"}], "annotations": [{"image_id": 1, "caption": "A van."}]}"#;
    for text in ["", "annotations/"] {
        let data = folder(&[
            (&format!("{text}captions_train2014.json"), COCO),
            (&format!("{text}captions_val2014.json"), dev),
            ("train2014/a.jpg", ""),
            ("val2014/v.jpg", ""),
        ]);
        let train = Dataset::open(data.path(), Split::Train).unwrap();
        assert_eq!(contents(&train), [("a.jpg", vec!["A cat.", "One cat."])]);
        let dev = Dataset::open(data.path(), Split::Dev).unwrap();
        assert_eq!(contents(&dev), [("v.jpg", vec!["A van."])]);
        let by_file = data.path().join(format!("{text}captions_val2014.json"));
        assert_eq!(Dataset::open(&by_file, Split::Dev).unwrap().examples, dev.examples);
        let test = Dataset::open(data.path(), Split::Test).unwrap_err();
        assert!(matches!(test, DataError::NoSuchSplit { .. }), "{test}");
        assert!(test.to_string().contains("captions_val2014.json"), "{test}");
    }
}

#[test]
fn nothing_usable_is_an_error_that_says_what_was_looked_for() {
    let empty = folder(&[("readme.md", "")]);
    let error = Dataset::open(empty.path(), Split::Train).unwrap_err();
    assert!(matches!(error, DataError::UnknownLayout { .. }));
    for hint in ["captions.txt", "Flickr8k.token.txt", "dataset_*.json", "captions_train2014.json"] {
        assert!(error.to_string().contains(hint), "{hint} is not in: {error}");
    }
    let no_file = Dataset::open(&empty.path().join("absent"), Split::Train).unwrap_err();
    assert!(matches!(no_file, DataError::Io { .. }));
    let wrong_file = Dataset::open(&empty.path().join("readme.md"), Split::Train).unwrap_err();
    assert!(matches!(wrong_file, DataError::UnknownLayout { .. }));

    let no_images = folder(&[("captions.txt", KAGGLE), (TRAIN, "a.jpg\nb.jpg\n")]);
    let error = Dataset::open(no_images.path(), Split::Train).unwrap_err().to_string();
    assert!(error.contains("2 images are missing: a.jpg, b.jpg"), "{error}");

    let malformed: [(&str, &str, &str); 6] = [
        ("captions.txt", "a.jpg,A cat .\n", "image,caption"),
        ("captions.txt", "", "image,caption"),
        ("dataset_x.json", "{\"images\": [", "line 1"),
        ("dataset_x.json", "[]", "JSON"),
        ("captions.json", "{\"images\": 3, \"annotations\": []}", "JSON"),
        ("captions.json", "\u{0}", "JSON"),
    ];
    for (name, text, hint) in malformed {
        let data = folder(&[(name, text), (TRAIN, "a.jpg\n")]);
        let error = Dataset::open(data.path(), Split::Train).unwrap_err();
        assert!(matches!(error, DataError::Malformed { .. }), "{name} with {text:?}: {error}");
        assert!(error.to_string().contains(hint), "{name} with {text:?}: {error}");
    }
}

#[test]
fn strange_bytes_cost_a_letter_and_not_the_data_set() {
    let data = folder(&[(TRAIN, "\u{feff}a.jpg\n"), ("Images/a.jpg", "")]);
    fs::write(data.path().join("captions.txt"), b"\xef\xbb\xbfimage,caption\r\na.jpg,A caf\xe9 .\r\n")
        .unwrap();
    let train = Dataset::open(data.path(), Split::Train).unwrap();
    assert_eq!(contents(&train), [("a.jpg", vec!["A caf\u{fffd} ."])]);
    assert_eq!(noted(&train, Problem::StrangeLetters), ["captions.txt line 2"]);
}

/// A captions file that was cut off anywhere, as after a broken download, is read or refused, never a panic; what is
/// read are whole examples of the full file or captions cut where the file was.
#[test]
fn cut_off_files_are_read_or_refused() {
    let karpathy =
        r#"{"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A cat."}]}]}"#;
    let tokens = "a.jpg#0\tA caf\u{e9} .\nb.jpg#0\tA dog .\n";
    let cases = [
        ("captions.txt", KAGGLE),
        ("x.token.txt", tokens),
        ("dataset_x.json", karpathy),
        ("captions.json", COCO),
    ];
    for (name, text) in cases {
        let data = folder(&[(TRAIN, "a.jpg\nb.jpg\n"), ("Images/a.jpg", ""), ("Images/b.jpg", "")]);
        let (mut read, mut refused) = (0, 0);
        for end in 0..=text.len() {
            fs::write(data.path().join(name), &text.as_bytes()[..end]).unwrap();
            match Dataset::open(data.path(), Split::Train) {
                Ok(train) => {
                    read += 1;
                    assert!(
                        !train.examples.is_empty() && train.examples.iter().all(|e| !e.captions.is_empty()),
                        "{name} {end}"
                    );
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(name), "{name} cut to {end} bytes: {error}");
                }
            }
        }
        assert!(read > 0 && refused > 0, "{name}: {read} read, {refused} refused");
    }
}

#[test]
fn a_report_keeps_twenty_names_and_counts_all() {
    let mut report = Report::default();
    assert!(report.is_clean());
    for index in 0..25 {
        report.add_broken(&format!("{index}.jpg"), "premature end");
    }
    let noted = report.noted(Problem::BrokenImage);
    assert_eq!((noted.count, noted.first.len()), (25, 20));
    assert_eq!(noted.first[19], "19.jpg (premature end)");
    assert!(!report.is_clean());
    assert!(report.to_string().ends_with("19.jpg (premature end), ..."), "{report}");
}

#[test]
fn splits_have_names() {
    for (name, split) in [
        ("train", Split::Train),
        ("dev", Split::Dev),
        ("val", Split::Dev),
        ("test", Split::Test),
        ("Train ", Split::Train),
        ("Validation", Split::Dev),
        ("VALID", Split::Dev),
        ("TEST", Split::Test),
        ("testing", Split::Test),
    ] {
        assert_eq!(name.parse::<Split>().unwrap(), split);
    }
    assert!("Trains".parse::<Split>().unwrap_err().to_string().contains("`Trains`"));
}

#[test]
fn vocabulary_is_ordered_by_count_and_then_by_word() {
    let captions = ["A dog and a cat.", "A cat, a bird!", "the man's dog"];
    assert_eq!(tokens::build_vocabulary(captions, 2), ["a", "cat", "dog"]);
    assert_eq!(tokens::build_vocabulary(captions, 1), ["a", "cat", "dog", "'s", "and", "bird", "man", "the"]);
    assert!(tokens::build_vocabulary(captions, 9).is_empty());
}

#[test]
fn words_to_learn_have_no_signs() {
    assert_eq!(
        tokens::words("A man's dog (left), running & [barking]!! :)").join(" "),
        "a man 's dog left running barking"
    );
    assert!(tokens::words(" ... ").is_empty());
}

#[test]
fn the_real_flickr8k_has_its_published_counts() {
    let Some(path) = std::env::var_os("SOLI_TEST_FLICKR8K") else {
        println!("left out: set SOLI_TEST_FLICKR8K to a Flickr8k folder to check its counts");
        return;
    };
    for (split, images) in [(Split::Train, 6000), (Split::Dev, 1000), (Split::Test, 1000)] {
        let data = Dataset::open(Path::new(&path), split).unwrap();
        assert_eq!((data.examples.len(), data.report.captions), (images, 5 * images), "{}", data.report);
    }
}
