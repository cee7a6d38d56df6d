//! The document, from records alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::plan::{Plan, Row};
use super::record::{Measured, Record, Scored};
use crate::study::panels::{Axes, Panel, Point, draw};
use crate::study::paper::statistics::Mean;

/// The text of the document; `folder` holds the records, beside it, and `command` wrote it.
pub fn markdown(plan: &Plan, records: &[Record], folder: &str, command: &str) -> String {
    let mut text = String::new();
    write(&mut text, plan, records, folder, command).expect("a string takes everything");
    text
}

fn write(
    text: &mut String,
    plan: &Plan,
    records: &[Record],
    folder: &str,
    command: &str,
) -> std::fmt::Result {
    writeln!(text, "# {}\n", plan.title)?;
    writeln!(text, "<!-- Written by `{command}` from the records in docs/{folder}/. Do not edit. -->\n")?;
    writeln!(text, "{}\n", plan.how.trim())?;
    let sets = records.first().map_or(&[][..], |record| &record.sets);
    let measured: Vec<String> =
        sets.iter().map(|set| format!("{} pictures of {}", set.pictures, set.name)).collect();
    let beam = records.first().map_or(0, |record| record.beam);
    writeln!(
        text,
        "Scores are those of {}, beam {beam}, times 100{}. Written by `{command}`; the runs' records are in [{folder}/]({folder}/).\n",
        measured.join(" and of "),
        if records.iter().any(|record| record.seed != records[0].seed) {
            ": the mean over the seeds and half of its 95 % interval (Student's t)"
        } else {
            ""
        },
    )?;
    writeln!(
        text,
        "| row | what it is | goes on from | seeds | minutes a run | file |\n|---|---|---|---|---|---|"
    )?;
    for row in &plan.rows {
        let runs = runs(records, row);
        let Some(last) = runs.values().next_back() else { continue };
        let minutes = runs.values().map(|run| run.seconds).sum::<f64>() / runs.len() as f64 / 60.0;
        let from = row.from.clone().unwrap_or_default();
        let trained = if row.recipe.is_some() { format!("{minutes:.0}") } else { String::new() };
        writeln!(
            text,
            "| {} | {} | {from} | {} | {trained} | {:.1} MB |",
            row.name,
            row.what,
            runs.len(),
            last.weights_bytes as f64 / 1e6
        )?;
    }
    writeln!(text, "\n![What each row adds in CIDEr, by width and data set]({folder}/differences.svg)")?;
    type Metric = (&'static str, fn(&Scored) -> f64);
    const METRICS: [Metric; 3] = [
        ("CIDEr", |s| s.cider),
        ("BLEU-4", |s| s.bleu4),
        (
            "Things that at least three of five people name, found in the caption or among its words (per cent)",
            |s| s.object_recall,
        ),
    ];
    for (place, set) in sets.iter().enumerate() {
        writeln!(text, "\n## {}", set.name)?;
        writeln!(
            text,
            "\nCIDEr of each row minus that of {}:",
            match &plan.baseline {
                Some(baseline) => format!("`{baseline}`"),
                None => "the row above it".to_owned(),
            }
        )?;
        header(text, plan)?;
        for row in &plan.rows {
            let Some(compared) = plan.compared(row) else { continue };
            let cells: Vec<String> = plan
                .px
                .iter()
                .map(|&px| difference(records, &row.name, compared, place, px).map(told).unwrap_or_default())
                .collect();
            line(text, &row.name, cells)?;
        }
        for (name, of) in METRICS {
            writeln!(text, "\n{name}:")?;
            header(text, plan)?;
            for row in &plan.rows {
                let cells = plan.px.iter().map(|px| {
                    let of = |record: &&Record| Some(100.0 * of(record.sets.get(place)?.scores.get(px)?));
                    cell(&runs(records, row).values().filter_map(of).collect::<Vec<_>>())
                });
                line(text, &row.name, cells.collect())?;
            }
        }
        floats(text, plan, records, place)?;
    }
    Ok(())
}

/// What 8-bit numbers cost.
fn floats(text: &mut String, plan: &Plan, records: &[Record], place: usize) -> std::fmt::Result {
    let of = |record: &Record| record.sets.get(place).map(|set| set.float_cider.clone()).unwrap_or_default();
    if records.iter().all(|record| of(record).is_empty()) {
        return Ok(());
    }
    writeln!(text, "\nCIDEr of the file with 8-bit numbers minus that with 32-bit ones:")?;
    header(text, plan)?;
    for row in &plan.rows {
        let cells = plan.px.iter().map(|px| {
            let lost = |record: &&Record| {
                let set: &Measured = record.sets.get(place)?;
                Some(100.0 * (set.scores.get(px)?.cider - set.float_cider.get(px)?))
            };
            let lost: Vec<f64> = runs(records, row).values().filter_map(lost).collect();
            if lost.is_empty() { String::new() } else { format!("{:+.2}", Mean::of(&lost).value) }
        });
        line(text, &row.name, cells.collect())?;
    }
    Ok(())
}

fn header(text: &mut String, plan: &Plan) -> std::fmt::Result {
    let widths: Vec<String> = plan.px.iter().map(|px| format!("{px} px")).collect();
    writeln!(text, "\n| row | {} |\n|---|{}", widths.join(" | "), "---|".repeat(widths.len()))
}

/// A line of a table, unless it is empty.
fn line(text: &mut String, name: &str, cells: Vec<String>) -> std::fmt::Result {
    if cells.iter().all(String::is_empty) {
        return Ok(());
    }
    writeln!(text, "| {name} | {} |", cells.join(" | "))
}

/// Runs of a row by seed.
fn runs<'a>(records: &'a [Record], row: &Row) -> BTreeMap<u64, &'a Record> {
    records.iter().filter(|record| record.row == row.name).map(|record| (record.seed, record)).collect()
}

/// CIDEr times 100 of a row minus that of another: over the seeds that both have, or, if one of them has a single seed, to that.
fn difference(records: &[Record], row: &str, other: &str, set: usize, px: u16) -> Option<Mean> {
    let of = |name: &str| -> BTreeMap<u64, f64> {
        let ours = records.iter().filter(|record| record.row == name);
        ours.filter_map(|record| Some((record.seed, 100.0 * record.sets.get(set)?.scores.get(&px)?.cider)))
            .collect()
    };
    let (ours, theirs) = (of(row), of(other));
    let single = theirs.values().next().copied().filter(|_| theirs.len() == 1);
    let pairs: Vec<(f64, f64)> = ours
        .iter()
        .filter_map(|(seed, value)| Some((*value, theirs.get(seed).copied().or(single)?)))
        .collect();
    (!pairs.is_empty()).then(|| Mean::of_differences(&pairs))
}

fn told(mean: Mean) -> String {
    match mean.half.is_finite() {
        true => format!("{:+.1} ± {:.1}", mean.value, mean.half),
        false => format!("{:+.1}", mean.value),
    }
}

fn cell(values: &[f64]) -> String {
    let mean = Mean::of(values);
    match mean.half.is_finite() {
        _ if values.is_empty() => String::new(),
        true => format!("{:.1} ± {:.1}", mean.value, mean.half),
        false => format!("{:.1}", mean.value),
    }
}

/// Draws what each row adds: a panel for each data set.
///
/// # Errors
/// If the file cannot be written.
pub fn differences(path: &Path, plan: &Plan, records: &[Record]) -> Result<()> {
    let sets = records.first().map_or(&[][..], |record| &record.sets);
    let than = match &plan.baseline {
        Some(baseline) => format!("\"{baseline}\""),
        None => "the row before".to_owned(),
    };
    let panels: Vec<Panel> = sets
        .iter()
        .enumerate()
        .map(|(place, set)| {
            let points = |row: &Row| -> Vec<Point> {
                let Some(compared) = plan.compared(row) else { return Vec::new() };
                let at = |(x, &px): (usize, &u16)| {
                    let mean = difference(records, &row.name, compared, place, px)?;
                    Some((x as f64, mean.value, if mean.half.is_finite() { mean.half } else { 0.0 }))
                };
                plan.px.iter().enumerate().filter_map(at).collect()
            };
            let rows = plan.rows.iter().map(|row| (row.name.as_str(), points(row)));
            Panel {
                title: format!("{}: CIDEr more than {than}", set.name),
                rows: rows.filter(|(_, points)| !points.is_empty()).collect(),
            }
        })
        .collect();
    let places = plan.px.iter().map(|px| format!("{px} px")).collect();
    draw(path, &Axes { places, x: "width of the source", y: "difference in CIDEr" }, &panels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.to_owned(),
            what: String::new(),
            recipe: Some("r.toml".into()),
            from: None,
            weights: None,
            data: None,
            text: false,
            labels: false,
            float: false,
            seeds: vec![1, 2],
        }
    }

    fn record(name: &str, seed: u64, cider: f64) -> Record {
        let scored = Scored { cider, bleu4: 0.2, rouge_l: 0.4, object_recall: 0.7 };
        Record {
            row: name.to_owned(),
            seed,
            recipe: None,
            seconds: 120.0,
            revision: None,
            weights_sha256: String::new(),
            weights_bytes: 8_000_000,
            beam: 3,
            sets: vec![Measured {
                name: "coco val".to_owned(),
                pictures: 250,
                scores: [(224, scored)].into(),
                float_cider: if name == "b" { [(224, cider + 0.001)].into() } else { BTreeMap::new() },
            }],
        }
    }

    #[test]
    fn rows_are_compared_seed_by_seed_and_with_a_single_run() {
        let plan = Plan {
            title: "T".to_owned(),
            how: String::new(),
            baseline: None,
            px: vec![224],
            beam: 3,
            rows: vec![row("a"), row("b"), row("c")],
        };
        let records = [
            record("a", 1, 0.50),
            record("b", 1, 0.53),
            record("b", 2, 0.55),
            record("c", 1, 0.54),
            record("c", 2, 0.57),
        ];
        let text = markdown(&plan, &records, "world", "soli study");
        // b has two seeds and a one: 3 and 5, 12.706 * 1.414 / sqrt(2). c against b: 1 and 2.
        assert!(text.contains("| b | +4.0 ± 12.7 |") && text.contains("| c | +1.5 ± 6.4 |"), "{text}");
        assert!(text.contains("| b | 54.0 ± 12.7 |") && text.contains("| a | 50.0 |"), "{text}");
        assert!(text.contains("| b | -0.10 |") && !text.contains("| c | -0"), "{text}");
    }
}
