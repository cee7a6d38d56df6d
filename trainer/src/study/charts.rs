//! The study's pictures: CIDEr and distances by resolution, and the sheet of examples.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use plotters::prelude::*;

use super::report::Row;
use crate::data::decode;

/// Lines over source widths.
struct Line {
    label: String,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
    dashed: bool,
}

/// Lines in the order of their rows.
pub(super) const COLOURS: [RGBColor; 12] = [
    RGBColor(110, 110, 110),
    RGBColor(31, 119, 180),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(140, 86, 75),
    RGBColor(23, 190, 207),
    RGBColor(227, 119, 194),
    RGBColor(160, 160, 20),
    RGBColor(0, 0, 0),
    RGBColor(255, 187, 120),
];

/// Draws CIDEr by source width, one line a row.
///
/// # Errors
/// If the file cannot be written.
pub fn cider(path: &Path, rows: &[Row]) -> Result<()> {
    let lines = rows
        .iter()
        .zip(COLOURS.iter().cycle())
        .map(|(row, &colour)| Line {
            label: row.name.clone(),
            points: row.px().iter().map(|&px| (f64::from(px), row.mean(px, |s| s.cider) * 100.0)).collect(),
            colour,
            dashed: false,
        })
        .collect::<Vec<_>>();
    draw(path, &lines, "CIDEr").map_err(|e| anyhow!("cannot draw {}: {e}", path.display()))
}

/// Draws distances of embeddings by source width: solid for the same picture, dashed for different ones.
///
/// # Errors
/// If the file cannot be written.
pub fn distances(path: &Path, rows: &[Row]) -> Result<()> {
    let mut lines = Vec::new();
    for (row, &colour) in rows.iter().zip(COLOURS.iter().cycle()) {
        for (dashed, of) in [(false, "same"), (true, "different")] {
            let value = |px| row.mean_distance(px, |d| if dashed { d.different } else { d.same });
            let points = row.px().iter().map(|&px| (f64::from(px), value(px))).collect();
            lines.push(Line { label: format!("{}, {of}", row.name), points, colour, dashed });
        }
    }
    draw(path, &lines, "distance from the sharp picture's embedding")
        .map_err(|e| anyhow!("cannot draw {}: {e}", path.display()))
}

fn draw(path: &Path, lines: &[Line], what: &str) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let (least, most) = (
        all().map(|p| p.0).fold(f64::MAX, f64::min) * 0.9,
        all().map(|p| p.0).fold(f64::MIN_POSITIVE, f64::max) * 1.1,
    );
    let highest = all().map(|p| p.1).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let root = SVGBackend::new(path, (800, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d((least..most).log_scale(), 0.0..highest)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("width of the source in pixels (logarithmic)")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_desc(what)
        .draw()?;
    for line in lines {
        let style = line.colour.stroke_width(2);
        let points = line.points.iter().copied();
        let drawn = if line.dashed {
            chart.draw_series(DashedLineSeries::new(points, 6, 4, style))?
        } else {
            chart.draw_series(LineSeries::new(points, style).point_size(3))?
        };
        let dashed = line.dashed;
        drawn
            .label(line.label.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + if dashed { 8 } else { 16 }, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

/// Side in pixels of a picture on the sheet.
const TILE: u32 = 160;
/// Characters of a caption on one line of the sheet.
const LINE: usize = 26;

/// Draws the example pictures as the network gets them at each width, with what the `rows` say below, as one SVG that
/// holds everything.
///
/// # Errors
/// If a picture cannot be read or the file cannot be written.
pub fn sheet(path: &Path, pictures: &[PathBuf], rows: &[&Row]) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let px = first.px();
    let lines = 4;
    let (column, row_height) = (TILE + 24, TILE + 24 + rows.len() as u32 * (16 * lines + 20));
    let (width, height) = (px.len() as u32 * column + 16, pictures.len() as u32 * row_height + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n"
    );
    for (j, side) in px.iter().enumerate() {
        let x = 16 + j as u32 * column;
        writeln!(svg, "<text x=\"{x}\" y=\"24\" font-weight=\"bold\">{side} px</text>")?;
    }
    for (i, picture) in pictures.iter().enumerate() {
        let name = picture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let top = 40 + i as u32 * row_height;
        for (j, &side) in px.iter().enumerate() {
            let x = 16 + j as u32 * column;
            let data = base64::engine::general_purpose::STANDARD.encode(tile(picture, side)?);
            writeln!(
                svg,
                "<image x=\"{x}\" y=\"{top}\" width=\"{TILE}\" height=\"{TILE}\" \
                 href=\"data:image/jpeg;base64,{data}\"/>"
            )?;
            let mut y = top + TILE + 18;
            for row in rows {
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"#666\">{}</text>", escape(&row.name))?;
                let said =
                    row.runs.first().and_then(|run| Some(run.examples.get(&name)?.get(&side)?.text.clone()));
                for (k, line) in wrap(&said.unwrap_or_default()).iter().take(lines as usize).enumerate() {
                    writeln!(
                        svg,
                        "<text x=\"{x}\" y=\"{}\">{}</text>",
                        y + 16 * (k as u32 + 1),
                        escape(line)
                    )?;
                }
                y += 16 * lines + 20;
            }
        }
    }
    svg.push_str("</svg>\n");
    std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))
}

/// The picture shrunk to a square of `side` and scaled up again, as JPEG.
fn tile(picture: &Path, side: u16) -> Result<Vec<u8>> {
    let small = decode::load(picture)?.shrunk(side.into())?.rgb();
    let shown = image::imageops::resize(&small, TILE, TILE, image::imageops::FilterType::Triangle);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&shown)?;
    Ok(bytes)
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("never empty");
        if !last.is_empty() && last.len() + 1 + word.len() > LINE {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
