//! Flickr8k, as on Kaggle and as its authors publish it: captions in one text file, splits in three lists. Also a CSV
//! file of one's own, with the splits in a column or none at all.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    DataError, Problem, RawEntry, Report, Split, SplitNames,
    images::{ImageFinder, composed},
    layout::{Found, Layout},
    line_of, note_strange_letters, read_text,
};

type Captions = HashMap<String, Vec<String>>;

/// Reads the captions of the split's images, in the order of the split's list.
///
/// The published captions name an image `2258277193_586949ec62.jpg.1` that no list and no archive has: captions of
/// images outside the split are not looked at further.
pub(super) fn read(
    found: &Found,
    split: Split,
    report: &mut Report,
) -> Result<(Vec<RawEntry>, ImageFinder), DataError> {
    let path = &found.text[0];
    let finder = ImageFinder::new(&found.roots, &[]);
    let list = split_list(found, split);
    let own = found.layout == Layout::Kaggle && path.extension().is_some_and(|extension| extension == "csv");
    if own && list.is_err() {
        return Ok((read_own_csv(path, split, report)?, finder));
    }
    let mut captions = match found.layout {
        Layout::Kaggle => by_name(read_csv(path, report)?),
        _ => read_tokens(path, report)?,
    };
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for line in list?.lines() {
        let name = line.trim();
        if !name.is_empty() && seen.insert(composed(name)) {
            let captions = captions.remove(&composed(name)).unwrap_or_default();
            entries.push(RawEntry { name: name.to_owned(), folder: None, captions });
        }
    }
    Ok((entries, finder))
}

/// The text of the split's list of image names.
fn split_list(found: &Found, split: Split) -> Result<String, DataError> {
    let file = match split {
        Split::Train => "Flickr_8k.trainImages.txt",
        Split::Dev => "Flickr_8k.devImages.txt",
        Split::Test => "Flickr_8k.testImages.txt",
    };
    let mut folders = found.roots.clone();
    folders
        .extend(found.roots.iter().map(|root| root.join("Flickr8k_text")).filter(|folder| folder.is_dir()));
    match folders.iter().map(|folder| folder.join(file)).find(|list| list.is_file()) {
        Some(list) => read_text(&list),
        None => Err(DataError::NoSplitList { path: found.text[0].clone(), split, file, folders }),
    }
}

/// A line of a captions file in CSV.
struct CsvLine {
    image: String,
    caption: String,
    split: Option<String>,
    /// Its (first) line in the file, counted from 1.
    line: usize,
}

/// The captions of each image.
fn by_name(lines: Vec<CsvLine>) -> Captions {
    let mut captions = Captions::new();
    for line in lines {
        captions.entry(composed(&line.image)).or_default().push(line.caption);
    }
    captions
}

/// The images of a CSV file that no lists belong to, in the file's order: those whose column `split` names the split,
/// or, without such a column, all of them whatever split is asked for.
fn read_own_csv(path: &Path, split: Split, report: &mut Report) -> Result<Vec<RawEntry>, DataError> {
    let lines = read_csv(path, report)?;
    let has_splits = lines.iter().any(|line| line.split.is_some());
    let (mut entries, mut places) = (Vec::<RawEntry>::new(), HashMap::new());
    let mut names = SplitNames::default();
    for line in lines {
        if has_splits {
            let Some(name) = &line.split else {
                report.add(Problem::Malformed, line_of(path, line.line), "nothing in the column `split`");
                continue;
            };
            names.add(name);
            match name.parse::<Split>() {
                Ok(of) if of != split => continue,
                Ok(_) => {}
                Err(why) => {
                    report.add(Problem::Malformed, line_of(path, line.line), &why.to_string());
                    continue;
                }
            }
        }
        let place = *places.entry(composed(&line.image)).or_insert_with(|| {
            entries.push(RawEntry { name: line.image.clone(), folder: None, captions: Vec::new() });
            entries.len() - 1
        });
        entries[place].captions.push(line.caption);
    }
    if entries.is_empty() && has_splits {
        let (available, report) = (names.to_string(), Box::new(report.clone()));
        return Err(DataError::NoSuchSplit { path: path.to_owned(), split, available, report });
    }
    Ok(entries)
}

/// CSV with the columns `image` and `caption`, and maybe `split`, in any order and among others.
fn read_csv(path: &Path, report: &mut Report) -> Result<Vec<CsvLine>, DataError> {
    let text = read_text(path)?;
    note_strange_letters(path, &text, report);
    let malformed = |reason: String| DataError::Malformed { path: path.to_owned(), reason };
    let mut physical = text.lines().enumerate().skip_while(|(_, line)| line.trim().is_empty());
    let header = physical.next().map_or("", |(_, line)| line);
    let columns = fields(header);
    let column = |name: &str| columns.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
    let (Some(image), Some(caption)) = (column("image"), column("caption")) else {
        return Err(malformed(format!(
            "its first line must name the columns image,caption, but is `{header}`"
        )));
    };
    let split = column("split");
    let is_record = |line: &str| {
        let fields = fields(line);
        fields.len() >= columns.len() && fields.get(image).is_some_and(|name| looks_like_an_image(name))
    };
    let rest: Vec<(usize, &str)> = physical.collect();
    let mut lines = Vec::new();
    let mut at = 0;
    while let Some(&(index, first)) = rest.get(at) {
        let line = index + 1;
        at += 1;
        if first.trim().is_empty() {
            continue;
        }
        let mut record = first.to_owned();
        if quoting(first).open {
            // A caption of several lines, or a quote that is never closed and would swallow the lines after it.
            let mut taken = 0;
            while quoting(&record).open && rest.get(at + taken).is_some_and(|(_, next)| !is_record(next)) {
                record = format!("{record}\n{}", rest[at + taken].1);
                taken += 1;
            }
            let Quoting { open, stray } = quoting(&record);
            // A quote that is closed in the middle of a field was another field's beginning.
            if open || stray {
                report.add(Problem::Malformed, line_of(path, line), "its quote \" is never closed");
                continue;
            }
            at += taken;
        }
        let mut found = fields(&record);
        if found.len() > columns.len() {
            let why = format!(
                "{} fields instead of {}: put a caption with commas in quotes",
                found.len(),
                columns.len()
            );
            if caption + 1 < columns.len() || found[caption..].iter().any(|field| field.contains('\n')) {
                // Which of the commas are the caption's cannot be told.
                report.add(Problem::Malformed, line_of(path, line), &why);
                continue;
            }
            report.add(Problem::Joined, line_of(path, line), &why);
            let joined = found.split_off(caption).join(",");
            found.push(joined);
        }
        match (found.get(image).map(|name| name.trim()), found.get(caption)) {
            (Some(name), Some(text)) if !name.is_empty() => {
                let split = split.and_then(|column| found.get(column)).map(|split| split.trim());
                lines.push(CsvLine {
                    image: name.to_owned(),
                    caption: text.to_owned(),
                    split: split.filter(|split| !split.is_empty()).map(str::to_owned),
                    line,
                });
            }
            _ => report.add(Problem::Malformed, line_of(path, line), "no image or no caption"),
        }
    }
    Ok(lines)
}

/// The fields of one CSV record.
fn fields(record: &str) -> Vec<String> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record.as_bytes());
    let first = reader.records().next().and_then(Result::ok).unwrap_or_default();
    first.iter().map(str::to_owned).collect()
}

/// What is odd about a CSV record's quotes.
struct Quoting {
    /// It ends inside a quoted field.
    open: bool,
    /// Something stands between a closing quote and the end of its field.
    stray: bool,
}

/// A quote opens a field only where the field begins.
fn quoting(record: &str) -> Quoting {
    let (mut open, mut begins, mut stray) = (false, true, false);
    let mut letters = record.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if open && letters.next_if_eq(&'"').is_none() => {
                open = false;
                stray |= letters.peek().is_some_and(|next| !matches!(next, ',' | ' '));
            }
            '"' if begins && !open => (open, begins) = (true, false),
            ',' if !open => begins = true,
            _ => begins = false,
        }
    }
    Quoting { open, stray }
}

/// Whether a field ends as image files do.
fn looks_like_an_image(field: &str) -> bool {
    let extension = Path::new(field.trim()).extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp"].contains(&extension.as_str())
}

/// Lines of `name.jpg#0<TAB>caption`.
fn read_tokens(path: &Path, report: &mut Report) -> Result<Captions, DataError> {
    let text = read_text(path)?;
    note_strange_letters(path, &text, report);
    let mut captions = Captions::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let name =
            line.split_once('\t').and_then(|(key, caption)| Some((key.rsplit_once('#')?.0.trim(), caption)));
        match name {
            Some((name, caption)) if !name.is_empty() => {
                captions.entry(composed(name)).or_default().push(caption.to_owned());
            }
            _ => {
                report.add(Problem::Malformed, line_of(path, index + 1), "not `name.jpg#0<TAB>caption`");
            }
        }
    }
    Ok(captions)
}
