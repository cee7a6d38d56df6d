//! The figures of `docs/honesty.md`: what is said against what is found, and the risk among the surest.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Confidences, each with whether the caption is right.
pub type Trials = Vec<(f32, bool)>;

/// A set's trials at each width.
pub struct Panel {
    /// The set's name.
    pub name: String,
    /// Width in pixels, trials.
    pub lines: Vec<(usize, Trials)>,
}

const COLOURS: [RGBColor; 4] =
    [RGBColor(31, 119, 180), RGBColor(44, 160, 44), RGBColor(255, 127, 14), RGBColor(214, 39, 40)];
/// Bins of equally many trials.
const BINS: usize = 10;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The share of right captions by the confidence that they were given, in bins of equally many: on the diagonal if the
/// confidence is one.
///
/// # Errors
/// If the file cannot be written.
pub fn reliability(path: &Path, panels: &[Panel]) -> Result<()> {
    let draw = |area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel| -> Drawn {
        let bins = |trials: &Trials| {
            let sorted = sorted(trials);
            let size = sorted.len().div_ceil(BINS).max(1);
            let bin = |of: &[(f32, bool)]| {
                let said = of.iter().map(|(p, _)| f64::from(*p)).sum::<f64>() / of.len() as f64;
                (said, of.iter().filter(|(_, right)| *right).count() as f64 / of.len() as f64)
            };
            sorted.chunks(size).map(bin).collect()
        };
        let diagonal = [(0.0, 0.0), (1.0, 1.0)];
        lines(area, panel, ("confidence", "share that is right"), &diagonal, &bins)
    };
    figure(path, panels, &draw)
}

/// The share of wrong captions among the surest, by how many are told.
///
/// # Errors
/// If the file cannot be written.
pub fn risk(path: &Path, panels: &[Panel]) -> Result<()> {
    let draw = |area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel| -> Drawn {
        let curve = |trials: &Trials| {
            let sorted = sorted(trials);
            let (mut wrong, count) = (0, sorted.len());
            let mut points = Vec::new();
            for (told, (_, right)) in sorted.iter().rev().enumerate() {
                wrong += usize::from(!right);
                let told = told + 1;
                // The first few say nothing.
                if told * 20 >= count {
                    points.push((told as f64 / count as f64, f64::from(wrong as u32) / told as f64));
                }
            }
            points
        };
        lines(
            area,
            panel,
            ("share that is told, the surest first", "share of these that is wrong"),
            &[],
            &curve,
        )
    };
    figure(path, panels, &draw)
}

fn sorted(trials: &Trials) -> Trials {
    let mut sorted = trials.clone();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

fn figure(
    path: &Path,
    panels: &[Panel],
    draw: &dyn Fn(&DrawingArea<SVGBackend<'_>, Shift>, &Panel) -> Drawn,
) -> Result<()> {
    let all = || -> Drawn {
        let root = SVGBackend::new(path, (400 * panels.len().max(1) as u32, 380)).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, panel) in root.split_evenly((1, panels.len().max(1))).iter().zip(panels) {
            draw(area, panel)?;
        }
        root.present()?;
        Ok(())
    };
    all().map_err(|e| anyhow!("cannot draw {}: {e}", path.display()))
}

fn lines(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    panel: &Panel,
    (x, y): (&str, &str),
    reference: &[(f64, f64)],
    points: &dyn Fn(&Trials) -> Vec<(f64, f64)>,
) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.name, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .y_labels(6)
        .x_desc(x)
        .y_desc(y)
        .draw()?;
    chart.draw_series(LineSeries::new(reference.iter().copied(), BLACK.mix(0.4)))?;
    for ((width, trials), colour) in panel.lines.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(trials), style))?
            .label(format!("{width} px"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}
