//! Losses on the embeddings of two views of the same pictures.

use anyhow::Result;
use candle_core::Tensor;

use super::network::Network;
use super::plan::{Layer, Objective, Row, Settings, Teacher};
use crate::contrast;

/// Decay of the teacher that is a running average.
const TEACHER_DECAY: f64 = 0.99;

/// A head that is not trained, but distilled to.
pub struct HeadTeacher {
    weight: Tensor,
    bias: Tensor,
}

impl HeadTeacher {
    /// The head as it is now.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn of(network: &Network) -> Result<Self> {
        let [weight, bias] = network.head();
        Ok(Self { weight: weight.detach().copy()?, bias: bias.detach().copy()? })
    }

    /// Moves it a little towards the head as it is now.
    ///
    /// # Errors
    /// If the heads are of different networks.
    pub fn follow(&mut self, network: &Network) -> Result<()> {
        let [weight, bias] = network.head();
        let average = |old: &Tensor, new: &Tensor| -> Result<Tensor> {
            Ok(((old * TEACHER_DECAY)? + (new.detach() * (1.0 - TEACHER_DECAY))?)?)
        };
        *self = Self { weight: average(&self.weight, weight)?, bias: average(&self.bias, bias)? };
        Ok(())
    }

    fn embed(&self, pooled: &Tensor) -> Result<Tensor> {
        Ok(pooled.matmul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}

/// The objective of `row` on embeddings `a` and `b`: row `i` of both shows the same picture. Distilled is from `a`, or, where
/// there is a teacher, from what that makes of the pooled features beside it, which are those of `a`. Distances are Euclidean.
///
/// # Errors
/// If shapes do not fit.
pub fn objective(
    row: &Row,
    settings: Settings,
    network: &Network,
    [a, b]: [&Tensor; 2],
    teacher: Option<(&HeadTeacher, &Tensor)>,
    seed: u64,
) -> Result<Tensor> {
    let read = |x: &Tensor| -> Result<Tensor> {
        Ok(match row.layer {
            Layer::Embedding => x.clone(),
            Layer::State => network.state(x)?,
        })
    };
    let (a, b) = (read(a)?, read(b)?);
    // The losses of `contrast` take means of squares, the paper takes sums.
    let root = (a.dim(1)? as f64).sqrt();
    let apart = |x: &Tensor| x * root;
    let pulled =
        || -> Result<Tensor> { Ok(contrast::squared_distances(&apart(&a)?, &apart(&b)?)?.mean_all()?) };
    Ok(match row.objective {
        // A single picture has no other.
        _ if a.dim(0)? < 2 => pulled()?,
        Objective::Positives => pulled()?,
        Objective::Contrastive => {
            let (a, b) = (apart(&a)?, apart(&b)?);
            let others = match row.hard {
                true => contrast::nearest_others(&a, &b)?,
                false => contrast::other_pictures(a.dim(0)?, seed),
            };
            contrast::contrastive(&a, &b, &others, row.margin.unwrap_or(settings.margin))?.0
        }
        Objective::InfoNce => contrast::info_nce(&a.unsqueeze(1)?, &b.unsqueeze(1)?, row.temperature)?,
        Objective::Vicreg => contrast::vicreg(&a, &b)?,
        Objective::Distillation => {
            let sharp = match teacher {
                Some((teacher, pooled)) => teacher.embed(pooled)?,
                None => a,
            };
            contrast::distillation(&apart(&b)?, &apart(&sharp)?)?
        }
    })
}

/// Whether `row` has a teacher that is not the head itself after this share of its passes (0..1).
pub fn has_teacher(row: &Row, passed: f64) -> bool {
    match row.teacher {
        Teacher::Same => false,
        Teacher::Ema => true,
        Teacher::Frozen => passed >= 0.5,
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::parameters::Parameters;
    use crate::study::paper::plan::Plan;

    fn plan() -> Plan {
        Plan::load(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/study-paper.toml").as_ref()).unwrap()
    }

    fn of(values: [[f32; 2]; 2]) -> Tensor {
        Tensor::new(&values, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_contrastive_loss_is_on_euclidean_distances() -> Result<()> {
        let plan = plan();
        let parameters = Parameters::new(1);
        let network = Network::new(&parameters.builder(), plan.network, 9)?;
        let row = plan.rows.iter().find(|row| row.name == "joint").unwrap().clone();
        // Same: 0.5 and 0. Different: 5 and sqrt(2.7^2 + 3.6^2) = 4.5, beyond the margin.
        let (a, b) = (of([[0.0, 0.0], [3.0, 4.0]]), of([[0.3, 0.4], [3.0, 4.0]]));
        let loss = |row: &Row, margin: f64| -> Result<f32> {
            let settings = Settings { margin, ..plan.network };
            Ok(objective(row, settings, &network, [&a, &b], None, 1)?.to_scalar::<f32>()?)
        };
        assert!((loss(&row, 1.0)? - 0.25 / 2.0 / 2.0).abs() < 1e-5);
        let pulled = Row { objective: Objective::Positives, ..row.clone() };
        assert!((loss(&pulled, 1.0)? - 0.25 / 2.0).abs() < 1e-6);
        // Within a margin of 6: (6 - 5)^2 and (6 - 4.5)^2. With two pictures the nearest other one is the only one.
        let expected = (0.125 + (1.0 + 2.25) / 2.0) / 2.0;
        for hard in [false, true] {
            let loss = loss(&Row { hard, ..row.clone() }, 6.0)?;
            assert!((loss - expected).abs() < 1e-4, "{loss} {expected}");
        }
        Ok(())
    }

    #[test]
    fn a_teacher_follows_the_head_and_takes_no_gradient() -> Result<()> {
        let plan = plan();
        let parameters = Parameters::new(1);
        let network = Network::new(&parameters.builder(), plan.network, 9)?;
        let mut teacher = HeadTeacher::of(&network)?;
        let weight = parameters.vars()["head.weight"].clone();
        weight.set(&(weight.as_tensor() * 2.0)?)?;
        let before = teacher.weight.copy()?;
        teacher.follow(&network)?;
        // (0.99 + 0.01 * 2) of what it was.
        let ratio = (&teacher.weight / &before)?.mean_all()?.to_scalar::<f32>()?;
        assert!((ratio - 1.01).abs() < 1e-4, "{ratio}");
        let row = Row { objective: Objective::Distillation, teacher: Teacher::Ema, ..plan.rows[0].clone() };
        let pooled = Tensor::ones((2, soli::layout::HEAD_CHANNELS), candle_core::DType::F32, &Device::Cpu)?;
        let [a, b] = [network.embed(&pooled)?, network.embed(&(&pooled * 0.5)?)?];
        let loss = objective(&row, plan.network, &network, [&a, &b], Some((&teacher, &pooled)), 1)?;
        let grads = loss.backward()?;
        let grad = grads.get(&weight).expect("the head is trained");
        // Only what the degraded view shows: half of the features.
        let target = teacher.embed(&pooled)?;
        let error = (&b - &target)?.detach();
        // Twice the error of each of two pictures, of which the mean is taken.
        let expected = (pooled.t()? * 0.5)?.matmul(&error)?;
        let difference = (grad - &expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-2 * expected.abs()?.max_all()?.to_scalar::<f32>()?, "{difference}");
        Ok(())
    }
}
