//! The trainable numbers by name, and how they start.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// All parameters of a network. Clones share the same numbers.
#[derive(Clone)]
pub struct Parameters {
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
    seed: u64,
}

impl Parameters {
    /// None yet; [`Parameters::builder`] makes them as the network asks for them.
    pub fn new(seed: u64) -> Self {
        Self { vars: Arc::default(), seed }
    }

    /// What a network takes its tensors from. A name that is not there yet starts at a value that depends on the seed
    /// and the name alone.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, Device::Cpu)
    }

    /// Every parameter by name. BatchNorm's running statistics are among them though nothing trains them.
    pub fn vars(&self) -> BTreeMap<String, Var> {
        self.vars.lock().map(|vars| vars.clone()).unwrap_or_default()
    }

    /// The current values by name, as copies that stay as they are.
    ///
    /// # Errors
    /// If a copy fails.
    pub fn values(&self) -> Result<HashMap<String, Tensor>> {
        self.vars().into_iter().map(|(name, var)| Ok((name, var.copy()?.detach()))).collect()
    }

    /// Replaces the values of the parameters named in `values`.
    ///
    /// # Errors
    /// If a name is unknown or a shape differs; earlier ones are replaced by then.
    pub fn load(&self, values: &HashMap<String, Tensor>) -> Result<()> {
        let vars = self.vars();
        for (name, value) in values {
            match vars.get(name) {
                Some(var) => var.set(value)?,
                None => bail!("there is no parameter `{name}`"),
            }
        }
        Ok(())
    }
}

/// FNV-1a: a name's own random stream.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, _: DType, device: &Device) -> Result<Tensor> {
        let Ok(mut vars) = self.vars.lock() else { bail!("the parameters are poisoned by an earlier panic") };
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                bail!("parameter `{name}` has shape {:?}, not {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = match init {
            Init::Const(value) => vec![value as f32; shape.elem_count()],
            Init::Randn { mean, stdev } => {
                let normal = Normal::new(mean as f32, stdev as f32).map_err(candle_core::Error::wrap)?;
                let rng = ChaCha8Rng::seed_from_u64(self.seed ^ hash(name));
                normal.sample_iter(rng).take(shape.elem_count()).collect()
            }
            other => bail!("parameter `{name}`: initialisation {other:?} is not supported"),
        };
        let var = Var::from_vec(values, shape, device)?;
        vars.insert(name.to_string(), var.clone());
        Ok(var.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("the shape of parameter `{name}` is not known")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.vars.lock().is_ok_and(|vars| vars.contains_key(name))
    }
}
