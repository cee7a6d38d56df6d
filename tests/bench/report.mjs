/**
 * Turns the result of bench.mjs into a table, and with --write into docs/performance.md and its chart.
 *
 *   node report.mjs RESULT.json [--write]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { operations } from './weights.mjs';

const DOCS = new URL('../../docs/', import.meta.url);
const { values: options, positionals } = parseArgs({
  options: { write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const result = JSON.parse(readFileSync(positionals[0], 'utf8'));

const NAMES = {
  soli_int8: 'soli, int8',
  soli_f32: 'soli, f32',
  xnnpack: 'tfjs-backend-wasm 4.22 (XNNPACK), f32',
  ort: 'onnxruntime-web 1.30 (wasm), f32',
  candle: 'stock candle 0.11, f32',
  soli_int8_relaxed: 'soli, int8, built with relaxed-simd',
  soli_f32_relaxed: 'soli, f32, built with relaxed-simd',
};
/** Those that people can have; the others are beside them to tell why not. */
const SHOWN = ['soli_int8', 'soli_f32', 'xnnpack', 'ort', 'candle'];
const sizes = Object.keys(result.trunk);
const names = SHOWN.filter((name) => name in result.trunk[sizes[0]]);
const ms = (value) => value.toFixed(value < 100 ? 1 : 0);
const kilobytes = (value) => `${Math.round(value / 1e3).toLocaleString('en')} kB`;
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`;

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const trunks = table(
  ['runtime', ...sizes.map((side) => `${side} px`)],
  names.map((name) => [NAMES[name], ...sizes.map((side) => ms(result.trunk[side][name]))]),
);

const captions = table(
  ['soli', ...sizes.map((side) => `${side} px (${result.captions[side].tokens} words)`)],
  ['soli_int8', 'soli_f32'].map((name) => [NAMES[name], ...sizes.map((side) => ms(result.captions[side][name]))]),
);

/** Each target beside what was reached: the ratios at 128 px and at the size of the shipped weights. */
function targets() {
  const row = (what, limit, value, show = (x) => x.toFixed(2)) => [
    what,
    `at most ${show(limit)}`,
    show(value),
    value <= limit ? 'yes' : 'no',
  ];
  const wanted = [...new Set(['128', String(result.shipped_side)])].filter((side) => sizes.includes(side));
  const ratios = (wanted.length > 0 ? wanted : sizes.slice(0, 1)).flatMap((side) => {
    const [trunk, caption] = [result.trunk[side], result.captions[side]];
    return [
      row(`${side} px: trunk f32 : XNNPACK`, 0.8, trunk.soli_f32 / trunk.xnnpack),
      row(`${side} px: trunk f32 : onnxruntime-web`, 0.45, trunk.soli_f32 / trunk.ort),
      row(`${side} px: trunk int8 : XNNPACK f32`, 0.5, trunk.soli_int8 / trunk.xnnpack),
      row(`${side} px: caption int8, beam 3 : trunk f32`, 2, caption.soli_int8 / trunk.soli_f32),
      row(`${side} px: caption int8, beam 3 : trunk int8`, 2, caption.soli_int8 / trunk.soli_int8),
    ];
  });
  return table(
    ['target', 'limit', 'measured', 'reached'],
    [
      ...ratios,
      row('cold start to ready : onnxruntime-web session', 0.25, result.cold_ready_ms / result.cold_ort_session_ms),
      row('cold start to caption : onnxruntime-web session', 0.25, result.cold_start_ms / result.cold_ort_session_ms),
      row('main thread, a frame of the webcam', 5, result.main_thread_ms_per_frame, (x) => `${x.toFixed(1)} ms`),
      row('module, brotli', 350e3, result.wasm_brotli_bytes, kilobytes),
      row('wasm memory, peak', 64e6, result.peak_wasm_bytes, megabytes),
    ],
  );
}

const rates = table(
  ['soli', ...sizes.map((side) => `${side} px`)],
  ['soli_int8', 'soli_f32'].map((name) => [
    NAMES[name],
    ...sizes.map((side) => `${(operations(Number(side)) / result.trunk[side][name] / 1e6).toFixed(0)}`),
  ]),
);

/** A kind of sum over all its layers: milliseconds, and the part of the peak that it reaches. */
function kinds({ layers }, precision) {
  const peak = (name) => layers[name].operations / layers[name].ms;
  const summed = (test) =>
    layers[precision].filter(({ name }) => test.test(name)).reduce((a, b) => ({ ms: a.ms + b.ms, operations: a.operations + b.operations }), { ms: 0, operations: 0 });
  const float = (kind) => precision === 'f32' || kind === 'stem' || kind === 'depthwise';
  return Object.entries({ stem: /^stem/, expand: /expand/, depthwise: /depthwise/, project: /project/, 'decoder, a word of 3 beams': /^decoder/ }).map(
    ([kind, test]) => {
      const { ms, operations } = summed(test);
      const share = (100 * operations) / ms / peak(float(kind) ? 'peak_f32' : 'peak_int');
      return [kind, ms.toFixed(2), (operations / ms / 1e6).toFixed(0), `${share.toFixed(0)} %`];
    },
  );
}

/** One row for each block. */
function blocks({ layers }, precision) {
  const cell = (name) => {
    const layer = layers[precision].find((layer) => layer.name === name);
    return layer ? `${(1000 * layer.ms).toFixed(0)} (${(layer.operations / layer.ms / 1e6).toFixed(0)})` : '';
  };
  const rows = [['stem', cell('stem'), '', '']];
  for (let i = 0; i < 16; i++) rows.push([`block ${i}`, ...['expand', 'depthwise', 'project'].map((part) => cell(`block ${i} ${part}`))]);
  for (const { name } of layers[precision].filter(({ name }) => name.startsWith('decoder'))) rows.push([name, cell(name), '', '']);
  return rows;
}

/** What the trunk would take if every layer ran at its peak, in milliseconds. */
function atThePeak({ layers }, precision) {
  return layers[precision]
    .filter(({ name }) => !name.startsWith('decoder'))
    .reduce((ms, { name, operations }) => {
      const float = precision === 'f32' || !/expand|project/.test(name);
      const { operations: done, ms: took } = layers[float ? 'peak_f32' : 'peak_int'];
      return ms + (operations / done) * took;
    }, 0);
}

const rate = ({ operations, ms }) => (operations / ms / 1e6).toFixed(0);
const perLayer = result.layers
  ? `
By kind of layer at ${result.layers.side} px, each kernel called by itself (shortest of 15; here a layer's result goes to memory and its weights stay in a
near cache, in the network it is the other way round). The peak is that of simd128 on this machine with nothing to load or
store: ${rate(result.layers.peak_f32)} Gop/s for a multiplication and an addition of floats, ${rate(result.layers.peak_int)} for the dot product of 16-bit integers that the int8 network uses
(its stem and depthwise convolutions are in floats). At these peaks the trunk would take ${ms(atThePeak(result, 'int8'))} ms in int8 and ${ms(atThePeak(result, 'f32'))} ms in f32,
where it takes ${ms(result.trunk[result.layers.side].soli_int8)} and ${ms(result.trunk[result.layers.side].soli_f32)}. What is between: a product loads a value of the picture for every two vectors of weights it meets;
the early expansions have 16 or 24 inputs, so that finishing and storing an output takes as long as its sum; a depthwise
convolution loads and stores almost as much as it computes.

| int8 | ms | Gop/s | of the peak |
| --- | --- | --- | --- |
${kinds(result, 'int8').map((row) => `| ${row.join(' | ')} |`).join('\n')}

| f32 | ms | Gop/s | of the peak |
| --- | --- | --- | --- |
${kinds(result, 'f32').map((row) => `| ${row.join(' | ')} |`).join('\n')}

<details><summary>Every layer, int8: microseconds (Gop/s)</summary>

${table(['', 'expand, or the whole layer', 'depthwise', 'project'], blocks(result, 'int8'))}

</details>

<details><summary>Every layer, f32: microseconds (Gop/s)</summary>

${table(['', 'expand, or the whole layer', 'depthwise', 'project'], blocks(result, 'f32'))}

</details>
`
  : '';

const relaxed = result.trunk[sizes[0]].soli_f32_relaxed
  ? `
## Relaxed instructions

The same kernels built with relaxed-simd (fused multiply-add), beside the module that is shipped; milliseconds of the trunk:

${table(['soli', ...sizes.map((side) => `${side} px`)], ['soli_int8', 'soli_int8_relaxed', 'soli_f32', 'soli_f32_relaxed'].map((name) => [NAMES[name], ...sizes.map((side) => ms(result.trunk[side][name]))]))}

The shipped weights are int8, where there is next to nothing to gain, so there is one module and no probing.
`
  : '';

const native = result.native_images_per_second;
const document = `# Performance

Written by \`cargo xtask bench\`, which anyone can repeat; never by hand. Measured on ${result.machine.cpu}, ${result.machine.cores} cores, Chromium ${result.machine.browser}.

## The trunk, picture to features

Milliseconds on one thread, medians of ${result.rounds} turns that alternate between the runtimes in one page. All run the same
EfficientNet-Lite0 weights on the same picture, and no time counts before their features were found equal to soli's (largest
difference at ${sizes.at(-1)} px, as a part of the largest feature: ${names.map((name) => `${name} ${result.differences[sizes.at(-1)][name].toExponential(0)}`).join(', ')}). Times are those of the page's
thread by Chromium's thread clock; soli's include the way from RGBA pixels.

${trunks}

![The trunk's times](performance.svg)

## Whole captions, beam 3

Means of the page's three photographs; the weights are those shipped, for ${result.shipped_side} px, with the places of their cells
interpolated for other sizes.

${captions}

## Targets

${targets()}

## Start, size, memory

- From nothing but cached files to weights in memory: ${ms(result.cold_ready_ms)} ms; to the first caption: ${ms(result.cold_start_ms)} ms. onnxruntime-web needs
  ${ms(result.cold_ort_session_ms)} ms to make a session of the trunk alone. (Wall clock, medians of 7, in a browser that has run both before.)
  Where the browser kept the code that it had made (here only when told not to wait, \`--wasm-caching-timeout-ms=0\`): ${ms(result.cold_start_kept_code_ms)} ms to
  the first caption, ${ms(result.cold_ort_session_kept_code_ms)} ms for the session.
- Module ${kilobytes(result.wasm_bytes)}, brotli ${kilobytes(result.wasm_brotli_bytes)}; weights ${kilobytes(result.weights_bytes)}, brotli ${kilobytes(result.weights_brotli_bytes)}.
- WebAssembly memory after 10 captions ${megabytes(result.wasm_bytes_after_10)}, after ${result.captions_for_memory.toLocaleString('en')} ${megabytes(result.peak_wasm_bytes)}.
- A frame of 1280 x 720 costs the page's own thread ${ms(result.main_thread_ms_per_frame)} ms beyond the ${ms(result.main_thread_ms_camera)} ms that playing it costs: it is handed to
  a worker, which reads its pixels.
${native ? `- \`soli caption\` on 1,000 photographs, decoding included: ${native[1]} a second by one process, ${native[2]} by two.\n` : ''}
## Where the time goes

Giga-operations a second (two for each multiply-add) that the trunk reaches, stem and depthwise convolutions included:

${rates}

In a caption the decoder comes on top: it reads all of its weights for each word.
${perLayer}${relaxed}`;

/** Bars, one group a size, logarithmic because stock candle is far off. */
function chart() {
  const colours = { soli_int8: '#0b6e4f', soli_f32: '#3aa17e', xnnpack: '#e09f3e', ort: '#9e2a2b', candle: '#777' };
  const [left, top, width, height, bar] = [56, 40, 620, 220, 20];
  const all = sizes.flatMap((side) => names.map((name) => result.trunk[side][name]));
  const [low, high] = [Math.log10(1), Math.log10(Math.max(...all) * 1.3)];
  const y = (value) => top + height - (height * (Math.log10(Math.max(value, 1)) - low)) / (high - low);
  const parts = [];
  for (const tick of [1, 3, 10, 30, 100, 300, 1000].filter((tick) => Math.log10(tick) <= high)) {
    parts.push(`<path d="M${left} ${y(tick).toFixed(1)}h${width}" stroke="#8884"/>`);
    parts.push(`<text x="${left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick}</text>`);
  }
  sizes.forEach((side, s) => {
    const from = left + 14 + (s * width) / sizes.length;
    names.forEach((name, i) => {
      const value = result.trunk[side][name];
      const [x, at] = [from + i * (bar + 6), y(value)];
      parts.push(
        `<rect x="${x.toFixed(1)}" y="${at.toFixed(1)}" width="${bar}" height="${(top + height - at).toFixed(1)}" fill="${colours[name]}"/>`,
        `<text x="${(x + bar / 2).toFixed(1)}" y="${(at - 4).toFixed(1)}" text-anchor="middle">${value < 10 ? value.toFixed(1) : Math.round(value)}</text>`,
      );
    });
    parts.push(`<text x="${from}" y="${top + height + 18}">${side} px</text>`);
  });
  names.forEach((name, i) => {
    parts.push(`<rect x="${left + i * 124}" y="8" width="10" height="10" fill="${colours[name]}"/>`);
    parts.push(`<text x="${left + 14 + i * 124}" y="17">${NAMES[name].replace(/ \(.*\)|-backend-wasm|-web| [\d.]+/g, '')}</text>`);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 690 290" role="img" aria-label="Milliseconds of the trunk by runtime and picture size, logarithmic">
<style>text{font:11px system-ui,sans-serif;fill:#888}</style>
${parts.join('\n')}
</svg>
`;
}

if (options.write) {
  writeFileSync(fileURLToPath(new URL('performance.md', DOCS)), document);
  writeFileSync(fileURLToPath(new URL('performance.svg', DOCS)), chart());
}
console.log(`\ntrunk, ms\n${trunks}\n\ncaption, ms\n${captions}\n\n${targets()}`);
