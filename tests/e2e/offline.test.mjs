/** The page without a network, and the weights that are kept: damaged, interrupted, too large, replaced. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';
import { eventually, open, photos, resultOf, upload } from './helpers.mjs';
import { WITHOUT_VECTORS } from './vectors.mjs';
import { precache } from '../../xtask/page.mjs';

const WEIGHTS = '/models/soli.safetensors';
const weights = await readFile(new URL('../../www/models/soli.safetensors', import.meta.url));

let world;
afterEach(() => world?.close());

/** The page with its service worker, on a server of its own (which can be closed). */
async function visit(doctored = {}, { ready = '[data-kept=yes]', args } = {}) {
  world = await open({ doctored, args });
  const page = await world.page({ serviceWorkers: 'allow' });
  await page.goto(world.url);
  if (ready) await page.waitForSelector(`#state${ready}`);
  return page;
}

/** The requests for the weights: where each started. */
const askedForWeights = () =>
  world.asked.filter(({ url }) => url.startsWith(WEIGHTS)).map(({ headers }) => headers.range ?? 'bytes=0-');

async function reload(page) {
  await page.reload();
  await page.waitForSelector('#state[data-kept=yes]');
}

const describePhoto = (page) => resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));

/** Changes what is kept of the weights. */
const tamper = (page, change) =>
  page.evaluate(`(async () => {
    const cache = await caches.open('soli-weights');
    const keys = await cache.keys();
    await (${change})(cache, keys);
    return keys.length;
  })()`);

describe('without a network', () => {
  test('the page opens, captions, shows its samples; nothing was asked for twice', async () => {
    const page = await visit();
    const online = await describePhoto(page);
    const before = askedForWeights().length;
    await reload(page);
    assert.equal(askedForWeights().length, before, 'the weights are kept');
    assert.equal(before, 1);

    await world.closeServer();
    assert.equal(await page.evaluate(() => fetch('./no-such-file').then(() => 'answered', () => 'gone')), 'gone');
    for (const address of [world.url, `${world.url}?from=home`, `${world.url}index.html`]) {
      await page.goto(address);
      await page.waitForSelector('#state[data-kept=yes]');
    }
    const offline = await describePhoto(page);
    assert.deepEqual([offline.text, offline.score], [online.text, online.score]);
    const sample = await resultOf(page, () => page.click('#samples button'));
    assert.equal(sample.text, online.text);
    assert.deepEqual(world.faults, []);
  });

  test('the list of files names everything that the page loads', async () => {
    const page = await visit();
    await describePhoto(page);
    const { files } = JSON.parse((await precache()).slice('self.PRECACHE = '.length, -2));
    const known = new Set([...Object.keys(files).map((path) => path.slice(1)), '/sw.js', '/precache.js', WEIGHTS]);
    const asked = new Set(world.asked.map(({ url }) => url.split('?')[0]));
    assert.deepEqual([...asked].filter((path) => !known.has(path) && path !== '/favicon.ico'), []);
    const { sha256, bytes } = await page.evaluate(async () => (await fetch('./models/soli.json')).json());
    assert.equal(sha256, createHash('sha256').update(weights).digest('hex'));
    assert.equal(bytes, weights.length);
  });

  test('Chromium finds that it can be installed', async () => {
    const page = await visit();
    const devtools = await page.context().newCDPSession(page);
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    // A test's window is a private one, in which nothing can be installed whatever the page.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);
  });

  const keptModules = (page) =>
    page.evaluate(async () => {
      const [name] = (await caches.keys()).filter((name) => name.startsWith('soli-page-'));
      const kept = await (await caches.open(name)).keys();
      return kept.map(({ url }) => url.split('/').at(-1)).filter((name) => name.endsWith('.wasm'));
    });

  test('a browser keeps the module with vectors, and not the other', async () => {
    assert.deepEqual(await keptModules(await visit()), ['soli_bg.wasm']);
  });

  test('a browser without vectors keeps the plain module, and captions without a network', { skip: !WITHOUT_VECTORS }, async () => {
    const page = await visit({}, { args: WITHOUT_VECTORS });
    const online = await describePhoto(page);
    assert.equal(online.state, 'done');
    assert.deepEqual(await keptModules(page), ['soli_plain_bg.wasm']);
    assert.deepEqual([...new Set(world.asked.map(({ url }) => url).filter((url) => url.endsWith('.wasm')))], ['/pkg/wasm/soli_plain_bg.wasm']);
    await world.closeServer();
    await page.goto(world.url);
    await page.waitForSelector('#state[data-kept=yes]');
    const offline = await describePhoto(page);
    assert.deepEqual([offline.text, offline.score], [online.text, online.score]);
    assert.deepEqual(world.faults, []);
  });

  test('another version waits until it is wanted, and then comes whole', async () => {
    let version = 1;
    const mark = `/* version 2 */`;
    const page = await visit({
      '/tokens.css': (body) => (version === 1 ? body : `${mark}${body}`),
      '/precache.js': async (body) => {
        if (version === 1) return body;
        const css = await readFile(new URL('../../www/tokens.css', import.meta.url));
        const hash = (bytes) => createHash('sha256').update(bytes).digest('base64');
        return body.toString().replace(hash(css), hash(`${mark}${css}`)).replace(/"version": "\w+"/, '"version": "second"');
      },
    });
    version = 2;
    const css = () => page.evaluate(async () => (await fetch('./tokens.css')).text());
    await page.reload();
    await page.waitForSelector('#notice-act:not([hidden])');
    assert.match(await page.textContent('#notice-text'), /new version/);
    assert.ok(!(await css()).startsWith(mark), 'the old version is whole still');
    await Promise.all([page.waitForEvent('load'), page.click('#notice-act')]);
    await page.waitForSelector('#state[data-kept=yes]');
    assert.ok((await css()).startsWith(mark));
    assert.deepEqual(await page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('soli-page-'))), ['soli-page-second']);
  });

  test('what a run that died left of this version is thrown away first: a write that it began may hold its cache up for good', async () => {
    const { version } = JSON.parse(/\{[^]*\}/.exec(await precache())[0]);
    world = await open();
    const page = await world.page({ serviceWorkers: 'allow' }, (page) =>
      page.route('**/before.html', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>before</title>' })),
    );
    await page.goto(new URL('before.html', world.url).href);
    const name = `soli-page-${version}`;
    await page.evaluate(async (name) => (await caches.open(name)).put('left.js', new Response('left')), name);
    await page.goto(world.url);
    await page.waitForSelector('#state[data-kept=yes]');
    const kept = await page.evaluate(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname), name);
    assert.ok(kept.includes('/app.js'));
    assert.ok(!kept.includes('/left.js'));
  });

  test('a file that is not what the list says is not kept; the page works all the same', async () => {
    const page = await visit({ '/tokens.css': (body) => `${body}/* half uploaded */` }, { ready: ':not(:empty)' });
    assert.equal(await page.textContent('#state'), 'Works while you are online');
    assert.equal((await describePhoto(page)).state, 'done');
    const kept = () => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('soli-page-')));
    await eventually(async () => (await kept()).length === 0, 'what was fetched of it is thrown away');
  });
});

describe('the weights', () => {
  test('kept damaged: loaded again, and told', async () => {
    const page = await visit();
    const pieces = await tamper(page, async (cache, keys) => {
      const { size } = await (await cache.match(keys[2])).blob();
      await cache.put(keys[2], new Response(new Uint8Array(size)));
    });
    assert.ok(pieces > 3, `${pieces} pieces`);
    await reload(page);
    assert.deepEqual(askedForWeights(), ['bytes=0-', 'bytes=0-']);
    assert.match(await page.textContent('#notice-text'), /was damaged/);
    assert.equal((await describePhoto(page)).state, 'done');
    await reload(page);
    assert.equal(askedForWeights().length, 2, 'what is kept is good again');
  });

  test('kept, but their bytes cannot be read: loaded again, and kept anew', async () => {
    const page = await visit();
    await page.addInitScript(() => {
      const { arrayBuffer } = Blob.prototype;
      // Before its turn, and in it.
      let failing = 2;
      Blob.prototype.arrayBuffer = function () {
        if (this.size < 3_000_000 || failing === 0) return arrayBuffer.call(this);
        failing -= 1;
        return Promise.reject(new DOMException('injected', 'NotReadableError'));
      };
    });
    await reload(page);
    assert.deepEqual(askedForWeights(), ['bytes=0-', 'bytes=0-']);
    assert.match(await page.textContent('#notice-text'), /was damaged/);
    assert.equal((await describePhoto(page)).state, 'done');
  });

  test('kept in part: only the rest is loaded', async () => {
    const page = await visit();
    await tamper(page, (cache, keys) => cache.delete(keys.at(-1)));
    await reload(page);
    const [, second] = askedForWeights();
    assert.ok(Number(/^bytes=(\d+)-$/.exec(second)[1]) > weights.length / 2, second);
    assert.ok(await page.isHidden('#notice'));
    assert.equal((await describePhoto(page)).state, 'done');
  });

  for (const [name, knowsRanges] of [['a host that knows ranges: it goes on', true], ['one that does not: from the start', false]]) {
    test(`interrupted, ${name}`, async () => {
      let broken = true;
      let interrupt;
      const interrupted = new Promise((resolve) => (interrupt = resolve));
      const page = await visit(
        {
          [WEIGHTS]: async (body, response, request) => {
            if (!broken) {
              if (!knowsRanges) delete request.headers.range;
              return body;
            }
            response.setHeader('content-length', body.length);
            response.write(body.subarray(0, 3_500_000));
            await interrupted;
            response.destroy();
            return null;
          },
        },
        { ready: null },
      );
      // Each piece is kept before the next is counted.
      await page.waitForFunction(() => document.getElementById('progress').value >= 3_000_000);
      interrupt();
      await page.waitForSelector('#result[data-state=error]');
      assert.match(await page.textContent('#caption'), /could not be loaded/);
      broken = false;
      await page.click('#retry');
      await page.waitForSelector('#state[data-kept=yes]');
      const [first, second, ...more] = world.asked.filter(({ url }) => url.startsWith(WEIGHTS));
      assert.equal(first.headers.range, undefined);
      assert.deepEqual(more, []);
      if (knowsRanges) assert.ok(Number(/^bytes=(\d+)-$/.exec(second.headers.range)[1]) >= 1024 * 1024, second.headers.range);
      assert.equal((await describePhoto(page)).state, 'done');
    });
  }

  test('wrong on the host: refused, explained, and not kept', async () => {
    let wrong = true;
    const page = await visit(
      {
        [WEIGHTS]: (body) => {
          if (!wrong) return body;
          const copy = Buffer.from(body);
          copy[copy.length >> 1] ^= 1;
          return copy;
        },
      },
      { ready: null },
    );
    await page.waitForSelector('#result[data-state=error]');
    assert.match(await page.textContent('#caption'), /damaged/);
    assert.equal(await page.getAttribute('#result', 'data-ready'), null, 'they are not used');
    assert.equal(await tamper(page, () => {}), 0);
    wrong = false;
    await page.click('#retry');
    await page.waitForSelector('#state[data-kept=yes]');
  });

  test('no room for them: explained; the page works', async () => {
    world = await open({ doctored: {} });
    const page = await world.page({ serviceWorkers: 'allow' });
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: world.origin, quotaSize: 4_000_000 });
    await page.goto(world.url);
    await page.waitForSelector('#notice:not([hidden])');
    assert.match(await page.textContent('#notice-text'), /no room on this device .*7\.\d MB|no room on this device .*\d MB/);
    assert.equal(await page.textContent('#state'), 'Works while you are online');
    assert.equal((await describePhoto(page)).state, 'done');
    assert.equal(await tamper(page, () => {}), 0, 'half a file takes no room');
  });

  test('other weights replace those that are kept', async () => {
    const page = await visit();
    await tamper(page, async (cache, keys) => {
      await cache.put(keys[0].url.replace(/sha256=\w+/, 'sha256=older'), new Response('older'));
    });
    await reload(page);
    const left = () => page.evaluate(async () => (await (await caches.open('soli-weights')).keys()).map(({ url }) => url));
    await eventually(async () => !(await left()).some((url) => url.includes('older')), 'what is old is removed');
    assert.ok((await left()).length > 3);
  });

  test('a window that keeps nothing: the page works, and says so', async () => {
    world = await open({ doctored: {} });
    const page = await world.page({}, (page) =>
      page.addInitScript(() => {
        CacheStorage.prototype.open = () => Promise.reject(new DOMException('The operation is insecure.', 'SecurityError'));
      }),
    );
    await page.goto(world.url);
    await page.waitForSelector('#notice:not([hidden])');
    assert.match(await page.textContent('#notice-text'), /keeps nothing/);
    assert.equal((await describePhoto(page)).state, 'done');
  });
});
