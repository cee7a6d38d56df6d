/** The webcam: a made-up one that shows a photograph, a refused one, and none. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open, photos, resultOf } from './helpers.mjs';

test('the camera is shown, described, stopped', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'soli-camera-'));
  // Motion JPEG is nothing but JPEG files one after the other.
  const film = join(folder, 'astronaut.mjpeg');
  const frame = await readFile(photos[1]);
  await writeFile(film, Buffer.concat([frame, frame, frame]));
  const world = await open({
    args: [
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-video-capture=${film}`,
    ],
  });
  try {
    const page = await world.soli({ permissions: ['camera'] });
    await page.click('#camera');
    await page.waitForSelector('#viewfinder:not([hidden])');
    await page.waitForFunction(() => document.getElementById('viewfinder').readyState >= 2);
    assert.equal(await page.textContent('#camera'), 'Stop the camera');

    const result = await resultOf(page, () => page.click('#shoot'));
    assert.equal(result.state, 'done');
    assert.ok(result.text.length > 0);
    assert.ok(await page.isVisible('#viewfinder'), 'the camera stays on');

    await page.click('#camera');
    assert.ok(await page.isHidden('#viewfinder'));
    assert.ok(await page.isHidden('#shoot'));
    assert.equal(await page.textContent('#camera'), 'Use the camera');
    assert.equal(await page.evaluate(() => document.getElementById('viewfinder').srcObject), null);

    // A chosen picture ends the camera.
    await page.click('#camera');
    await page.waitForSelector('#viewfinder:not([hidden])');
    await resultOf(page, () => page.click('#samples button'));
    assert.ok(await page.isHidden('#viewfinder'));
    assert.ok(await page.isVisible('#picture'));
    assert.deepEqual(world.faults, []);
  } finally {
    await world.close();
    await rm(folder, { recursive: true });
  }
});

const refusals = [
  ['NotAllowedError', /may not be used/],
  ['NotFoundError', /No camera was found/],
  ['NotReadableError', /another program uses it/],
];
for (const [name, wording] of refusals) {
  test(`a camera that answers ${name} is explained`, async () => {
    const world = await open();
    try {
      const page = await world.soli({}, (page) =>
        page.addInitScript((name) => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name));
        }, name),
      );
      const result = await resultOf(page, () => page.click('#camera'));
      assert.equal(result.state, 'error');
      assert.match(result.shown, wording);
      const next = await resultOf(page, () => page.click('#samples button'));
      assert.equal(next.state, 'done');
    } finally {
      await world.close();
    }
  });
}
