//! Panels of points with intervals, one above the other and under one scale: a row's value at each of a few places.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::charts::COLOURS;

/// A place on the line, the value there, and half of its interval.
pub(super) type Point = (f64, f64, f64);

/// One panel.
pub(super) struct Panel<'a> {
    /// What it shows.
    pub title: String,
    /// A row's name, and what is drawn of it: `x` 0 is the first of the places.
    pub rows: Vec<(&'a str, Vec<Point>)>,
}

/// What all panels share.
pub(super) struct Axes<'a> {
    /// The places' names.
    pub places: Vec<String>,
    /// What they are.
    pub x: &'a str,
    /// What the values are.
    pub y: &'a str,
}

/// Width and height of a panel.
const SIZE: (u32, u32) = (800, 420);

/// Draws them, an SVG.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn draw(path: &Path, axes: &Axes, panels: &[Panel]) -> Result<()> {
    draw_all(path, axes, panels).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw_all(path: &Path, axes: &Axes, panels: &[Panel]) -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = SIZE;
    let count = panels.len().max(1);
    let root = SVGBackend::new(path, (width, height * count as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let all = || panels.iter().flat_map(|panel| &panel.rows).flat_map(|(_, points)| points);
    let least = all().map(|(_, value, half)| value - half).fold(0.0, f64::min) - 1.0;
    let most = all().map(|(_, value, half)| value + half).fold(0.0, f64::max) + 1.0;
    for (area, panel) in root.split_evenly((count, 1)).iter().zip(panels) {
        draw_one(area, axes, panel, (least, most))?;
    }
    root.present()?;
    Ok(())
}

fn draw_one(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    axes: &Axes,
    panel: &Panel,
    (least, most): (f64, f64),
) -> Result<(), Box<dyn std::error::Error>> {
    // The rest of the line is for the names.
    let places = axes.places.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.6..places + 0.9, least..most)?;
    let label = |x: &f64| {
        let place = x.round();
        let is_place = (x - place).abs() < 1e-6 && place >= 0.0;
        axes.places.get(place as usize).filter(|_| is_place).cloned().unwrap_or_default()
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(2 * axes.places.len() + 3)
        .x_label_formatter(&label)
        .x_desc(axes.x)
        .y_desc(axes.y)
        .draw()?;
    chart.draw_series(LineSeries::new([(-0.6, 0.0), (places + 0.9, 0.0)], BLACK.stroke_width(1)))?;
    let count = panel.rows.len().max(1) as f64;
    for (i, (name, points)) in panel.rows.iter().enumerate() {
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
