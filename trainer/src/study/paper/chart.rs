//! Differences to the baseline by width, with their intervals: a panel for each share of captions and data set.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::features::Condition;
use super::plan::Plan;
use super::record::Record;
use super::report::Group;
use crate::study::charts::COLOURS;

/// The place of a width, a difference there, and half of its interval.
type Point = (f64, f64, f64);
/// A row's name, and what is drawn of it.
type Points<'a> = (&'a str, Vec<Point>);
/// Width and height of a panel.
const PANEL: (u32, u32) = (800, 420);

/// Draws CIDEr of each row minus that of the baseline.
///
/// # Errors
/// If the file cannot be written.
pub fn differences(path: &Path, plan: &Plan, records: &[Record]) -> Result<()> {
    draw(path, plan, records).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw(path: &Path, plan: &Plan, records: &[Record]) -> Result<(), Box<dyn std::error::Error>> {
    let groups: Vec<(String, Vec<Points>)> = Group::all(plan, records)
        .iter()
        .map(|group| (group.name(plan), points(plan, group)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let (width, height) = PANEL;
    let count = groups.len().max(1);
    let root = SVGBackend::new(path, (width, height * count as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    // One scale for all panels.
    let all = || groups.iter().flat_map(|(_, rows)| rows).flat_map(|(_, points)| points);
    let least = all().map(|(_, value, half)| value - half).fold(0.0, f64::min) - 1.0;
    let most = all().map(|(_, value, half)| value + half).fold(0.0, f64::max) + 1.0;
    for (area, (name, rows)) in root.split_evenly((count, 1)).iter().zip(&groups) {
        panel(area, plan, name, rows, (least, most))?;
    }
    root.present()?;
    Ok(())
}

fn points<'a>(plan: &'a Plan, group: &Group) -> Vec<Points<'a>> {
    let others = plan.rows.iter().filter(|row| row.name != plan.baseline);
    others
        .map(|row| {
            let at = |(place, &px): (usize, &u16)| {
                let mean = group.difference(plan, &row.name, &Condition::Width(px).name())?;
                let half = if mean.half.is_finite() { mean.half } else { 0.0 };
                Some((place as f64, mean.value, half))
            };
            (row.name.as_str(), plan.px.iter().enumerate().filter_map(at).collect())
        })
        .filter(|(_, points): &Points| !points.is_empty())
        .collect()
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    plan: &Plan,
    name: &str,
    rows: &[Points],
    (least, most): (f64, f64),
) -> Result<(), Box<dyn std::error::Error>> {
    let of = if name.is_empty() { String::new() } else { format!("{name}: ") };
    // Widths are places; the rest of the line is for the names.
    let places = plan.px.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(
            format!("{of}CIDEr minus that of \"{}\", with 95 % intervals", plan.baseline),
            ("sans-serif", 18),
        )
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.6..places + 0.9, least..most)?;
    let label = |x: &f64| {
        let place = x.round();
        let is_place = (x - place).abs() < 1e-6 && place >= 0.0;
        let px = plan.px.get(place as usize).filter(|_| is_place);
        px.map(|px| format!("{px} px")).unwrap_or_default()
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(2 * plan.px.len() + 3)
        .x_label_formatter(&label)
        .x_desc("width of the source")
        .y_desc("difference in CIDEr")
        .draw()?;
    chart.draw_series(LineSeries::new([(-0.6, 0.0), (places + 0.9, 0.0)], BLACK.stroke_width(1)))?;
    let count = rows.len().max(1) as f64;
    for (i, (name, points)) in rows.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let aside = 0.7 * ((i as f64 + 0.5) / count - 0.5);
        let style = colour.stroke_width(2);
        for &(x, value, half) in points {
            let x = x + aside;
            chart.draw_series(LineSeries::new([(x, value - half), (x, value + half)], style))?;
        }
        let dots = points.iter().map(|&(x, value, _)| Circle::new((x + aside, value), 4, colour.filled()));
        chart
            .draw_series(dots)?
            .label(*name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}
