//! Trains and measures a row of the study.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use soli::vocab::{END, Vocabulary};

use super::agreement::{Reader, shared};
use super::features::{Condition, Seen};
use super::network::Network;
use super::objective::{HeadTeacher, has_teacher, objective};
use super::plan::{Objective, Row, Settings, Share, Teacher, Views};
use super::record::{Distances, Measured, Record, Scored};
use super::restorer::Restorer;
use crate::metrics::{self, bleu};
use crate::optimiser::{AdamW, StepOptions, warmup_cosine};
use crate::parameters::Parameters;
use crate::progress::TrainingBar;

/// What all rows work on.
pub struct Data {
    /// Features of the training pictures in the ten versions: those with captions, then those that never have any.
    pub train: Seen,
    /// Captions of the first of them as token ids; never empty.
    pub captions: Vec<Vec<Vec<u32>>>,
    /// What is measured on.
    pub sets: Vec<TestSet>,
    /// In which conditions is measured.
    pub conditions: Vec<Condition>,
    /// The words.
    pub vocabulary: Vocabulary,
}

/// Pictures that are measured on.
pub struct TestSet {
    /// The data set's name.
    pub name: String,
    /// Features in all conditions.
    pub seen: Seen,
    /// What people say of the pictures.
    pub references: Vec<Vec<String>>,
}

impl Data {
    /// The same pictures as a restorer shows them, which was fitted on `pictures` of the training pictures.
    ///
    /// # Errors
    /// If it cannot be fitted.
    pub fn restored(&self, pictures: &[usize], seed: u64) -> Result<Self> {
        let restorer = Restorer::fit(&self.train, pictures, seed)?;
        let restored = |seen: &Seen| seen.map(|features| restorer.restore(features));
        let set = |set: &TestSet| -> Result<TestSet> {
            let (name, references) = (set.name.clone(), set.references.clone());
            Ok(TestSet { name, seen: restored(&set.seen)?, references })
        };
        Ok(Self {
            train: restored(&self.train)?,
            captions: self.captions.clone(),
            sets: self.sets.iter().map(set).collect::<Result<_>>()?,
            conditions: self.conditions.clone(),
            vocabulary: self.vocabulary.clone(),
        })
    }
}

/// Longest gradient.
const CLIP: f64 = 5.0;
/// Decay of the running average, which is measured.
const EMA: f64 = 0.99;

/// Trains and measures `row` under one seed, with captions of a share of the pictures.
///
/// # Errors
/// If the loss stops being a number.
pub fn train(data: &Data, row: &Row, share: Share, network: Settings, seed: u64) -> Result<Record> {
    // Rows of one seed begin alike.
    let parameters = Parameters::new(seed);
    let model = Network::new(&parameters.builder(), network, data.vocabulary.len())?;
    let captioned = captioned(data.captions.len(), share, seed);
    parameters.load(&[("output.bias".to_owned(), frequencies(data, &captioned)?)].into())?;
    let before = data.sets.iter().map(|set| distances(data, set, &model)).collect::<Result<Vec<_>>>()?;
    let mut optimiser = AdamW::new(parameters.vars())?;
    let started = Instant::now();
    let per_epoch = captioned.len().div_ceil(network.batch);
    let pool = data.train.pictures();
    let (siamese_steps, epochs) =
        (row.siamese_epochs * pool.div_ceil(network.batch), share.epochs * row.passes);
    let told_steps = epochs * per_epoch;
    let bar = TrainingBar::new(siamese_steps + told_steps, 0);
    let stream = |number: usize, stream: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64 * 8 + stream);
        rng
    };
    let mut pairs = Pairs::new(pool, stream(0, 3));
    let mut teacher: Option<HeadTeacher> = None;
    let mut step = |number: usize, (at, of, warmup): (usize, usize, usize), loss: Tensor| -> Result<()> {
        let value = loss.to_scalar::<f32>()?;
        let options = StepOptions {
            learning_rate: network.learning_rate * warmup_cosine(at, of, warmup),
            trunk_learning_rate: 0.0,
            concept_learning_rate: 0.0,
            weight_decay: network.weight_decay,
            gradient_clip: CLIP,
            ema_decay: EMA,
        };
        let norm = optimiser.step(&loss.backward()?, &options)?;
        if !norm.is_finite() {
            bail!("row {}, seed {seed}: the loss is {value} and its gradient {norm} long", row.name);
        }
        bar.step(number, value);
        Ok(())
    };
    for at in 0..siamese_steps {
        let (a, b) = pairs.next(data, row, network.batch)?;
        let embedded = [&model.embed(&a)?, &model.embed(&b)?];
        let loss = objective(row, network, &model, embedded, None, seed ^ at as u64)?;
        step(network.batch, (at, siamese_steps, siamese_steps / 20), loss)?;
    }
    for epoch in 0..epochs {
        // The order and the captions are those of every row of this share, whatever came before.
        let (mut order, mut captions, mut views) = (captioned.clone(), stream(epoch, 1), stream(epoch, 2));
        order.shuffle(&mut stream(epoch, 0));
        if has_teacher(row, epoch as f64 / epochs as f64) && teacher.is_none() {
            teacher = Some(HeadTeacher::of(&model)?);
        }
        for (place, some) in order.chunks(network.batch).enumerate() {
            let at = epoch * per_epoch + place;
            let seed = seed ^ (siamese_steps + at) as u64;
            let said: Vec<&[u32]> = some
                .iter()
                .map(|&picture| data.captions[picture].choose(&mut captions).map_or(&[][..], Vec::as_slice))
                .collect();
            let versions = Condition::versions();
            let (told, pair) = match row.views {
                Views::Pair => {
                    let (a, b) = two_views(data, row, some, &mut views)?;
                    let first = model.loss(&model.embed(&a)?, &said, seed)?;
                    let second = model.loss(&model.embed(&b)?, &said, seed ^ 1 << 40)?;
                    (((first + second)? * 0.5)?, Some((a, b)))
                }
                Views::Original | Views::Version => {
                    let shown = some.iter().map(|&picture| match row.views {
                        Views::Original => (picture, Condition::Version(0)),
                        _ => (picture, versions[views.random_range(0..versions.len())]),
                    });
                    (model.loss(&model.embed(&data.train.of(shown)?)?, &said, seed)?, None)
                }
            };
            // A frozen teacher is not there yet in the first half.
            let loss = if row.weight == 0.0 || row.teacher != Teacher::Same && teacher.is_none() {
                told
            } else {
                let (a, b) = pair.map_or_else(|| pairs.next(data, row, network.batch), Ok)?;
                let embedded = [&model.embed(&a)?, &model.embed(&b)?];
                let teacher = teacher.as_ref().map(|teacher| (teacher, &a));
                let paired = objective(row, network, &model, embedded, teacher, seed)?;
                (told + (paired * row.weight)?)?
            };
            // Half a pass, or the first twentieth of many short ones.
            let warmup = (per_epoch / 2).max(told_steps / 20);
            step(some.len(), (at, told_steps, warmup), loss)?;
            if row.teacher == Teacher::Ema
                && let Some(teacher) = &mut teacher
            {
                teacher.follow(&model)?;
            }
        }
    }
    bar.finish();
    let seconds = started.elapsed().as_secs_f64();
    parameters.load(&optimiser.averaged()?)?;
    let reader = reader(data, &captioned, &model)?;
    let measure = |(set, before): (&TestSet, BTreeMap<String, Distances>)| -> Result<Measured> {
        Ok(Measured {
            name: set.name.clone(),
            pictures: set.references.len(),
            scores: scores(data, set, &model)?,
            before,
            after: distances(data, set, &model)?,
            agreement: agreement(data, set, &model, &reader)?,
        })
    };
    Ok(Record {
        row: row.clone(),
        share,
        network,
        seed,
        seconds,
        revision: crate::revision::git_revision(),
        sets: data.sets.iter().zip(before).map(measure).collect::<Result<_>>()?,
    })
}

/// Logarithms of how often words are said, so that no step is spent on learning that.
fn frequencies(data: &Data, captioned: &[usize]) -> Result<Tensor> {
    let mut counts = vec![1f32; data.vocabulary.len()];
    for caption in captioned.iter().flat_map(|&picture| &data.captions[picture]) {
        caption.iter().for_each(|&token| counts[token as usize] += 1.0);
        counts[END as usize] += 1.0;
    }
    let sum: f32 = counts.iter().sum();
    let logarithms: Vec<f32> = counts.iter().map(|count| (count / sum).ln()).collect();
    Ok(Tensor::new(logarithms, &Device::Cpu)?)
}

/// The pictures that have captions, of so many: at least two.
pub fn captioned(pictures: usize, share: Share, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pictures).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::MAX);
    order.shuffle(&mut rng);
    order.truncate(((pictures as f64 * share.captioned).round() as usize).max(2));
    order.sort_unstable();
    order
}

/// Draws pairs of views of all pictures, each picture once before any comes again.
struct Pairs {
    order: Vec<usize>,
    at: usize,
    rng: ChaCha8Rng,
}

impl Pairs {
    fn new(pictures: usize, rng: ChaCha8Rng) -> Self {
        Self { order: (0..pictures).collect(), at: pictures, rng }
    }

    fn next(&mut self, data: &Data, row: &Row, batch: usize) -> Result<(Tensor, Tensor)> {
        let batch = batch.min(self.order.len());
        if self.at + batch > self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.at = 0;
        }
        let some = &self.order[self.at..][..batch];
        self.at += batch;
        two_views(data, row, some, &mut self.rng)
    }
}

/// Features of two different versions of each picture; what is distilled from is the original.
fn two_views(data: &Data, row: &Row, some: &[usize], views: &mut ChaCha8Rng) -> Result<(Tensor, Tensor)> {
    let versions = Condition::versions();
    let [mut first, mut second] = [Vec::with_capacity(some.len()), Vec::with_capacity(some.len())];
    for &picture in some {
        let a = match row.objective {
            Objective::Distillation => 0,
            _ => views.random_range(0..versions.len()),
        };
        let b = (a + views.random_range(1..versions.len())) % versions.len();
        first.push((picture, versions[a]));
        second.push((picture, versions[b]));
    }
    Ok((data.train.of(first)?, data.train.of(second)?))
}

/// Reads words from embeddings of the captioned pictures.
fn reader(data: &Data, captioned: &[usize], model: &Network) -> Result<Reader> {
    let words = data.vocabulary.len();
    let says: Vec<bool> = (0..words)
        .map(|token| data.vocabulary.word(token as u32).is_some_and(soli::details::says_something))
        .collect();
    let said: Vec<Vec<usize>> = captioned
        .iter()
        .map(|&picture| {
            let mut said: Vec<usize> = data.captions[picture]
                .iter()
                .flatten()
                .map(|&token| token as usize)
                .filter(|&t| says[t])
                .collect();
            said.sort_unstable();
            said.dedup();
            said
        })
        .collect();
    let versions = Condition::versions();
    let mut embeddings = Vec::with_capacity(captioned.len());
    // A version of each, in turn.
    for some in captioned.chunks(1024) {
        let shown = some.iter().map(|&picture| (picture, versions[picture % versions.len()]));
        embeddings.extend(model.embed(&data.train.of(shown)?)?.to_vec2::<f32>()?);
    }
    let said: Vec<&[usize]> = said.iter().map(Vec::as_slice).collect();
    Reader::fit(&embeddings, &said, words)
}

fn agreement(data: &Data, set: &TestSet, model: &Network, reader: &Reader) -> Result<BTreeMap<String, f64>> {
    let original = reader.likeliest(&embedded(set, model, Condition::Version(0))?)?;
    let there = |&condition: &Condition| -> Result<(String, f64)> {
        let read = reader.likeliest(&embedded(set, model, condition)?)?;
        Ok((condition.name(), shared(&original, &read)))
    };
    data.conditions.iter().map(there).collect()
}

fn embedded(set: &TestSet, model: &Network, condition: Condition) -> Result<Tensor> {
    let all = (0..set.references.len()).map(|picture| (picture, condition));
    Ok(model.embed(&set.seen.of(all)?)?.detach())
}

fn distances(data: &Data, set: &TestSet, model: &Network) -> Result<BTreeMap<String, Distances>> {
    let original = embedded(set, model, Condition::Version(0))?;
    let count = set.references.len() as u32;
    let next = Tensor::new((0..count).map(|i| (i + 1) % count).collect::<Vec<_>>(), original.device())?;
    let mean = |a: &Tensor, b: &Tensor| -> Result<f64> {
        let distances = (a - b)?.sqr()?.sum(1)?.sqrt()?.mean_all()?.to_scalar::<f32>()?;
        Ok(distances.into())
    };
    data.conditions
        .iter()
        .map(|&condition| {
            let there = embedded(set, model, condition)?;
            let different = mean(&original, &there.index_select(&next, 0)?)?;
            Ok((condition.name(), Distances { same: mean(&original, &there)?, different }))
        })
        .collect()
}

fn scores(data: &Data, set: &TestSet, model: &Network) -> Result<BTreeMap<String, Scored>> {
    let first: Vec<Vec<String>> = set
        .references
        .iter()
        .map(|captions| captions.iter().take(1).map(|caption| characters(&caption.to_lowercase())).collect())
        .collect();
    data.conditions
        .iter()
        .map(|&condition| {
            let said = model.describe(&embedded(set, model, condition)?)?;
            let texts: Vec<String> = said.iter().map(|tokens| text(tokens, &data.vocabulary)).collect();
            let words = metrics::evaluate(&texts, &set.references)?;
            let spelt: Vec<String> = texts.iter().map(|text| characters(text)).collect();
            let scored = Scored {
                cider: words.cider,
                bleu4: words.bleu[3],
                rouge_l: words.rouge_l,
                character_bleu4: bleu::score(&spelt, &first).corpus[3],
            };
            Ok((condition.name(), scored))
        })
        .collect()
}

fn text(tokens: &[u32], vocabulary: &Vocabulary) -> String {
    tokens.iter().filter_map(|&token| vocabulary.word(token)).collect::<Vec<_>>().join(" ")
}

/// A text as BLEU takes words apart: its letters and blanks (`_`) with blanks between them.
fn characters(text: &str) -> String {
    let mut spelt = String::with_capacity(2 * text.len());
    for character in text.trim().chars() {
        spelt.push(if character.is_whitespace() { '_' } else { character });
        spelt.push(' ');
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_the_words_of_the_papers_bleu() {
        assert_eq!(characters("a dog "), "a _ d o g ");
        // nltk.translate.bleu_score.corpus_bleu([["a dog runs"]], ["a dog"]): exp(1 - 10 / 5).
        let bleu = bleu::score(&[characters("a dog")], &[vec![characters("a dog runs")]]).corpus[3];
        assert!((bleu - (-1.0f64).exp()).abs() < 1e-6, "{bleu}");
    }

    #[test]
    fn fewer_pictures_with_captions_are_among_the_more() {
        let share = |captioned: f64| captioned_of(captioned);
        let (few, some, all) = (share(0.03), share(0.25), share(1.0));
        assert_eq!((few.len(), some.len(), all.len()), (6, 50, 200));
        assert!(few.iter().all(|picture| some.contains(picture)));
        assert_ne!(some, captioned(200, Share { captioned: 0.25, epochs: 1 }, 8), "seeds differ");
    }

    fn captioned_of(share: f64) -> Vec<usize> {
        captioned(200, Share { captioned: share, epochs: 1 }, 7)
    }
}
