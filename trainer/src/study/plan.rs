//! What the study compares: `trainer/configs/study.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::config::Recipe;
use crate::stages::joint::CaptionsOn;

/// The study's plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The report's title.
    pub title: String,
    /// What `start` makes, in a few words of Markdown.
    pub from: String,
    /// The row that all others are compared with.
    pub baseline: String,
    /// The recipe that every row starts from, beside this file: run once.
    pub start: PathBuf,
    /// The source widths in pixels that are measured, the largest first.
    pub px: Vec<u16>,
    /// Captions followed side by side when measuring.
    pub beam: usize,
    /// Test pictures whose embeddings' distances are measured.
    pub distance_pictures: usize,
    /// Pictures for the sheet of examples, from the project's root: they are shown, so they must be free to show.
    pub examples: Vec<PathBuf>,
    /// What is compared.
    pub rows: Vec<PlannedRow>,
}

/// One row: a recipe under one or more seeds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRow {
    /// Its name in the table.
    pub name: String,
    /// What it is, in a few words.
    pub what: String,
    /// The recipe, beside the plan's file.
    pub recipe: PathBuf,
    /// Each is a run of its own.
    pub seeds: Vec<u64>,
}

impl Plan {
    /// Reads a plan; its recipes' paths become those from the current folder.
    ///
    /// # Errors
    /// Names the file, and the key and line of a mistake.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut plan: Self =
            toml::from_str(&text).with_context(|| format!("the study {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        plan.start = folder.join(&plan.start);
        for row in &mut plan.rows {
            row.recipe = folder.join(&row.recipe);
            ensure!(!row.seeds.is_empty(), "{}: the row `{}` has no seed", path.display(), row.name);
        }
        ensure!(!plan.rows.is_empty(), "{}: there are no rows", path.display());
        ensure!(
            plan.rows.iter().any(|row| row.name == plan.baseline),
            "{}: the baseline `{}` is no row",
            path.display(),
            plan.baseline
        );
        ensure!(!plan.px.is_empty(), "{}: no width is measured", path.display());
        Ok(plan)
    }
}

/// Views of pictures that pass through the trunk and back in training, in passes over the data set: the budget that
/// rows share. A view that nothing is learned through passes forward only and does not count.
pub fn budget(recipe: &Recipe) -> usize {
    let siamese = recipe.siamese.as_ref().map_or(0, |s| 2 * s.schedule.epochs);
    let captions = recipe.captions.as_ref().map_or(0, |c| c.schedule.epochs);
    let joint = recipe.joint.as_ref().map_or(0, |j| match j.captions_on {
        CaptionsOn::Both => 2 * j.schedule.epochs,
        CaptionsOn::Second => j.schedule.epochs,
    });
    let scst = recipe.scst.as_ref().map_or(0, |s| s.schedule.epochs);
    siamese + captions + joint + scst
}
