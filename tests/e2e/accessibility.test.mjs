/** axe-core on each main state of the page, light and dark. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { open, photos, resultOf, upload } from './helpers.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('axe finds nothing', () => {
  let world;
  before(async () => {
    world = await open({ args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'] });
  });
  after(() => world.close());

  const states = {
    'at the start': async () => {},
    'with a caption': (page) => resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0]))),
    'with an error': (page) =>
      resultOf(page, () =>
        page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') }),
      ),
    'with the camera on': async (page) => {
      await page.click('#camera');
      await page.waitForSelector('#viewfinder:not([hidden])');
    },
  };

  for (const colorScheme of ['light', 'dark']) {
    for (const [name, reach] of Object.entries(states)) {
      test(`${name}, ${colorScheme}`, async () => {
        const page = await world.soli({ colorScheme, permissions: ['camera'] });
        await reach(page);
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => window.axe.run());
        assert.ok(passes.length > 10, 'axe did look');
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`),
          [],
        );
      });
    }
  }
});
