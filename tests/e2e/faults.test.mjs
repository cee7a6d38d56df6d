/**
 * The platform fails: each call that the package makes into it throws, rejects, hangs or gives null in turn. Then every
 * promise of the package still settles, and every rejection is a `SoliError` with a code.
 */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { animatedWebp } from './bad-pictures.mjs';
import { open, photos } from './helpers.mjs';
import { PLATFORM, PLATFORM_WITHOUT_WORKER, installFaults } from './platform.mjs';

/** The package's time limit while something is broken, and while nothing is; milliseconds. */
const TIMEOUT = { broken: 700, whole: 30_000 };
/** Nothing may take longer, however busy the machine is: several steps, one after the other, may each use up theirs. */
const END = 150_000;
/** Pages at a time: most of the time they wait. */
const SIDE_BY_SIDE = 6;

const CODES = [
  'invalid-weights', 'fetch-failed', 'wasm-failed', 'unsupported-source', 'decode-failed', 'tainted-canvas', 'invalid-image',
  'invalid-options', 'crashed', 'disposed', 'internal',
];

const photo = await readFile(photos[0]);
const inWorker = (name) => name.startsWith('Worker ');

/** Runs in the page: everything that can be asked of the package, while one call of the platform is broken. */
async function scenario({ name, how, timeout, end }) {
  const outcomes = {};
  const attempt = async (what, start) => {
    const late = new Promise((resolve) => setTimeout(resolve, end, 'hung'));
    const done = (async () => start())().then(
      (value) => ({ value }),
      (error) => ({ code: error instanceof soliModule.SoliError ? error.code : `${error?.name}: ${error?.message}` }),
    );
    const outcome = await Promise.race([done, late]);
    outcomes[what] = outcome === 'hung' ? 'hung' : (outcome.code ?? 'ok');
    return outcome.value;
  };

  // What is captioned is made before anything is broken.
  const file = new Blob([photo], { type: 'image/jpeg' });
  const bitmap = await createImageBitmap(file);
  const canvas = Object.assign(document.createElement('canvas'), { width: 90, height: 60 });
  canvas.getContext('2d').drawImage(bitmap, 0, 0, 90, 60);
  const video = Object.assign(document.createElement('video'), { muted: true, srcObject: canvas.captureStream() });
  await video.play();
  const image = Object.assign(new Image(), { src: URL.createObjectURL(file) });
  await image.decode();
  const lazy = Object.assign(new Image(), { loading: 'lazy', src: 'photos/cat.jpg' });
  const coming = Object.assign(new Image(), { src: 'photos/cat.jpg?slow' });
  const sources = {
    file,
    cut: file.slice(0, file.size * 0.9),
    animation: new Blob([animation], { type: 'image/webp' }),
    address: new URL('photos/cat.jpg', location.href).href,
    image,
    lazy,
    coming,
    canvas,
    bitmap,
    video,
    data: new ImageData(40, 30),
    pixels: { data: new Uint8Array(4 * 90 * 60), width: 90, height: 60 },
  };
  const bytes = await (await fetch(weights)).arrayBuffer();

  // First a captioner that is loaded before the fault, then one that meets it while it loads.
  const loaded = await attempt('loadBefore', () => soliModule.Captioner.load({ weights: bytes, timeout }));
  const before = outcomes.loadBefore;
  faults.set(name, how);
  if (loaded) {
    for (const [kind, source] of Object.entries(sources)) await attempt(kind, () => loaded.caption(source));
    await attempt('captionAll', async () => {
      for await (const { error } of loaded.captionAll([file, lazy, video])) {
        if (error && !(error instanceof soliModule.SoliError)) throw error;
      }
    });
    await attempt('element', async () => {
      const element = document.querySelector('soli-caption');
      element.captioner = loaded;
      const told = new Promise((resolve) => ['soli-caption', 'soli-untold', 'soli-error'].forEach((type) => element.addEventListener(type, resolve)));
      element.append(image);
      const { detail } = await told;
      if (detail.error) throw detail.error;
    });
    await attempt('dispose', () => loaded.dispose());
  }
  const forms = { address: weights, bytes, file: new Blob([bytes]) };
  for (const [form, given] of Object.entries(forms)) {
    const again = await attempt(`load ${form}`, () => soliModule.Captioner.load({ weights: given, timeout }));
    if (again) await attempt(`caption after load ${form}`, () => again.caption(sources.pixels));
    if (again) await attempt(`dispose after load ${form}`, () => again.dispose());
  }
  // The caller's own reason is what comes of an abort, whatever is broken.
  const reason = new Error('enough');
  const stop = new AbortController();
  const aborted = soliModule.Captioner.load({ weights, timeout, signal: stop.signal }).then(() => 'loaded', (error) => error === reason || error);
  stop.abort(reason);
  outcomes.aborted = (await aborted) === true ? 'ok' : String(await aborted);
  faults.set(null);
  return { before, outcomes };
}

describe('a platform that fails', () => {
  let world;
  let animation;
  let shots = 0;
  before(async () => {
    world = await open({
      doctored: {
        '/faults.html': () => '<!doctype html><title>faults</title><soli-caption></soli-caption>',
        // The worker breaks what its page was asked to break; its script is asked for with the page's address.
        '/pkg/worker.js': (body, response, request) => {
          const query = new URL(request.headers.referer ?? 'http://x').searchParams;
          const names = Object.keys(PLATFORM).filter(inWorker).map((name) => name.slice('Worker '.length));
          const [name, how] = [query.get('name') ?? '', query.get('how')];
          const broken = inWorker(name) ? `faults.set(${JSON.stringify(name.slice('Worker '.length))}, ${JSON.stringify(how)});` : '';
          return `(${installFaults})(${JSON.stringify(names)});${broken}\n${body}`;
        },
      },
    });
    const page = await world.blank();
    const stills = await page.evaluate(async () => {
      const still = async (colour) => {
        const context = new OffscreenCanvas(32, 32).getContext('2d');
        context.fillStyle = 'white';
        context.fillRect(0, 0, 32, 32);
        context.fillStyle = colour;
        context.fillRect(4, 4, 20, 20);
        return Array.from(new Uint8Array(await (await context.canvas.convertToBlob({ type: 'image/webp' })).arrayBuffer()));
      };
      return [await still('white'), await still('red')];
    });
    animation = animatedWebp(stills.map((bytes) => Buffer.from(bytes)), 32, 32);
    await page.close();
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'a page threw');
    await world.close();
  });

  async function run(name, how, { worker = true } = {}) {
    const page = await world.page();
    try {
      const own = Object.keys(worker ? PLATFORM : PLATFORM_WITHOUT_WORKER).filter((it) => !inWorker(it));
      await page.addInitScript(`(${installFaults})(${JSON.stringify(own)});${worker ? '' : 'delete window.Worker;'}`);
      await page.goto(`${world.url}faults.html?${new URLSearchParams({ name: name ?? '', how: how ?? '', shot: (shots += 1) })}`);
      await page.evaluate(
        async ([photo, animation]) => {
          window.soliModule = await import(new URL('pkg/index.js', location.href).href);
          await import(new URL('pkg/element.js', location.href).href);
          window.weights = new URL('models/soli.safetensors', location.href).href;
          window.photo = new Uint8Array(photo);
          window.animation = new Uint8Array(animation);
        },
        [[...photo], [...animation]],
      );
      const { before, outcomes } = await page.evaluate(scenario, { name: name && inWorker(name) ? null : name, how, timeout: name ? TIMEOUT.broken : TIMEOUT.whole, end: END });
      const called = await page.evaluate(() => window.faults.called);
      return { before, outcomes, called };
    } finally {
      await page.close();
    }
  }

  test('when nothing is broken everything works, and every call that is broken below is made', async () => {
    for (const worker of [true, false]) {
      const { outcomes, called } = await run(null, null, { worker });
      for (const [what, outcome] of Object.entries(outcomes)) assert.equal(outcome, 'ok', what);
      for (const [name, times] of Object.entries(called)) assert.ok(times > 0, `${name} is called${worker ? '' : ', without a worker'}`);
    }
  });

  test('the list above has every class of the platform that the package makes something of', async () => {
    const harmless = [
      'AbortController', 'Blob', 'CustomEvent', 'DOMException', 'DOMParser', 'Engine', 'Captioner', 'Error', 'Map', 'MutationObserver',
      'Promise', 'ResizeObserver', 'SerialQueue', 'Set', 'SoliError', 'TypeError', 'URL', 'Uint8Array', 'WeakMap', 'WeakRef',
      'WorkerRunner', 'Writer', 'TextDecoder', 'FileReader', 'XMLSerializer', 'Response',
    ];
    const folder = new URL('../../pkg/', import.meta.url);
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.js'))) {
      const code = (await readFile(new URL(file, folder), 'utf8')).replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');
      for (const [, name] of code.matchAll(/\bnew ([A-Z]\w+)/g)) {
        assert.ok(harmless.includes(name) || Object.hasOwn(PLATFORM, name), `${file}: new ${name}`);
      }
    }
  });

  const cases = [
    ...Object.entries(PLATFORM).flatMap(([name, ways]) => ways.map((how) => [name, how, true])),
    ...Object.entries(PLATFORM_WITHOUT_WORKER).flatMap(([name, ways]) => ways.map((how) => [name, how, false])),
  ];
  test('every promise settles, and rejects with a code or the caller’s reason', async () => {
    const wrong = [];
    const left = [...cases];
    const lane = async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        const [name, how, worker] = next;
        const label = `${name} ${how}${worker ? '' : ', without a worker'}`;
        try {
          const { outcomes } = await run(name, how, { worker });
          for (const [what, outcome] of Object.entries(outcomes)) {
            if (outcome !== 'ok' && !CODES.includes(outcome)) wrong.push(`${label}: ${what}: ${outcome}`);
          }
          if (process.env.SOLI_FAULTS) console.log(label, JSON.stringify(outcomes));
        } catch (error) {
          wrong.push(`${label}: ${error.message}`);
        }
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
    assert.deepEqual(wrong, []);
  });
});
