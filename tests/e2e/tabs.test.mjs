/** Several tabs that want the weights at the same time, and what becomes of the others when one is killed. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { launchChromium } from './browser.mjs';
import { PATIENCE, eventually, open, photos, resultOf, upload } from './helpers.mjs';

const WEIGHTS = '/models/soli.safetensors';
const PIECE = 1 << 20;
const weights = await readFile(new URL('../../www/models/soli.safetensors', import.meta.url));
const PIECES = Math.ceil(weights.length / PIECE);

let browser;
before(async () => {
  browser = await launchChromium();
});
after(() => browser.close());

let world;
let host;
afterEach(async () => {
  host?.openTo(weights.length);
  await world?.close();
});

/**
 * A host that lets the weights through to a certain byte and stops there, and sends chunks of many sizes.
 * `sent`: bytes of weights in all; `ranges`: what was asked for.
 */
function gate() {
  let limit = 0;
  let wake = [];
  const wait = () => new Promise((resolve) => wake.push(resolve));
  const state = {
    sent: 0,
    ranges: [],
    openTo(bytes) {
      limit = bytes;
      for (const go of wake.splice(0)) go();
    },
    async answer(body, response, request) {
      const [, from = '0', to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
      const end = to ? Number(to) + 1 : body.length;
      state.ranges.push([Number(from), end]);
      if (request.headers.range) {
        response.statusCode = 206;
        response.setHeader('content-range', `bytes ${from}-${end - 1}/${body.length}`);
      }
      response.setHeader('content-length', end - Number(from));
      response.flushHeaders();
      for (let at = Number(from), size = 10_007; at < end && !response.destroyed; size = (size * 7) % 65_521) {
        while (at >= limit && !response.destroyed) await Promise.race([wait(), new Promise((go) => response.once('close', go))]);
        const chunk = body.subarray(at, Math.min(end, at + size, limit));
        if (response.destroyed) break;
        await new Promise((resolve) => response.write(chunk, resolve));
        state.sent += chunk.length;
        at += chunk.length;
      }
      response.end();
      return null;
    },
  };
  return state;
}

/** A browser with a host, and a context whose tabs share everything. */
async function start(doctored = {}) {
  host = gate();
  world = await open({ browser, doctored: { [WEIGHTS]: host.answer, ...doctored } });
  const first = await world.page({ serviceWorkers: 'allow' });
  const context = first.context();
  const tab = async () => {
    const page = await context.newPage();
    page.on('pageerror', (error) => world.faults.push(String(error)));
    await page.goto(world.url);
    return page;
  };
  await first.close();
  return { context, tab };
}

const label = (page) => page.textContent('#progress-name');
const loadsElsewhere = (page) => page.waitForFunction(() => document.getElementById('progress-name').textContent.startsWith('Another tab is loading'));
const isReady = (page) => page.waitForSelector('#state[data-kept=yes]');
const value = (page) => page.evaluate(() => document.getElementById('progress').value);
const reaches = (page, bytes) => page.waitForFunction((bytes) => document.getElementById('progress').value >= bytes, bytes);

/** What is kept: the sizes of the pieces by their places. */
const kept = (page) =>
  page.evaluate(async () => {
    const cache = await caches.open('soli-weights');
    const sizes = {};
    for (const request of await cache.keys()) {
      sizes[new URL(request.url).searchParams.get('piece')] = (await (await cache.match(request)).blob()).size;
    }
    return sizes;
  });

const WHOLE = Object.fromEntries(
  Array.from({ length: PIECES }, (_, place) => [place, Math.min(PIECE, weights.length - place * PIECE)]),
);

/** Both without a host and with it, everything is here, undamaged, and nothing is loaded again. */
async function isKeptWhole(page) {
  assert.deepEqual(await kept(page), WHOLE);
  const { sent } = host;
  await page.reload();
  await isReady(page);
  assert.ok(await page.isHidden('#notice'), 'nothing was damaged');
  assert.equal(host.sent, sent, 'nothing is loaded again');
  assert.equal((await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])))).state, 'done');
  await world.closeServer();
  await page.goto(world.url);
  await isReady(page);
  assert.equal((await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])))).state, 'done');
  assert.deepEqual(world.faults, []);
}

/** Ends a tab's process, as a crash or a phone without memory does. */
async function kill(page, context) {
  const devtools = await context.newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  devtools.send('Page.crash').catch(() => {});
  await crashed;
}

describe('several tabs', () => {
  test('one loads, the others wait and show how far it is', async () => {
    const { tab } = await start();
    const one = await tab();
    host.openTo(2.5 * PIECE);
    await reaches(one, 2.4 * PIECE);
    const [two, three] = [await tab(), await tab()];
    for (const page of [two, three]) {
      await loadsElsewhere(page);
      await reaches(page, 2.4 * PIECE);
      assert.match(await label(page), /^Another tab is loading the captioner: 2\.\d of \d\.\d MB$/);
      assert.equal(await page.getAttribute('#result', 'data-ready'), null);
    }
    host.openTo(weights.length);
    for (const page of [one, two, three]) await isReady(page);
    assert.deepEqual(host.ranges, [[0, weights.length]], 'one download');
    assert.equal(host.sent, weights.length);
    await two.close();
    await three.close();
    await isKeptWhole(one);
  });

  const phases = {
    'before the first byte': { opened: 0, reached: 0, least: 0 },
    'in the first piece': { opened: 0.5 * PIECE, reached: 0.4 * PIECE, least: 0 },
    'between pieces': { opened: 3 * PIECE, reached: 3 * PIECE, least: 2 },
    'in the last piece': { opened: weights.length - 1000, reached: weights.length - 2000, least: PIECES - 2 },
  };
  for (const [phase, { opened, reached, least }] of Object.entries(phases)) {
    for (const [way, end] of [['closed', (page) => page.close()], ['killed', kill]]) {
      test(`the one that loads is ${way} ${phase}: another goes on from there`, async () => {
        const { context, tab } = await start();
        const one = await tab();
        await eventually(() => host.ranges.length === 1, 'the first tab asks for the weights');
        const [two, three] = [await tab(), await tab()];
        host.openTo(opened);
        if (reached > 0) for (const page of [one, two, three]) await reaches(page, reached);
        await end(one, context);
        await eventually(() => host.ranges.length === 2, 'another tab asks for the rest');
        assert.ok(host.ranges[1][0] >= least * PIECE && host.ranges[1][0] % PIECE === 0, `it goes on from ${host.ranges[1][0]}`);
        host.openTo(weights.length);
        await Promise.all([isReady(two), isReady(three)]);
        assert.equal(host.ranges.length, 2, 'the third asks for nothing');
        await three.close();
        await isKeptWhole(two);
      });
    }
  }

  test('killed when everything is here and nothing is checked: another checks it, and loads nothing', async () => {
    const { context, tab } = await start();
    // The tab that loads never gets to the end of its check.
    await context.addInitScript(() => {
      const { digest } = SubtleCrypto.prototype;
      SubtleCrypto.prototype.digest = function (...given) {
        return window.name === 'stuck' ? new Promise(() => {}) : digest.apply(this, given);
      };
    });
    const one = await context.newPage();
    await one.addInitScript(() => (window.name = 'stuck'));
    await one.goto(world.url);
    await eventually(() => host.ranges.length === 1, 'the first tab asks for the weights');
    const two = await tab();
    host.openTo(weights.length);
    await eventually(async () => Object.keys(await kept(two)).length === PIECES, 'every piece is kept');
    assert.equal(await one.getAttribute('#result', 'data-ready'), null);
    await kill(one, context);
    await isReady(two);
    assert.equal(host.ranges.length, 1);
    await isKeptWhole(two);
  });

  test('one that waits is killed: the others do not notice', async () => {
    const { context, tab } = await start();
    const one = await tab();
    await eventually(() => host.ranges.length === 1, 'the first tab asks for the weights');
    const [two, three] = [await tab(), await tab()];
    host.openTo(2 * PIECE);
    await loadsElsewhere(two);
    await kill(two, context);
    host.openTo(weights.length);
    await Promise.all([isReady(one), isReady(three)]);
    assert.deepEqual(host.ranges, [[0, weights.length]]);
    await one.close();
    await isKeptWhole(three);
  });

  test('the download breaks off: one tab says so, another goes on, and “Try again” takes what that brought', async () => {
    let broken = true;
    const { tab } = await start({
      [WEIGHTS]: async (body, response, request) => {
        if (!broken) return host.answer(body, response, request);
        broken = false;
        host.ranges.push([0, body.length]);
        response.setHeader('content-length', body.length);
        response.write(body.subarray(0, 3.2 * PIECE));
        await eventually(async () => host.two !== undefined && (await value(host.two)) > 3 * PIECE, 'the second tab is told');
        response.destroy();
        return null;
      },
    });
    const one = await tab();
    const two = (host.two = await tab());
    await one.waitForSelector('#retry:not([hidden])');
    assert.match(await one.textContent('#caption'), /broke off/);
    host.openTo(weights.length);
    await isReady(two);
    await one.click('#retry');
    await isReady(one);
    assert.deepEqual(host.ranges, [[0, weights.length], [3 * PIECE, weights.length]]);
    await two.close();
    await isKeptWhole(one);
  });

  /**
   * Runs in a tab before its code: whatever is asked of the weights' cache is held back, as Chromium does it now and then after a
   * tab died while it wrote, until that cache is deleted.
   */
  function heldBack() {
    const { open, delete: remove } = CacheStorage.prototype;
    const held = new WeakSet();
    CacheStorage.prototype.open = async function (name) {
      const cache = await open.call(this, name);
      if (name === 'soli-weights' && localStorage.held) held.add(cache);
      return cache;
    };
    CacheStorage.prototype.delete = function (name) {
      localStorage.deleted = Number(localStorage.deleted ?? 0) + 1;
      localStorage.removeItem('held');
      return remove.call(this, name);
    };
    for (const call of ['match', 'keys', 'put', 'delete']) {
      const original = Cache.prototype[call];
      Cache.prototype[call] = function (...given) {
        return held.has(this) ? new Promise(() => {}) : original.apply(this, given);
      };
    }
  }

  test('a store that is held back for good is begun anew by one tab, and the other takes what that brings', async () => {
    const { context, tab } = await start();
    host.openTo(weights.length);
    const before = await tab();
    await isReady(before);
    await before.evaluate(() => (localStorage.held = 'yes'));
    await before.close();
    await context.addInitScript(heldBack);
    const [one, two] = [await tab(), await tab()];
    await Promise.all([isReady(one), isReady(two)]);
    assert.equal(await one.evaluate(() => localStorage.deleted), '1');
    assert.equal(host.ranges.length, 2, 'loaded again, once');
    await two.close();
    await isKeptWhole(one);
  });

  test('pieces that cannot be read are loaded again, and the others are not', async () => {
    const { context, tab } = await start();
    host.openTo(weights.length);
    const before = await tab();
    await isReady(before);
    await before.close();
    await context.addInitScript(() => {
      const { match } = Cache.prototype;
      Cache.prototype.match = function (asked, ...rest) {
        if (/piece=2$/.test(asked)) return Promise.reject(new DOMException('injected', 'UnknownError'));
        return /piece=4$/.test(asked) ? new Promise(() => {}) : match.call(this, asked, ...rest);
      };
    });
    const page = await tab();
    await isReady(page);
    assert.ok(await page.isHidden('#notice'), 'the rest of the store is as good as before');
    assert.deepEqual(host.ranges.slice(1), [[2 * PIECE, 3 * PIECE], [4 * PIECE, 5 * PIECE]]);
    assert.deepEqual(world.faults, []);
  });

  test('pieces of other sizes, as an earlier version of the page wrote them, are not used', async () => {
    const { tab } = await start();
    host.openTo(weights.length);
    const page = await tab();
    await isReady(page);
    await page.evaluate(async () => {
      const cache = await caches.open('soli-weights');
      for (const request of await cache.keys()) {
        const blob = await (await cache.match(request)).blob();
        await cache.put(request, new Response(blob.slice(0, blob.size - 17)));
      }
    });
    await page.reload();
    await isReady(page);
    assert.ok(await page.isHidden('#notice'), 'nothing to be told: it is no fault of the device');
    await isKeptWhole(page);
  });

  test('a piece from the middle is missing: only that one is loaded', async () => {
    const { tab } = await start();
    host.openTo(weights.length);
    const page = await tab();
    await isReady(page);
    await page.evaluate(async () => {
      const cache = await caches.open('soli-weights');
      for (const request of await cache.keys()) if (/piece=[25]$/.test(request.url)) await cache.delete(request);
    });
    await page.reload();
    await isReady(page);
    assert.deepEqual(host.ranges.slice(1), [[2 * PIECE, 3 * PIECE], [5 * PIECE, 6 * PIECE]]);
    await isKeptWhole(page);
  });
});

describe('what waits for another tab has an end', () => {
  /** Brings the weights from a page of this site, with this patience. */
  const bring = (page, stall) =>
    page.evaluate(async (stall) => {
      const { bringWeights } = await import(new URL('weights.js', document.baseURI).href);
      const seen = [];
      const { blob, kept, notes } = await bringWeights(new URL('models/soli.json', document.baseURI), { stall, onProgress: ({ elsewhere }) => seen.push(elsewhere) });
      return { size: blob.size, kept, notes: [...notes], elsewhere: seen.includes(true) };
    }, stall);

  for (const [what, said, stall] of [
    ['does nothing', null, undefined],
    ['says no more', { progress: { loaded: 1, total: 2 } }, 4000],
  ]) {
    test(`a tab that holds the turn and ${what} is not waited for`, async () => {
      host = null;
      world = await open({ browser, doctored: {} });
      const page = await world.blank();
      const holder = await page.context().newPage();
      await holder.route('**/blank.html', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>blank</title>' }));
      await holder.goto(new URL('blank.html', world.url).href);
      await holder.evaluate((said) => {
        const channel = new BroadcastChannel('soli-weights');
        channel.onmessage = () => said && channel.postMessage(said);
        return new Promise((held) => navigator.locks.request('soli-weights', () => (held(), new Promise(() => {}))));
      }, said);
      const begun = Date.now();
      assert.deepEqual(await bring(page, stall), { size: weights.length, kept: true, notes: [], elsewhere: false });
      assert.ok(Date.now() - begun < 60_000, `after ${Date.now() - begun} ms`);
    });
  }

  for (const [name, prepare] of [
    ['without Web Locks', () => Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })],
    ['with Web Locks that are refused', () => (LockManager.prototype.request = () => Promise.reject(new DOMException('no', 'SecurityError')))],
    ['without channels between tabs', () => (window.BroadcastChannel = class { constructor() { throw new DOMException('no', 'SecurityError'); } })],
  ]) {
    test(`${name} the weights come`, async () => {
      host = null;
      world = await open({ browser, doctored: {} });
      const page = await world.blank();
      await page.evaluate(prepare);
      assert.deepEqual(await bring(page), { size: weights.length, kept: true, notes: [], elsewhere: false });
    });
  }

  for (const [phase, headers] of [['answers nothing', false], ['sends no more', true]]) {
    test(`a host that ${phase} is given up`, { timeout: PATIENCE }, async () => {
      host = null;
      world = await open({
        browser,
        doctored: {
          [WEIGHTS]: async (body, response) => {
            if (headers) response.write(body.subarray(0, 1000));
            return null;
          },
        },
      });
      const page = await world.blank();
      const kind = await page.evaluate(async () => {
        const { bringWeights } = await import(new URL('weights.js', document.baseURI).href);
        return bringWeights(new URL('models/soli.json', document.baseURI), { stall: 3000 }).catch(({ kind }) => kind);
      });
      assert.equal(kind, 'stalled');
    });
  }

  test('an abort ends it at once, in the turn and before it', async () => {
    host = null;
    world = await open({ browser, doctored: { [WEIGHTS]: () => null } });
    const page = await world.blank();
    const reasons = await page.evaluate(async () => {
      const { bringWeights } = await import(new URL('weights.js', document.baseURI).href);
      const stops = [new AbortController(), new AbortController()];
      const runs = stops.map(({ signal }) => bringWeights(new URL('models/soli.json', document.baseURI), { signal }).catch((reason) => reason));
      await new Promise((resolve) => setTimeout(resolve, 300));
      stops[1].abort('waiting');
      stops[0].abort('loading');
      return Promise.all(runs);
    });
    assert.deepEqual(reasons, ['loading', 'waiting']);
  });
});

