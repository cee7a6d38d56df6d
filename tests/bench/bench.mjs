/**
 * Measures soli beside other runtimes in one headless Chromium, in turns, and prints one JSON object.
 *
 *   node bench.mjs --measured FOLDER [--browser PATH] [--soli PATH] [--candle FOLDER] [--layers FOLDER] [--relaxed FOLDER] [--rounds N]
 *     [--captions N] [--sizes 96,128] (by default 96, 128, 224 and the side that the shipped weights are for)
 *
 * No time counts before the outputs were found equal. Times are those of the page's own thread while it runs
 * (Chromium's thread clock), so that other programs on the machine matter little; those of the wall clock are beside
 * them.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { onnx } from './onnx.mjs';
import { expanded, read, resized, trunk, write } from './weights.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const PATIENCE = 600_000;
/** Largest difference of features, as a part of the largest feature: two ways of adding up, and rounded inputs. */
const EQUAL = { soli_f32: 0, soli_f32_relaxed: 1e-4, soli_int8: 2e-3, soli_int8_relaxed: 2e-3, xnnpack: 1e-4, ort: 1e-4, candle: 1e-4 };
/** Modules built for the bench alone: `--candle FOLDER` is served as /modules/candle/. */
const MODULES = ['candle', 'layers', 'measured', 'relaxed'];

const { values: options } = parseArgs({
  options: {
    browser: { type: 'string', default: process.env.SOLI_CHROMIUM ?? '/usr/bin/chromium' },
    soli: { type: 'string' },
    candle: { type: 'string' },
    layers: { type: 'string' },
    measured: { type: 'string' },
    relaxed: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    captions: { type: 'string', default: '10000' },
    sizes: { type: 'string' },
  },
});
const LAUNCH = {
  executablePath: options.browser,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
};
const rounds = Number(options.rounds);
const shipped = await read(join(ROOT, 'www/models/soli.safetensors'));
const shippedSide = JSON.parse(shipped.meta.config).encoder.input_side;
const sizes = [...new Set(options.sizes?.split(',').map(Number) ?? [96, 128, 224, shippedSide])].sort((a, b) => a - b);

const say = (text) => console.error(`  bench     ${text}`);
const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];
const round = (value, digits = 2) => Number(value.toFixed(digits));

/** Serves the repository's files, and the weights and models made for the bench; everything may be cached. */
async function serve(made) {
  const places = { '/pkg/': 'pkg', '/models/': 'www/models', '/photos/': 'www/photos', '/bench/': 'tests/bench' };
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    const place = Object.keys(places).find((prefix) => path.startsWith(prefix));
    const module = MODULES.find((name) => path.startsWith(`/modules/${name}/`));
    const file = module
      ? join(options[module] ?? '', path.slice(`/modules/${module}/`.length))
      : place && join(ROOT, places[place], path.slice(place.length));
    const body = made.get(path)?.() ?? (file && (await readFile(file).catch(() => null)));
    if (!body) return response.writeHead(404).end();
    const headers = { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' };
    return response.writeHead(200, { ...headers, 'cache-control': 'max-age=3600' }).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Everything that the page asks for by `/data/`. */
function data() {
  const made = new Map();
  for (const side of sizes) {
    const int8 = resized(shipped, side);
    const floats = expanded(int8);
    const { mean, std } = JSON.parse(int8.meta.config).encoder;
    const layers = trunk(floats);
    const plain = (key, value) => (value instanceof Float32Array ? [...value] : value);
    made.set(`/data/soli-int8-${side}.safetensors`, () => write(int8));
    made.set(`/data/soli-f32-${side}.safetensors`, () => write(floats));
    made.set(`/data/trunk-${side}.onnx`, () => onnx(layers, side));
    made.set(`/data/trunk-${side}.json`, () => JSON.stringify({ trunk: layers, encoder: { mean, std } }, plain));
  }
  return made;
}

/** Runs something in the page, and tells how long the page's thread was at work, in milliseconds. */
async function timed(page, cdp, work, ...args) {
  const busy = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return 1000 * metrics.find(({ name }) => name === 'TaskDuration').value;
  };
  const before = await busy();
  const result = await page.evaluate(work, args);
  return { result, busy: (await busy()) - before };
}

async function measureTrunks(page, cdp) {
  const names = ['soli_f32', 'soli_int8', 'xnnpack', 'ort'];
  if (options.candle) names.push('candle');
  if (options.relaxed) names.push('soli_f32_relaxed', 'soli_int8_relaxed');
  const [trunks, captions, wall, best, differences] = [{}, {}, {}, {}, {}];
  const PHOTOS = 3;
  for (const side of sizes) {
    const found = await page.evaluate(([side, names]) => bench.prepare(side, names), [side, names]);
    for (const [name, difference] of Object.entries(found)) {
      if (!(difference <= EQUAL[name])) throw new Error(`${name} at ${side} px differs by ${difference}`);
    }
    differences[side] = found;
    const times = side > 150 ? 3 : 6;
    const [busy, clock] = [{}, {}];
    const captioned = { soli_f32: [], soli_int8: [] };
    let tokens;
    for (let i = -2; i < rounds; i++) {
      for (const name of names) {
        const count = name === 'candle' ? 1 : times;
        const sample = await timed(page, cdp, ([name, count]) => bench.run(name, count), name, count);
        if (i < 0) continue;
        (busy[name] ??= []).push(sample.busy / count);
        (clock[name] ??= []).push(sample.result);
      }
      for (const name of Object.keys(captioned)) {
        const sample = await timed(page, cdp, ([name]) => bench.captions(name, 3), name);
        if (i >= 0) captioned[name].push(sample.busy / PHOTOS);
        tokens = round(sample.result.tokens / PHOTOS, 1);
      }
    }
    const all = (samples, pick) =>
      Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, round(pick(values))]));
    trunks[side] = all(busy, median);
    wall[side] = all(clock, median);
    best[side] = all(busy, (values) => Math.min(...values));
    captions[side] = { ...all(captioned, median), tokens };
    say(`${side} px: ${names.map((name) => `${name} ${trunks[side][name]}`).join(', ')} ms`);
  }
  return { trunk: trunks, trunk_wall: wall, trunk_best: best, captions, differences };
}

/**
 * Chromium keeps the code that it made of a module when no more was made for two seconds. The one of these measurements never
 * does, however long one waits, as if that time did not pass; told not to wait it does. What starts would take with
 * kept code is measured in this way, beside what they take here.
 */
const KEEPING_CODE = ['--js-flags=--wasm-caching-timeout-ms=0'];

/** Times by the wall clock, as most of a start is waiting for others. The browser has been here before: its files are cached. */
async function measureColdStarts(url, args = []) {
  const [cold, ready, ort] = [[], [], []];
  const folder = await mkdtemp(join(tmpdir(), 'soli-bench-'));
  const context = await chromium.launchPersistentContext(folder, { ...LAUNCH, args: [...LAUNCH.args, ...args] });
  const side = sizes.includes(shippedSide) ? shippedSide : sizes.at(-1);
  const fresh = async (work, ...args) => {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`${url}/bench/page/cold.html`);
    await page.waitForFunction(() => document.title === 'ready');
    const result = await page.evaluate(work, args);
    await page.close();
    return result;
  };
  try {
    await fresh(() => soliVisit());
    await fresh(([side]) => ortVisit(side), side);
    for (let i = 0; i < 7; i++) {
      const ours = await fresh(() => soliCold());
      cold.push(ours.captioned);
      ready.push(ours.ready);
      ort.push(await fresh(([side]) => ortCold(side), side));
    }
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
  return { start: round(median(cold), 1), ready: round(median(ready), 1), ort: round(median(ort), 1) };
}

/**
 * What a frame of a webcam costs the page's own thread: the package reads its pixels and hands them to a worker. A
 * canvas that is drawn to plays the camera.
 */
async function measureFrames(browser, url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${url}/bench/page/frames.html`);
  await page.waitForFunction(() => document.title === 'ready');
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const FRAMES = 20;
  const [captioned, idle] = [[], []];
  for (let i = -1; i < 5; i++) {
    const { result, busy } = await timed(page, cdp, ([count]) => camera.caption(count), FRAMES);
    // The same time without captions: what the camera and the page cost by themselves.
    const without = await timed(page, cdp, ([ms]) => camera.rest(ms), result);
    if (i < 0) continue;
    captioned.push(busy / FRAMES);
    idle.push(without.busy / FRAMES);
  }
  await page.close();
  return { main_thread_ms_per_frame: round(median(captioned) - median(idle)), main_thread_ms_camera: round(median(idle)) };
}

/** Each kernel by itself, and what the vectors can do at most. */
async function measureLayers(browser, url) {
  if (!options.layers) return {};
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${url}/bench/page/layers.html`);
  await page.waitForFunction(() => document.title === 'ready');
  const layers = await page.evaluate((side) => measureLayers(side), sizes.includes(128) ? 128 : sizes[0]);
  await page.close();
  return { layers };
}

/** The memory of soli's module alone, in a page of its own, after the first caption and after many. */
async function measureMemory(browser, url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${url}/bench/page/cold.html`);
  await page.waitForFunction(() => document.title === 'ready');
  const count = Number(options.captions);
  const [first, last] = await page.evaluate(async (count) => {
    const soli = await import('/pkg/wasm/soli.js');
    const module = await soli.default({ module_or_path: '/pkg/wasm/soli_bg.wasm' });
    const weights = new Uint8Array(await (await fetch('/models/soli.safetensors')).arrayBuffer());
    const captioner = new soli.WebCaptioner(weights);
    const rgba = new Uint8Array(640 * 480 * 4).map((_, i) => (i * 7919) >> 5);
    const sizes = [];
    for (let i = 0; i < count; i++) {
      captioner.caption(rgba, 640, 480, { beam: 1 + (i % 3) });
      if (i % 100 === 99) await new Promise((resolve) => setTimeout(resolve));
      if (i === 9 || i === count - 1) sizes.push(module.memory.buffer.byteLength);
    }
    return sizes;
  }, Math.max(count, 20));
  await page.close();
  return { peak_wasm_bytes: last, wasm_bytes_after_10: first, captions_for_memory: count };
}

async function measureSizes() {
  const sizeOf = async (path) => {
    const file = await readFile(join(ROOT, path));
    return { raw: file.length, brotli: brotliCompressSync(file).length };
  };
  const [module, weights] = [await sizeOf('pkg/wasm/soli_bg.wasm'), await sizeOf('www/models/soli.safetensors')];
  return {
    wasm_bytes: module.raw,
    wasm_brotli_bytes: module.brotli,
    weights_bytes: weights.raw,
    weights_brotli_bytes: weights.brotli,
  };
}

/** Photographs a second of `soli caption`, by one process and by two. */
async function measureNative() {
  if (!options.soli) return {};
  await stat(options.soli);
  const photos = ['astronaut', 'cat', 'coffee'].map((name) => join(ROOT, `www/photos/${name}.jpg`));
  const run = (count) =>
    new Promise((resolve, reject) => {
      const images = Array.from({ length: count }, (_, i) => photos[i % photos.length]);
      const child = spawn(options.soli, ['caption', '--json', ...images], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.resume();
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`soli caption ended with ${code}`))));
    });
  const perSecond = {};
  for (const processes of [1, 2]) {
    const started = performance.now();
    await Promise.all(Array.from({ length: processes }, () => run(1000 / processes)));
    perSecond[processes] = round(1e6 / (performance.now() - started), 1);
  }
  return { native_images_per_second: perSecond };
}

const server = await serve(data());
const browser = await chromium.launch(LAUNCH);
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${server.url}/bench/page/index.html`);
  await page.waitForFunction(() => window.bench !== undefined);
  await page.evaluate(() => bench.start());
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const times = await measureTrunks(page, cdp);
  await page.close();
  say('cold starts');
  const cold = await measureColdStarts(server.url);
  const kept = await measureColdStarts(server.url, KEEPING_CODE);
  say('layers and frames');
  const layers = await measureLayers(browser, server.url);
  const frames = await measureFrames(browser, server.url);
  say(`memory over ${options.captions} captions`);
  const memory = await measureMemory(browser, server.url);
  say('sizes and native throughput');
  const caption = Object.fromEntries(Object.entries(times.captions).map(([side, { soli_int8 }]) => [side, soli_int8]));
  const result = {
    trunk: times.trunk,
    caption,
    cold_start_ms: cold.start,
    cold_ready_ms: cold.ready,
    cold_ort_session_ms: cold.ort,
    cold_start_kept_code_ms: kept.start,
    cold_ort_session_kept_code_ms: kept.ort,
    ...(await measureSizes()),
    ...memory,
    ...layers,
    ...frames,
    ...(await measureNative()),
    captions: times.captions,
    trunk_wall: times.trunk_wall,
    trunk_best: times.trunk_best,
    differences: times.differences,
    shipped_side: shippedSide,
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, browser: browser.version() },
    rounds,
  };
  console.log(JSON.stringify(result));
} finally {
  await browser.close();
  server.close();
}
