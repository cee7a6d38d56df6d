//! What the frozen encoder sees of pictures: pooled features of each version and width, computed once.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use soli::captioner::Captioner;
use soli::layout::HEAD_CHANNELS;

use crate::data::degrade::VERSIONS;
use crate::data::{Example, decode};
use crate::kept_tensor::{fetch, hex, make_folder, store};
use crate::pretrained;
use crate::progress::TrainingBar;

/// Pictures that the encoder looks at together.
const AT_ONCE: usize = 256;

/// How a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// One of the ten versions, by its place in [`VERSIONS`].
    Version(usize),
    /// Shrunk to a square of so many pixels, anti-aliased.
    Width(u16),
}

impl Condition {
    /// All ten versions.
    pub fn versions() -> Vec<Self> {
        (0..VERSIONS.len()).map(Self::Version).collect()
    }

    /// Its name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Version(place) => VERSIONS[place].name.to_owned(),
            Self::Width(px) => format!("{px} px"),
        }
    }

    fn show(self, picture: &decode::Picture) -> Result<decode::Picture> {
        Ok(match self {
            Self::Width(px) => picture.shrunk(px.into())?,
            Self::Version(place) => decode::Picture::from(&VERSIONS[place].of(&picture.rgb())),
        })
    }
}

/// The frozen encoder.
pub struct Encoder {
    network: Captioner,
    /// Tells one encoder's features from another's.
    sha256: String,
}

impl Encoder {
    /// Reads it.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn load(path: &Path) -> Result<Self> {
        let network = pretrained::packed_encoder(path)?;
        let sha256 = hex(&Sha256::digest(std::fs::read(path)?));
        Ok(Self { network, sha256 })
    }

    /// Pooled features of a picture in a file: the mean over its cells.
    fn look(&self, path: &Path, condition: Condition) -> Result<Vec<f32>> {
        let shown = condition.show(&decode::load(path)?)?;
        let cells = self.network.features(&shown.rgba())?;
        let mut pooled = vec![0f32; HEAD_CHANNELS];
        for cell in cells.chunks_exact(HEAD_CHANNELS) {
            pooled.iter_mut().zip(cell).for_each(|(sum, x)| *sum += x);
        }
        let count = (cells.len() / HEAD_CHANNELS).max(1) as f32;
        pooled.iter_mut().for_each(|sum| *sum /= count);
        Ok(pooled)
    }
}

/// Pooled features of a list of pictures under some conditions.
#[derive(Default)]
pub struct Seen {
    by_condition: HashMap<Condition, Vec<f32>>,
}

impl Seen {
    /// Looks at `examples` under `conditions`; what `folder` holds is not looked at again.
    ///
    /// # Errors
    /// If a picture cannot be read, or the folder cannot be written.
    pub fn look(
        encoder: &Encoder,
        examples: &[Example],
        conditions: &[Condition],
        folder: &Path,
    ) -> Result<Self> {
        make_folder(folder)?;
        let mut hash = Sha256::new();
        hash.update(&encoder.sha256);
        examples.iter().for_each(|example| hash.update(format!("{}\0", example.name)));
        let key = hex(&hash.finalize()[..8]);
        let shape = [examples.len(), HEAD_CHANNELS];
        let steps = examples.len().div_ceil(AT_ONCE);
        let bar = TrainingBar::new(conditions.len() * steps, 0);
        let mut by_condition = HashMap::new();
        for &condition in conditions {
            let file = folder.join(format!("{key}-{}.safetensors", condition.name().replace(' ', "")));
            if let Some(kept) = fetch(&file, shape) {
                by_condition.insert(condition, kept.flatten_all()?.to_vec1()?);
                (0..steps).for_each(|_| bar.step(0, f32::NAN));
                continue;
            }
            let mut values = Vec::with_capacity(shape[0] * shape[1]);
            for some in examples.chunks(AT_ONCE) {
                let seen: Vec<Vec<f32>> = some
                    .par_iter()
                    .map(|example| encoder.look(&example.image, condition))
                    .collect::<Result<_>>()?;
                values.extend(seen.into_iter().flatten());
                bar.step(some.len(), f32::NAN);
            }
            store(&file, Tensor::from_slice(&values, (shape[0], shape[1]), &Device::Cpu)?)?;
            by_condition.insert(condition, values);
        }
        bar.finish();
        Ok(Self { by_condition })
    }

    /// Features (pictures times [`HEAD_CHANNELS`]) that are known already.
    pub fn from_features(by_condition: impl IntoIterator<Item = (Condition, Vec<f32>)>) -> Self {
        Self { by_condition: by_condition.into_iter().collect() }
    }

    /// The same pictures with other features.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn map(&self, change: impl Fn(&[f32]) -> Result<Vec<f32>>) -> Result<Self> {
        let changed = |(condition, values): (&Condition, &Vec<f32>)| Ok((*condition, change(values)?));
        Ok(Self { by_condition: self.by_condition.iter().map(changed).collect::<Result<_>>()? })
    }

    /// Adds pictures that were looked at under the same conditions.
    pub fn append(&mut self, other: Self) {
        for (condition, values) in other.by_condition {
            self.by_condition.entry(condition).or_default().extend(values);
        }
    }

    /// Mean and standard deviation (above 0) of each feature over all pictures and conditions.
    pub fn spread(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut sums, mut squares, mut count) = (vec![0f64; HEAD_CHANNELS], vec![0f64; HEAD_CHANNELS], 0f64);
        for features in self.by_condition.values().flat_map(|values| values.chunks_exact(HEAD_CHANNELS)) {
            count += 1.0;
            for (i, &x) in features.iter().enumerate() {
                sums[i] += f64::from(x);
                squares[i] += f64::from(x) * f64::from(x);
            }
        }
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count.max(1.0)).collect();
        let deviation =
            squares.iter().zip(&mean).map(|(sum, m)| (sum / count.max(1.0) - m * m).max(1e-8).sqrt() as f32);
        (mean.iter().map(|m| *m as f32).collect(), deviation.collect())
    }

    /// Makes every feature about as wide as any other: subtracts a mean, and divides by a standard deviation.
    pub fn standardise(&mut self, (mean, deviation): &(Vec<f32>, Vec<f32>)) {
        for values in self.by_condition.values_mut() {
            for features in values.chunks_exact_mut(HEAD_CHANNELS) {
                for ((x, m), d) in features.iter_mut().zip(mean).zip(deviation) {
                    *x = (*x - m) / d;
                }
            }
        }
    }

    /// How many pictures there are.
    pub fn pictures(&self) -> usize {
        self.by_condition.values().map(|values| values.len() / HEAD_CHANNELS).min().unwrap_or(0)
    }

    /// Features (pictures, [`HEAD_CHANNELS`]) of pictures, each under its condition.
    ///
    /// # Errors
    /// If a condition was not looked at.
    pub fn of(&self, pictures: impl IntoIterator<Item = (usize, Condition)>) -> Result<Tensor> {
        let (mut values, mut count) = (Vec::new(), 0);
        for (picture, condition) in pictures {
            let all = self.by_condition.get(&condition);
            let all = all.with_context(|| format!("{} was not looked at", condition.name()))?;
            ensure!((picture + 1) * HEAD_CHANNELS <= all.len(), "there is no picture {picture}");
            values.extend_from_slice(&all[picture * HEAD_CHANNELS..][..HEAD_CHANNELS]);
            count += 1;
        }
        Ok(Tensor::from_vec(values, (count, HEAD_CHANNELS), &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_standardised_over_pictures_and_conditions() -> Result<()> {
        let of = |value: f32| (0..2 * HEAD_CHANNELS).map(|i| value + (i / HEAD_CHANNELS) as f32).collect();
        let mut seen = Seen::default();
        seen.append(Seen {
            by_condition: [(Condition::Version(0), of(0.0)), (Condition::Width(25), of(4.0))].into(),
        });
        assert_eq!(seen.pictures(), 2);
        // 0, 1, 4 and 5.
        let spread = seen.spread();
        assert!((spread.0[7] - 2.5).abs() < 1e-6 && (spread.1[7] - 4.25f32.sqrt()).abs() < 1e-6);
        seen.standardise(&spread);
        let (mean, deviation) = seen.spread();
        assert!(mean.iter().all(|m| m.abs() < 1e-6) && deviation.iter().all(|d| (d - 1.0).abs() < 1e-6));
        let one = seen.of([(1, Condition::Width(25))])?.to_vec2::<f32>()?[0][3];
        assert!((one - 2.5 / 4.25f32.sqrt()).abs() < 1e-6);
        assert!(
            seen.of([(2, Condition::Width(25))]).is_err() && seen.of([(0, Condition::Width(50))]).is_err()
        );
        Ok(())
    }
}
