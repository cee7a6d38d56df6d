/** In the page: the runtimes, each as `run()` from the same picture to the same features. Driven by ../bench.mjs. */
import * as ort from '/bench/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs';
// The package's module, and what only the bench asks of it.
import * as soli from '/modules/measured/measured.js';

const MODULES = '/bench/node_modules';
const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
const memory = { module: null };

/** The picture: something with edges and areas, the same every time. */
function picture(side) {
  const rgba = new Uint8Array(side * side * 4);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = (y * side + x) * 4;
      const blob = Math.hypot(x - side / 3, y - side / 2) < side / 4 ? 90 : 0;
      rgba[at] = 80 + blob + 60 * Math.sin(x / 9);
      rgba[at + 1] = 120 + 100 * Math.cos((x + y) / 17);
      rgba[at + 2] = (200 * y) / side + ((x ^ y) & 31);
      rgba[at + 3] = 255;
    }
  }
  return rgba;
}

/** The page's photographs at the network's size. */
async function photographs(side) {
  const context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true });
  const pixels = [];
  for (const name of ['astronaut', 'cat', 'coffee']) {
    const bitmap = await createImageBitmap(await (await fetch(`/photos/${name}.jpg`)).blob());
    context.drawImage(bitmap, 0, 0, side, side);
    pixels.push(new Uint8Array(context.getImageData(0, 0, side, side).data.buffer));
  }
  return pixels;
}

/** Normalised floats, channels last. */
function normalised(rgba, { mean, std }) {
  const out = new Float32Array((rgba.length / 4) * 3);
  for (let i = 0; i < out.length; i++) {
    const c = i % 3;
    out[i] = (rgba[Math.floor(i / 3) * 4 + c] - mean[c]) / std[c];
  }
  return out;
}

async function soliRuntime(soli, side, precision, rgba) {
  const captioner = new soli.WebCaptioner(await bytes(`/data/soli-${precision}-${side}.safetensors`));
  return {
    run: () => captioner.features(rgba, side, side),
    caption: (photo, beam) => captioner.caption(photo, side, side, { beam }),
    free: () => captioner.free(),
  };
}

async function xnnpack(trunk, floats, side) {
  const tensor = ({ shape, weight, bias }, depthwise) => {
    const [h, w, i, o] = shape;
    return [tf.tensor4d(weight, depthwise ? [h, w, o, 1] : [h, w, i, o]), tf.tensor1d(bias)];
  };
  const stem = tensor(trunk.stem);
  const blocks = trunk.blocks.map((b) => ({
    ...b,
    expand: b.expand && tensor(b.expand),
    depthwise: tensor(b.depthwise, true),
    project: tensor(b.project),
  }));
  const pixels = tf.tensor4d(floats, [1, side, side, 3]);
  const conv = (x, [filter, bias], strides, activation) =>
    tf.fused.conv2d({ x, filter, bias, strides, pad: 'same', activation });
  const forward = () =>
    tf.tidy(() => {
      let x = conv(pixels, stem, 2, 'relu6');
      for (const { expand, depthwise, project, stride, residual } of blocks) {
        let y = expand ? conv(x, expand, 1, 'relu6') : x;
        const [filter, bias] = depthwise;
        y = tf.fused.depthwiseConv2d({ x: y, filter, bias, strides: stride, pad: 'same', activation: 'relu6' });
        y = conv(y, project, 1, 'linear');
        x = residual ? tf.add(x, y) : y;
      }
      return x;
    });
  return {
    run() {
      const out = forward();
      const values = out.dataSync();
      out.dispose();
      return values;
    },
    free: () => tf.disposeVariables(),
  };
}

async function onnxruntime(side, floats) {
  const session = await ort.InferenceSession.create(await bytes(`/data/trunk-${side}.onnx`), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  const area = side * side;
  const planes = new Float32Array(floats.length);
  floats.forEach((value, i) => (planes[(i % 3) * area + Math.floor(i / 3)] = value));
  const pixels = new ort.Tensor('float32', planes, [1, 3, side, side]);
  return {
    async run() {
      const { features } = await session.run({ pixels });
      return features.data;
    },
    /** Channels last, as everyone else has them. */
    order(values) {
      const cells = (side / 32) ** 2;
      return values.map((_, i) => values[(i % 320) * cells + Math.floor(i / 320)]);
    },
    free: () => session.release(),
  };
}

async function candle(side, floats) {
  const stock = await import('/modules/candle/candle.js');
  await stock.default();
  const trunk = new stock.StockTrunk(await bytes(`/data/soli-f32-${side}.safetensors`), side);
  return { run: () => trunk.features(floats), free: () => trunk.free() };
}

/** soli's module with WebAssembly's relaxed instructions, fused multiply-add among them. */
async function relaxed() {
  const module = await import('/modules/relaxed/relaxed.js');
  await module.default();
  return module;
}

let runtimes = {};
let photos = [];

window.bench = {
  async start() {
    memory.module = await soli.default({ module_or_path: '/modules/measured/measured_bg.wasm' });
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = `${MODULES}/onnxruntime-web/dist/`;
    tf.wasm.setWasmPaths(`${MODULES}/@tensorflow/tfjs-backend-wasm/dist/`);
    tf.wasm.setThreadsCount?.(1);
    await tf.setBackend('wasm');
    await tf.ready();
  },

  /** Makes every runtime for one size, and returns by how much each differs from soli's floats. */
  async prepare(side, names) {
    for (const { free } of Object.values(runtimes)) await free();
    runtimes = {};
    const { trunk, encoder } = JSON.parse(
      new TextDecoder().decode(await bytes(`/data/trunk-${side}.json`)),
      (key, value) => (key === 'weight' || key === 'bias' ? Float32Array.from(value) : value),
    );
    photos = await photographs(side);
    const rgba = picture(side);
    const floats = normalised(rgba, encoder);
    const make = {
      soli_f32: () => soliRuntime(soli, side, 'f32', rgba),
      soli_int8: () => soliRuntime(soli, side, 'int8', rgba),
      soli_f32_relaxed: async () => soliRuntime(await relaxed(), side, 'f32', rgba),
      soli_int8_relaxed: async () => soliRuntime(await relaxed(), side, 'int8', rgba),
      xnnpack: () => xnnpack(trunk, floats, side),
      ort: () => onnxruntime(side, floats),
      candle: () => candle(side, floats),
    };
    for (const name of names) runtimes[name] = await make[name]();
    const expected = Float32Array.from(await runtimes.soli_f32.run());
    const most = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const differences = {};
    for (const name of names) {
      const found = await runtimes[name].run();
      const values = runtimes[name].order?.(Float32Array.from(found)) ?? found;
      if (values.length !== expected.length) throw new Error(`${name} gives ${values.length} features`);
      differences[name] = values.reduce((a, b, i) => Math.max(a, Math.abs(b - expected[i])), 0) / most;
    }
    return differences;
  },

  /** Runs one runtime `times` times and returns the milliseconds that one run took by the clock. */
  async run(name, times) {
    const started = performance.now();
    for (let i = 0; i < times; i++) await runtimes[name].run();
    return (performance.now() - started) / times;
  },

  /** Captions each photograph once; the number of tokens tells how much of it is decoding. */
  captions(name, beam) {
    const started = performance.now();
    let tokens = 0;
    for (const photo of photos) tokens += runtimes[name].caption(photo, beam).tokens.length;
    return { ms: performance.now() - started, tokens };
  },

  wasmBytes: () => memory.module.memory.buffer.byteLength,
};
