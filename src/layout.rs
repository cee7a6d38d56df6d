//! The network as plain data: its blocks, and the name, shape and kind of every tensor.
//!
//! This is the only description. The weights' reader and writer, the packed network, candle's graph, the benches and
//! the trainer's converters all walk through it, so that a part that is added here is known to all of them.
//!
//! The trunk is EfficientNet-Lite0 (Liu 2020, after Tan and Le 2019, arXiv 1905.11946): ReLU6, no squeeze-excite,
//! TensorFlow's "SAME" padding. Everything is channels last, and a convolution's weights are a matrix: `rows` taps
//! (row, column, input channel; of a depthwise convolution row and column only) by `outputs` channels.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::{ConceptConfig, DecoderConfig, EncoderConfig, ModelConfig};

/// Pixels a side that become one cell of the trunk's last grid.
pub const TRUNK_STRIDE: usize = 32;
/// Channels of the trunk's last block.
pub const TRUNK_CHANNELS: usize = 320;
/// Channels that the trunk's head makes of them.
pub const HEAD_CHANNELS: usize = 1280;
/// Taps of a side of the stem's kernel.
pub const STEM_KERNEL: usize = 3;
/// Pixels from one of the stem's windows to the next.
pub const STEM_STRIDE: usize = 2;
/// Values of a pixel.
pub const PIXEL_CHANNELS: usize = 3;
/// Blocks of the trunk, counted from 0, whose output's mean and standard deviation over the cells tell kinds of pictures
/// apart. Measured: cartoons and flat drawings are told by the early ones, paintings by the last two, of which three times as
/// many are told as without them if none like them were fitted on.
pub const TEXTURE_BLOCKS: [usize; 7] = [0, 2, 4, 7, 10, 14, 15];
/// Values of these statistics: two for each channel of those blocks.
pub const TEXTURE_CHANNELS: usize = 2 * (16 + 24 + 40 + 80 + 112 + 192 + 320);
/// Numbers that the decoder is told of a word that was seen.
pub const SIGNALS: usize = 2;

/// Added to the running variance of a BatchNorm, as in the pretrained weights.
pub const BATCH_NORM_EPSILON: f64 = 1e-3;
/// Added to the variance by a layer norm.
pub const LAYER_NORM_EPSILON: f32 = 1e-5;
/// `2 * sqrt(2 / pi)`: the slope in `x * sigmoid(slope * (x + cubic * x^3))`, the tanh form of GELU.
pub const GELU_SLOPE: f32 = 1.595_769;
/// The factor of the cube in it.
pub const GELU_CUBIC: f32 = 0.044_715;

const STEM_CHANNELS: usize = 32;

/// Blocks that follow each other.
struct Stage {
    repeats: usize,
    kernel: usize,
    /// Of the first block; the others have 1.
    stride: usize,
    expansion: usize,
    channels: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expansion: usize, channels: usize) -> Stage {
    Stage { repeats, kernel, stride, expansion, channels }
}

/// EfficientNet-Lite0's stages.
const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, TRUNK_CHANNELS),
];

/// Which tensors a network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Convolutions with their BatchNorm beside them.
    Training,
    /// BatchNorm folded into the convolutions: what the weights file holds.
    Inference,
}

/// What a tensor is, for those who store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value a channel.
    Vector,
    /// (inputs, outputs), or rows that are looked up.
    Matrix,
    /// The table of words (words, width), which is read by the row and whose transpose is the output matrix.
    Words,
}

/// What a tensor holds before anything is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// The same value throughout.
    Constant(f64),
    /// Normally distributed around 0 with this standard deviation.
    Normal(f64),
}

/// One tensor of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: Kind,
    /// What training starts from.
    pub start: Start,
}

impl TensorSpec {
    fn vector(name: String, len: usize, start: f64) -> Self {
        Self { name, shape: vec![len], kind: Kind::Vector, start: Start::Constant(start) }
    }

    fn matrix(name: String, rows: usize, columns: usize, deviation: f64) -> Self {
        Self { name, shape: vec![rows, columns], kind: Kind::Matrix, start: Start::Normal(deviation) }
    }

    /// Rows and columns; a vector is one row.
    pub fn rows_and_columns(&self) -> (usize, usize) {
        match self.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (1, self.shape.iter().product()),
        }
    }
}

/// The parts of a BatchNorm, in the order of [`Linear::batch_norm`].
pub const BATCH_NORM_PARTS: [&str; 4] = ["gamma", "beta", "mean", "variance"];

/// A matrix product with a bias: a dense layer, or a convolution as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// What its tensors' names start with.
    pub name: String,
    /// Values that go into one of its results.
    pub inputs: usize,
    /// Values that come out.
    pub outputs: usize,
    /// Standard deviation of the weights that training starts from.
    deviation: f64,
    /// The bias that training starts from.
    bias: f64,
    /// Whether it is a convolution, which has a BatchNorm in training.
    convolution: bool,
}

impl Linear {
    fn dense(name: String, inputs: usize, outputs: usize, gain: f64) -> Self {
        let deviation = gain * (1.0 / inputs as f64).sqrt();
        Self { name, inputs, outputs, deviation, bias: 0.0, convolution: false }
    }

    fn convolution(name: String, inputs: usize, outputs: usize) -> Self {
        let deviation = (2.0 / inputs as f64).sqrt();
        Self { name, inputs, outputs, deviation, bias: 0.0, convolution: true }
    }

    /// `NAME.weight` (inputs, outputs).
    pub fn weight(&self) -> TensorSpec {
        TensorSpec::matrix(format!("{}.weight", self.name), self.inputs, self.outputs, self.deviation)
    }

    /// `NAME.bias` (outputs); of a convolution it comes of folding its BatchNorm.
    pub fn bias(&self) -> TensorSpec {
        TensorSpec::vector(format!("{}.bias", self.name), self.outputs, self.bias)
    }

    /// `NAME.norm.gamma`, `beta`, `mean` and `variance` (outputs), which a convolution has in training.
    pub fn batch_norm(&self) -> [TensorSpec; 4] {
        let starts = [1.0, 0.0, 0.0, 1.0 - BATCH_NORM_EPSILON];
        let mut starts = starts.into_iter();
        BATCH_NORM_PARTS.map(|part| {
            let start = starts.next().unwrap_or_default();
            TensorSpec::vector(format!("{}.norm.{part}", self.name), self.outputs, start)
        })
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        to.push(self.weight());
        match form {
            Form::Training if self.convolution => to.extend(self.batch_norm()),
            _ => to.push(self.bias()),
        }
    }
}

/// A layer norm.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    name: String,
    /// Values of a row.
    pub width: usize,
}

impl Norm {
    fn new(name: String, width: usize) -> Self {
        Self { name, width }
    }

    /// `NAME.gamma` (width).
    pub fn gamma(&self) -> TensorSpec {
        TensorSpec::vector(format!("{}.gamma", self.name), self.width, 1.0)
    }

    /// `NAME.beta` (width).
    pub fn beta(&self) -> TensorSpec {
        TensorSpec::vector(format!("{}.beta", self.name), self.width, 0.0)
    }

    fn tensors(&self, to: &mut Vec<TensorSpec>) {
        to.extend([self.gamma(), self.beta()]);
    }
}

/// An inverted residual block: expand by a 1x1 convolution, filter depthwise, project by a 1x1 convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Channels in to channels wide; the first block has none.
    pub expand: Option<Linear>,
    /// Taps to channels wide.
    pub depthwise: Linear,
    /// Channels wide to channels out.
    pub project: Linear,
    /// Channels in.
    pub channels: usize,
    /// Taps of a side of the depthwise kernel.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Whether the input is added to the result.
    pub residual: bool,
}

impl Block {
    /// Its convolutions in order.
    pub fn convolutions(&self) -> impl Iterator<Item = &Linear> {
        self.expand.iter().chain([&self.depthwise, &self.project])
    }
}

/// The convolutional trunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// 3x3 windows of pixels at stride 2.
    pub stem: Linear,
    /// The blocks in order.
    pub blocks: Vec<Block>,
    /// EfficientNet's own head, if the features are widened by it.
    pub head: Option<Linear>,
}

impl Trunk {
    /// The trunk of a configuration.
    pub fn new(config: &EncoderConfig) -> Self {
        let windows = STEM_KERNEL * STEM_KERNEL * PIXEL_CHANNELS;
        let mut blocks: Vec<Block> = Vec::new();
        let mut channels = STEM_CHANNELS;
        for stage in STAGES {
            for repeat in 0..stage.repeats {
                let name = format!("encoder.blocks.{}", blocks.len());
                let wide = channels * stage.expansion;
                let stride = if repeat == 0 { stage.stride } else { 1 };
                let convolution =
                    |part, inputs, outputs| Linear::convolution(format!("{name}.{part}"), inputs, outputs);
                blocks.push(Block {
                    expand: (stage.expansion > 1).then(|| convolution("expand", channels, wide)),
                    depthwise: convolution("depthwise", stage.kernel * stage.kernel, wide),
                    project: convolution("project", wide, stage.channels),
                    channels,
                    kernel: stage.kernel,
                    stride,
                    residual: stride == 1 && channels == stage.channels,
                });
                channels = stage.channels;
            }
        }
        Self {
            stem: Linear::convolution("encoder.stem".to_owned(), windows, STEM_CHANNELS),
            blocks,
            head: config
                .head
                .then(|| Linear::convolution("encoder.head".to_owned(), channels, HEAD_CHANNELS)),
        }
    }

    /// Channels of the features that it hands to the embedding.
    pub fn feature_channels(&self) -> usize {
        self.head.as_ref().map_or(TRUNK_CHANNELS, |head| head.outputs)
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        let blocks = self.blocks.iter().flat_map(Block::convolutions);
        [&self.stem].into_iter().chain(blocks).chain(&self.head).for_each(|layer| layer.tensors(form, to));
    }
}

/// Features to what the decoder reads: projected, normalised, and each cell's place added.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Channels to the decoder's width.
    pub project: Linear,
    /// After it.
    pub norm: Norm,
    /// The vectors (cells, width) that mark a cell's place.
    pub position: TensorSpec,
}

impl Embedding {
    fn new(config: &ModelConfig, channels: usize) -> Self {
        let (name, width) = ("encoder.embedding", config.decoder.width);
        Self {
            project: Linear::dense(name.to_owned(), channels, width, 1.0),
            norm: Norm::new(format!("{name}.norm"), width),
            position: TensorSpec::matrix(format!("{name}.position"), config.latents(), width, 0.02),
        }
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        self.project.tensors(form, to);
        self.norm.tensors(to);
        to.push(self.position.clone());
    }
}

/// A linear classifier of low rank on normalised pooled features.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// Of the pooled features.
    pub norm: Norm,
    /// Pooled features to the rank.
    pub hidden: Linear,
    /// The rank to words.
    pub output: Linear,
}

impl Classifier {
    /// A classifier of `words` words under the name `name`.
    pub fn new(name: &str, rank: usize, words: usize) -> Self {
        let mut output = Linear::dense(format!("{name}.output"), rank, words, 1.0);
        // Of a thousand words, captions say about ten.
        output.bias = -4.0;
        Self {
            norm: Norm::new(format!("{name}.norm"), HEAD_CHANNELS),
            hidden: Linear::dense(format!("{name}.hidden"), HEAD_CHANNELS, rank, 1.0),
            output,
        }
    }

    /// Its tensors.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut all = Vec::new();
        self.norm.tensors(&mut all);
        [&self.hidden, &self.output].into_iter().for_each(|layer| layer.tensors(Form::Inference, &mut all));
        all
    }
}

/// What the concept head's tensors are called, before a dot.
pub const CONCEPTS: &str = "concepts";

/// The concept head: which words a picture shows, and what the decoder reads of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Concepts {
    /// The trunk's channels to those that are pooled.
    pub head: Linear,
    /// Pooled features to words.
    pub classifier: Classifier,
    /// A word's embedding to what the decoder reads.
    pub word: Linear,
    /// What the probability of a word adds to it: (signals, width).
    pub probability: TensorSpec,
    /// After both.
    pub norm: Norm,
}

impl Concepts {
    fn new(config: &ConceptConfig, width: usize) -> Self {
        let read = format!("{CONCEPTS}.read");
        Self {
            head: Linear::convolution(format!("{CONCEPTS}.head"), TRUNK_CHANNELS, HEAD_CHANNELS),
            classifier: Classifier::new(CONCEPTS, config.rank, config.tokens.len()),
            // Word embeddings are small: four times as large, their mean square is about that of the rest.
            word: Linear::dense(read.clone(), width, width, 4.0),
            probability: TensorSpec::matrix(format!("{read}.probability"), SIGNALS, width, 0.1),
            norm: Norm::new(format!("{read}.norm"), width),
        }
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        self.head.tensors(form, to);
        to.extend(self.classifier.tensors());
        self.word.tensors(form, to);
        to.push(self.probability.clone());
        self.norm.tensors(to);
    }
}

/// Attention: the same width everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// What is asked.
    pub query: Linear,
    /// What answers.
    pub key: Linear,
    /// With what.
    pub value: Linear,
    /// What becomes of it.
    pub output: Linear,
}

impl Attention {
    fn new(name: &str, width: usize, gain: f64) -> Self {
        let dense = |part, gain| Linear::dense(format!("{name}.{part}"), width, width, gain);
        Self {
            query: dense("query", 1.0),
            key: dense("key", 1.0),
            value: dense("value", 1.0),
            output: dense("output", gain),
        }
    }
}

/// A layer of the decoder: attention to the caption so far, attention to the picture, two dense layers, a norm before each.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Before the attention to the caption.
    pub self_norm: Norm,
    /// To the caption so far.
    pub self_attention: Attention,
    /// Before the attention to the picture.
    pub cross_norm: Norm,
    /// To the picture.
    pub cross_attention: Attention,
    /// Before the dense layers.
    pub ffn_norm: Norm,
    /// Width to hidden.
    pub ffn_up: Linear,
    /// Hidden to width.
    pub ffn_down: Linear,
}

impl Layer {
    fn new(name: &str, config: &DecoderConfig) -> Self {
        let DecoderConfig { layers, width, ffn_width, .. } = *config;
        // Each layer adds to the residual stream three times: smaller steps keep its variance near one (GPT-2).
        let gain = (1.0 / (3 * layers) as f64).sqrt();
        let norm = |part| Norm::new(format!("{name}.{part}"), width);
        let attention = |part| Attention::new(&format!("{name}.{part}"), width, gain);
        Self {
            self_norm: norm("self_norm"),
            self_attention: attention("self_attention"),
            cross_norm: norm("cross_norm"),
            cross_attention: attention("cross_attention"),
            ffn_norm: norm("ffn_norm"),
            ffn_up: Linear::dense(format!("{name}.ffn_up"), width, ffn_width, 1.0),
            ffn_down: Linear::dense(format!("{name}.ffn_down"), ffn_width, width, gain),
        }
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        [&self.self_norm, &self.cross_norm, &self.ffn_norm].into_iter().for_each(|norm| norm.tensors(to));
        let attentions = [&self.self_attention, &self.cross_attention];
        let attentions = attentions.into_iter().flat_map(|a| [&a.query, &a.key, &a.value, &a.output]);
        attentions.chain([&self.ffn_up, &self.ffn_down]).for_each(|layer| layer.tensors(form, to));
    }
}

/// The decoder: a pre-norm transformer whose word embedding is also its output matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// Word embeddings (words, width).
    pub words: TensorSpec,
    /// The vectors (tokens, width) that mark a token's place.
    pub position: TensorSpec,
    /// The layers in order.
    pub layers: Vec<Layer>,
    /// Before the words are chosen.
    pub norm: Norm,
    /// What is added to the logit of each word.
    pub output_bias: TensorSpec,
}

impl Decoder {
    fn new(config: &DecoderConfig) -> Self {
        let DecoderConfig { layers, width, max_tokens, vocab_size, .. } = *config;
        let small = (1.0 / width as f64).sqrt();
        let table = |name: &str, rows| TensorSpec::matrix(name.to_owned(), rows, width, small);
        Self {
            words: TensorSpec { kind: Kind::Words, ..table("decoder.embedding.weight", vocab_size) },
            position: table("decoder.position.weight", max_tokens),
            layers: (0..layers).map(|i| Layer::new(&format!("decoder.layers.{i}"), config)).collect(),
            norm: Norm::new("decoder.norm".to_owned(), width),
            output_bias: TensorSpec::vector("decoder.output.bias".to_owned(), vocab_size, 0.0),
        }
    }

    fn tensors(&self, form: Form, to: &mut Vec<TensorSpec>) {
        to.extend([&self.words, &self.position, &self.output_bias].map(Clone::clone));
        self.layers.iter().for_each(|layer| layer.tensors(form, to));
        self.norm.tensors(to);
    }
}

/// The whole network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Pixels to features.
    pub trunk: Trunk,
    /// Features to what the decoder reads.
    pub embedding: Embedding,
    /// Features to single words.
    pub concepts: Option<Concepts>,
    /// Embeddings and words to captions.
    pub decoder: Decoder,
}

impl Network {
    /// The network of a configuration, which should have been checked by [`ModelConfig::validate`]. Nothing is allocated
    /// for its tensors.
    pub fn new(config: &ModelConfig) -> Self {
        let trunk = Trunk::new(&config.encoder);
        Self {
            embedding: Embedding::new(config, trunk.feature_channels()),
            trunk,
            concepts: config.concepts.as_ref().map(|own| Concepts::new(own, config.decoder.width)),
            decoder: Decoder::new(&config.decoder),
        }
    }

    /// Every tensor.
    pub fn tensors(&self, form: Form) -> impl Iterator<Item = TensorSpec> + use<> {
        let mut all = Vec::new();
        self.trunk.tensors(form, &mut all);
        self.embedding.tensors(form, &mut all);
        self.concepts.iter().for_each(|concepts| concepts.tensors(form, &mut all));
        self.decoder.tensors(form, &mut all);
        all.into_iter()
    }

    /// The shape of every tensor by its name.
    pub fn shapes(&self, form: Form) -> BTreeMap<String, Vec<usize>> {
        self.tensors(form).map(|tensor| (tensor.name, tensor.shape)).collect()
    }
}

/// Where a convolution's windows lie along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Length of the input.
    pub input: usize,
    /// Length of the output.
    pub output: usize,
    /// Number of taps.
    pub kernel: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Padding before the input.
    pub before: usize,
    /// Padding after it.
    pub after: usize,
}

impl Window {
    /// Windows of TensorFlow's "SAME" padding: `ceil(input / stride)` outputs; where the padding is odd, the extra
    /// row goes to the end.
    pub fn same(input: usize, kernel: usize, stride: usize) -> Self {
        let output = input.div_ceil(stride);
        let padding = (output.saturating_sub(1) * stride + kernel).saturating_sub(input);
        let before = padding / 2;
        Self { input, output, kernel, stride, before, after: padding - before }
    }

    /// The taps of output `o` that fall on the input, and the input that the first of them meets.
    #[inline(always)]
    pub fn taps(self, o: usize) -> (Range<usize>, usize) {
        let start = o * self.stride;
        let first = self.before.saturating_sub(start);
        let last = self.kernel.min(self.input + self.before - start);
        (first..last, start + first - self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ModelConfig {
        serde_json::from_str(text).unwrap()
    }

    fn small(more: &str, concepts: &str) -> ModelConfig {
        config(&format!(
            r#"{{"encoder": {{"input_side": 64{more}}}, "decoder": {{"layers": 2, "width": 16, "heads": 2,
                "ffn_width": 24, "max_tokens": 5, "vocab_size": 9}}{concepts}}}"#
        ))
    }

    #[test]
    fn the_trunk_is_that_of_the_paper() {
        let trunk = Trunk::new(&small("", "").encoder);
        assert_eq!(trunk.blocks.len(), 16);
        let mut side = 224 / STEM_STRIDE;
        for block in &trunk.blocks {
            side = Window::same(side, block.kernel, block.stride).output;
        }
        assert_eq!((side, side * TRUNK_STRIDE), (7, 224));
        // efficientnet-lite0 without its classifier has 3.37 million parameters, 0.41 of them in the head.
        let mut all = Vec::new();
        trunk.tensors(Form::Inference, &mut all);
        let count: usize = all.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
        assert!((2_900_000..3_000_000).contains(&count), "{count}");
        assert_eq!(trunk.blocks.iter().filter(|block| block.residual).count(), 9);
    }

    #[test]
    fn every_tensor_has_one_name() {
        for network in [
            small("", ""),
            small(r#", "head": true"#, ""),
            small("", r#", "concepts": {"most": 4, "rank": 8, "read": 2, "tokens": [3, 5]}"#),
        ] {
            for form in [Form::Training, Form::Inference] {
                let network = Network::new(&network);
                assert_eq!(network.tensors(form).count(), network.shapes(form).len());
            }
        }
    }

    #[test]
    fn a_folded_convolution_has_a_bias_where_one_in_training_has_a_norm() {
        let network = Network::new(&small(r#", "head": true"#, ""));
        let (training, inference) = (network.shapes(Form::Training), network.shapes(Form::Inference));
        assert_eq!(inference["encoder.stem.weight"], [27, 32]);
        assert_eq!(inference["encoder.stem.bias"], [32]);
        assert!(!training.contains_key("encoder.stem.bias"));
        assert_eq!(training["encoder.stem.norm.variance"], [32]);
        assert_eq!(inference["encoder.blocks.1.expand.weight"], [16, 96]);
        assert_eq!(inference["encoder.embedding.weight"], [1280, 16]);
        assert_eq!(inference["encoder.embedding.position"], [4, 16]);
        assert_eq!(inference["decoder.layers.1.cross_attention.value.weight"], [16, 16]);
    }

    #[test]
    fn windows_are_those_of_tensorflow() {
        // From the formula of tf.nn.convolution: input, kernel, stride, output, before, after.
        for (input, kernel, stride, output, before, after) in [
            (224, 3, 2, 112, 0, 1),
            (7, 5, 1, 7, 2, 2),
            (7, 3, 2, 4, 1, 1),
            (1, 5, 1, 1, 2, 2),
            (14, 5, 2, 7, 1, 2),
        ] {
            let window = Window::same(input, kernel, stride);
            assert_eq!((window.output, window.before, window.after), (output, before, after), "{window:?}");
        }
        assert_eq!(Window::same(7, 5, 1).taps(0), (2..5, 0));
        assert_eq!(Window::same(7, 5, 1).taps(6), (0..3, 4));
    }
}
