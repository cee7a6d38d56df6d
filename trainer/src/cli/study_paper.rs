//! `soli study` on a plan of the paper's own regime (see [`crate::study::paper`]).

use anyhow::{Context, Result, bail};
use soli::vocab::Vocabulary;

use super::study::{Study, run_name};
use crate::checkpoint::write_whole;
use crate::data::batches::tokenise;
use crate::data::{Dataset, Split, tokens};
use crate::study::paper::{Condition, Data, Encoder, Plan, Record, Row, Seen, differences, markdown, train};

impl Study {
    /// Trains and measures what has no record yet, and writes the document.
    pub(super) fn run_paper(&self) -> Result<()> {
        let plan = Plan::load(&self.config)?;
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        if let Some(unknown) = self.row.iter().find(|name| !plan.rows.iter().any(|row| &row.name == *name)) {
            bail!("the study has no row `{unknown}`");
        }
        let path = |row: &Row, seed: u64| self.out.join(format!("{}.json", run_name(&row.name, seed)));
        let wanted = |row: &&Row| self.row.is_empty() || self.row.contains(&row.name);
        // A seed of all rows before the next one: a study that is not finished says something.
        let todo: Vec<(&Row, u64)> = plan
            .seeds
            .iter()
            .flat_map(|&seed| plan.rows.iter().filter(wanted).map(move |row| (row, seed)))
            .filter(|(row, seed)| !self.report_only && !path(row, *seed).exists())
            .collect();
        if !todo.is_empty() {
            let data = self.paper_data(&plan)?;
            for (row, seed) in todo {
                eprintln!("row {}, seed {seed}", row.name);
                train(&data, row, plan.network, seed)?.save(&path(row, seed))?;
            }
        }
        let mut records = Vec::new();
        let mut missing = Vec::new();
        for (row, seed) in plan.rows.iter().flat_map(|row| plan.seeds.iter().map(move |&seed| (row, seed))) {
            match Record::load(&path(row, seed))? {
                Some(record) => records.push(record),
                None => missing.push(format!("{}, seed {seed}", row.name)),
            }
        }
        if records.is_empty() {
            bail!("{} has no records yet", self.out.display());
        }
        let document = self.out.with_extension("md");
        let folder = self.out.file_name().unwrap_or_default().to_string_lossy();
        let command = self.command();
        write_whole(&document, markdown(&plan, &records, &folder, &command).as_bytes())
            .with_context(|| format!("cannot write {}", document.display()))?;
        differences(&self.out.join("differences.svg"), &plan, &records)?;
        eprintln!("{}: {} runs", document.display(), records.len());
        if !missing.is_empty() {
            eprintln!("not measured yet: {}", missing.join("; "));
        }
        Ok(())
    }

    fn paper_data(&self, plan: &Plan) -> Result<Data> {
        let open = |split| -> Result<Dataset> {
            let [(data, _)] = self.sources.data.as_slice() else { bail!("a study is made on one --data") };
            let mut dataset = Dataset::open(data, split)?;
            dataset.examples.truncate(self.limit.unwrap_or(usize::MAX).max(2));
            if !dataset.report.is_clean() {
                eprintln!("{}", dataset.report);
            }
            Ok(dataset)
        };
        let examples = open(Split::Train)?.examples;
        let test = open(self.split)?.examples;
        let words = tokens::build_vocabulary(examples.iter().flat_map(|e| &e.captions), plan.min_word_count);
        let vocabulary = Vocabulary::new(words)?;
        let train = tokenise(examples, &vocabulary, 0, 1.0);
        let path =
            self.sources.pretrained_path().context("the encoder of this study is pretrained: name it")?;
        let encoder = Encoder::load(&path)?;
        let versions = Condition::versions();
        let conditions: Vec<Condition> =
            plan.px.iter().map(|&px| Condition::Width(px)).chain(versions.iter().copied()).collect();
        let folder = self.runs.join("features");
        let pictures: Vec<_> = train.iter().map(|one| one.example.clone()).collect();
        let look = |what: &str, pictures: &[_], conditions: &[Condition]| {
            eprintln!("features of {} {what} pictures in {} conditions", pictures.len(), conditions.len());
            Seen::look(&encoder, pictures, conditions, &folder)
        };
        Ok(Data {
            train: look("training", &pictures, &versions)?,
            captions: train.into_iter().map(|one| one.captions).collect(),
            test: look(&self.split.to_string(), &test, &conditions)?,
            references: test.into_iter().map(|one| one.captions).collect(),
            conditions,
            vocabulary,
        })
    }
}
