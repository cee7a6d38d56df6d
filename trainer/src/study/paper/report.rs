//! The document, from records alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::features::Condition;
use super::plan::{Plan, Share, Views};
use super::record::{Distances, Measured, Record, Scored};
use super::statistics::Mean;

/// The text of the document; `folder` holds the records, beside it, and `command` wrote it.
pub fn markdown(plan: &Plan, records: &[Record], folder: &str, command: &str) -> String {
    let mut text = String::new();
    write(&mut text, plan, records, folder, command).expect("a string takes everything");
    text
}

/// Runs that are compared: those of a share of captions, measured on a data set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    records: &'a [Record],
    share: Share,
    set: usize,
}

impl<'a> Group<'a> {
    /// All that were measured.
    pub(super) fn all(plan: &Plan, records: &'a [Record]) -> Vec<Self> {
        let sets = records.first().map_or(0, |record| record.sets.len());
        let measured = |group: &Self| records.iter().any(|record| record.share == group.share);
        plan.shares()
            .into_iter()
            .flat_map(|share| (0..sets).map(move |set| Self { records, share, set }))
            .filter(measured)
            .collect()
    }

    /// What tells it from the others; nothing if there are none.
    pub(super) fn name(&self, plan: &Plan) -> String {
        let share = (plan.shares().len() > 1).then(|| format!("{} of the captions", self.share.name()));
        let sets = self.records.first().map_or(&[][..], |record| &record.sets);
        let set = (sets.len() > 1).then(|| sets.get(self.set).map(|set| set.name.clone())).flatten();
        [share, set].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Runs of a row by seed.
    fn of_row(&self, name: &str) -> BTreeMap<u64, &'a Measured> {
        let ours = |record: &&Record| record.row.name == name && record.share == self.share;
        let measured = |record: &'a Record| Some((record.seed, record.sets.get(self.set)?));
        self.records.iter().filter(ours).filter_map(measured).collect()
    }

    /// CIDEr times 100 of a row minus that of the baseline, over the seeds that both have.
    pub(super) fn difference(&self, plan: &Plan, row: &str, condition: &str) -> Option<Mean> {
        let (ours, theirs) = (self.of_row(row), self.of_row(&plan.baseline));
        let pairs: Vec<(f64, f64)> = ours
            .iter()
            .filter_map(|(seed, run)| {
                let (a, b) = (run.scores.get(condition)?, theirs.get(seed)?.scores.get(condition)?);
                Some((100.0 * a.cider, 100.0 * b.cider))
            })
            .collect();
        (!pairs.is_empty()).then(|| Mean::of_differences(&pairs))
    }
}

fn write(
    text: &mut String,
    plan: &Plan,
    records: &[Record],
    folder: &str,
    command: &str,
) -> std::fmt::Result {
    let groups = Group::all(plan, records);
    let (Some(first), Some(group)) = (records.first(), groups.first()) else { return Ok(()) };
    writeln!(text, "# {}\n", plan.title)?;
    writeln!(text, "<!-- Written by `{command}` from the records in docs/{folder}/. Do not edit. -->\n")?;
    conditions(text, plan, first)?;
    writeln!(
        text,
        "Scores are those of {}, the likeliest word after the likeliest word, times 100: the mean over the seeds and \
         half of its 95 % interval (Student's t). Written by `{command}`; the runs' records are in [{folder}/]({folder}/).\n",
        first
            .sets
            .iter()
            .map(|set| format!("{} pictures of {}", set.pictures, set.name))
            .collect::<Vec<_>>()
            .join(" and of "),
    )?;
    writeln!(text, "| row | what it is | seeds | seconds a run (median) |\n|---|---|---|---|")?;
    for row in &plan.rows {
        let seconds = |share: &Share| {
            let of = |record: &&Record| record.row.name == row.name && record.share == *share;
            let mut all: Vec<f64> = records.iter().filter(of).map(|record| record.seconds).collect();
            all.sort_by(f64::total_cmp);
            // Not the mean: a run may have been stopped and continued.
            let median = all.get(all.len() / 2)?;
            let of = if plan.shares.len() > 1 { format!(" at {}", share.name()) } else { String::new() };
            Some(format!("{median:.0}{of}"))
        };
        let seconds: Vec<String> = plan.shares().iter().filter_map(seconds).collect();
        if !seconds.is_empty() {
            let all = groups.iter().map(|group| group.of_row(&row.name).len()).filter(|seeds| *seeds > 0);
            let seeds = match (all.clone().min().unwrap_or(0), all.max().unwrap_or(0)) {
                (least, most) if least < most => format!("{least} to {most}"),
                (_, most) => most.to_string(),
            };
            writeln!(text, "| {} | {} | {seeds} | {} |", row.name, row.what, seconds.join(", "))?;
        }
    }
    writeln!(text, "\n![CIDEr against {}, by width]({folder}/differences.svg)\n", plan.baseline)?;
    writeln!(text, "## Against `{}`\n", plan.baseline)?;
    writeln!(
        text,
        "CIDEr of each row minus that of `{}` under the same seed, mean and half of the 95 % interval (paired t-test); a difference that \
         is not told from none is in brackets.",
        plan.baseline
    )?;
    let widths: Vec<String> = plan.px.iter().map(|&px| Condition::Width(px).name()).collect();
    let versions: Vec<String> = Condition::versions().into_iter().map(Condition::name).collect();
    let one = groups.len() == 1 && plan.shows_versions();
    for group in &groups {
        title(text, plan, group)?;
        for columns in [Some(&widths), one.then_some(&versions)].into_iter().flatten() {
            differences(text, plan, group, columns)?;
        }
    }
    type Metric = (&'static str, fn(&Scored) -> f64);
    const METRICS: [Metric; 4] = [
        ("CIDEr", |s| s.cider),
        ("BLEU-4", |s| s.bleu4),
        ("ROUGE-L", |s| s.rouge_l),
        ("BLEU-4 of characters against one reference, as the paper measures", |s| s.character_bleu4),
    ];
    for (name, of) in METRICS.into_iter().take(if one { METRICS.len() } else { 1 }) {
        writeln!(text, "\n## {name}")?;
        for group in &groups {
            title(text, plan, group)?;
            for columns in [Some(&widths), one.then_some(&versions)].into_iter().flatten() {
                table(text, plan, group, columns, of)?;
            }
        }
    }
    writeln!(text, "\n## Words that stay\n")?;
    writeln!(
        text,
        "Per cent of the five likeliest words of a small picture that are among the five of the original: read by a ridge regression \
         from embeddings to the words of captions, fitted after the training."
    )?;
    for group in &groups {
        title(text, plan, group)?;
        agreements(text, plan, group, &widths)?;
    }
    writeln!(text, "\n## Where versions of a picture lie\n")?;
    writeln!(
        text,
        "Mean Euclidean distance of embeddings from the original's: of the same picture / of another picture. The first line is \
         before any training."
    )?;
    for group in if one { std::slice::from_ref(group) } else { &groups } {
        title(text, plan, group)?;
        distances(text, plan, group, &widths)?;
    }
    Ok(())
}

/// How the runs were made.
fn conditions(text: &mut String, plan: &Plan, first: &Record) -> std::fmt::Result {
    let network = first.network;
    write!(
        text,
        "The encoder stays as ImageNet left it (EfficientNet-Lite0 at 224 px, pooled features of its head, standardised); trained are a linear \
         head to {} values and {} LSTM{} of {} values that reads them before the first word, with word embeddings of {} values. \
         The paper has a ResNet-50, GloVe and two LSTMs. ",
        network.embedding,
        network.layers,
        if network.layers == 1 { "" } else { "s above each other" },
        network.hidden,
        network.embedding,
    )?;
    let passes: Vec<String> = plan
        .shares()
        .iter()
        .map(|share| {
            format!("{} over the {} of training pictures that have captions", share.epochs, share.name())
        })
        .collect();
    write!(text, "Passes, a caption of each picture a pass: {}. ", passes.join(", "))?;
    if plan.rows.iter().any(|row| row.views == Views::Pair) {
        write!(
            text,
            "Rows with two views of a picture learn its caption from both, so that a pass of theirs costs two. "
        )?;
    }
    if plan.rows.iter().any(|row| row.views != Views::Pair && row.weight > 0.0) {
        write!(
            text,
            "Beside each step's captions, rows with an objective on pairs have it on as many pictures drawn from all there are, with and \
             without captions. "
        )?;
    }
    writeln!(
        text,
        "All rows of a seed begin at the same numbers and see the same captions in the same order.\n"
    )
}

fn title(text: &mut String, plan: &Plan, group: &Group) -> std::fmt::Result {
    let name = group.name(plan);
    if name.is_empty() { Ok(()) } else { writeln!(text, "\n### {name}") }
}

fn header(text: &mut String, columns: &[String]) -> std::fmt::Result {
    writeln!(text, "\n| row | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()))
}

fn differences(text: &mut String, plan: &Plan, group: &Group, columns: &[String]) -> std::fmt::Result {
    header(text, columns)?;
    for row in plan.rows.iter().filter(|row| row.name != plan.baseline) {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| match group.difference(plan, &row.name, column) {
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
    Ok(())
}

fn table(
    text: &mut String,
    plan: &Plan,
    group: &Group,
    columns: &[String],
    of: fn(&Scored) -> f64,
) -> std::fmt::Result {
    means(text, plan, group, columns, |run, column| Some(100.0 * of(run.scores.get(column)?)))
}

fn agreements(text: &mut String, plan: &Plan, group: &Group, columns: &[String]) -> std::fmt::Result {
    means(text, plan, group, columns, |run, column| Some(100.0 * run.agreement.get(column)?))
}

fn means(
    text: &mut String,
    plan: &Plan,
    group: &Group,
    columns: &[String],
    of: impl Fn(&Measured, &str) -> Option<f64>,
) -> std::fmt::Result {
    header(text, columns)?;
    for row in &plan.rows {
        let runs = group.of_row(&row.name);
        if runs.is_empty() {
            continue;
        }
        let cell = |column: &String| {
            let values: Vec<f64> = runs.values().filter_map(|run| of(run, column)).collect();
            cell(&values)
        };
        writeln!(text, "| {} | {} |", row.name, columns.iter().map(cell).collect::<Vec<_>>().join(" | "))?;
    }
    Ok(())
}

fn cell(values: &[f64]) -> String {
    let mean = Mean::of(values);
    match mean.half.is_finite() {
        _ if values.is_empty() => String::new(),
        true => format!("{:.1} ± {:.1}", mean.value, mean.half),
        false => format!("{:.1}", mean.value),
    }
}

fn distances(text: &mut String, plan: &Plan, group: &Group, widths: &[String]) -> std::fmt::Result {
    header(text, widths)?;
    let mean = |runs: &[&BTreeMap<String, Distances>], width: &String| {
        let all: Vec<(f64, f64)> =
            runs.iter().filter_map(|run| run.get(width)).map(|d| (d.same, d.different)).collect();
        let count = all.len().max(1) as f64;
        let same = all.iter().map(|(same, _)| same).sum::<f64>() / count;
        format!("{same:.2} / {:.2}", all.iter().map(|(_, different)| different).sum::<f64>() / count)
    };
    let line = |text: &mut String, name: &str, runs: &[&BTreeMap<String, Distances>]| {
        let cells: Vec<String> = widths.iter().map(|width| mean(runs, width)).collect();
        writeln!(text, "| {name} | {} |", cells.join(" | "))
    };
    // Rows of one seed begin at the same numbers.
    let baseline = group.of_row(&plan.baseline);
    let before: Vec<&BTreeMap<String, Distances>> = baseline.values().map(|run| &run.before).collect();
    line(text, "(untrained head)", &before)?;
    for row in &plan.rows {
        let runs = group.of_row(&row.name);
        let after: Vec<&BTreeMap<String, Distances>> = runs.values().map(|run| &run.after).collect();
        if !after.is_empty() {
            line(text, &row.name, &after)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_those_of_seeds_that_both_rows_have() {
        let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/study-paper.toml");
        let plan = Plan::load(plan.as_ref()).unwrap();
        let record = |name: &str, seed: u64, cider: f64| {
            let row = plan.rows.iter().find(|row| row.name == name).unwrap().clone();
            let scored = Scored { cider, bleu4: 0.2, rouge_l: 0.4, character_bleu4: 0.5 };
            let distances = BTreeMap::from([("25 px".to_owned(), Distances { same: 0.5, different: 2.0 })]);
            let measured = Measured {
                name: "flickr8k".to_owned(),
                pictures: 10,
                scores: BTreeMap::from([("25 px".to_owned(), scored)]),
                before: distances.clone(),
                after: distances,
                agreement: BTreeMap::from([("25 px".to_owned(), 0.4)]),
            };
            Record {
                row,
                share: plan.shares()[0],
                network: plan.network,
                seed,
                seconds: 60.0,
                revision: None,
                sets: vec![measured],
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
        assert!(text.contains("0.50 / 2.00") && text.contains("| aug |  |"), "{text}");
        assert!(!text.contains("###"), "a single group has no title");
    }
}
