//! `curve.svg` of a run: loss and dev CIDEr over the epochs.

use std::path::Path;

use plotters::prelude::*;

/// Means over runs of points, so that a curve of thousands of noisy steps stays readable.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let run = (points.len() / 200).max(1);
    points
        .chunks(run)
        .map(|run| {
            let n = run.len() as f64;
            (run.iter().map(|p| p.0).sum::<f64>() / n, run.iter().map(|p| p.1).sum::<f64>() / n)
        })
        .collect()
}

/// Draws `loss` and `cider` (dev, in percent), each as (epoch, value), as an SVG file.
///
/// # Errors
/// If the picture cannot be written.
pub fn draw(
    path: &Path,
    loss: &[(f64, f64)],
    cider: &[(f64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let loss = &smooth(loss)[..];
    let largest =
        |points: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(0.01, f64::max);
    let epochs = largest(loss, |p| p.0).max(largest(cider, |p| p.0));
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .right_y_label_area_size(48)
        .build_cartesian_2d(0.0..epochs, 0.0..largest(loss, |p| p.1) * 1.05)?
        .set_secondary_coord(0.0..epochs, 0.0..largest(cider, |p| p.1) * 1.05);
    chart.configure_mesh().disable_mesh().x_desc("epoch").y_desc("loss a token").draw()?;
    chart.configure_secondary_axes().y_desc("dev CIDEr").draw()?;
    chart
        .draw_series(LineSeries::new(loss.iter().copied(), &BLUE))?
        .label("training loss")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BLUE));
    chart
        .draw_secondary_series(LineSeries::new(cider.iter().copied(), RED.stroke_width(2)).point_size(3))?
        .label("dev CIDEr")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], RED));
    chart.configure_series_labels().position(SeriesLabelPosition::MiddleRight).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
