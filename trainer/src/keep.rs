//! What a network knew is kept while it learns: its numbers are averaged with those that it began with (WiSE-FT, Wortsman et
//! al. 2022, arXiv 2109.01903). What training on few pictures unlearns comes back, and most of what it learns stays.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use crate::optimiser::WORD_TABLES;

/// The numbers that a stage begins with, and their share in the mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    share: f64,
    /// By the parameter's name. The rows of new words are NaN: nothing was known of them.
    start: BTreeMap<String, Vec<f32>>,
}

/// What the share is called in a checkpoint.
const SHARE: &str = "keep";

/// What the numbers' names begin with in a checkpoint.
const START: &str = "start:";

impl Keep {
    /// Remembers the current values of `vars`; `share` lies in 0..=1, and of the vocabulary the first `known` words are not new.
    ///
    /// # Errors
    /// If a variable cannot be read.
    pub fn new<'a>(
        share: f64,
        vars: impl Iterator<Item = (&'a String, &'a Var)>,
        known: usize,
    ) -> Result<Self> {
        let remember = |(name, var): (&String, &Var)| {
            let mut values = var.flatten_all()?.to_vec1::<f32>()?;
            if WORD_TABLES.contains(&name.as_str()) {
                let row = values.len() / var.dim(0)?.max(1);
                values.iter_mut().skip(known * row).for_each(|value| *value = f32::NAN);
            }
            Ok((name.clone(), values))
        };
        Ok(Self { share, start: vars.map(remember).collect::<Result<_>>()? })
    }

    /// The mean of the parameter `name` as it was and as it is, `values`; of new words what is.
    pub fn mean(&self, name: &str, values: &[f32]) -> Vec<f32> {
        let Some(start) = self.start.get(name) else { return values.to_vec() };
        // In 64 bits, so that what has not changed stays the same to the last bit.
        let mean = |(&was, &is): (&f32, &f32)| match was.is_nan() {
            true => is,
            false => (self.share * f64::from(was) + (1.0 - self.share) * f64::from(is)) as f32,
        };
        start.iter().zip(values).map(mean).collect()
    }

    /// Adds what a checkpoint needs of it to `state`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn save(&self, state: &mut HashMap<String, Tensor>) -> Result<()> {
        state.insert(SHARE.to_owned(), Tensor::new(&[self.share], &Device::Cpu)?);
        for (name, values) in &self.start {
            state.insert(format!("{START}{name}"), Tensor::new(values.as_slice(), &Device::Cpu)?);
        }
        Ok(())
    }

    /// What [`Keep::save`] added for the parameters `vars`; `None` if that was nothing.
    ///
    /// # Errors
    /// If a part of it is missing or has another length.
    pub fn restored<'a>(
        state: &HashMap<String, Tensor>,
        vars: impl Iterator<Item = (&'a String, &'a Var)>,
    ) -> Result<Option<Self>> {
        let Some(share) = state.get(SHARE) else { return Ok(None) };
        let share = share.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let [share] = share[..] else { bail!("checkpoint: `{SHARE}` must be one number") };
        let mut start = BTreeMap::new();
        for (name, var) in vars {
            match state.get(&format!("{START}{name}")) {
                Some(values) if values.elem_count() == var.elem_count() => {
                    start.insert(name.clone(), values.flatten_all()?.to_vec1::<f32>()?);
                }
                Some(values) => {
                    bail!(
                        "checkpoint: `{START}{name}` has {} values, not {}",
                        values.elem_count(),
                        var.elem_count()
                    )
                }
                None => bail!("checkpoint: `{START}{name}` is missing"),
            }
        }
        Ok(Some(Self { share, start }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix, and three words of which the last is new.
    fn vars() -> BTreeMap<String, Var> {
        let matrix = Var::new(&[[1.0f32, -2.0], [0.1, 3.0]], &Device::Cpu).unwrap();
        let words = Var::new(&[[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
        let bias = Var::new(&[0.0f32, 0.5, 0.7], &Device::Cpu).unwrap();
        let names = ["decoder.matrix", WORD_TABLES[0], WORD_TABLES[1]].map(str::to_owned);
        names.into_iter().zip([matrix, words, bias]).collect()
    }

    #[test]
    fn a_mean_lies_between_and_its_ends_are_exact() {
        let vars = vars();
        let (was, is) = ([1.0f32, -2.0, 0.1, 3.0], [0.3f32, -2.0, 0.7, 1.0 / 3.0]);
        let of = |share| Keep::new(share, vars.iter(), 2).unwrap().mean("decoder.matrix", &is);
        assert_eq!(of(0.0), is);
        assert_eq!(of(1.0), was);
        for share in [0.1, 0.25, 0.5, 0.9] {
            for ((mean, was), is) in of(share).iter().zip(was).zip(is) {
                assert!((was.min(is)..=was.max(is)).contains(mean), "{share}: {mean} of {was} and {is}");
                // What did not change is not rounded either.
                assert!(was != is || *mean == was, "{share}: {mean}");
                let expected = f64::from(is) + share * (f64::from(was) - f64::from(is));
                assert!((f64::from(*mean) - expected).abs() < 1e-7, "{share}: {mean}, not {expected}");
            }
        }
        assert_eq!(Keep::new(0.5, vars.iter(), 2).unwrap().mean("another", &is), is);
    }

    #[test]
    fn new_words_stay_as_they_were_learned() {
        let keep = Keep::new(0.5, vars().iter(), 2).unwrap();
        assert_eq!(
            keep.mean(WORD_TABLES[0], &[3.0, 2.0, 3.0, 0.0, 9.0, 8.0]),
            [2.0, 2.0, 3.0, 2.0, 9.0, 8.0]
        );
        assert_eq!(keep.mean(WORD_TABLES[1], &[1.0, 0.5, 0.9]), [0.5, 0.5, 0.9]);
    }

    #[test]
    fn a_checkpoint_holds_it_whole_or_is_refused() {
        let vars = vars();
        let keep = Keep::new(0.3, vars.iter(), 2).unwrap();
        let mut state = HashMap::new();
        assert!(Keep::restored(&state, vars.iter()).unwrap().is_none());
        keep.save(&mut state).unwrap();
        let again = Keep::restored(&state, vars.iter()).unwrap().unwrap();
        for name in vars.keys() {
            let values = vec![0.25; vars[name].elem_count()];
            assert_eq!(again.mean(name, &values), keep.mean(name, &values), "{name}");
        }
        let name = format!("{START}decoder.matrix");
        state.insert(name.clone(), Tensor::new(&[1.0f32], &Device::Cpu).unwrap());
        let said = Keep::restored(&state, vars.iter()).unwrap_err().to_string();
        assert!(said.contains(&name) && said.contains("1 values, not 4"), "{said}");
        state.remove(&name);
        let said = Keep::restored(&state, vars.iter()).unwrap_err().to_string();
        assert!(said.contains(&name) && said.contains("missing"), "{said}");
    }
}
