/** axe-core on each main state of the page, light and dark. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { holdable, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

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
      await page.evaluate(() => captions.hold());
      await page.setInputFiles('#file', [...(await Promise.all(photos.map((photo) => upload(photo)))), text]);
      await page.locator('#rows li:last-child').getByText('Cancel').click();
      const states = await page.locator('#rows li').evaluateAll((rows) => rows.map(({ dataset }) => dataset.state));
      assert.deepEqual([...new Set(states)].sort(), ['cancelled', 'done', 'failed', 'waiting', 'working']);
    },
    'while a caption is edited': async (page) => {
      await page.evaluate(() => captions.release());
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

  const look = async (page) => {
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    assert.ok(passes.length > 10, 'axe did look');
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`),
      [],
    );
  };

  for (const colorScheme of ['light', 'dark']) {
    test(`while the captioner comes, and when it does not, ${colorScheme}`, async () => {
      let fail;
      const failing = new Promise((resolve) => (fail = resolve));
      const slow = await open({
        doctored: {
          '/models/soli.safetensors': async (body, response) => {
            response.setHeader('content-length', body.length);
            response.write(body.subarray(0, body.length >> 1));
            await failing;
            response.destroy();
            return null;
          },
        },
      });
      try {
        const page = await slow.page({ colorScheme });
        await page.goto(slow.url);
        await page.waitForFunction(() => document.getElementById('progress').value > 0);
        await look(page);
        fail();
        await page.waitForSelector('#retry:not([hidden])');
        await look(page);
      } finally {
        fail();
        await slow.close();
      }
    });

    test(`with a camera refused, an installation and an update offered, ${colorScheme}`, async () => {
      const page = await world.soli({ colorScheme }, (page) =>
        page.addInitScript(() => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
        }),
      );
      await resultOf(page, () => page.click('#camera'));
      await page.evaluate(async () => {
        window.dispatchEvent(new Event('beforeinstallprompt'));
        document.getElementById('notice-text').textContent = 'A new version of this page is here.';
        Object.assign(document.getElementById('notice-act'), { textContent: 'Use it', hidden: false });
        document.getElementById('notice').hidden = false;
      });
      assert.ok((await page.isVisible('#install')) && (await page.isVisible('#notice-act')));
      await look(page);
    });

    test(`in every state, ${colorScheme}`, async (t) => {
      const page = await world.soli({ colorScheme, permissions: ['camera'] }, (page) => page.addInitScript(holdable));
      for (const [name, reach] of Object.entries(states)) {
        await t.test(name, async () => {
          await reach(page);
          await look(page);
        });
      }
    });
  }
});
