/** axe-core on each main state of the page, light and dark. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('axe finds nothing', () => {
  let world;
  before(async () => {
    world = await open({ args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=device-count=2'] });
  });
  after(() => world.close());

  const text = { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') };
  const states = {
    'at the start': async () => {},
    'with a caption': (page) => resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0]))),
    'with a size chosen': async (page) => {
      await page.focus('#side');
      await page.keyboard.press('End');
      await page.waitForFunction((text) => ![...document.querySelectorAll('#side-captions span')].some((span) => span.textContent === text), '…');
    },
    'with an error': (page) => resultOf(page, () => page.setInputFiles('#file', text)),
    'with a list in every state': async (page) => {
      await page.setInputFiles('#file', [...(await Promise.all(photos.map((photo) => upload(photo)))), text]);
      await page.locator('#rows li:last-child').getByText('Cancel').click();
      assert.equal(await page.getAttribute('#rows li:last-child', 'data-state'), 'cancelled');
    },
    'while a caption is edited': async (page) => {
      await rowsOf(page);
      await page.locator('#rows li[data-state=done]').first().getByText('Edit').click();
    },
    'with a notice': async (page) => {
      await page.keyboard.press('Escape');
      await page.locator('#rows li[data-state=done]').first().getByText('Copy').click();
      await page.waitForSelector('#notice:not([hidden])');
    },
    'with the camera on': async (page) => {
      await page.click('#camera');
      await page.waitForSelector('#device-choice:not([hidden])');
      await page.waitForSelector('#result[data-state=done]');
    },
  };

  for (const colorScheme of ['light', 'dark']) {
    test(`in every state, ${colorScheme}`, async (t) => {
      const page = await world.soli({ colorScheme, permissions: ['camera'] });
      await page.evaluate(axe);
      for (const [name, reach] of Object.entries(states)) {
        await t.test(name, async () => {
          await reach(page);
          const { violations, passes } = await page.evaluate(() => window.axe.run());
          assert.ok(passes.length > 10, 'axe did look');
          assert.deepEqual(
            violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`),
            [],
          );
        });
      }
    });
  }
});
