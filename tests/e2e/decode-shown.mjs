/** Whatever an `<img>` shows can be captioned: the tests for browsers that WebDriver drives. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { gif, png } from './bad-pictures.mjs';
import { PATIENCE, photos } from './helpers.mjs';
import { serve } from './server.mjs';

const photo = await readFile(photos[0]);
const svg = (attributes) =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${attributes}><rect width="60" height="30" fill="red"/><circle cx="50" cy="50" r="20"/></svg>`);

/**
 * The tests in a browser that WebDriver drives.
 *
 * @param {string} name of the browser
 * @param {() => Promise<{ driver: import('selenium-webdriver').WebDriver, close(): Promise<void> }>} start
 * @param {{ skip?: string }} [options]
 */
export function decodingTests(name, start, options = {}) {
  describe(`what an <img> shows in ${name}`, options, () => {
    let site;
    let browser;
    let driver;
    before(async () => {
      site = await serve({ '/blank.html': () => '<!doctype html><title>blank</title>', '/sizeless.svg': () => svg('viewBox="0 0 80 60"') });
      browser = await start();
      ({ driver } = browser);
      await driver.manage().setTimeouts({ script: PATIENCE });
      await driver.get(`${site.url}blank.html`);
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

    /** What the browser reads of a file: its size, whether it differs from what is drawn of an `<img>`, or the error. */
    const read = (type, bytes) =>
      driver.executeAsyncScript(
        (type, bytes, done) => {
          (async () => {
            const { readPixels } = await import(new URL('/pkg/source.js', location.href).href);
            const { isBlank } = await import(new URL('/pkg/blank.js', location.href).href);
            const blob = new Blob([new Uint8Array(bytes)], { type });
            const image = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
            await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
            const { data, width, height } = await readPixels(blob);
            let same = null;
            if (image.naturalWidth > 0) {
              const canvas = Object.assign(document.createElement('canvas'), { width, height });
              const context = canvas.getContext('2d');
              context.drawImage(image, 0, 0, width, height);
              const shown = context.getImageData(0, 0, width, height).data;
              same = shown.every((value, i) => Math.abs(value - data[i]) <= 1);
            }
            return { width, height, same, blank: isBlank({ data, width, height }) };
          })().then(done, (error) => done({ error: `${error?.code ?? error?.type} ${error?.message}` }));
        },
        type,
        [...bytes],
      );

    const cut = png(64, 64);
    const wrong = Buffer.from(cut);
    wrong[wrong.indexOf('IDAT') + 4 + wrong.readUInt32BE(wrong.indexOf('IDAT') - 4)] ^= 0xff;
    const files = {
      'a JPEG without its last two bytes': ['image/jpeg', photo.subarray(0, -2)],
      'nine tenths of a JPEG': ['image/jpeg', photo.subarray(0, photo.length * 0.9)],
      'a PNG without its end': ['image/png', cut.subarray(0, -12)],
      'a GIF that is cut off': ['image/gif', gif(0, 1).subarray(0, -1)],
      'a drawing': ['image/svg+xml', svg('width="80" height="60"')],
    };
    for (const [name, [type, bytes]] of Object.entries(files)) {
      test(name, async () => {
        const seen = await read(type, bytes);
        assert.equal(seen.same, true, JSON.stringify(seen));
      });
    }

    test('a PNG with a wrong check sum is read if it is shown', async () => {
      const seen = await read('image/png', wrong);
      assert.ok(seen.same === true || /^error /.test(seen.error), JSON.stringify(seen));
    });

    for (const [name, attributes, size] of [
      ['a drawing with a view box only', 'viewBox="0 0 80 60"', [80, 60]],
      ['a drawing in per cent', 'width="100%" height="100%" viewBox="0 0 80 60"', [80, 60]],
      ['a drawing without a size', '', [512, 512]],
    ]) {
      test(name, async () => {
        const seen = await read('image/svg+xml', svg(attributes));
        assert.equal(seen.blank, false, JSON.stringify(seen));
        if (seen.same === null) assert.deepEqual([seen.width, seen.height], size);
      });
    }

    test('an <img> of a drawing without a size, and a lazy one that nobody scrolls to', async () => {
      const seen = await driver.executeAsyncScript((done) => {
        (async () => {
          const { readPixels } = await import(new URL('/pkg/source.js', location.href).href);
          const { isBlank } = await import(new URL('/pkg/blank.js', location.href).href);
          document.body.innerHTML = '<img src="/sizeless.svg"><div style="height: 20000px"></div><img loading="lazy" src="/photos/cat.jpg">';
          const seen = [];
          for (const image of document.images) {
            const pixels = await readPixels(image);
            seen.push([pixels.width > 9, isBlank(pixels)]);
          }
          return seen;
        })().then(done, (error) => done(String(error)));
      });
      assert.deepEqual(seen, [[true, false], [true, false]]);
    });
  });
}
