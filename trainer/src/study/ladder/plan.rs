//! What such a study compares: `trainer/configs/study-world.toml`, `study-release.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The study's plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The report's title.
    pub title: String,
    /// How the runs were made, in Markdown.
    pub how: String,
    /// The row that all others are compared with; if none is named, each row with the one above it.
    pub baseline: Option<String>,
    /// The source widths in pixels that are measured, the largest first.
    pub px: Vec<u16>,
    /// Captions followed side by side when measuring.
    pub beam: usize,
    /// What is compared, in order: a row may go on from an earlier one.
    #[serde(rename = "rungs")]
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name in the table.
    pub name: String,
    /// What it is, in a few words.
    pub what: String,
    /// The recipe, beside the plan's file; a row without one is measured as it is.
    pub recipe: Option<PathBuf>,
    /// The row whose weights are gone on from.
    pub from: Option<String>,
    /// The file of weights that is gone on from, from the current folder.
    pub weights: Option<PathBuf>,
    /// How many of the data sets that `--data` names are learned from, the first ones; all if nothing is said.
    pub data: Option<usize>,
    /// Whether the captions without pictures that `--text` names are read.
    #[serde(default)]
    pub text: bool,
    /// Whether the labelled photographs that `--labels` names are learned from.
    #[serde(default)]
    pub labels: bool,
    /// Whether the network is measured with 32-bit numbers too, not only as it is shipped.
    #[serde(default)]
    pub float: bool,
    /// Each is a run of its own. A row goes on from the run of its own seed, or from the first one.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

impl Plan {
    /// Whether the file at `path` is such a plan.
    pub fn is_at(path: &Path) -> bool {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        toml::from_str::<toml::Table>(&text).is_ok_and(|plan| plan.contains_key("rungs"))
    }

    /// Reads a plan; its recipes' paths become those from the current folder.
    ///
    /// # Errors
    /// Names the file, and the key and line of a mistake.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut plan: Self =
            toml::from_str(&text).with_context(|| format!("the study {}", path.display()))?;
        let (file, folder) = (path.display(), path.parent().unwrap_or(Path::new(".")));
        ensure!(!plan.rows.is_empty(), "{file}: there are no rungs");
        ensure!(!plan.px.is_empty(), "{file}: no width is measured");
        ensure!(plan.px.is_sorted_by(|a, b| a > b), "{file}: `px` must fall");
        ensure!(plan.beam > 0, "{file}: `beam` must be at least 1");
        let mut known: Vec<&str> = Vec::new();
        for row in &plan.rows {
            let name = &row.name;
            ensure!(!row.seeds.is_empty(), "{file}: the row `{name}` has no seed");
            ensure!(
                !known.contains(&name.as_str()),
                "{file}: two rows have the name `{name}`, and their runs would get in each other's way"
            );
            ensure!(
                row.from.is_none() || row.weights.is_none(),
                "{file}: the row `{name}` goes on from another row and from a file; one of `from` and `weights` is enough"
            );
            ensure!(
                row.recipe.is_some() || row.weights.is_some(),
                "{file}: the row `{name}` needs a `recipe` to train by, or `weights` to be measured as they are"
            );
            if let Some(from) = &row.from {
                ensure!(
                    known.contains(&from.as_str()),
                    "{file}: the row `{name}` goes on from `{from}`, which is no row above it"
                );
            }
            known.push(name);
        }
        if let Some(baseline) = &plan.baseline {
            ensure!(known.contains(&baseline.as_str()), "{file}: the baseline `{baseline}` is no row");
        }
        for row in &mut plan.rows {
            row.recipe = row.recipe.as_ref().map(|recipe| folder.join(recipe));
        }
        Ok(plan)
    }

    /// The row that `row` is compared with.
    pub fn compared<'a>(&'a self, row: &Row) -> Option<&'a str> {
        match &self.baseline {
            Some(baseline) => Some(baseline.as_str()).filter(|name| *name != row.name),
            None => {
                let place = self.rows.iter().position(|other| other.name == row.name)?;
                Some(self.rows.get(place.checked_sub(1)?)?.name.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(rungs: &str) -> Result<Plan> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let head = "title = \"t\"\nhow = \"h\"\npx = [224, 25]\nbeam = 3\n";
        std::fs::write(&path, format!("{head}{rungs}")).unwrap();
        Plan::load(&path)
    }

    #[test]
    fn each_row_is_compared_with_the_one_above_it_or_with_the_baseline() {
        let rungs = "[[rungs]]\nname = \"a\"\nwhat = \"\"\nrecipe = \"a.toml\"\n\
                     [[rungs]]\nname = \"b\"\nwhat = \"\"\nrecipe = \"b.toml\"\nfrom = \"a\"\n\
                     [[rungs]]\nname = \"c\"\nwhat = \"\"\nweights = \"c.safetensors\"\n";
        let mut plan = load(rungs).unwrap();
        let compared = |plan: &Plan| {
            plan.rows.iter().map(|row| plan.compared(row).map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(compared(&plan), [None, Some("a".to_owned()), Some("b".to_owned())]);
        plan.baseline = Some("c".to_owned());
        assert_eq!(compared(&plan), [Some("c".to_owned()), Some("c".to_owned()), None]);
    }

    #[test]
    fn mistakes_are_told() {
        let row = |name: &str, more: &str| format!("[[rungs]]\nname = \"{name}\"\nwhat = \"\"\n{more}\n");
        for (rungs, told) in [
            (row("a", ""), "needs a `recipe`"),
            (row("a", "recipe = \"a.toml\"\nfrom = \"b\""), "which is no row above it"),
            (row("a", "recipe = \"a.toml\"\nseeds = []"), "has no seed"),
            (row("a", "weights = \"a\"") + &row("a", "weights = \"b\""), "two rows have the name"),
            (
                row("a", "weights = \"a\"") + &row("b", "weights = \"b\"\nfrom = \"a\""),
                "one of `from` and `weights`",
            ),
        ] {
            let error = format!("{:#}", load(&rungs).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }
}
