/** The weights file for the bench: read, expanded to floats, and written again for other input sizes. */
import { readFile } from 'node:fs/promises';

/** @typedef {{ dtype: string, shape: number[], data: Buffer }} Stored */

/** @returns {Promise<{ meta: Record<string, string>, tensors: Map<string, Stored> }>} */
export async function read(path) {
  const file = await readFile(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__: meta, ...entries } = JSON.parse(file.subarray(8, start).toString());
  const tensors = new Map();
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    tensors.set(name, { dtype, shape, data: file.subarray(start + from, start + to) });
  }
  return { meta, tensors };
}

/**
 * The same weights for pictures of `side` pixels: places in the picture are the only tensor that knows the size. They are
 * interpolated, so that captions are about as long as those of weights that were trained for it.
 */
export function resized({ meta, tensors }, side) {
  const config = JSON.parse(meta.config);
  if (config.encoder.input_side === side) return { meta, tensors };
  config.encoder.input_side = side;
  const name = 'encoder.embedding.position';
  const cells = (side / 32) ** 2;
  const width = config.decoder.width;
  const known = values(tensors, name);
  const [from, to] = [Math.sqrt(known.length / width), side / 32];
  const places = Float32Array.from({ length: cells * width }, (_, i) => {
    const [cell, column] = [Math.floor(i / width), i % width];
    const along = (at) => Math.min(Math.max(((at + 0.5) * from) / to - 0.5, 0), from - 1);
    const [y, x] = [along(Math.floor(cell / to)), along(cell % to)];
    const value = (y, x) => known[(Math.min(y, from - 1) * from + Math.min(x, from - 1)) * width + column];
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const line = (y) => value(y, left) + (x - left) * (value(y, left + 1) - value(y, left));
    return line(top) + (y - top) * (line(top + 1) - line(top));
  });
  const others = new Map(tensors);
  others.delete(`${name}.scale`);
  others.set(name, { dtype: 'F32', shape: [cells, width], data: Buffer.from(places.buffer) });
  return { meta: { ...meta, config: JSON.stringify(config) }, tensors: others };
}

/** The same weights with every tensor as 32-bit floats. */
export function expanded({ meta, tensors }) {
  const floats = new Map();
  for (const [name, { shape }] of tensors) {
    if (name.endsWith('.scale')) continue;
    floats.set(name, { dtype: 'F32', shape, data: Buffer.from(values(tensors, name).buffer) });
  }
  return { meta: { ...meta, precision: 'f32' }, tensors: floats };
}

/** A tensor's values as floats. */
export function values(tensors, name) {
  const { dtype, shape, data } = tensors.get(name);
  const count = shape.reduce((a, b) => a * b, 1);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === 'F32') return Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
  if (dtype === 'F16') return Float32Array.from({ length: count }, (_, i) => half(view.getUint16(2 * i, true)));
  const scale = values(tensors, `${name}.scale`);
  const columns = shape[1];
  const byRow = tensors.get(`${name}.scale`).shape[1] === 1;
  const at = (i) => scale[byRow ? Math.floor(i / columns) : i % columns];
  return Float32Array.from({ length: count }, (_, i) => view.getInt8(i) * at(i));
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @returns {Buffer} the file */
export function write({ meta, tensors }) {
  const header = { __metadata__: meta };
  const parts = [];
  let offset = 0;
  const size = { F32: 4, F16: 2, I8: 1 };
  const sorted = [...tensors].sort(([, a], [, b]) => size[b.dtype] - size[a.dtype]);
  for (const [name, { dtype, shape, data }] of sorted) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.length] };
    parts.push(data);
    offset += data.length;
  }
  let json = JSON.stringify(header);
  json = json.padEnd(Math.ceil(Buffer.byteLength(json) / 8) * 8 - Buffer.byteLength(json) + json.length);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return Buffer.concat([length, Buffer.from(json), ...parts]);
}

/** Kernel, stride and expansion of each block of EfficientNet-Lite0, see src/layout.rs. */
const STAGES = [
  [1, 3, 1, 1],
  [2, 3, 2, 6],
  [2, 5, 2, 6],
  [3, 3, 2, 6],
  [3, 5, 1, 6],
  [4, 5, 2, 6],
  [1, 3, 1, 6],
];

/**
 * The trunk as a list of convolutions, for peers that are told it layer by layer: weights as (height, width, inputs or
 * 1, outputs), and whether the block's input is added.
 */
export function trunk({ tensors }) {
  const conv = (name, shape) => ({
    shape,
    weight: values(tensors, `encoder.${name}.weight`),
    bias: values(tensors, `encoder.${name}.bias`),
  });
  const blocks = [];
  let channels = 32;
  for (const [repeats, kernel, first, expansion] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `blocks.${blocks.length}`;
      const wide = channels * expansion;
      const [, out] = tensors.get(`encoder.${name}.project.weight`).shape;
      const stride = repeat === 0 ? first : 1;
      blocks.push({
        expand: expansion === 1 ? null : conv(`${name}.expand`, [1, 1, channels, wide]),
        depthwise: conv(`${name}.depthwise`, [kernel, kernel, 1, wide]),
        project: conv(`${name}.project`, [1, 1, wide, out]),
        stride,
        residual: stride === 1 && channels === out && blocks.length > 0,
      });
      channels = out;
    }
  }
  return { stem: conv('stem', [3, 3, 3, 32]), blocks };
}

/** Operations of the trunk for one picture: two for each multiply-add. */
export function operations(side) {
  const OUTPUTS = [16, 24, 40, 80, 112, 192, 320];
  let [pixels, channels] = [(side / 2) ** 2, 32];
  let products = pixels * 27 * channels;
  STAGES.forEach(([repeats, kernel, first, expansion], stage) => {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const wide = channels * expansion;
      if (expansion > 1) products += pixels * channels * wide;
      if (repeat === 0) pixels = Math.ceil(Math.sqrt(pixels) / first) ** 2;
      products += pixels * wide * (kernel ** 2 + OUTPUTS[stage]);
      channels = OUTPUTS[stage];
    }
  });
  return 2 * products;
}
