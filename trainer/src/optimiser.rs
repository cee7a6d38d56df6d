//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with gradient clipping, a learning rate by group, a running
//! average of the parameters (EMA), and a state that can be saved: candle's own has none.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var, bail};
use rayon::prelude::*;

use crate::keep::Keep;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.98;
const EPSILON: f64 = 1e-8;

/// What changes from step to step.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions {
    /// Learning rate of parameters outside the trunk.
    pub learning_rate: f64,
    /// Learning rate of the trunk; zero leaves it as it is.
    pub trunk_learning_rate: f64,
    /// Learning rate of the classifiers that find words.
    pub concept_learning_rate: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Longest gradient over all parameters.
    pub gradient_clip: f64,
    /// Decay of the running average.
    pub ema_decay: f64,
}

struct Slot {
    var: Var,
    trunk: bool,
    classifier: bool,
    decay: bool,
    frozen: bool,
    mean: Vec<f32>,
    square: Vec<f32>,
    ema: Vec<f32>,
    steps: u64,
}

/// The optimiser and its state.
pub struct AdamW {
    slots: BTreeMap<String, Slot>,
    /// BatchNorm's running statistics: nothing trains them, but a network is not whole without them.
    statistics: BTreeMap<String, Var>,
    /// What the running average is averaged with.
    keep: Option<Keep>,
}

/// The parameters that have a row or a value for each word.
pub const WORD_TABLES: [&str; 2] = ["decoder.embedding.weight", "decoder.output.bias"];

/// Whether a parameter is one of BatchNorm's running statistics, which nothing trains.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".norm.mean") || name.ends_with(".norm.variance")
}

/// Whether a parameter belongs to the convolutional trunk or its pretrained head.
pub fn is_trunk(name: &str) -> bool {
    (name.starts_with("encoder.") && !name.starts_with("encoder.embedding."))
        || name.starts_with("concepts.head.")
}

/// Whether a parameter belongs to the classifiers that find words.
pub fn is_classifier(name: &str) -> bool {
    ["concepts.norm.", "concepts.hidden.", "concepts.output.", crate::concepts::FOLDS_PREFIX]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

impl AdamW {
    /// Trains all of `vars` but the running statistics. The running average starts at the current values.
    ///
    /// # Errors
    /// If a variable cannot be read.
    pub fn new(vars: BTreeMap<String, Var>) -> Result<Self> {
        let (statistics, vars): (BTreeMap<_, _>, BTreeMap<_, _>) =
            vars.into_iter().partition(|(name, _)| is_statistic(name));
        let slots = vars
            .into_iter()
            .map(|(name, var)| {
                let ema = var.flatten_all()?.to_vec1::<f32>()?;
                let zeros = vec![0f32; ema.len()];
                let (trunk, decay) = (is_trunk(&name), var.rank() >= 2 && !name.contains("position"));
                let (classifier, frozen) = (is_classifier(&name), false);
                Ok((
                    name,
                    Slot {
                        var,
                        trunk,
                        classifier,
                        decay,
                        frozen,
                        mean: zeros.clone(),
                        square: zeros,
                        ema,
                        steps: 0,
                    },
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self { slots, statistics, keep: None })
    }

    /// From now on [`AdamW::averaged`] is a mean with the current values, in which these have the share `share`, 0..=1; 0 is as if
    /// nothing were kept. Words after the first `known` are new.
    ///
    /// # Errors
    /// If a variable cannot be read.
    pub fn keep(&mut self, share: f64, known: usize) -> Result<()> {
        self.keep = match share > 0.0 {
            true => Some(Keep::new(share, self.vars(), known)?),
            false => None,
        };
        Ok(())
    }

    /// What is trained.
    fn vars(&self) -> impl Iterator<Item = (&String, &Var)> {
        self.slots.iter().map(|(name, slot)| (name, &slot.var))
    }

    /// Leaves the parameters with these names as they are from now on.
    pub fn freeze(&mut self, names: &[&str]) {
        for (name, slot) in &mut self.slots {
            slot.frozen |= names.contains(&name.as_str());
        }
    }

    /// Takes one step and returns the length of the gradient before clipping. Nothing changes if that is not finite.
    ///
    /// # Errors
    /// If a gradient cannot be read.
    pub fn step(&mut self, grads: &GradStore, options: &StepOptions) -> Result<f64> {
        let grads: HashMap<&str, Vec<f32>> = self
            .slots
            .par_iter()
            .filter(|(_, slot)| !slot.frozen && (!slot.trunk || options.trunk_learning_rate > 0.0))
            .filter_map(|(name, slot)| {
                let grad = grads.get(&slot.var)?;
                Some(grad.flatten_all().and_then(|g| g.to_vec1::<f32>()).map(|g| (name.as_str(), g)))
            })
            .collect::<Result<_>>()?;
        let mut squares: Vec<(&str, f64)> = grads
            .par_iter()
            .map(|(name, grad)| (*name, grad.iter().map(|g| f64::from(*g) * f64::from(*g)).sum()))
            .collect();
        // In a fixed order, so that a resumed run repeats every bit.
        squares.sort_by(|a, b| a.0.cmp(b.0));
        let norm = squares.iter().map(|(_, s)| s).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Ok(norm);
        }
        let scale = (options.gradient_clip / norm.max(1e-12)).min(1.0) as f32;
        let grads: HashMap<String, Vec<f32>> =
            grads.into_iter().map(|(name, grad)| (name.to_string(), grad)).collect();
        self.slots.par_iter_mut().try_for_each(|(name, slot)| match grads.get(name) {
            Some(grad) => slot.update(grad, scale, options),
            None => Ok(()),
        })?;
        Ok(norm)
    }

    /// The running averages of the parameters by name, or their means with what is kept ([`AdamW::keep`]), with BatchNorm's statistics beside them: a whole network.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn averaged(&self) -> Result<HashMap<String, Tensor>> {
        let mut out = HashMap::new();
        for (name, var) in &self.statistics {
            out.insert(name.clone(), var.copy()?.detach());
        }
        for (name, slot) in &self.slots {
            let tensor = match &self.keep {
                Some(keep) => Tensor::from_vec(keep.mean(name, &slot.ema), slot.var.shape(), &Device::Cpu)?,
                None => Tensor::from_slice(&slot.ema, slot.var.shape(), &Device::Cpu)?,
            };
            out.insert(name.clone(), tensor);
        }
        Ok(out)
    }

    /// Everything that the next step depends on, as tensors to be saved.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut out = HashMap::new();
        for (name, var) in &self.statistics {
            out.insert(format!("statistic:{name}"), var.copy()?.detach());
        }
        for (name, slot) in &self.slots {
            let tensor = |values: &[f32]| Tensor::from_slice(values, slot.var.shape(), &Device::Cpu);
            out.insert(format!("value:{name}"), slot.var.copy()?.detach());
            out.insert(format!("mean:{name}"), tensor(&slot.mean)?);
            out.insert(format!("square:{name}"), tensor(&slot.square)?);
            out.insert(format!("ema:{name}"), tensor(&slot.ema)?);
            out.insert(format!("steps:{name}"), Tensor::new(&[slot.steps as u32], &Device::Cpu)?);
        }
        if let Some(keep) = &self.keep {
            keep.save(&mut out)?;
        }
        Ok(out)
    }

    /// Goes back to a saved state; what is kept is the state's.
    ///
    /// # Errors
    /// If the state lacks a tensor or one has another shape; then nothing has changed.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let get = |kind: &str, name: &str, var: &Var| -> Result<Tensor> {
            match state.get(&format!("{kind}:{name}")) {
                Some(t) if t.shape() == var.shape() => Ok(t.clone()),
                Some(t) => {
                    bail!("checkpoint: `{kind}:{name}` has shape {:?}, not {:?}", t.shape(), var.shape())
                }
                None => bail!("checkpoint: `{kind}:{name}` is missing"),
            }
        };
        let numbers = |t: Tensor| t.flatten_all()?.to_vec1::<f32>();
        let mut restored = Vec::with_capacity(self.slots.len());
        for (name, slot) in &self.slots {
            let steps = match state.get(&format!("steps:{name}")) {
                Some(t) => t.to_vec1::<u32>()?.first().copied().unwrap_or(0),
                None => bail!("checkpoint: `steps:{name}` is missing"),
            };
            restored.push((
                get("value", name, &slot.var)?,
                numbers(get("mean", name, &slot.var)?)?,
                numbers(get("square", name, &slot.var)?)?,
                numbers(get("ema", name, &slot.var)?)?,
                u64::from(steps),
            ));
        }
        let statistics = self
            .statistics
            .iter()
            .map(|(name, var)| get("statistic", name, var))
            .collect::<Result<Vec<_>>>()?;
        self.keep = Keep::restored(state, self.vars())?;
        for (var, value) in self.statistics.values().zip(&statistics) {
            var.set(value)?;
        }
        for (slot, (value, mean, square, ema, steps)) in self.slots.values_mut().zip(restored) {
            slot.var.set(&value)?;
            (slot.mean, slot.square, slot.ema, slot.steps) = (mean, square, ema, steps);
        }
        Ok(())
    }
}

impl Slot {
    fn update(&mut self, grad: &[f32], scale: f32, options: &StepOptions) -> Result<()> {
        self.steps += 1;
        let rate = match (self.trunk, self.classifier) {
            (true, _) => options.trunk_learning_rate,
            (_, true) => options.concept_learning_rate,
            _ => options.learning_rate,
        };
        let shrink = if self.decay { (1.0 - rate * options.weight_decay) as f32 } else { 1.0 };
        let correction1 = 1.0 - BETA1.powi(self.steps as i32);
        let correction2 = 1.0 - BETA2.powi(self.steps as i32);
        let rate = (rate / correction1) as f32;
        let inverse2 = (1.0 / correction2) as f32;
        // The average of the first steps would remember the random start: let it forget faster then.
        let decay = options.ema_decay.min((1.0 + self.steps as f64) / (10.0 + self.steps as f64)) as f32;
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let mut values = self.var.flatten_all()?.to_vec1::<f32>()?;
        for (i, value) in values.iter_mut().enumerate() {
            let g = grad[i] * scale;
            self.mean[i] = beta1 * self.mean[i] + (1.0 - beta1) * g;
            self.square[i] = beta2 * self.square[i] + (1.0 - beta2) * g * g;
            let step = self.mean[i] / ((self.square[i] * inverse2).sqrt() + EPSILON as f32);
            *value = *value * shrink - rate * step;
            self.ema[i] = decay * self.ema[i] + (1.0 - decay) * *value;
        }
        self.var.set(&Tensor::from_vec(values, self.var.shape(), &Device::Cpu)?)
    }
}

/// Share of the peak learning rate at `step` of `steps`: rises over `warmup` steps, then falls along a cosine to zero.
pub fn warmup_cosine(step: usize, steps: usize, warmup: usize) -> f64 {
    if step < warmup {
        return (step + 1) as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / (steps.saturating_sub(warmup)).max(1) as f64;
    0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}
