/** The package where its surroundings are unusual: other realms, trusted types, sandboxed frames, moved files, no canvas. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { launchChromium } from './browser.mjs';
import { PATIENCE, photos } from './helpers.mjs';
import { serve } from './server.mjs';

const photo = await readFile(photos[0]);

/** Runs in a page of the server: what loading and captioning come to. */
async function use(options = {}) {
  const { Captioner, SoliError } = await import(new URL('/pkg/index.js', location.href).href);
  const named = (error) => ({ code: error instanceof SoliError ? error.code : error.name, message: error.message });
  try {
    const soli = await Captioner.load({ weights: new URL('/models/soli.safetensors', location.href), ...options });
    const { text } = await soli.caption(new URL('/photos/cat.jpg', location.href));
    const { thread } = soli;
    soli.dispose();
    return { text, thread };
  } catch (error) {
    return named(error);
  }
}

describe('unusual surroundings', () => {
  let browser;
  let expected;
  before(async () => {
    browser = await launchChromium();
    expected = await visit({}, (page) => page.evaluate(use));
    assert.equal(expected.thread, 'worker', JSON.stringify(expected));
  });
  after(() => browser.close());

  /** Opens an empty page of a server, and gives what `work` does; no page may throw. */
  async function visit({ doctored = {}, headers = {}, prepare = async () => {}, faults = [] }, work) {
    const site = await serve({ '/blank.html': () => '<!doctype html><title>blank</title>', ...doctored }, { headers });
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => faults.push(String(error)));
    try {
      await prepare(page);
      await page.goto(`${site.url}blank.html`);
      const result = await work(page, site);
      assert.deepEqual(faults, [], 'a page threw');
      return result;
    } finally {
      await page.close();
      await site.close();
    }
  }

  describe('trusted types', () => {
    const cases = {
      "require-trusted-types-for 'script'": 'worker',
      "require-trusted-types-for 'script'; trusted-types soli": 'worker',
      "require-trusted-types-for 'script'; trusted-types another": 'main',
      "require-trusted-types-for 'script'; trusted-types 'none'": 'main',
    };
    for (const [policy, thread] of Object.entries(cases)) {
      test(`${policy}: on the thread ${thread}`, async () => {
        const said = await visit({ headers: { 'content-security-policy': policy } }, (page) => page.evaluate(use));
        assert.deepEqual(said, { ...expected, thread });
      });
    }

    test('the page’s own trusted address of the worker is taken', async () => {
      const headers = { 'content-security-policy': "require-trusted-types-for 'script'; trusted-types mine" };
      const thread = await visit({ headers }, (page) =>
        page.evaluate(async () => {
          const { Captioner } = await import(new URL('/pkg/index.js', location.href).href);
          const workerUrl = trustedTypes.createPolicy('mine', { createScriptURL: (url) => url }).createScriptURL('/pkg/worker.js');
          return (await Captioner.load({ weights: '/models/soli.safetensors', workerUrl })).thread;
        }),
      );
      assert.equal(thread, 'worker');
    });
  });

  test('a sandboxed frame: on its own thread, and nothing is thrown beside', async () => {
    const said = await visit({ headers: { 'access-control-allow-origin': '*' } }, async (page, site) => {
      const frame = await page.evaluateHandle(async () => {
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        frame.src = '/blank.html';
        const there = new Promise((resolve) => (frame.onload = resolve));
        document.body.append(frame);
        await there;
        return frame;
      });
      const inside = await frame.contentFrame();
      assert.equal(await inside.evaluate(() => self.origin), 'null');
      const said = await inside.evaluate(use);
      const alt = await inside.evaluate(async (address) => {
        await import(new URL('/pkg/element.js', location.href).href);
        document.body.innerHTML = `<soli-caption weights="${address}models/soli.safetensors"><img crossorigin src="${address}photos/cat.jpg" width="200" height="150"></soli-caption>`;
        return new Promise((resolve) => {
          document.addEventListener('soli-caption', ({ detail }) => resolve(detail.alt));
          document.addEventListener('soli-error', ({ detail }) => resolve(detail.error.message));
        });
      }, site.url);
      assert.match(alt, /^(May show: |[A-Z]).+\.$/);
      return said;
    });
    assert.deepEqual(said, { ...expected, thread: 'main' });
  });

  test('what comes from another realm is taken as one’s own', async () => {
    const seen = await visit({}, (page) =>
      page.evaluate(async (bytes) => {
        const { Captioner } = await import(new URL('/pkg/index.js', location.href).href);
        const frame = document.body.appendChild(document.createElement('iframe'));
        const other = frame.contentWindow;
        const address = new URL('/models/soli.safetensors', location.href).href;
        const buffer = async () => (await other.fetch(address)).arrayBuffer();
        const weights = {
          buffer,
          bytes: async () => new other.Uint8Array(await buffer()),
          view: async () => new other.DataView(await buffer()),
          blob: async () => new other.Blob([await buffer()]),
          file: async () => new other.File([await buffer()], 'soli.safetensors'),
          response: () => other.fetch(address),
          url: () => new other.URL(address),
          promise: () => new other.Promise((resolve) => resolve(address)),
        };
        const seen = {};
        for (const [name, make] of Object.entries(weights)) {
          const failed = (error) => String(error.message);
          seen[name] = await Captioner.load({ weights: make(), warmUp: false }).then((soli) => soli.dispose() ?? 'ok', failed);
        }
        const soli = await Captioner.load({ weights: address });
        const photo = new other.Blob([new other.Uint8Array(bytes)], { type: 'image/jpeg' });
        const bitmap = await other.createImageBitmap(photo);
        const canvas = Object.assign(other.document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
        canvas.getContext('2d').drawImage(bitmap, 0, 0);
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const image = Object.assign(new other.Image(), { src: URL.createObjectURL(photo) });
        const sources = {
          photo, bitmap, canvas, data, image,
          plain: Object.assign(new other.Object(), { data: data.data, width: data.width, height: data.height }),
          bare: new other.Uint8Array(data.data.buffer),
          address: new other.URL('/photos/cat.jpg', location.href),
          frame: new other.VideoFrame(canvas, { timestamp: 0 }),
        };
        sources.bare = { data: sources.bare, width: data.width, height: data.height };
        for (const [name, source] of Object.entries(sources)) {
          seen[name] = await soli.caption(source).then(({ text }) => text, (error) => error.message);
        }
        const stop = new other.AbortController();
        stop.abort();
        seen.signal = await soli.caption(photo, { signal: stop.signal }).then(() => 'captioned', (error) => error.name);
        return seen;
      }, [...photo]),
    );
    const { text } = expected;
    const captions = Object.fromEntries(['photo', 'bitmap', 'canvas', 'data', 'image', 'plain', 'bare', 'address', 'frame'].map((name) => [name, text]));
    const loads = Object.fromEntries(['buffer', 'bytes', 'view', 'blob', 'file', 'response', 'url', 'promise'].map((name) => [name, 'ok']));
    assert.deepEqual(seen, { ...loads, ...captions, signal: 'AbortError' });
  });

  describe('no canvas to read with', () => {
    const read = async () => {
      const { Captioner, SoliError } = await import(new URL('/pkg/index.js', location.href).href);
      const soli = await Captioner.load({ weights: '/models/soli.safetensors' });
      const error = await soli.caption('/photos/cat.jpg').then(({ text }) => ({ text }), (error) => error);
      return { typed: error instanceof SoliError, code: error.code, message: error.message, text: error.text };
    };
    test('of one kind: the other is used', async () => {
      for (const prepare of [
        (page) => page.addInitScript(() => { OffscreenCanvas.prototype.getContext = () => null; }),
        (page) => page.addInitScript(() => delete window.OffscreenCanvas),
        (page) => page.addInitScript(() => { HTMLCanvasElement.prototype.getContext = () => null; }),
      ]) {
        assert.equal((await visit({ prepare }, (page) => page.evaluate(read))).text, expected.text);
      }
    });
    test('of any kind: unsupported-source, and what to do', async () => {
      const prepare = (page) =>
        page.addInitScript(() => {
          OffscreenCanvas.prototype.getContext = () => null;
          HTMLCanvasElement.prototype.getContext = () => null;
        });
      const { typed, code, message } = await visit({ prepare }, (page) => page.evaluate(read));
      assert.deepEqual([typed, code], [true, 'unsupported-source']);
      assert.match(message, /hand over \{ data, width, height \}/);
    });
  });

  describe('a module that is not where it should be', () => {
    const page404 = { '/pkg/wasm/soli_bg.wasm': (_, response) => (response.writeHead(404).end(), null) };
    const startPage = { '/pkg/wasm/soli_bg.wasm': (_, response) => (response.setHeader('content-type', 'text/html'), '<!doctype html><title>app</title>') };
    const untyped = { '/pkg/wasm/soli_bg.wasm': (_, response) => (response.setHeader('content-type', 'application/wasm'), '<!doctype html><title>app</title>') };
    for (const [name, doctored] of Object.entries({ 'status 404': page404, 'a start page': startPage, 'words called WebAssembly': untyped })) {
      test(`${name}: wasm-failed, and the message names the setting`, async () => {
        const { code, message } = await visit({ doctored }, (page) => page.evaluate(use));
        assert.equal(code, 'wasm-failed');
        assert.match(message, /soli_bg\.wasm/);
        assert.match(message, /optimizeDeps: \{ exclude: \['soli-captioner'\] \}/);
        assert.match(message, /workerUrl.*wasmUrl/);
      });
    }
  });

  describe('addresses that the caller gives', () => {
    /** The package's code as one file, and its own files elsewhere. */
    const elsewhere = Object.fromEntries(
      ['worker.js', 'wasm/soli_bg.wasm'].map((name) => [`/pkg/${name}`, (_, response) => (response.writeHead(404).end(), null)]),
    );
    const files = async (path, response, type) => {
      response.setHeader('content-type', type);
      return readFile(new URL(`../../pkg/${path}`, import.meta.url));
    };
    const copies = {
      '/copy/wasm/soli_bg.wasm': (_, response) => files('wasm/soli_bg.wasm', response, 'application/wasm'),
      ...Object.fromEntries(
        ['worker', 'decode', 'engine', 'errors', 'source', 'abortable', 'blank', 'canvas', 'outside', 'kinds', 'addresses', 'download',
          'local-file', 'instructions', 'wasm/soli'].map((name) => [`/copy/${name}.js`, (_, response) => files(`${name}.js`, response, 'text/javascript')]),
      ),
    };
    const doctored = { ...elsewhere, ...copies };

    test('the worker’s and the module’s are used, relative to the page', async () => {
      for (const options of [
        { workerUrl: '/copy/worker.js' },
        { workerUrl: 'copy/worker.js', wasmUrl: 'copy/wasm/soli_bg.wasm' },
        { workerUrl: '/copy/worker.js', wasmUrl: '/copy/wasm/' },
      ]) {
        assert.deepEqual(await visit({ doctored }, (page) => page.evaluate(use, options)), expected, JSON.stringify(options));
      }
      const alone = await visit({ doctored }, (page) => page.evaluate(use, { wasmUrl: '/copy/wasm/' }));
      assert.deepEqual(alone, { ...expected, thread: 'main' });
    });

    test('one that is none: invalid-options', async () => {
      for (const options of [{ workerUrl: 'http://' }, { wasmUrl: 'http://' }, { timeout: 0 }, { timeout: Infinity }, { signal: {} }, { onProgress: 5 }]) {
        const { code } = await visit({}, (page) => page.evaluate(use, options));
        assert.equal(code, 'invalid-options', JSON.stringify(options));
      }
    });
  });
});
