//! `docs/study.md`, from records alone.

use std::fmt::Write as _;

use super::record::{Distances, Record, Scored};

/// The runs of one row.
pub struct Row {
    /// Its name.
    pub name: String,
    /// One for each seed; never empty.
    pub runs: Vec<Record>,
}

impl Row {
    /// The widths that all runs measured, the largest first.
    pub fn px(&self) -> Vec<u16> {
        self.runs.first().map(|run| run.scores.keys().rev().copied().collect()).unwrap_or_default()
    }

    fn values(&self, px: u16, of: impl Fn(&Scored) -> f64) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.scores.get(&px)).map(of).collect()
    }

    /// The mean of a score over the seeds.
    pub fn mean(&self, px: u16, of: impl Fn(&Scored) -> f64) -> f64 {
        mean(&self.values(px, of))
    }

    /// The mean of a distance over the seeds.
    pub fn mean_distance(&self, px: u16, of: impl Fn(&Distances) -> f64) -> f64 {
        mean(&self.runs.iter().filter_map(|run| run.distances.get(&px)).map(of).collect::<Vec<_>>())
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Runs by row, in the order of `names`.
pub fn rows(names: &[String], records: Vec<Record>) -> Vec<Row> {
    names
        .iter()
        .map(|name| Row {
            name: name.clone(),
            runs: records.iter().filter(|r| &r.row == name).cloned().collect(),
        })
        .filter(|row| !row.runs.is_empty())
        .collect()
}

/// What a report says beside its numbers.
pub struct Heading<'a> {
    /// Its title.
    pub title: &'a str,
    /// What all rows start from, in a few words of Markdown.
    pub from: &'a str,
    /// The row that all others are compared with.
    pub baseline: &'a str,
    /// The folder of the records and pictures, beside the report.
    pub folder: &'a str,
    /// What wrote it.
    pub command: &'a str,
}

/// The text of `docs/study.md`.
pub fn markdown(rows: &[Row], heading: &Heading) -> String {
    let mut text = String::new();
    write(&mut text, rows, heading).expect("a string takes everything");
    text
}

fn write(text: &mut String, rows: &[Row], heading: &Heading) -> std::fmt::Result {
    let Heading { title, from, baseline, folder, command } = heading;
    let Some(first) = rows.first() else { return Ok(()) };
    let px = first.px();
    let record = &first.runs[0];
    writeln!(text, "# {title}\n")?;
    writeln!(text, "<!-- Written by `{command}` from the records in docs/{folder}/. Do not edit. -->\n")?;
    writeln!(
        text,
        "Scores on the Flickr8k test split ({} pictures, five references each, words as pycocoevalcap counts them, \
         times 100), beam {}, int8 weights. The columns are the width in pixels to which each photograph was shrunk \
         (anti-aliased) first. Where a row has several seeds, the cell is their mean and ± half of the distance \
         between the best and the worst. Written by `{command}`; each run's record, with its recipe, is in \
         [{folder}/]({folder}/).\n",
        record.pictures, record.beam
    )?;
    writeln!(
        text,
        "All rows start from {from}. Their budget is counted in passes of the training pictures through"
    )?;
    writeln!(
        text,
        "the trunk and back; a teacher's pass, which is forward only, does not count, but takes its minutes.\n"
    )?;
    writeln!(text, "| row | what it is | budget | seeds | minutes |\n|---|---|---|---|---|")?;
    for row in rows {
        let seconds = mean(&row.runs.iter().map(|run| run.seconds).collect::<Vec<_>>());
        let (what, budget) = (&row.runs[0].what, row.runs[0].budget);
        writeln!(text, "| {} | {what} | {budget} | {} | {:.0} |", row.name, row.runs.len(), seconds / 60.0)?;
    }
    type Metric = (&'static str, fn(&Scored) -> f64);
    let mut metrics: Vec<Metric> =
        vec![("CIDEr", |s| s.cider), ("BLEU-4", |s| s.bleu4), ("ROUGE-L", |s| s.rouge_l)];
    if rows.iter().all(|row| row.runs.iter().all(|run| run.scores.values().all(|s| s.meteor.is_some()))) {
        metrics.push(("METEOR", |s| s.meteor.unwrap_or(f64::NAN)));
    }
    for (name, of) in &metrics {
        writeln!(text, "\n## {name}\n")?;
        let header: Vec<String> = px.iter().map(|px| format!("{px} px")).collect();
        writeln!(text, "| row | {} |\n|---|{}", header.join(" | "), "---|".repeat(px.len()))?;
        for row in rows {
            let cells: Vec<String> = px.iter().map(|&px| cell(&row.values(px, of))).collect();
            writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
        }
    }
    writeln!(text, "\n![CIDEr by the width of the source]({folder}/cider.svg)\n")?;
    comparison(text, rows, baseline, &px)?;
    writeln!(text, "\n## Where versions of a picture lie\n")?;
    writeln!(
        text,
        "Mean distance from the sharp picture's embedding (Euclidean, divided by the square root of the number of \
         values): solid for the same picture shrunk, dashed for another picture shrunk.\n"
    )?;
    writeln!(
        text,
        "| row | {} |",
        px.iter().map(|px| format!("same, {px} px | different, {px} px")).collect::<Vec<_>>().join(" | ")
    )?;
    writeln!(text, "|---|{}", "---|".repeat(2 * px.len()))?;
    for row in rows {
        let cells: Vec<String> = px
            .iter()
            .map(|&px| {
                let (same, different) =
                    (row.mean_distance(px, |d| d.same), row.mean_distance(px, |d| d.different));
                format!("{same:.2} | {different:.2}")
            })
            .collect();
        writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
    }
    writeln!(text, "\n![Distances by the width of the source]({folder}/distances.svg)\n")?;
    writeln!(text, "## Examples\n")?;
    writeln!(text, "The bundled photographs, none of them from the data set, as the network gets them.\n")?;
    writeln!(text, "![Captions by the width of the source]({folder}/examples.svg)")
}

fn cell(values: &[f64]) -> String {
    let value = mean(values) * 100.0;
    match values {
        [] => "".into(),
        [_] => format!("{value:.1}"),
        _ => format!("{value:.1} ± {:.1}", half_range(values) * 100.0),
    }
}

fn half_range(values: &[f64]) -> f64 {
    let highest = values.iter().copied().fold(f64::MIN, f64::max);
    let lowest = values.iter().copied().fold(f64::MAX, f64::min);
    (highest - lowest) / 2.0
}

/// Differences in CIDEr from the baseline.
fn comparison(text: &mut String, rows: &[Row], name: &str, px: &[u16]) -> std::fmt::Result {
    let Some(baseline) = rows.iter().find(|row| row.name == name) else { return Ok(()) };
    writeln!(text, "## Against augmentation alone\n")?;
    writeln!(
        text,
        "CIDEr of each row minus that of `{name}`. A difference no larger than the spreads of the two rows' seeds added \
         up is not told from noise, and in brackets; so is one of rows that have one seed only, by the spread of \
         `{name}` alone.\n"
    )?;
    let header: Vec<String> = px.iter().map(|px| format!("{px} px")).collect();
    writeln!(text, "| row | {} |\n|---|{}", header.join(" | "), "---|".repeat(px.len()))?;
    for row in rows.iter().filter(|row| row.name != name) {
        let cells: Vec<String> = px
            .iter()
            .map(|&px| {
                let (ours, theirs) = (row.values(px, |s| s.cider), baseline.values(px, |s| s.cider));
                let difference = (mean(&ours) - mean(&theirs)) * 100.0;
                let noise = (half_range(&ours) + half_range(&theirs)) * 100.0;
                if difference.abs() <= noise {
                    format!("({difference:+.1})")
                } else {
                    format!("{difference:+.1}")
                }
            })
            .collect();
        writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
    }
    Ok(())
}
