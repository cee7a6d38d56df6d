//! Trains and measures a row of the study.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use candle_core::Tensor;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use soli::vocab::Vocabulary;

use super::features::{Condition, Seen};
use super::network::Network;
use super::plan::{Row, Settings, Views};
use super::record::{Distances, Record, Scored};
use crate::contrast;
use crate::metrics::{self, bleu};
use crate::optimiser::{AdamW, StepOptions, warmup_cosine};
use crate::parameters::Parameters;
use crate::progress::TrainingBar;

/// What all rows work on.
pub struct Data {
    /// Features of the training pictures, in the ten versions.
    pub train: Seen,
    /// Their captions as token ids; never empty.
    pub captions: Vec<Vec<Vec<u32>>>,
    /// Features of the pictures that are measured on, in all conditions.
    pub test: Seen,
    /// What people say of those.
    pub references: Vec<Vec<String>>,
    /// In which conditions is measured.
    pub conditions: Vec<Condition>,
    /// The words.
    pub vocabulary: Vocabulary,
}

/// Longest gradient.
const CLIP: f64 = 5.0;
/// Decay of the running average, which is measured.
const EMA: f64 = 0.99;

/// Trains and measures `row` under one seed.
///
/// # Errors
/// If the loss stops being a number.
pub fn train(data: &Data, row: &Row, network: Settings, seed: u64) -> Result<Record> {
    // Rows of one seed begin alike.
    let parameters = Parameters::new(seed);
    let model = Network::new(&parameters.builder(), network, data.vocabulary.len())?;
    let before = distances(data, &model)?;
    let mut optimiser = AdamW::new(parameters.vars())?;
    let started = Instant::now();
    let pictures = data.captions.len();
    let per_epoch = pictures.div_ceil(network.batch);
    let (siamese, epochs) = (row.siamese_epochs, network.epochs * row.passes);
    let bar = TrainingBar::new((siamese + epochs) * per_epoch, 0);
    for epoch in 0..siamese + epochs {
        let alone = epoch < siamese;
        // With captions the order and the captions are those of every row, whatever came before.
        let number = if alone { 1000 + epoch } else { epoch - siamese };
        let stream = |stream: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(number as u64 * 8 + stream);
            rng
        };
        let (mut order, mut captions, mut views) = ((0..pictures).collect::<Vec<_>>(), stream(1), stream(2));
        order.shuffle(&mut stream(0));
        for (place, some) in order.chunks(network.batch).enumerate() {
            let (at, of) = match alone {
                true => (epoch * per_epoch + place, siamese * per_epoch),
                false => ((epoch - siamese) * per_epoch + place, epochs * per_epoch),
            };
            let step = Step { some, seed: seed ^ (epoch * per_epoch + place) as u64, alone };
            let loss = step.loss(data, row, network, &model, &mut captions, &mut views)?;
            let value = loss.to_scalar::<f32>()?;
            let options = StepOptions {
                learning_rate: network.learning_rate * warmup_cosine(at, of, per_epoch / 2),
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
            bar.step(some.len(), value);
        }
    }
    bar.finish();
    let seconds = started.elapsed().as_secs_f64();
    parameters.load(&optimiser.averaged()?)?;
    Ok(Record {
        row: row.clone(),
        network,
        seed,
        seconds,
        revision: crate::revision::git_revision(),
        pictures: data.references.len(),
        scores: scores(data, &model)?,
        before,
        after: distances(data, &model)?,
    })
}

struct Step<'a> {
    some: &'a [usize],
    seed: u64,
    /// Whether only the contrastive loss is minimised.
    alone: bool,
}

impl Step<'_> {
    fn loss(
        &self,
        data: &Data,
        row: &Row,
        network: Settings,
        model: &Network,
        captions: &mut ChaCha8Rng,
        views: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        let versions = Condition::versions();
        let first: Vec<Condition> = self
            .some
            .iter()
            .map(|_| match row.views {
                Views::Original if !self.alone => Condition::Version(0),
                _ => versions[views.random_range(0..versions.len())],
            })
            .collect();
        let embed = |conditions: &[Condition]| -> Result<Tensor> {
            let shown = self.some.iter().copied().zip(conditions.iter().copied());
            Ok(model.embed(&data.train.of(shown)?)?)
        };
        let a = embed(&first)?;
        let said: Vec<&[u32]> = self
            .some
            .iter()
            .map(|&picture| data.captions[picture].choose(captions).map_or(&[][..], Vec::as_slice))
            .collect();
        if row.views != Views::Pair && !self.alone {
            return Ok(model.loss(&a, &said, self.seed)?);
        }
        let second: Vec<Condition> = first
            .iter()
            .map(|&first| {
                let others: Vec<Condition> = versions.iter().copied().filter(|&v| v != first).collect();
                others[views.random_range(0..others.len())]
            })
            .collect();
        let b = embed(&second)?;
        let paired = siamese(&a, &b, row.negatives, network.margin, self.seed)?;
        if self.alone {
            return Ok(paired);
        }
        let both = [model.loss(&a, &said, self.seed)?, model.loss(&b, &said, self.seed ^ 1 << 40)?];
        let told = ((&both[0] + &both[1])? * 0.5)?;
        Ok((told + (paired * row.contrastive)?)?)
    }
}

/// The contrastive loss on Euclidean distances, or the half of it that pulls.
fn siamese(a: &Tensor, b: &Tensor, negatives: bool, margin: f64, seed: u64) -> Result<Tensor> {
    // The losses of `contrast` take means of squares, the paper takes sums.
    let root = (a.dim(1)? as f64).sqrt();
    let (a, b) = ((a * root)?, (b * root)?);
    if !negatives || a.dim(0)? < 2 {
        return Ok(contrast::squared_distances(&a, &b)?.mean_all()?);
    }
    let others = contrast::other_pictures(a.dim(0)?, seed);
    Ok(contrast::contrastive(&a, &b, &others, margin)?.0)
}

fn embedded(data: &Data, model: &Network, condition: Condition) -> Result<Tensor> {
    let all = (0..data.references.len()).map(|picture| (picture, condition));
    Ok(model.embed(&data.test.of(all)?)?.detach())
}

fn distances(data: &Data, model: &Network) -> Result<BTreeMap<String, Distances>> {
    let original = embedded(data, model, Condition::Version(0))?;
    let count = data.references.len() as u32;
    let next = Tensor::new((0..count).map(|i| (i + 1) % count).collect::<Vec<_>>(), original.device())?;
    let mean = |a: &Tensor, b: &Tensor| -> Result<f64> {
        let distances = (a - b)?.sqr()?.sum(1)?.sqrt()?.mean_all()?.to_scalar::<f32>()?;
        Ok(distances.into())
    };
    data.conditions
        .iter()
        .map(|&condition| {
            let there = embedded(data, model, condition)?;
            let different = mean(&original, &there.index_select(&next, 0)?)?;
            Ok((condition.name(), Distances { same: mean(&original, &there)?, different }))
        })
        .collect()
}

fn scores(data: &Data, model: &Network) -> Result<BTreeMap<String, Scored>> {
    let first: Vec<Vec<String>> = data
        .references
        .iter()
        .map(|captions| captions.iter().take(1).map(|caption| characters(&caption.to_lowercase())).collect())
        .collect();
    data.conditions
        .iter()
        .map(|&condition| {
            let said = model.describe(&embedded(data, model, condition)?)?;
            let texts: Vec<String> = said.iter().map(|tokens| text(tokens, &data.vocabulary)).collect();
            let words = metrics::evaluate(&texts, &data.references)?;
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
    use candle_core::Device;

    use super::*;

    #[test]
    fn characters_are_the_words_of_the_papers_bleu() {
        assert_eq!(characters("a dog "), "a _ d o g ");
        // nltk.translate.bleu_score.corpus_bleu([["a dog runs"]], ["a dog"]): exp(1 - 10 / 5).
        let bleu = bleu::score(&[characters("a dog")], &[vec![characters("a dog runs")]]).corpus[3];
        assert!((bleu - (-1.0f64).exp()).abs() < 1e-6, "{bleu}");
    }

    #[test]
    fn the_contrastive_loss_is_on_euclidean_distances() -> Result<()> {
        let of = |values: [[f32; 2]; 2]| Tensor::new(&values, &Device::Cpu);
        let (a, b) = (of([[0.0, 0.0], [3.0, 4.0]])?, of([[0.3, 0.4], [3.0, 4.0]])?);
        // Same: 0.5 and 0. Different: 5 and sqrt(2.7^2 + 3.6^2) = 4.5, beyond the margin.
        let loss = siamese(&a, &b, true, 1.0, 1)?.to_scalar::<f32>()?;
        assert!((loss - 0.25 / 2.0 / 2.0).abs() < 1e-5, "{loss}");
        let pulled = siamese(&a, &b, false, 1.0, 1)?.to_scalar::<f32>()?;
        assert!((pulled - 0.25 / 2.0).abs() < 1e-6, "{pulled}");
        // Within a margin of 6: (6 - 5)^2 and (6 - 4.5)^2.
        let loss = siamese(&a, &b, true, 6.0, 1)?.to_scalar::<f32>()?;
        let expected = (0.125 + (1.0 + 2.25) / 2.0) / 2.0;
        assert!((loss - expected).abs() < 1e-4, "{loss} {expected}");
        Ok(())
    }
}
