/**
 * The browser fails under the page: each call that the page makes into it throws, rejects, hangs or gives null in turn, from the
 * first moment on. Then the page says something about every picture within an end, nothing is thrown into the void, and as soon as
 * the fault is gone "Try again" or the next picture brings a caption.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { open, photos, upload } from './helpers.mjs';
import { installFaults } from './platform.mjs';

const ASYNC = ['throws', 'rejects', 'hangs', 'null'];
const CALLS = {
  fetch: ASYNC,
  'Response.prototype.json': ASYNC,
  'Response.prototype.blob': ASYNC,
  'ReadableStreamDefaultReader.prototype.read': ASYNC,
  'CacheStorage.prototype.open': ASYNC,
  'Cache.prototype.match': ASYNC,
  'Cache.prototype.put': ASYNC,
  'Cache.prototype.keys': ASYNC,
  'Cache.prototype.delete': ASYNC,
  'LockManager.prototype.request': ASYNC,
  'SubtleCrypto.prototype.digest': ASYNC,
  'Blob.prototype.arrayBuffer': ASYNC,
  'BroadcastChannel.prototype.postMessage': ['throws'],
  BroadcastChannel: ['throws'],
  createImageBitmap: ASYNC,
  Worker: ['throws', 'hangs'],
  'Worker.prototype.postMessage': ['throws', 'hangs'],
};

/** Runs in the page before its own code. Waiting is twelve times as quick while something is broken. */
function breakOne([name, how]) {
  const globals = globalThis;
  if (name) globals.faults.set(name, how);
  globals.whole = () => {
    globals.faults.set(null);
    globals.mended = true;
  };
  for (const timer of ['setTimeout', 'setInterval']) {
    const original = globals[timer];
    globals[timer] = (act, pause, ...rest) => original(act, name && !globals.mended && pause >= 500 ? pause / 12 : pause, ...rest);
  }
}

describe('a browser that fails under the page', { concurrency: 4 }, () => {
  let world;
  let photo;
  before(async () => {
    world = await open();
    photo = await upload(photos[0]);
  });
  after(() => world.close());

  /** A page on which a call is broken while it opens and is given a picture, and what it says; then it is mended. */
  async function visit(name, how, { kept = false } = {}) {
    const page = await world.page();
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(String(error)));
    try {
      if (kept) {
        await page.goto(world.url);
        await page.waitForSelector('#result[data-ready]');
      }
      await page.addInitScript(`(${installFaults})(${JSON.stringify(Object.keys(CALLS))}); (${breakOne})(${JSON.stringify([name, how])});`);
      await page.goto(world.url);
      await page.locator('#file').setInputFiles(photo);
      const ended = () => page.waitForSelector('#result:is([data-state=done], [data-state=error])');
      await ended();
      const first = await page.evaluate(() => [document.getElementById('result').dataset.state, document.getElementById('caption').textContent]);
      const called = await page.evaluate(() => ({ ...window.faults.called }));
      await page.evaluate(() => window.whole());
      if (await page.isVisible('#retry')) await page.click('#retry');
      else await page.locator('#file').setInputFiles({ ...photo, name: 'again.jpg' });
      await page.waitForSelector('#result[data-state=done]');
      const second = await page.textContent('#caption');
      assert.deepEqual(thrown, []);
      return { first, second, called };
    } finally {
      await page.context().close();
    }
  }

  test('when nothing is broken there is a caption, and every call that is broken below is made', async () => {
    const fresh = await visit(null, null);
    const again = await visit(null, null, { kept: true });
    for (const { first } of [fresh, again]) assert.equal(first[0], 'done', first[1]);
    // Only what another version left behind is deleted.
    const rare = ['Cache.prototype.delete'];
    for (const name of Object.keys(CALLS)) {
      assert.ok(fresh.called[name] + again.called[name] > 0 || rare.includes(name), `${name} is called`);
    }
  });

  for (const [name, ways] of Object.entries(CALLS)) {
    for (const how of ways) {
      for (const kept of name.startsWith('Cache') || name.startsWith('Lock') || name.startsWith('Subtle') ? [false, true] : [false]) {
        test(`${name} ${how}${kept ? ', with weights that are kept' : ''}`, async () => {
          const { first, second } = await visit(name, how, { kept });
          assert.ok(first[1].length > 3, 'something is said');
          assert.ok(second.length > 3);
          // Without a place to keep them, and without a hash or a turn, the weights come all the same.
          if (/^(Cache|LockManager|SubtleCrypto|BroadcastChannel)/.test(name)) assert.equal(first[0], 'done', first[1]);
        });
      }
    }
  }
});
