/**
 * The long run: captions of varied pictures in a page, in the extension and in Node, with the memory watched; captioners loaded
 * and disposed; crashes in mid caption, each replaced, nothing of the queue lost. Ends with 1 if anything of that fails.
 *
 *   node soak.mjs [--captions 10000] [--loads 1000] [--crashes 200] [--in page,node,extension,browser] [--pictures FOLDER]
 *
 * "browser" is the extension's page in a browser without it: what Chromium itself keeps of pictures that come and go.
 *
 * Pictures are JPEGs of the folder (the page's photographs by default), each time another part of one, at another size.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Captioner } from '../../pkg/index.js';
import { launchChromium } from './browser.mjs';
import { openWithExtension } from './extension-chromium.mjs';
import { PATIENCE, open } from './helpers.mjs';

const PHOTOS = fileURLToPath(new URL('../../www/photos/', import.meta.url));
const WEIGHTS = fileURLToPath(new URL('../../www/models/soli.safetensors', import.meta.url));
const MB = 2 ** 20;

/**
 * By how much memory may be larger in the last third of the readings than in the middle one, on average: garbage that waits to be
 * collected. A leak of a picture's pixels a caption would be more within a hundred captions.
 */
export const FLAT = { share: 0.1, megabytes: 40 };

/** Added to the generated glue: a picture 13 pixels wide asks for more memory than there can be, which traps the module. */
const TRAP = `
  const { caption } = WebCaptioner.prototype;
  WebCaptioner.prototype.caption = function (rgba, width, ...rest) {
    if (width === 13) wasm.__wbindgen_malloc(-1, 1);
    return caption.call(this, rgba, width, ...rest);
  };
`;

/** Memory of processes, bytes; Linux tells it in /proc, elsewhere it is not watched. */
function residentOf(pids) {
  let sum = 0;
  for (const pid of pids) {
    try {
      sum += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
    } catch {
      // gone, or another system
    }
  }
  return sum;
}

/** The memory of all pages and workers of a browser. */
async function memoryOf(session) {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return residentOf(processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id));
}

/** Whether readings stay where they are, once everything has been there. */
export function isFlat(readings) {
  const third = Math.floor(readings.length / 3);
  if (third === 0) return true;
  const mean = (part) => part.reduce((sum, value) => sum + value, 0) / part.length;
  const [middle, last] = [mean(readings.slice(third, 2 * third)), mean(readings.slice(-third))];
  return last <= middle + Math.max(FLAT.share * middle, FLAT.megabytes * MB);
}

const shown = (readings) => `${readings.map((value) => Math.round(value / MB)).join(' ')} MB`;

function check(report, what, holds) {
  if (!holds) report.failures.push(what);
}

/** Runs `step` for parts of `count`, and reads the memory after each. */
async function watched(count, read, step) {
  const parts = Math.min(12, count);
  const readings = [];
  for (let part = 0; part < parts; part += 1) {
    const [from, to] = [part, part + 1].map((at) => Math.round((at * count) / parts));
    await step(from, to);
    readings.push(await read());
  }
  return readings;
}

/** Captions, loads and crashes in a page. */
export async function soakPage({ captions, loads, crashes, pictures }) {
  const report = { where: 'page', failures: [] };
  const files = await Promise.all(pictures.map((path) => readFile(path)));
  const routes = Object.fromEntries(files.map((bytes, i) => [`/soak/${i}.jpg`, () => bytes]));
  const world = await open({ doctored: { ...routes, '/pkg/wasm/soli.js': (body) => `${body}\n${TRAP}` } });
  try {
    const session = await world.browser.newBrowserCDPSession();
    const page = await world.blank();
    const read = async () => {
      await page.requestGC();
      return memoryOf(session);
    };
    await page.evaluate(async (count) => {
      window.soli = await soliModule.Captioner.load({ weights });
      const blobs = await Promise.all(Array.from({ length: count }, async (_, i) => (await fetch(`soak/${i}.jpg`)).blob()));
      /** Another part of a picture, at another size, as a file, a canvas, a bitmap or pixels. */
      window.varied = async (n) => {
        const blob = blobs[n % count];
        if (n % 7 === 0) return blob;
        const whole = await createImageBitmap(blob);
        const part = 0.4 + ((n * 37) % 60) / 100;
        const [width, height] = [Math.round(whole.width * part), Math.round(whole.height * part)];
        const canvas = new OffscreenCanvas(16 + ((n * 53) % 600), 16 + ((n * 29) % 500));
        const context = canvas.getContext('2d');
        context.drawImage(whole, ((n * 13) % 10) / 10 * (whole.width - width), 0, width, height, 0, 0, canvas.width, canvas.height);
        whole.close();
        if (n % 4 === 0) return canvas.convertToBlob({ type: 'image/jpeg' });
        if (n % 4 === 1) return canvas;
        return n % 4 === 2 ? createImageBitmap(canvas) : context.getImageData(0, 0, canvas.width, canvas.height);
      };
    }, files.length);
    report.captions = await watched(captions, read, async (from, to) => {
      const empty = await page.evaluate(async ([from, to]) => {
        let empty = 0;
        for (let n = from; n < to; n += 1) {
          const source = await varied(n);
          const { text } = await soli.caption(source);
          source.close?.();
          if (!text) empty += 1;
        }
        return empty;
      }, [from, to]);
      check(report, `${empty} captions without words`, empty === 0);
    });
    check(report, 'memory grows with captions', isFlat(report.captions));

    report.loads = await watched(loads, read, (from, to) =>
      page.evaluate(async ([from, to]) => {
        for (let n = from; n < to; n += 1) {
          const one = await soliModule.Captioner.load({ weights, warmUp: n % 3 === 0 });
          if (n % 5 === 0) await one.caption({ data: new Uint8Array(4 * 64 * 64), width: 64, height: 64 });
          one.dispose();
        }
      }, [from, to]),
    );
    check(report, 'memory grows with captioners', isFlat(report.loads));

    const { lost, crashed, thread } = await page.evaluate(async (crashes) => {
      const pixels = (width) => ({ data: new Uint8Array(4 * width * 40).fill(200), width, height: 40 });
      const expected = (await soli.caption(pixels(40))).text;
      let [lost, crashed] = [0, 0];
      for (let n = 0; n < crashes; n += 1) {
        // A crash with others behind it in the queue, which get their captions all the same.
        const calls = [soli.caption(pixels(13)), soli.caption(pixels(40)), soli.caption(pixels(40))];
        const [crash, ...others] = await Promise.allSettled(calls);
        if (crash.reason?.code === 'crashed') crashed += 1;
        lost += others.filter(({ value }) => value?.text !== expected).length;
      }
      return { lost, crashed, thread: soli.thread };
    }, crashes);
    report.crashes = { injected: crashes, crashed, lost, memory: await read() };
    check(report, `${crashed} of ${crashes} crashes were told`, crashed === crashes);
    check(report, `${lost} captions were lost after crashes`, lost === 0);
    check(report, 'it has left its worker', crashes === 0 || thread === 'worker');
    check(report, 'workers are left', page.workers().length === 1);
    check(report, `the page threw ${world.faults.join('; ')}`, world.faults.length === 0);
  } finally {
    await world.close();
  }
  return report;
}

/** Captions, loads and crashes in Node. */
export async function soakNode({ captions, loads }) {
  const report = { where: 'Node', failures: [] };
  const pixels = await readFile(new URL('../fixtures/cat_96x64.rgba', import.meta.url));
  const weights = await readFile(WEIGHTS);
  const varied = (n) => {
    // Another part of the photograph.
    const [width, height] = [24 + (n % 72), 16 + ((n * 7) % 48)];
    const data = new Uint8Array(4 * width * height);
    for (let y = 0; y < height; y += 1) data.set(pixels.subarray(4 * 96 * y, 4 * (96 * y + width)), 4 * width * y);
    return { data, width, height };
  };
  // Blobs of 8 MB lie outside of the heap: nothing presses Node to collect them.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const read = async () => {
    for (let i = 0; i < 2; i += 1) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return process.memoryUsage().rss;
  };
  const soli = await Captioner.load({ weights });
  report.captions = await watched(captions, read, async (from, to) => {
    for (let n = from; n < to; n += 1) check(report, `caption ${n} has no words`, (await soli.caption(varied(n))).text);
  });
  check(report, 'memory grows with captions', isFlat(report.captions));
  soli.dispose();
  report.loads = await watched(loads, read, async (from, to) => {
    for (let n = from; n < to; n += 1) {
      const one = await Captioner.load({ weights, warmUp: false });
      if (n % 5 === 0) await one.caption(varied(n));
      one.dispose();
    }
  });
  check(report, 'memory grows with captioners', isFlat(report.loads));
  return report;
}

/** What the extension's panel says of the pictures on the page, in its list. Runs in the page. */
function told() {
  const rows = [...document.querySelector('[data-soli-panel]').shadowRoot.querySelectorAll('.list > li')];
  const has = (row, name) => [...row.querySelectorAll('button')].some((button) => button.textContent === name);
  return {
    written: document.querySelectorAll('[data-soli]').length,
    failed: rows.filter((row) => has(row, 'Try again')).map((row) => row.querySelector('.words').textContent),
  };
}

/** A site whose page is empty, with pictures to fill it with. */
async function soakSite(pictures) {
  const files = await Promise.all(pictures.map((path) => readFile(path)));
  const routes = Object.fromEntries(files.map((bytes, i) => [`/soak/${i}.jpg`, () => bytes]));
  const { serve } = await import('./server.mjs');
  return serve({ ...routes, '/page.html': () => '<!doctype html><html lang="en"><title>soak</title><body>' });
}

/** Shows `count` pictures of so many files, from the one with the number `from` on. Runs in the page. */
function show([from, count, files]) {
  document.body.replaceChildren(
    ...Array.from({ length: count }, (_, i) => {
      const n = from + i;
      const image = Object.assign(new Image(), { src: `soak/${n % files}.jpg?${n % 400}` });
      image.style.cssText = `width: ${60 + (n % 100)}px; height: ${60 + (n % 80)}px`;
      return image;
    }),
  );
}

/** The same pictures on the same page without the extension, each shown for a fifth of a second. */
export async function soakBrowser({ captions, pictures }) {
  const report = { where: 'browser without the extension', failures: [] };
  const site = await soakSite(pictures);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}page.html`);
    const session = await browser.newBrowserCDPSession();
    const read = async () => {
      await page.requestGC();
      return memoryOf(session);
    };
    report.captions = await watched(captions, read, async (from, to) => {
      for (let at = from; at < to; at += 20) {
        await page.evaluate(() => document.body.replaceChildren());
        await page.evaluate(show, [at, Math.min(20, to - at), pictures.length]);
        await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode())));
        await page.waitForTimeout(200);
      }
    });
  } finally {
    await browser.close();
    await site.close();
  }
  return report;
}

/** Captions in the extension: pictures come and go on one page. */
export async function soakExtension({ captions, pictures }) {
  const report = { where: 'extension', written: 0, failures: [] };
  const site = await soakSite(pictures);
  const chromium = await openWithExtension({ panel: 'open' });
  try {
    const page = await chromium.context.newPage();
    await page.goto(`${site.url}page.html`);
    await page.bringToFront();
    await chromium.open(page);
    /** Until so many pictures are listed, and nothing is in work or waits. */
    const listed = (count) =>
      page.waitForFunction(
        (count) => {
          const root = document.querySelector('[data-soli-panel]')?.shadowRoot;
          return root?.querySelector('progress').hidden && root.querySelectorAll('.list > li').length === count;
        },
        count,
        { timeout: PATIENCE },
      );
    const read = async () => {
      await page.requestGC();
      return memoryOf(chromium.session);
    };
    report.captions = await watched(captions, read, async (from, to) => {
      for (let at = from; at < to; at += 20) {
        const count = Math.min(20, to - at);
        await page.evaluate(() => document.body.replaceChildren());
        await listed(0);
        await page.evaluate(show, [at, count, pictures.length]);
        // Each picture comes to be listed, but not each gets a text: of one that it is too unsure of the extension says so only.
        await listed(count);
        const { written, failed } = await page.evaluate(told);
        report.written += written;
        check(report, `${failed.length} pictures failed: ${failed[0]}`, failed.length === 0);
      }
    });
    check(report, 'no text was written', report.written > 0);
    check(report, 'memory grows with captions', isFlat(report.captions));
  } finally {
    await chromium.close();
    await site.close();
  }
  return report;
}

function print({ where, failures, captions, loads, crashes, written }, seconds) {
  console.log(`${where}, ${Math.round(seconds)} s`);
  if (captions?.length) console.log(`  memory along the captions: ${shown(captions)}`);
  if (written !== undefined) console.log(`  texts written: ${written}; of the other pictures the panel said that soli is not sure enough`);
  if (loads?.length) console.log(`  along load and dispose:    ${shown(loads)}`);
  if (crashes?.injected) console.log(`  crashes: ${crashes.injected} injected, ${crashes.crashed} told, ${crashes.lost} captions lost; ${shown([crashes.memory])} then`);
  console.log(`  ${failures.length === 0 ? 'passed' : `FAILED: ${[...new Set(failures)].join('; ')}`}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      captions: { type: 'string', default: '10000' },
      loads: { type: 'string', default: '1000' },
      crashes: { type: 'string', default: '200' },
      in: { type: 'string', default: 'page,node,extension' },
      pictures: { type: 'string', default: PHOTOS },
    },
  });
  const pictures = readdirSync(values.pictures).filter((name) => /\.jpe?g$/i.test(name)).sort().slice(0, 200).map((name) => join(values.pictures, name));
  const counts = Object.fromEntries(['captions', 'loads', 'crashes'].map((name) => [name, Number(values[name])]));
  const places = { page: soakPage, node: soakNode, extension: soakExtension, browser: soakBrowser };
  let failed = false;
  for (const place of values.in.split(',')) {
    if (!Object.hasOwn(places, place)) throw new Error(`--in takes ${Object.keys(places).join(', ')}`);
    const start = performance.now();
    const report = await places[place]({ ...counts, pictures });
    print(report, (performance.now() - start) / 1000);
    failed ||= report.failures.length > 0;
  }
  console.log(`${counts.captions} captions and ${counts.loads} loads each, ${counts.crashes} crashes, ${pictures.length} pictures`);
  process.exitCode = failed ? 1 : 0;
}
