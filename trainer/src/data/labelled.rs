//! Pictures whose label is known: a table with the columns `image,label`, and maybe `kind`, in any order and among others.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use soli::kind::Kind;

use super::images::{ImageFinder, is_safe};
use super::{DataError, Example, Problem, Report, line_of, note_strange_letters, read_text};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The image file. It was there when the table was read.
    pub image: PathBuf,
    /// The name by which the table knows it.
    pub name: String,
    /// What is said of it.
    pub label: String,
    /// What kind of picture it is said to be, in lower case; empty if nothing is said.
    pub kind: String,
}

impl Labelled {
    /// The kind, if it is one that [`Kind`] names.
    pub fn named_kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|known| known.name() == self.kind)
    }

    /// The photograph with its label as its only caption. A picture that is called a drawing, a chart or the like is none, and
    /// what is called a photograph and nothing else has a label that says how it was made, not what it shows.
    pub fn example(&self) -> Option<Example> {
        let Self { image, name, label, .. } = self.clone();
        self.named_kind().is_none().then(|| Example { image, name, captions: vec![label] })
    }
}

/// Whether a labelled picture is never learned from: a fifth of them, chosen by name, so that there is something to measure on.
pub fn is_held_out(name: &str) -> bool {
    Sha256::digest(name.as_bytes())[0] < 51
}

/// Reads the table `labels.csv` of a folder, or a table itself. Its pictures are beside it or in one of the usual folders.
///
/// # Errors
/// If the table cannot be read, lacks a column, or names no picture that is there. Single bad lines go to the report.
pub fn read(path: &Path, report: &mut Report) -> Result<Vec<Labelled>, DataError> {
    let table = if path.is_dir() { path.join("labels.csv") } else { path.to_owned() };
    let text = read_text(&table)?;
    note_strange_letters(&table, &text, report);
    let malformed = |reason: String| DataError::Malformed { path: table.clone(), reason };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| malformed(error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    let (Some(image), Some(label)) = (column("image"), column("label")) else {
        let header = header.iter().collect::<Vec<_>>().join(",");
        return Err(malformed(format!(
            "its first line must name the columns image,label and maybe kind, but is `{header}`"
        )));
    };
    let kind = column("kind");
    let folder = table.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let finder = ImageFinder::new(&[folder.to_owned()], &[]);
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| malformed(error.to_string()))?;
        let line = || line_of(&table, record.position().map_or(0, |at| at.line() as usize));
        let field = |at: usize| record.get(at).map(str::trim).filter(|text| !text.is_empty());
        let (Some(name), Some(label)) = (field(image), field(label)) else {
            report.add(Problem::Malformed, line(), "no image or no label");
            continue;
        };
        if !is_safe(name) {
            report.add(Problem::Malformed, line(), "the image's path leads out of the data set");
            continue;
        }
        let Some(image) = finder.find(None, name) else {
            report.add(Problem::MissingImage, name, "");
            continue;
        };
        let kind = kind.and_then(field).unwrap_or_default().to_lowercase();
        found.push(Labelled { image, name: name.to_owned(), label: label.to_owned(), kind });
    }
    if found.is_empty() {
        return Err(malformed(format!("it names no picture that is there.\n{report}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(table: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("Images")).unwrap();
        for name in ["a.jpg", "b.jpg", "c.jpg"] {
            std::fs::write(folder.path().join("Images").join(name), "").unwrap();
        }
        std::fs::write(folder.path().join("labels.csv"), table).unwrap();
        folder
    }

    #[test]
    fn columns_come_in_any_order_and_a_kind_is_optional() {
        let folder = folder("\u{feff}note,label,image\r\nx,\"cat, tabby\",a.jpg\r\n\r\ny, dog ,b.jpg\r\n");
        let mut report = Report::default();
        let read = |path: &Path, report: &mut Report| read(path, report).unwrap();
        let found = read(folder.path(), &mut report);
        assert_eq!(found.iter().map(|l| l.label.as_str()).collect::<Vec<_>>(), ["cat, tabby", "dog"]);
        assert_eq!(found[1].example().unwrap().captions, ["dog"]);
        assert!(report.is_clean(), "{report}");
        assert_eq!(read(&folder.path().join("labels.csv"), &mut report), found);
    }

    #[test]
    fn only_what_shows_something_is_an_example() {
        let folder =
            folder("image,kind,label\na.jpg,Drawing,sketch dog\nb.jpg,photograph,scan\nc.jpg,object,cat\n");
        let found = read(folder.path(), &mut Report::default()).unwrap();
        let shown: Vec<bool> = found.iter().map(|labelled| labelled.example().is_some()).collect();
        assert_eq!(shown, [false, false, true]);
    }

    #[test]
    fn bad_lines_are_named_and_a_bad_table_is_an_error() {
        let table = "image,label\n../a.jpg,dog\nnone.jpg,dog\nc.jpg,\nc.jpg,cat\n";
        let mut report = Report::default();
        assert_eq!(read(folder(table).path(), &mut report).unwrap().len(), 1);
        let text = report.to_string();
        assert!(
            text.contains("labels.csv line 2") && text.contains("none.jpg") && text.contains("line 4"),
            "{text}"
        );
        for (table, says) in [
            ("image,name\na.jpg,dog\n", "columns image,label"),
            ("", "columns image,label"),
            ("image,label\nnone.jpg,dog\n", "no picture that is there"),
        ] {
            let error = read(folder(table).path(), &mut Report::default()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let error = read(Path::new("nowhere/labels.csv"), &mut Report::default()).unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
    }

    #[test]
    fn a_fifth_is_held_out() {
        let count = (0..5000).filter(|i| is_held_out(&format!("imagenet_{i}.jpg"))).count();
        assert!((900..1100).contains(&count), "{count}");
    }
}
