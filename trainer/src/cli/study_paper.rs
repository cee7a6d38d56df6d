//! `soli study` on a plan of the paper's own regime (see [`crate::study::paper`]).

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use soli::vocab::Vocabulary;

use super::study::{Study, run_name};
use crate::data::batches::tokenise;
use crate::data::{Dataset, Example, Split, tokens};
use crate::study::paper::{
    Condition, Data, Encoder, Plan, Record, Restored, Row, Seen, Share, TestSet, captioned, differences,
    markdown, train,
};

impl Study {
    /// Trains and measures what has no record yet, and writes the document.
    pub(super) fn run_paper(&self) -> Result<()> {
        let plan = Plan::load(&self.config)?;
        self.begin(plan.rows.iter().map(|row| row.name.as_str()))?;
        let shares = plan.shares();
        let path = |row: &Row, share: Share, seed: u64| {
            let share = if shares.len() > 1 { format!(", {}", share.name()) } else { String::new() };
            self.out.join(format!("{}.json", run_name(&format!("{}{share}", row.name), seed)))
        };
        let wanted = |row: &&Row| self.row.is_empty() || self.row.contains(&row.name);
        let all = plan.runs();
        let todo: Vec<(&Row, Share, u64)> = all
            .iter()
            .copied()
            .filter(|(row, ..)| wanted(row))
            .filter(|(row, share, seed)| !self.report_only && !path(row, *share, *seed).exists())
            .collect();
        if !todo.is_empty() {
            let data = self.paper_data(&plan)?;
            // The last one of each kind: rows of one seed share it.
            let mut restored: HashMap<Restored, (Vec<usize>, u64, Data)> = HashMap::new();
            for (row, share, seed) in todo {
                eprintln!("row {}, {} of the captions, seed {seed}", row.name, share.name());
                let data = match row.restored {
                    None => &data,
                    Some(on) => {
                        let pictures: Vec<usize> = match on {
                            Restored::All => (0..data.train.pictures()).collect(),
                            Restored::Captioned => captioned(data.captions.len(), share, seed),
                        };
                        let last = restored.remove(&on).filter(|(of, by, _)| (of, *by) == (&pictures, seed));
                        let again = || -> Result<_> {
                            eprintln!("restoring what {} pictures show", pictures.len());
                            let data = data.restored(&pictures, seed)?;
                            Ok((pictures, seed, data))
                        };
                        &restored.entry(on).insert_entry(last.map_or_else(again, Ok)?).into_mut().2
                    }
                };
                train(data, row, share, plan.network, seed)?.save(&path(row, share, seed))?;
            }
        }
        let name =
            |(row, share, seed): &(&Row, Share, u64)| format!("{}, {}, seed {seed}", row.name, share.name());
        let records =
            self.records(all.iter().map(|run| (path(run.0, run.1, run.2), name(run))), Record::load)?;
        self.write_document(&markdown(&plan, &records, &self.folder(), &self.command()))?;
        differences(&self.out.join("differences.svg"), &plan, &records)
    }

    fn paper_data(&self, plan: &Plan) -> Result<Data> {
        let limit = self.limit.unwrap_or(usize::MAX).max(2);
        let open = |data: &Path, split| -> Result<Vec<Example>> {
            let mut dataset = Dataset::open(data, split)?;
            dataset.examples.truncate(limit);
            if !dataset.report.is_clean() {
                eprintln!("{}", dataset.report);
            }
            Ok(dataset.examples)
        };
        let [(first, _), others @ ..] = self.sources.data.as_slice() else {
            bail!("a study is made on --data")
        };
        if !plan.withhold && !others.is_empty() {
            bail!("this study is made on one --data");
        }
        let examples = open(first, Split::Train)?;
        let words = tokens::build_vocabulary(examples.iter().flat_map(|e| &e.captions), plan.min_word_count);
        let vocabulary = Vocabulary::new(words)?;
        let captioned = tokenise(examples, &vocabulary, 0, 1.0);
        let path =
            self.sources.pretrained_path().context("the encoder of this study is pretrained: name it")?;
        let encoder = Encoder::load(&path)?;
        let versions = Condition::versions();
        let widths = plan.px.iter().map(|&px| Condition::Width(px));
        let told = if plan.shows_versions() { versions.as_slice() } else { &versions[..1] };
        let conditions: Vec<Condition> = widths.chain(told.iter().copied()).collect();
        let folder = self.runs.join("features");
        let look = |what: &str, pictures: &[Example], conditions: &[Condition]| {
            eprintln!("features of {} {what} pictures in {} conditions", pictures.len(), conditions.len());
            Seen::look(&encoder, pictures, conditions, &folder)
        };
        let name = |data: &Path| data.file_name().unwrap_or(data.as_os_str()).to_string_lossy().into_owned();
        let pictures: Vec<Example> = captioned.iter().map(|one| one.example.clone()).collect();
        let mut train = look(&format!("training {}", name(first)), &pictures, &versions)?;
        if plan.withhold {
            for (data, _) in others {
                let pictures = open(data, Split::Train)?;
                train.append(look(&format!("training {}", name(data)), &pictures, &versions)?);
            }
            let mut pictures = self.sources.find_unlabelled()?;
            pictures.truncate(limit);
            train.append(look("uncaptioned", &pictures, &versions)?);
        }
        let spread = train.spread();
        train.standardise(&spread);
        let mut sets = Vec::new();
        for (data, _) in &self.sources.data {
            // Some sets have nothing but pictures to choose on.
            let (split, pictures) = match open(data, self.split) {
                Err(_) if !sets.is_empty() => (Split::Dev, open(data, Split::Dev)?),
                pictures => (self.split, pictures?),
            };
            let name = format!("{} {split}", name(data));
            let mut seen = look(&name, &pictures, &conditions)?;
            seen.standardise(&spread);
            sets.push(TestSet {
                name,
                seen,
                references: pictures.into_iter().map(|one| one.captions).collect(),
            });
        }
        Ok(Data {
            train,
            captions: captioned.into_iter().map(|one| one.captions).collect(),
            sets,
            conditions,
            vocabulary,
        })
    }
}
