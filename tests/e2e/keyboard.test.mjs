/** A visit without a mouse and without a network: everything that the page can do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { open, photos, rowsOf, upload } from './helpers.mjs';

test('with the keyboard alone and the network off, everything is reached and works', async () => {
  const world = await open({
    doctored: {},
    args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
  });
  try {
    const page = await world.page(
      { serviceWorkers: 'allow', permissions: ['camera', 'clipboard-read', 'clipboard-write'], acceptDownloads: true },
      // A container has no voices: what would be spoken is written down.
      (page) =>
        page.addInitScript(() => {
          window.spoken = [];
          Object.defineProperty(window, 'speechSynthesis', { value: { speak: ({ text }) => window.spoken.push(text), cancel() {} } });
        }),
    );
    await page.goto(world.url);
    await page.waitForSelector('#state[data-kept=yes]');
    await world.closeServer();
    await page.goto(world.url);
    await page.waitForSelector('#result[data-ready]');

    /** Presses Tab until the control of this name has the focus, and sees to it that the focus shows. */
    async function tabTo(name) {
      for (let step = 0; step < 80; step += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const { activeElement } = document;
          const shown = activeElement.id === 'file' ? activeElement.nextElementSibling : activeElement;
          const label = activeElement.getAttribute('aria-label') ?? activeElement.labels?.[0]?.textContent ?? activeElement.textContent;
          return { name: label || activeElement.querySelector('img')?.alt, outline: getComputedStyle(shown).outlineStyle, body: activeElement === document.body };
        });
        if (!at.body) assert.equal(at.outline, 'solid', `the focus on "${at.name}" is seen`);
        if (at.name === name) return;
      }
      assert.fail(`"${name}" is not reached by Tab`);
    }
    const press = async (name, key = 'Enter') => {
      await tabTo(name);
      await page.keyboard.press(key);
    };

    const chooser = page.waitForEvent('filechooser');
    await press('Choose pictures');
    await (await chooser).setFiles([
      ...(await Promise.all(photos.map((photo) => upload(photo)))),
      { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') },
    ]);
    assert.deepEqual((await rowsOf(page)).map(({ state }) => state), ['done', 'done', 'done', 'failed']);

    await press('Read aloud');
    assert.deepEqual(await page.evaluate(() => window.spoken), [await page.textContent('#caption')]);
    await press('Copy');
    await page.waitForFunction(() => document.getElementById('notice-text').textContent === 'Copied.');
    await press('Edit');
    await page.keyboard.type('Chelsea');
    await page.keyboard.press('Enter');
    assert.equal(await page.textContent('#caption'), 'Chelsea');

    await tabTo('How small may it be?');
    await page.keyboard.press('End');
    await page.waitForFunction(() => [...document.querySelectorAll('#side-captions span')].every(({ textContent }) => textContent !== '…'));
    assert.ok(await page.isVisible('#seen'));

    await press('Show coffee.jpg', 'Space');
    assert.equal(await page.textContent('#caption'), (await rowsOf(page))[2].caption);
    await press('Try again: notes.jpg');
    await rowsOf(page);
    await press('Remove notes.jpg');
    assert.equal(await page.locator('#rows li').count(), 3);
    await press('Copy all');
    await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('cat.jpg: Chelsea\n'));
    const download = page.waitForEvent('download');
    await press('Export JSON');
    assert.equal(JSON.parse(await readFile(await (await download).path(), 'utf8')).length, 3);

    await press('Use the camera', 'Space');
    await page.waitForFunction(() => !document.getElementById('viewfinder').hidden && document.getElementById('result').dataset.state === 'done');
    await press('Keep this picture');
    await page.waitForSelector('#rows li:nth-child(4)[data-state=done]');
    await press('Stop the camera');
    await page.waitForSelector('#viewfinder', { state: 'hidden' });
    await press('Sample: an astronaut');
    await page.waitForSelector('#rows li:nth-child(5)[data-state=done]');
    await press('Remove all');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'file');
    assert.deepEqual(world.faults, []);
  } finally {
    await world.browser.close();
  }
});
