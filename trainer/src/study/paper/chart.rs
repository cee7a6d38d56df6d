//! Differences to the baseline by width, with their intervals: a panel for each share of captions and data set.

use std::path::Path;

use anyhow::Result;

use super::features::Condition;
use super::plan::Plan;
use super::record::Record;
use super::report::Group;
use crate::study::panels::{Axes, Panel, Point, draw};

/// Draws CIDEr of each row minus that of the baseline.
///
/// # Errors
/// If the file cannot be written.
pub fn differences(path: &Path, plan: &Plan, records: &[Record]) -> Result<()> {
    let panels: Vec<Panel> = Group::all(plan, records)
        .iter()
        .map(|group| {
            let name = group.name(plan);
            let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let title = format!("{of}CIDEr minus that of \"{}\", with 95 % intervals", plan.baseline);
            Panel { title, rows: points(plan, group) }
        })
        .filter(|panel| !panel.rows.is_empty())
        .collect();
    let places = plan.px.iter().map(|px| format!("{px} px")).collect();
    draw(path, &Axes { places, x: "width of the source", y: "difference in CIDEr" }, &panels)
}

fn points<'a>(plan: &'a Plan, group: &Group) -> Vec<(&'a str, Vec<Point>)> {
    let others = plan.rows.iter().filter(|row| row.name != plan.baseline);
    others
        .map(|row| {
            let at = |(place, &px): (usize, &u16)| {
                let mean = group.difference(plan, &row.name, &Condition::Width(px).name())?;
                let half = if mean.half.is_finite() { mean.half } else { 0.0 };
                Some((place as f64, mean.value, half))
            };
            (row.name.as_str(), plan.px.iter().enumerate().filter_map(at).collect::<Vec<_>>())
        })
        .filter(|(_, points)| !points.is_empty())
        .collect()
}
