//! The document, from records alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::features::Condition;
use super::plan::Plan;
use super::record::{Record, Scored};
use super::statistics::Mean;

/// The text of the document; `folder` holds the records, beside it, and `command` wrote it.
pub fn markdown(plan: &Plan, records: &[Record], folder: &str, command: &str) -> String {
    let mut text = String::new();
    write(&mut text, plan, records, folder, command).expect("a string takes everything");
    text
}

/// Runs of a row by seed.
fn of_row<'a>(records: &'a [Record], name: &str) -> BTreeMap<u64, &'a Record> {
    records.iter().filter(|record| record.row.name == name).map(|record| (record.seed, record)).collect()
}

fn write(
    text: &mut String,
    plan: &Plan,
    records: &[Record],
    folder: &str,
    command: &str,
) -> std::fmt::Result {
    let Some(first) = records.first() else { return Ok(()) };
    let network = first.network;
    writeln!(text, "# {}\n", plan.title)?;
    writeln!(text, "<!-- Written by `{command}` from the records in docs/{folder}/. Do not edit. -->\n")?;
    writeln!(
        text,
        "The encoder stays as ImageNet left it (EfficientNet-Lite0 at 224 px, pooled features of its head); trained are a linear \
         head to {} values and {} LSTM{} of {} values that reads them before the first word, with word embeddings of {} values. \
         The paper has a ResNet-50, GloVe and two LSTMs. A run has {} passes over Flickr8k's 6,000 training pictures, a caption of \
         each a pass; rows with two views of a picture learn its caption from both, so that a pass of theirs costs two. All rows of \
         a seed begin at the same numbers and see the same captions in the same order.\n",
        network.embedding,
        network.layers,
        if network.layers == 1 { "" } else { "s above each other" },
        network.hidden,
        network.embedding,
        network.epochs
    )?;
    writeln!(
        text,
        "Scores are those of {} test pictures, the likeliest word after the likeliest word, times 100: the mean over the seeds and \
         half of its 95 % interval (Student's t). Written by `{command}`; the runs' records are in [{folder}/]({folder}/).\n",
        first.pictures
    )?;
    writeln!(text, "| row | what it is | seeds | seconds a run |\n|---|---|---|---|")?;
    for row in &plan.rows {
        let runs = of_row(records, &row.name);
        if runs.is_empty() {
            continue;
        }
        let seconds = runs.values().map(|run| run.seconds).sum::<f64>() / runs.len() as f64;
        writeln!(text, "| {} | {} | {} | {seconds:.0} |", row.name, row.what, runs.len())?;
    }
    let widths: Vec<String> = plan.px.iter().map(|&px| Condition::Width(px).name()).collect();
    let versions: Vec<String> = Condition::versions().into_iter().map(Condition::name).collect();
    type Metric = (&'static str, fn(&Scored) -> f64);
    const METRICS: [Metric; 4] = [
        ("CIDEr", |s| s.cider),
        ("BLEU-4", |s| s.bleu4),
        ("ROUGE-L", |s| s.rouge_l),
        ("BLEU-4 of characters against one reference, as the paper measures", |s| s.character_bleu4),
    ];
    for (name, of) in METRICS {
        writeln!(text, "\n## {name}")?;
        for columns in [&widths, &versions] {
            table(text, plan, records, columns, of)?;
        }
    }
    writeln!(text, "\n![CIDEr against augmentation alone, by width]({folder}/differences.svg)\n")?;
    writeln!(text, "## Against `{}`\n", plan.baseline)?;
    writeln!(
        text,
        "CIDEr of each row minus that of `{}` under the same seed, mean and half of the 95 % interval (paired t-test); a difference that \
         is not told from none is in brackets.",
        plan.baseline
    )?;
    for columns in [&widths, &versions] {
        let header = columns.join(" | ");
        writeln!(text, "\n| row | {header} |\n|---|{}", "---|".repeat(columns.len()))?;
        for row in plan.rows.iter().filter(|row| row.name != plan.baseline) {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| match difference(plan, records, &row.name, column) {
                    Some(mean) if mean.half.is_infinite() => format!("({:+.1})", mean.value),
                    Some(mean) if mean.differs() => format!("{:+.1} ± {:.1}", mean.value, mean.half),
                    Some(mean) => format!("({:+.1} ± {:.1})", mean.value, mean.half),
                    None => String::new(),
                })
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
            }
        }
    }
    distances(text, plan, records, &widths)
}

/// CIDEr times 100 of a row minus that of the baseline, over the seeds that both have.
pub(super) fn difference(plan: &Plan, records: &[Record], row: &str, condition: &str) -> Option<Mean> {
    let (ours, theirs) = (of_row(records, row), of_row(records, &plan.baseline));
    let pairs: Vec<(f64, f64)> = ours
        .iter()
        .filter_map(|(seed, run)| {
            let (a, b) = (run.scores.get(condition)?, theirs.get(seed)?.scores.get(condition)?);
            Some((100.0 * a.cider, 100.0 * b.cider))
        })
        .collect();
    (!pairs.is_empty()).then(|| Mean::of_differences(&pairs))
}

fn table(
    text: &mut String,
    plan: &Plan,
    records: &[Record],
    columns: &[String],
    of: fn(&Scored) -> f64,
) -> std::fmt::Result {
    writeln!(text, "\n| row | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()))?;
    for row in &plan.rows {
        let runs = of_row(records, &row.name);
        if runs.is_empty() {
            continue;
        }
        let cells: Vec<String> = columns
            .iter()
            .map(|column| {
                let values: Vec<f64> =
                    runs.values().filter_map(|run| run.scores.get(column)).map(|s| 100.0 * of(s)).collect();
                cell(Mean::of(&values))
            })
            .collect();
        writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
    }
    Ok(())
}

fn cell(mean: Mean) -> String {
    match mean.half.is_finite() {
        true => format!("{:.1} ± {:.1}", mean.value, mean.half),
        false => format!("{:.1}", mean.value),
    }
}

fn distances(text: &mut String, plan: &Plan, records: &[Record], widths: &[String]) -> std::fmt::Result {
    writeln!(text, "\n## Where versions of a picture lie\n")?;
    writeln!(
        text,
        "Mean Euclidean distance of embeddings from the original's: of the same picture / of another picture. The first line is \
         before any training.\n"
    )?;
    writeln!(text, "| row | {} |\n|---|{}", widths.join(" | "), "---|".repeat(widths.len()))?;
    let mean = |runs: &BTreeMap<u64, &Record>, width: &String, before: bool| {
        let of = |run: &&Record| {
            let all = if before { &run.before } else { &run.after };
            all.get(width).map(|d| (d.same, d.different))
        };
        let all: Vec<(f64, f64)> = runs.values().filter_map(of).collect();
        let count = all.len().max(1) as f64;
        let same = all.iter().map(|(same, _)| same).sum::<f64>() / count;
        format!("{same:.2} / {:.2}", all.iter().map(|(_, different)| different).sum::<f64>() / count)
    };
    let all: BTreeMap<u64, &Record> = records.iter().map(|record| (record.seed, record)).collect();
    let start: Vec<String> = widths.iter().map(|width| mean(&all, width, true)).collect();
    writeln!(text, "| (untrained head) | {} |", start.join(" | "))?;
    for row in &plan.rows {
        let runs = of_row(records, &row.name);
        if !runs.is_empty() {
            let cells: Vec<String> = widths.iter().map(|width| mean(&runs, width, false)).collect();
            writeln!(text, "| {} | {} |", row.name, cells.join(" | "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::record::Distances;
    use super::*;

    #[test]
    fn differences_are_those_of_seeds_that_both_rows_have() {
        let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/study-paper.toml");
        let plan = Plan::load(plan.as_ref()).unwrap();
        let record = |name: &str, seed: u64, cider: f64| {
            let row = plan.rows.iter().find(|row| row.name == name).unwrap().clone();
            let scored = Scored { cider, bleu4: 0.2, rouge_l: 0.4, character_bleu4: 0.5 };
            let distances = BTreeMap::from([("25 px".to_owned(), Distances { same: 0.5, different: 2.0 })]);
            Record {
                row,
                network: plan.network,
                seed,
                seconds: 60.0,
                revision: None,
                pictures: 10,
                scores: BTreeMap::from([("25 px".to_owned(), scored)]),
                before: distances.clone(),
                after: distances,
            }
        };
        let mut records: Vec<Record> = [0.30, 0.35, 0.40]
            .iter()
            .zip([0.311, 0.360, 0.409])
            .zip(1..)
            .flat_map(|((&aug, joint), seed)| [record("aug", seed, aug), record("joint", seed, joint)])
            .collect();
        // A seed without its pair says nothing.
        records.push(record("joint", 9, 0.9));
        let text = markdown(&plan, &records, "study-paper", "soli study");
        // 1.1, 1.0 and 0.9: mean 1.0, and 4.303 * 0.1 / sqrt(3).
        assert!(text.contains("| joint |  |  |  | +1.0 ± 0.2 |"), "{text}");
        assert!(!text.contains("| two-stage |  |"), "a row without runs is left out");
        assert!(text.contains("0.50 / 2.00"));
    }
}
