//! Fits [`KindHead`]: which pictures are photographs, and what the others are.
//!
//! The classes are told apart by softmax regression on what the surface of sharp and of degraded pictures is like. It is
//! measured in two ways: on sources that were not fitted on, where a source is the first word of a picture's label, so that
//! sketches, say, are judged by what was learned from cartoons and paintings; and on pictures that were not, of sources that
//! were.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::captioner::Captioner;
use soli::graph::kernels::cross_entropy::cross_entropy;
use soli::kind::{Kind, KindHead};

use crate::data::decode::{self, Picture};
use crate::data::views::{Versions, Views};
use crate::data::{Report, labelled, nonphotos};

/// Parts that the sources are split into; each is judged by what was learned from the others.
const FOLDS: usize = 4;
/// Widths in pixels at which is measured.
const WIDTHS: [usize; 3] = [224, 50, 25];
/// Views of each picture beside the sharp ones that are fitted on.
const VIEWS: usize = 2;
/// Drawn pictures of one colour, gradients and patterns.
const BLANK: usize = 300;
/// Share of the photographs that may be refused, of those that were not fitted on, at 224 px.
pub const REFUSED: f32 = 0.014;
/// What all pictures of a kind together weigh in the fit, in the order of [`Kind::ALL`]. Drawings are of the most manners, and
/// the hardest to tell.
const WORTH: [f32; Kind::ALL.len()] = [0.5, 0.25, 0.1, 0.1, 0.1, 0.1];
const STEPS: usize = 250;
const LEARNING_RATE: f64 = 0.02;
const WEIGHT_DECAY: f64 = 0.02;

/// Pictures of Caltech-101, as the column `image` names them, that are drawings whatever their label says: told by eye. Taken
/// for photographs, they would be half of those under the threshold, and teach that cartoons are photographs.
const DRAWN: &str = include_str!("drawn.txt");

/// A picture whose kind is known.
#[derive(Debug, Clone)]
pub struct Known {
    place: Place,
    kind: Kind,
    source: String,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    /// Drawn from this seed.
    Drawn(u64),
}

impl Known {
    /// A photograph of a data set.
    pub fn photograph(path: PathBuf, source: &str) -> Self {
        Self { place: Place::File(path), kind: Kind::Photograph, source: source.to_owned() }
    }

    fn load(&self) -> Result<RgbImage> {
        Ok(match &self.place {
            Place::File(path) => within(decode::load(path)?.rgb(), LONGEST),
            Place::Drawn(seed) => nonphotos::blank(&mut ChaCha8Rng::seed_from_u64(*seed)),
        })
    }
}

/// No larger than this, with its shape: more says no more, and some views take dozens of steps.
const LONGEST: u32 = 448;

fn within(picture: RgbImage, longest: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let scale = f64::from(longest) / f64::from(width.max(height).max(1));
    if scale >= 1.0 {
        return picture;
    }
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    image::imageops::resize(&picture, side(width), side(height), image::imageops::FilterType::Triangle)
}

/// The pictures of a folder with `Images/` and a table `labels.csv` (image,kind,label). What is not of a kind that
/// [`Kind`] names is a photograph: its kind says of what. Those of `drawn.txt` are drawings.
///
/// # Errors
/// If the table cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Known>> {
    let mut report = Report::default();
    let found = labelled::read(folder, &mut report)?;
    if !report.is_clean() {
        eprintln!("{}: {report}", folder.display());
    }
    Ok(found.into_iter().map(known).collect())
}

fn known(one: labelled::Labelled) -> Known {
    let drawn = DRAWN.lines().any(|name| name == one.name);
    Known {
        kind: if drawn { Kind::Drawing } else { one.named_kind().unwrap_or(Kind::Photograph) },
        source: if drawn { "drawn" } else { one.label.split_whitespace().next().unwrap_or_default() }
            .to_owned(),
        place: Place::File(one.image),
    }
}

/// What a picture's surface is like: what it is measured on, and what is fitted on.
struct Seen {
    kind: Kind,
    /// The part that its source is in, and the part that it is in itself.
    folds: [usize; 2],
    plain: Vec<Vec<f32>>,
    views: Vec<Vec<f32>>,
}

/// A fitted head, and what it is worth on sources that it was not fitted on.
pub struct Fitted {
    /// To be kept with the weights.
    pub head: KindHead,
    /// On sources, and on pictures, that were not fitted on.
    tables: [Table; 2],
}

type Table = BTreeMap<(Kind, usize), Counts>;

#[derive(Default, Clone, Copy)]
struct Counts {
    all: usize,
    /// Taken for photographs.
    photographs: usize,
    right: usize,
}

/// Fits the head of `captioner`'s network on pictures whose kinds are known.
///
/// # Errors
/// If a picture cannot be read or a kind is missing.
pub fn fit(captioner: &Captioner, known: &[Known]) -> Result<Fitted> {
    let drawn = (0..BLANK as u64).map(|seed| Known {
        place: Place::Drawn(seed),
        kind: Kind::Blank,
        // Every kind of drawn picture in every part: there is no other source of them.
        source: format!("drawn {seed}"),
    });
    let all: Vec<Known> = known.iter().cloned().chain(drawn).collect();
    let seen: Vec<Seen> =
        all.par_iter().enumerate().map(|(i, known)| look(captioner, known, i)).collect::<Result<_>>()?;
    for kind in Kind::ALL {
        ensure!(
            seen.iter().any(|seen| seen.kind == kind),
            "no picture is a {}: name more folders with --kinds",
            kind.name()
        );
    }
    let mut head = regression(seen.iter())?;
    let by_source = judge(&seen, 0)?;
    head.photograph_from = threshold(&by_source);
    let tables = [count(&head, &by_source), count(&head, &judge(&seen, 1)?)];
    Ok(Fitted { head, tables })
}

/// Kinds of pictures, and how probable each kind is at each of [`WIDTHS`].
type Judged = Vec<(Kind, Vec<[f32; Kind::ALL.len()]>)>;

/// What heads say of pictures of parts that they were not fitted on.
fn judge(seen: &[Seen], which: usize) -> Result<Judged> {
    let mut judged = Vec::with_capacity(seen.len());
    for fold in 0..FOLDS {
        let head = regression(seen.iter().filter(|seen| seen.folds[which] != fold))?;
        for seen in seen.iter().filter(|seen| seen.folds[which] == fold) {
            judged.push((seen.kind, seen.plain.iter().map(|x| head.probabilities(x)).collect::<Vec<_>>()));
        }
    }
    Ok(judged)
}

fn count(head: &KindHead, judged: &Judged) -> Table {
    let mut table = Table::new();
    for (kind, of_widths) in judged {
        for (width, probabilities) in WIDTHS.iter().zip(of_widths) {
            let said = head.choose(probabilities).0;
            let counts = table.entry((*kind, *width)).or_default();
            counts.all += 1;
            counts.photographs += usize::from(said == Kind::Photograph);
            counts.right += usize::from(said == *kind);
        }
    }
    table
}

fn look(captioner: &Captioner, known: &Known, index: usize) -> Result<Seen> {
    let picture = known.load()?;
    let textures = |picture: &RgbImage| Ok(captioner.textures(&Picture::from(picture).rgba())?);
    let plain = WIDTHS
        .iter()
        .map(|&width| textures(&Picture::from(&picture).shrunk(width)?.rgb()))
        .collect::<Result<_>>()?;
    let views = Views {
        flip: true,
        crop_area: 0.5,
        jitter: 0.2,
        degraded: 0.7,
        versions: Versions::AnySize,
        corrupted: 0.2,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
    let views = (0..VIEWS).map(|_| textures(&views.one(&picture, true, &mut rng))).collect::<Result<_>>()?;
    // Photographs are so many that single ones can be set apart; of the others, whole sources are.
    let name = if known.kind == Kind::Photograph { index.to_string() } else { known.source.clone() };
    let hash = name.bytes().fold(7usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    Ok(Seen { kind: known.kind, folds: [hash % FOLDS, index % FOLDS], plain, views })
}

/// Softmax regression in which each kind has its [`WORTH`], however many pictures there are of it.
fn regression<'a>(seen: impl Iterator<Item = &'a Seen>) -> Result<KindHead> {
    let (mut rows, mut kinds) = (Vec::new(), Vec::new());
    for seen in seen {
        let views: Vec<&Vec<f32>> = seen.plain.iter().chain(&seen.views).collect();
        kinds.extend(std::iter::repeat_n(seen.kind as u32, views.len()));
        rows.extend(views);
    }
    let Some(channels) = rows.first().map(|row| row.len()) else { bail!("no picture to fit on") };
    let count = |kind: u32| kinds.iter().filter(|other| **other == kind).count().max(1) as f32;
    let worth: Vec<f32> = (0..).zip(WORTH).map(|(kind, worth)| worth / count(kind)).collect();
    let parts: Vec<f32> = kinds.iter().map(|&kind: &u32| worth[kind as usize]).collect();
    let (mean, scale) = statistics(&rows, channels);
    let standard: Vec<f32> = rows
        .iter()
        .flat_map(|row| row.iter().zip(&mean).zip(&scale).map(|((x, mean), scale)| (x - mean) * scale))
        .collect();
    let device = Device::Cpu;
    let x = Tensor::from_vec(standard, (rows.len(), channels), &device)?;
    let parts = Tensor::from_vec(parts, rows.len(), &device)?;
    let w = Var::zeros((channels, Kind::ALL.len()), candle_core::DType::F32, &device)?;
    let b = Var::zeros(Kind::ALL.len(), candle_core::DType::F32, &device)?;
    let settings = ParamsAdamW { lr: LEARNING_RATE, weight_decay: WEIGHT_DECAY, ..Default::default() };
    let mut optimiser = AdamW::new(vec![w.clone(), b.clone()], settings)?;
    for step in 0..STEPS {
        let logits = x.matmul(w.as_tensor())?.broadcast_add(b.as_tensor())?;
        let loss = (cross_entropy(&logits, &kinds, 0.0)? * &parts)?.sum_all()?;
        optimiser.set_learning_rate(LEARNING_RATE * (1.0 - step as f64 / STEPS as f64));
        optimiser.backward_step(&loss)?;
    }
    // On features as they come: the mean goes into the bias, the scale into the weights.
    let w = w.as_tensor().t()?.to_vec2::<f32>()?;
    let mut bias = b.to_vec1::<f32>()?;
    let weights = w
        .iter()
        .zip(&mut bias)
        .map(|(row, bias)| {
            let row: Vec<f32> = row.iter().zip(&scale).map(|(w, scale)| w * scale).collect();
            *bias -= row.iter().zip(&mean).map(|(w, mean)| w * mean).sum::<f32>();
            row
        })
        .collect();
    Ok(KindHead { weights, bias, photograph_from: 0.5 })
}

fn statistics(rows: &[&Vec<f32>], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let count = rows.len() as f32;
    let mean: Vec<f32> = (0..channels).map(|c| rows.iter().map(|row| row[c]).sum::<f32>() / count).collect();
    let scale = (0..channels)
        .map(|c| {
            let variance = rows.iter().map(|row| (row[c] - mean[c]).powi(2)).sum::<f32>() / count;
            1.0 / variance.sqrt().max(1e-3)
        })
        .collect();
    (mean, scale)
}

/// The threshold under which [`REFUSED`] of the photographs lie, at 224 px.
fn threshold(judged: &Judged) -> f32 {
    let mut of_photographs: Vec<f32> = judged
        .iter()
        .filter(|(kind, _)| *kind == Kind::Photograph)
        .filter_map(|(_, of_widths)| of_widths.first().map(|probabilities| probabilities[0]))
        .collect();
    of_photographs.sort_by(f32::total_cmp);
    of_photographs
        .get((of_photographs.len() as f32 * REFUSED) as usize)
        .copied()
        .unwrap_or(0.5)
        .clamp(0.01, 0.99)
}

impl fmt::Display for Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "                                not fitted on: its source       not fitted on: the picture"
        )?;
        writeln!(
            f,
            "kind         width   pictures   a photograph?   its kind        a photograph?   its kind"
        )?;
        let [sources, pictures] = &self.tables;
        for ((kind, width), counts) in sources {
            let share = |counts: &Counts, part: usize| 100.0 * part as f64 / counts.all.max(1) as f64;
            let other = pictures.get(&(*kind, *width)).copied().unwrap_or_default();
            writeln!(
                f,
                "{:10} {width:4} px   {:8}   {:11.1} %   {:6.1} %      {:11.1} %   {:6.1} %",
                kind.name(),
                counts.all,
                share(counts, counts.photographs),
                share(counts, counts.right),
                share(&other, other.photographs),
                share(&other, other.right),
            )?;
        }
        write!(f, "a photograph from a probability of {:.3}", self.head.photograph_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: Kind, fold: usize, x: [f32; 2]) -> Seen {
        Seen { kind, folds: [fold; 2], plain: vec![x.to_vec(); 3], views: Vec::new() }
    }

    #[test]
    fn what_is_drawn_is_no_photograph_whatever_its_label() {
        let one = |name: &str, kind: &str| {
            let one = labelled::Labelled {
                image: PathBuf::new(),
                name: name.to_owned(),
                label: "stop sign".to_owned(),
                kind: kind.to_owned(),
            };
            let known = known(one);
            (known.kind, known.source)
        };
        assert_eq!(one("caltech101_photo.jpg", "object"), (Kind::Photograph, "stop".to_owned()));
        assert_eq!(one("chart.jpg", "chart"), (Kind::Chart, "stop".to_owned()));
        for name in DRAWN.lines() {
            assert_eq!(one(name, "object"), (Kind::Drawing, "drawn".to_owned()), "{name}");
        }
        assert!(DRAWN.lines().count() > 80 && DRAWN.lines().all(|name| name.starts_with("caltech101_")));
    }

    #[test]
    fn separable_kinds_are_separated() {
        let place = |i: usize| [(i as f32).cos() * 3.0 + 5.0, (i as f32).sin() * 2.0 - 1.0];
        let some: Vec<Seen> =
            Kind::ALL.into_iter().enumerate().map(|(i, kind)| seen(kind, 0, place(i))).collect();
        let head = regression(some.iter()).unwrap();
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            let found = head.probabilities(&place(i));
            let best = (0..6).max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
            assert_eq!(Kind::ALL[best], kind, "{found:?}");
        }
    }

    #[test]
    fn few_photographs_lie_under_the_threshold() {
        let judged: Vec<_> = (0..1000)
            .map(|i| {
                let p = i as f32 / 1000.0;
                (Kind::Photograph, vec![[p, 1.0 - p, 0.0, 0.0, 0.0, 0.0]; 3])
            })
            .collect();
        let from = threshold(&judged);
        let refused = judged.iter().filter(|(_, widths)| widths[0][0] < from).count();
        assert!((13..=15).contains(&refused), "{refused}");
    }
}
