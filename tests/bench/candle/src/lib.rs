//! EfficientNet-Lite0's trunk in nothing but stock candle operations, as a web developer would write it: what
//! `cargo xtask bench` measures soli's kernels against.
#![cfg(target_arch = "wasm32")]

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use soli::layout::Trunk;
use wasm_bindgen::prelude::*;

struct Conv {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    groups: usize,
}

impl Conv {
    fn new(
        tensors: &HashMap<String, Tensor>,
        name: &str,
        kernel: usize,
        stride: usize,
        depthwise: bool,
    ) -> Result<Self> {
        let missing = || candle_core::Error::Msg(format!("no {name}"));
        let weight = tensors.get(&format!("encoder.{name}.weight")).ok_or_else(missing)?;
        let bias = tensors.get(&format!("encoder.{name}.bias")).ok_or_else(missing)?;
        let out = bias.elem_count();
        // (rows, columns, inputs, outputs) to (outputs, inputs, rows, columns).
        let inputs = weight.elem_count() / (kernel * kernel * out);
        let weight = weight.reshape((kernel, kernel, inputs, out))?.permute((3, 2, 0, 1))?.contiguous()?;
        let groups = if depthwise { out } else { 1 };
        Ok(Self { weight, bias: bias.reshape((1, out, 1, 1))?, stride, groups })
    }

    /// With TensorFlow's "SAME" padding.
    fn forward(&self, x: &Tensor, relu6: bool) -> Result<Tensor> {
        let (side, kernel) = (x.dim(2)?, self.weight.dim(2)?);
        let padding = (side.div_ceil(self.stride) - 1) * self.stride + kernel;
        let padding = padding.saturating_sub(side);
        let (before, after) = (padding / 2, padding - padding / 2);
        let x = if before == after {
            x.conv2d(&self.weight, before, self.stride, 1, self.groups)?
        } else {
            let x = x.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?;
            x.conv2d(&self.weight, 0, self.stride, 1, self.groups)?
        };
        let x = x.broadcast_add(&self.bias)?;
        if relu6 { x.clamp(0f32, 6f32) } else { Ok(x) }
    }
}

struct Block {
    expand: Option<Conv>,
    depthwise: Conv,
    project: Conv,
    residual: bool,
}

/// The trunk with its weights.
#[wasm_bindgen]
pub struct StockTrunk {
    side: usize,
    stem: Conv,
    blocks: Vec<Block>,
}

#[wasm_bindgen]
impl StockTrunk {
    /// Reads soli's weights, stored as 32-bit floats, for pictures of `side` pixels.
    ///
    /// # Errors
    /// Throws if a tensor is missing.
    #[wasm_bindgen(constructor)]
    pub fn new(weights: &[u8], side: usize) -> std::result::Result<StockTrunk, JsError> {
        let tensors = candle_core::safetensors::load_buffer(weights, &Device::Cpu)?;
        let stem = Conv::new(&tensors, "stem", 3, 2, false)?;
        let mut blocks: Vec<Block> = Vec::new();
        for block in &Trunk::new(&soli::EncoderConfig::new(side)).blocks {
            let name = format!("blocks.{}", blocks.len());
            let expand = match block.expand {
                None => None,
                Some(_) => Some(Conv::new(&tensors, &format!("{name}.expand"), 1, 1, false)?),
            };
            let (kernel, stride) = (block.kernel, block.stride);
            let depthwise = Conv::new(&tensors, &format!("{name}.depthwise"), kernel, stride, true)?;
            let project = Conv::new(&tensors, &format!("{name}.project"), 1, 1, false)?;
            blocks.push(Block { expand, depthwise, project, residual: block.residual });
        }
        Ok(Self { side, stem, blocks })
    }

    /// Normalised pixels, channels last, to features, channels last.
    ///
    /// # Errors
    /// Throws if there are not `side * side * 3` values.
    pub fn features(&self, pixels: &[f32]) -> std::result::Result<Vec<f32>, JsError> {
        let x = Tensor::from_slice(pixels, (1, self.side, self.side, 3), &Device::Cpu)?;
        let mut x = self.stem.forward(&x.permute((0, 3, 1, 2))?.contiguous()?, true)?;
        for block in &self.blocks {
            let y = match &block.expand {
                None => x.clone(),
                Some(expand) => expand.forward(&x, true)?,
            };
            let y = block.project.forward(&block.depthwise.forward(&y, true)?, false)?;
            x = if block.residual { (x + y)? } else { y };
        }
        Ok(x.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()?)
    }
}
