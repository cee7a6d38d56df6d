/**
 * The browser fails under the extension's content script: each call that it makes into it throws, rejects, hangs or gives nothing
 * in turn. Then every picture comes to an end that the panel tells, and can be tried again.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';
import { PATIENCE } from './helpers.mjs';

/** Messages to the rest of the extension, by type, and calls into the page's platform. */
const CALLS = {
  'message ready': ['rejects', 'hangs', 'nothing'],
  'message caption': ['rejects', 'hangs', 'nothing', 'throws'],
  'message may-fetch': ['rejects', 'hangs', 'nothing'],
  'message capture': ['rejects', 'hangs', 'nothing'],
  'message count': ['rejects', 'hangs', 'nothing'],
  'HTMLCanvasElement.prototype.getContext': ['throws', 'nothing'],
  'HTMLCanvasElement.prototype.toBlob': ['throws', 'hangs', 'calls back with nothing'],
  'CanvasRenderingContext2D.prototype.drawImage': ['throws'],
  'CanvasRenderingContext2D.prototype.getImageData': ['throws', 'nothing'],
  'HTMLImageElement.prototype.src=': ['throws', 'hangs'],
  'FileReader.prototype.readAsDataURL': ['throws', 'hangs'],
  'Document.prototype.elementFromPoint': ['throws', 'nothing'],
};

/** Runs in the content script's world. Waiting is twenty times as quick there while something is broken. */
function install(calls) {
  const called = {};
  let [broken, way] = [null, null];
  const ways = {
    throws() {
      throw new DOMException('injected', 'UnknownError');
    },
    rejects: () => Promise.reject(new Error('injected')),
    hangs: () => new Promise(() => {}),
    nothing: () => null,
    'calls back with nothing': (callback) => setTimeout(callback, 0, null),
  };
  const wrap = (name, original) =>
    function (...given) {
      called[name] += 1;
      return broken === name ? ways[way](...given) : Reflect.apply(original, this, given);
    };
  for (const name of calls) {
    called[name] = 0;
    if (name.startsWith('message ')) continue;
    const path = name.replace(/=$/, '').split('.');
    const last = path.pop();
    const holder = path.reduce((at, step) => at[step], globalThis);
    if (name.endsWith('=')) {
      const { get, set } = Object.getOwnPropertyDescriptor(holder, last);
      Object.defineProperty(holder, last, { configurable: true, get, set: wrap(name, set) });
    } else holder[last] = wrap(name, holder[last]);
  }
  const { sendMessage } = chrome.runtime;
  chrome.runtime.sendMessage = (message) => {
    const name = `message ${message.type}`;
    if (!Object.hasOwn(called, name)) return sendMessage(message);
    called[name] += 1;
    return broken === name ? ways[way]() : sendMessage(message);
  };
  const { setInterval } = globalThis;
  globalThis.setInterval = (act, pause, ...rest) => setInterval(act, broken ? pause / 20 : pause, ...rest);
  globalThis.faults = {
    called,
    set(name, how) {
      [broken, way] = [name, how];
    },
  };
}

describe('a browser that fails under the extension', () => {
  let site;
  let chromium;
  let shots = 0;
  before(async () => {
    site = await fixtureSite();
    chromium = await openWithExtension({ panel: 'open' });
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });

  /** A page with a picture of its own and one of another host; what the panel says of both, and which calls were made. */
  async function visit(name, how, then = async () => {}) {
    const page = await chromium.context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(String(error)));
    try {
      await page.goto(`${site.origin}/plain.html?${(shots += 1)}`);
      await page.bringToFront();
      const panel = page.locator('[data-soli-panel]');
      await chromium.open(page);
      await panel.getByText('There is nothing to describe').waitFor();
      const inScript = await chromium.contentScript(page);
      await inScript(`(${install})(${JSON.stringify(Object.keys(CALLS))}); faults.set(${JSON.stringify(name)}, ${JSON.stringify(how)}); null`);
      await page.evaluate((other) => {
        document.body.innerHTML = `<img src="/photos/cat.jpg" width="200" height="150"><img src="${other}/photos/astronaut.jpg" width="200" height="150">`;
      }, site.other);
      await settled(page);
      const said = await panel.getByRole('status').textContent();
      const called = JSON.parse(await inScript('JSON.stringify(faults.called)'));
      await inScript('faults.set(null); null');
      await then(page, panel);
      assert.deepEqual(thrown, []);
      return { said, called };
    } finally {
      await page.close();
    }
  }

  /** Until both pictures are told of, and nothing is in work. */
  const settled = (page) =>
    page.waitForFunction(() => {
      const root = document.querySelector('[data-soli-panel]').shadowRoot;
      const counts = root.querySelector('[role=status]').textContent.match(/\d+/g) ?? [];
      return root.querySelector('progress').hidden && counts.reduce((sum, count) => sum + Number(count), 0) === 2;
    });

  test('when nothing is broken both are described, and every call that is broken below is made', async () => {
    const { said, called } = await visit(null, null);
    assert.match(said, /^Written: 2\.$/);
    for (const [name, times] of Object.entries(called)) assert.ok(times > 0, name);
  });

  for (const [name, ways] of Object.entries(CALLS)) {
    for (const how of ways) {
      test(`${name} ${how}`, async () => {
        const { said } = await visit(name, how, async (page, panel) => {
          for (;;) {
            const again = panel.getByRole('button', { name: 'Try again' });
            const left = await again.count();
            if (left === 0) break;
            await again.first().click();
            // Its row goes as soon as it is tried: until then the panel still looks settled.
            await page.waitForFunction((left) => {
              const buttons = document.querySelector('[data-soli-panel]').shadowRoot.querySelectorAll('button');
              return [...buttons].filter((button) => button.textContent === 'Try again').length < left;
            }, left);
            await settled(page);
          }
        });
        assert.match(said, /^Written: [012]\./);
      });
    }
  }
});
