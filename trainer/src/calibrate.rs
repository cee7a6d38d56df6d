//! Fits [`Confidence`]: how likely a caption is to be right, from what the captioner knows of it and its picture.
//!
//! Right is what [`is_right`] says; of pictures that are no photographs no description is. Every other dev picture is measured
//! by what was fitted on the others, and the other way round; what is kept is fitted on all of them. Captions that are told
//! in part only, as the unsure ones are, have weights of their own.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use image::RgbImage;
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use soli::captioner::{Caption, CaptionOptions, Captioner, MOST_OF_A_DRAWING};
use soli::confidence::{Certainty, Confidence, Domain, SIGN_NAMES, SIGNS, Short, Signs};
use soli::kind::{Kind, KindHead};
use soli::weights::Weights;

use crate::data::decode::{self, Picture};
use crate::data::views::{Versions, Views};
use crate::data::{Example, nonphotos, tokens};
use crate::honesty::plots;
use crate::labels;
use crate::regression::{Weighted, logistic_regression, ridge};
use crate::right::is_right;

/// Widths in pixels at which each picture is captioned.
pub const WIDTHS: [usize; 4] = [224, 100, 50, 25];

/// Training pictures whose embeddings say what is familiar.
const FAMILIAR: usize = 1000;

/// Training pictures with descriptions, and as many with labels only, at most, that say what is foreign.
const FOREIGN: usize = 3000;
/// How much of that is left unexplained for the sake of other pictures: see [`ridge`].
const SHRINKAGE: f64 = 2.0;
/// Likeliest words that may name a label where the caption does not.
const WORDS: usize = 5;

/// Drawn pictures that are no photographs, for each ten captions of photographs.
const NON_PHOTOS: usize = 2;

/// A data set to calibrate on.
pub struct Set {
    /// Its name, for the report.
    pub name: String,
    /// Pictures that the network learned from.
    pub train: Vec<Example>,
    /// Pictures that it did not, to fit on.
    pub dev: Vec<Example>,
    /// Pictures that nothing was fitted on, to measure; maybe none.
    pub test: Vec<Example>,
    /// Whether an example's only caption is a label: of such a picture a caption is right that names the label, a synonym or
    /// a parent of it, whatever else it says.
    pub labelled: bool,
}

impl Set {
    /// Whether one of the first `count` words that were seen names the label.
    fn is_seen(&self, caption: &Caption, count: usize, example: &Example) -> bool {
        let words: Vec<String> = caption.words.iter().take(count).map(|word| word.word.clone()).collect();
        self.labelled && example.captions.iter().any(|label| labels::names(label, &words))
    }

    fn is_right(&self, text: &str, example: &Example) -> bool {
        if self.labelled {
            example.captions.iter().any(|label| labels::names(label, &tokens::words(text)))
        } else {
            is_right(text, &example.captions)
        }
    }

    /// Which half a picture belongs to. Labels are halved as a whole.
    fn is_second(&self, place: usize, example: &Example) -> bool {
        let label =
            || example.captions.iter().flat_map(|label| label.bytes()).map(usize::from).sum::<usize>();
        if self.labelled { label() % 2 == 1 } else { place % 2 == 1 }
    }
}

/// One caption: what is known of it, and whether it is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What the confidence is computed from.
    pub signs: Signs,
    /// Whether it is right.
    pub right: bool,
    /// The same of what is told of it where it is unsure, if that is less.
    pub short: Option<(Signs, bool)>,
    /// Whether the picture is taken for a drawing, of which nothing is sure.
    drawn: bool,
    /// Whether a label is named by one of the likeliest words, or by any that is told.
    seen: [bool; 2],
    /// Which half its picture belongs to.
    second: bool,
    /// Whether it is measured only.
    test: bool,
    /// Place of its data set, and its width in pixels; `None` of a picture that is no photograph.
    of: Option<(usize, usize)>,
}

/// A calibration and what it is worth on trials that it was not fitted on.
pub struct Calibrated {
    /// To be kept with the weights.
    pub confidence: Confidence,
    /// All trials, each with the probability that it got from a fit without it, and whether what is told is right.
    measured: Vec<(Trial, f32, bool)>,
    names: Vec<String>,
    /// Which of them have labels instead of descriptions.
    labelled: Vec<bool>,
}

/// Fits the confidence of `weights` on the dev pictures of data sets; what `kinds` refuses is no trial.
///
/// # Errors
/// If no picture can be read or the weights do not fit.
pub fn calibrate(weights: &Weights, sets: &[Set], kinds: Option<KindHead>) -> Result<Calibrated> {
    let embedder = Captioner::new(weights.clone())?;
    let (mean, deviation) = familiar(&embedder, sets)?;
    let domain = foreign(&embedder, sets)?;
    let empty = Confidence { kinds, domain, ..Confidence::of(mean, deviation, [0.0; SIGNS], 0.0) };
    // One that is sure of everything, and tells all, and one that is sure of nothing.
    let with_bias = |bias: f32| {
        let confidence = Some(Confidence { bias, ..empty.clone() });
        Captioner::new(Weights { confidence, ..weights.clone() })
    };
    let captioners = [with_bias(9.0)?, with_bias(-9.0)?];
    let mut trials = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        for (width, (test, examples)) in
            WIDTHS.into_iter().flat_map(|width| [(width, (false, &set.dev)), (width, (true, &set.test))])
        {
            let of_width = examples.par_iter().enumerate().map(|(i, example)| {
                let picture = decode::load(&example.image)?.shrunk(width)?;
                let seen =
                    |caption: &Caption| [WORDS, usize::MAX].map(|count| set.is_seen(caption, count, example));
                let trial = attempt(&captioners, &picture, |text| set.is_right(text, example), seen)?;
                let second = set.is_second(i, example);
                Ok(trial.map(|trial| Trial { second, test, of: Some((place, width)), ..trial }))
            });
            trials.extend(of_width.collect::<Result<Vec<_>>>()?.into_iter().flatten());
        }
    }
    let dev = trials.iter().filter(|trial| !trial.test).count();
    let drawn = (0..dev * NON_PHOTOS / 10).into_par_iter().map(|i| {
        let picture = nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i as u64));
        let trial = attempt(&captioners, &Picture::from(&picture), |_| false, |_| [false; 2])?;
        Ok(trial.map(|trial| Trial { second: i % 2 == 1, ..trial }))
    });
    trials.extend(drawn.collect::<Result<Vec<_>>>()?.into_iter().flatten());
    let fit = |of: &dyn Fn(&Trial) -> bool| {
        let chosen = trials.iter().filter(|trial| !trial.test && of(trial));
        fit(&empty, &chosen.collect::<Vec<_>>()).context("no confidence can be fitted")
    };
    let confidence = fit(&|_| true)?;
    let halves = [fit(&|trial| trial.second)?, fit(&|trial| !trial.second)?];
    let judge = |trial: &Trial| match trial {
        Trial { test: true, .. } => &confidence,
        Trial { second, .. } => &halves[usize::from(*second)],
    };
    let measured = trials
        .iter()
        .map(|trial| {
            let (probability, right) = told(judge(trial), trial);
            (trial.clone(), probability, right)
        })
        .collect();
    let names = sets.iter().map(|set| set.name.clone()).collect();
    let labelled = sets.iter().map(|set| set.labelled).collect();
    Ok(Calibrated { confidence, measured, names, labelled })
}

/// One trial by two captioners, of which the second is sure of nothing; none if the picture is taken for no photograph.
fn attempt(
    [sure, unsure]: &[Captioner; 2],
    picture: &Picture,
    right: impl Fn(&str) -> bool,
    seen: impl Fn(&Caption) -> [bool; 2],
) -> Result<Option<Trial>> {
    let all = sure.caption(&picture.rgba(), &CaptionOptions::default())?;
    let Some(signs) = all.signs else { return Ok(None) };
    let part = unsure.caption(&picture.rgba(), &CaptionOptions::default())?;
    let short = part.signs.filter(|_| part.tokens != all.tokens).map(|signs| (signs, right(&part.text)));
    Ok(Some(Trial {
        signs,
        right: right(&all.text),
        short,
        drawn: all.kind == Some(Kind::Drawing),
        seen: seen(&all),
        second: false,
        test: false,
        of: None,
    }))
}

/// What is told of a caption under this confidence: its probability, and whether it is right.
fn told(confidence: &Confidence, trial: &Trial) -> (f32, bool) {
    let probability = confidence.probability(&trial.signs);
    let (probability, right) = match trial.short {
        Some((signs, right)) if trial.drawn || Certainty::of(probability) != Certainty::Likely => {
            (confidence.probability_of_short(&signs), right)
        }
        _ => (probability, trial.right),
    };
    (if trial.drawn { probability.min(MOST_OF_A_DRAWING) } else { probability }, right)
}

/// Fits the weights of the signs, of whole captions and of those that are told in part. Each data set counts as much as the
/// others, however many pictures it has.
fn fit(empty: &Confidence, trials: &[&Trial]) -> Result<Confidence> {
    let mut sizes: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    let set = |trial: &Trial| trial.of.map(|(place, _)| place);
    trials.iter().for_each(|trial| *sizes.entry(set(trial)).or_default() += 1);
    let most = sizes.iter().filter(|(set, _)| set.is_some()).map(|(_, size)| *size).max().unwrap_or(1);
    // What is drawn belongs to no set.
    let times = |trial: &Trial| {
        set(trial).map_or(1, |place| (most as f64 / sizes[&Some(place)] as f64).round().max(1.0) as usize)
    };
    let trials: Vec<&Trial> =
        trials.iter().flat_map(|trial| std::iter::repeat_n(*trial, times(trial))).collect();
    let weigh = |rows: &[(Signs, bool)]| -> Result<(Signs, f32)> {
        let rows: Vec<([f64; SIGNS + 1], bool)> = rows
            .iter()
            .map(|(signs, right)| {
                let mut row = [1.0; SIGNS + 1];
                row[1..].iter_mut().zip(signs.values()).for_each(|(x, sign)| *x = sign.into());
                (row, *right)
            })
            .collect();
        let fitted = logistic_regression(&rows)?.map(|weight| weight as f32);
        let mut weights = [0.0; SIGNS];
        weights.copy_from_slice(&fitted[1..]);
        Ok((Signs::of(weights), fitted[0]))
    };
    let all: Vec<(Signs, bool)> = trials.iter().map(|trial| (trial.signs, trial.right)).collect();
    let (weights, bias) = weigh(&all)?;
    let confidence = Confidence { weights, bias, ..empty.clone() };
    let unsure = |trial: &&&Trial| Certainty::of(confidence.probability(&trial.signs)) != Certainty::Likely;
    let parts: Vec<(Signs, bool)> = trials.iter().filter(unsure).filter_map(|trial| trial.short).collect();
    let (weights, bias) = weigh(&parts).context("captions that are told in part")?;
    Ok(Confidence { short: Some(Short { weights, bias }), ..confidence })
}

/// Mean and standard deviation of the mean embeddings of training pictures at all sizes.
fn familiar(captioner: &Captioner, sets: &[Set]) -> Result<(Vec<f32>, Vec<f32>)> {
    let views = Views { degraded: 0.7, versions: Versions::AnySize, corrupted: 0.1, ..Views::PLAIN };
    // As many of each set, whatever their sizes.
    let described = |set: &&Set| !set.train.is_empty() && !set.labelled;
    let share = FAMILIAR.div_ceil(sets.iter().filter(described).count().max(1));
    let some = sets.iter().filter(described).flat_map(|set| every(&set.train, share)).collect::<Vec<_>>();
    let pooled: Vec<Vec<f32>> = some
        .par_iter()
        .enumerate()
        .filter_map(|(i, example)| {
            let picture = decode::load(&example.image).ok()?.rgb();
            let view: RgbImage = views.one(&picture, false, &mut ChaCha8Rng::seed_from_u64(i as u64));
            captioner.mean_embedding(&Picture::from(&view).rgba()).ok()
        })
        .collect();
    ensure!(pooled.len() > 1, "too few training pictures can be read to know what is familiar");
    let count = pooled.len() as f32;
    let width = captioner.config().decoder.width;
    let mean: Vec<f32> =
        (0..width).map(|c| short(pooled.iter().map(|values| values[c]).sum::<f32>() / count)).collect();
    let deviation = (0..width)
        .map(|c| {
            let variance = pooled.iter().map(|values| (values[c] - mean[c]).powi(2)).sum::<f32>() / count;
            short(variance.sqrt()).max(1e-4)
        })
        .collect();
    Ok((mean, deviation))
}

/// At most about `count` of the examples, evenly.
fn every(examples: &[Example], count: usize) -> impl Iterator<Item = &Example> {
    examples.iter().step_by((examples.len() / count.max(1)).max(1))
}

/// Tells pictures with descriptions from those with labels only, at all widths; none if there are no labels. What was described
/// is described better: without this sign one confidence would have to be too modest on the ones and too sure on the others.
fn foreign(captioner: &Captioner, sets: &[Set]) -> Result<Option<Domain>> {
    let of = |labelled: bool| -> Vec<Vec<f32>> {
        let chosen: Vec<&Set> =
            sets.iter().filter(|set| set.labelled == labelled && !set.train.is_empty()).collect();
        let share = FOREIGN.div_ceil(chosen.len().max(1));
        let some: Vec<&Example> = chosen.iter().flat_map(|set| every(&set.train, share)).collect();
        some.par_iter()
            .enumerate()
            .filter_map(|(i, example)| {
                let picture = decode::load(&example.image).ok()?.shrunk(WIDTHS[i % WIDTHS.len()]).ok()?;
                captioner.mean_embedding(&picture.rgba()).ok()
            })
            .collect()
    };
    let (described, labelled) = (of(false), of(true));
    if described.is_empty() || labelled.is_empty() {
        return Ok(None);
    }
    let side = |embeddings: Vec<Vec<f32>>, target: f64| {
        let weight = 1.0 / embeddings.len() as f64;
        embeddings.into_iter().map(move |values| -> Weighted { (values, target, weight) })
    };
    let rows: Vec<Weighted> = side(described, -1.0).chain(side(labelled, 1.0)).collect();
    let (weights, bias) = ridge(&rows, SHRINKAGE)?;
    Ok(Some(Domain { weights: weights.iter().map(|w| short(*w as f32)).collect(), bias: short(bias as f32) }))
}

/// As many digits as matter, so that the file stays small.
fn short(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}

/// Mean difference of what is said and what is found in ten bins of equally many trials, 0 to 1 (Nguyen and O'Connor 2015).
pub fn calibration_error(trials: &[(f32, bool)]) -> f64 {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = sorted.len().div_ceil(10).max(1);
    let gap = |bin: &[(f32, bool)]| {
        let said: f64 = bin.iter().map(|(p, _)| f64::from(*p)).sum();
        (said - bin.iter().filter(|(_, right)| *right).count() as f64).abs()
    };
    sorted.chunks(size).map(gap).sum::<f64>() / sorted.len().max(1) as f64
}

/// How often a right trial has a higher probability than a wrong one: the area under the ROC curve, ties half.
pub fn auroc(trials: &[(f32, bool)]) -> f64 {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wrong_before, mut sum) = (0.0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let right = equal.iter().filter(|(_, right)| *right).count() as f64;
        let wrong = equal.len() as f64 - right;
        sum += right * (wrong_before + wrong / 2.0);
        wrong_before += wrong;
    }
    sum / (wrong_before * (trials.len() as f64 - wrong_before)).max(1.0)
}

/// Share of wrong ones, of all trials and of the half with the highest probabilities.
pub fn risks(trials: &[(f32, bool)]) -> (f64, f64) {
    let mut sorted = trials.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let wrong =
        |of: &[(f32, bool)]| of.iter().filter(|(_, right)| !right).count() as f64 / of.len().max(1) as f64;
    (wrong(&sorted), wrong(&sorted[..sorted.len().div_ceil(2)]))
}

/// What [`calibration_error`] would be on average if each trial were right as often as its probability says.
fn error_of_chance(trials: &[(f32, bool)]) -> f64 {
    const DRAWS: usize = 100;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let draw = |_| {
        let drawn: Vec<(f32, bool)> =
            trials.iter().map(|&(p, _)| (p, rng.random_bool(f64::from(p).clamp(0.0, 1.0)))).collect();
        calibration_error(&drawn)
    };
    (0..DRAWS).map(draw).sum::<f64>() / DRAWS as f64
}

impl Calibrated {
    /// Probabilities, each with whether the caption is right.
    fn trials(&self, of: impl Fn(&Trial) -> bool) -> plots::Trials {
        self.measured.iter().filter(|(trial, ..)| of(trial)).map(|(_, p, right)| (*p, *right)).collect()
    }

    /// The groups of trials that are shown: name, data set, whether of its test split.
    fn groups(&self) -> Vec<(String, usize, bool)> {
        let mut groups = Vec::new();
        for (place, name) in self.names.iter().enumerate() {
            for (test, split) in [(false, "dev"), (true, "test")] {
                if self.measured.iter().any(|(trial, ..)| trial.test == test && is_of(trial, place)) {
                    groups.push((format!("{name} {split}"), place, test));
                }
            }
        }
        groups
    }

    /// For each set how often captions are right that are told with a confidence of some range, as rows of a table; of labelled
    /// pictures also how often the caption or a word names the label.
    pub fn by_confidence(&self) -> String {
        const FROM: [f32; 5] = [0.8, 0.65, 0.5, 0.25, 0.0];
        let mut rows = String::new();
        let mut lines: Vec<(String, plots::Trials)> = Vec::new();
        for (name, place, test) in self.groups() {
            let trials = self.trials(|t| t.test == test && is_of(t, place));
            if !self.labelled[place] {
                lines.push((name, trials));
                continue;
            }
            let seen = |i: usize| {
                let of = self.measured.iter().filter(|(t, ..)| t.test == test && is_of(t, place));
                of.map(|(trial, p, right)| (*p, *right || trial.seen[i])).collect()
            };
            let (few, all) = (seen(0), seen(1));
            lines.push((format!("{name}: the caption"), trials));
            lines.push((format!("{name}: or one of the {WORDS} likeliest words"), few));
            lines.push((format!("{name}: or any word told"), all));
        }
        for (name, trials) in lines {
            rows.push_str(&format!("| {name} |"));
            for (i, from) in FROM.iter().enumerate() {
                let to = if i == 0 { f32::INFINITY } else { FROM[i - 1] };
                let some: Vec<bool> =
                    trials.iter().filter(|(p, _)| (*from..to).contains(p)).map(|(_, right)| *right).collect();
                let right = some.iter().filter(|right| **right).count();
                let share = 100.0 * right as f64 / some.len().max(1) as f64;
                rows.push_str(&format!(" {share:.0} % of {} |", some.len()));
            }
            rows.push('\n');
        }
        rows
    }

    /// The same as [`plots`] draws it.
    pub fn panels(&self) -> Vec<plots::Panel> {
        let lines = |place, test| {
            WIDTHS
                .map(|width| (width, self.trials(|t| t.test == test && t.of == Some((place, width)))))
                .into()
        };
        self.groups()
            .into_iter()
            .map(|(name, place, test)| plots::Panel { name, lines: lines(place, test) })
            .collect()
    }
}

fn is_of(trial: &Trial, place: usize) -> bool {
    trial.of.is_some_and(|(other, _)| other == place)
}

impl fmt::Display for Calibrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "                                captions   right   said   calibration error   (of chance)   AUROC   wrong, of all and of the surer half"
        )?;
        let mut line = |name: &str, some: plots::Trials| {
            if some.is_empty() {
                return Ok(());
            }
            let (wrong, surer) = risks(&some);
            let said = some.iter().map(|(p, _)| f64::from(*p)).sum::<f64>() / some.len() as f64;
            writeln!(
                f,
                "{name:32} {:7}   {:3.0} %  {:3.0} %   {:17.3}   {:11.3}   {:5.2}   {:3.0} %   {:3.0} %",
                some.len(),
                100.0 * (1.0 - wrong),
                100.0 * said,
                calibration_error(&some),
                error_of_chance(&some),
                auroc(&some),
                100.0 * wrong,
                100.0 * surer
            )
        };
        for (name, place, test) in self.groups() {
            for width in WIDTHS {
                let of = |t: &Trial| t.test == test && t.of == Some((place, width));
                line(&format!("{name} at {width} px"), self.trials(of))?;
            }
        }
        line("no photographs", self.trials(|trial| trial.of.is_none()))?;
        line("all dev", self.trials(|trial| !trial.test))?;
        line("all test", self.trials(|trial| trial.test))?;
        let dev = self.trials(|trial| !trial.test);
        let share = |certainty: Certainty| {
            let of = dev.iter().filter(|(p, _)| Certainty::of(*p) == certainty).count();
            100.0 * of as f64 / dev.len().max(1) as f64
        };
        let [likely, unsure, no] = [Certainty::Likely, Certainty::Unsure, Certainty::No].map(share);
        write!(f, "of dev, told as it is: {likely:.0} %, as a guess: {unsure:.0} %, not told: {no:.0} %")?;
        write!(f, "\nweights of whole captions and of those told in part")?;
        let short = self.confidence.short.map_or([0.0; SIGNS], |short| short.weights.values());
        for ((name, weight), short) in SIGN_NAMES.iter().zip(self.confidence.weights.values()).zip(short) {
            write!(f, "\n{name:15} {weight:8.3} {short:8.3}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_no_photographs_differ() {
        let drawn: Vec<RgbImage> =
            (0..60).map(|i| nonphotos::draw(&mut ChaCha8Rng::seed_from_u64(i))).collect();
        let mut different: Vec<&[u8]> = drawn.iter().map(|picture| picture.as_raw().as_slice()).collect();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > 45, "{}", different.len());
        assert!(drawn.iter().all(|picture| picture.dimensions() == (224, 224)));
    }

    #[test]
    fn measures_are_those_of_their_definitions() {
        let trials = [(0.9, true), (0.8, true), (0.8, false), (0.3, true), (0.1, false), (0.2, false)];
        // Of the nine pairs 0.9 wins three, 0.8 two and a half, 0.3 two.
        assert!((auroc(&trials) - 7.5 / 9.0).abs() < 1e-9);
        // Six bins of one trial each.
        let gaps = 0.1 + 0.2 + 0.8 + 0.7 + 0.1 + 0.2;
        assert!((calibration_error(&trials) - gaps / 6.0).abs() < 1e-6);
        assert_eq!(risks(&trials), (0.5, 1.0 / 3.0));
        assert_eq!(error_of_chance(&[(1.0, true), (0.0, false)]), 0.0);
        assert!(error_of_chance(&[(0.5, true); 40]) > 0.1);
    }
}
