/** The webcam: a made-up one that shows a photograph, a refused one, and none. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listen, open, photos, resultOf, rowsOf } from './helpers.mjs';

/** A browser whose camera shows a photograph that stands still; several cameras show Chromium's moving picture. */
async function withCamera(work, { devices = 1 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'soli-camera-'));
  // Motion JPEG is nothing but JPEG files one after the other.
  const film = join(folder, 'astronaut.mjpeg');
  const frame = await readFile(photos[1]);
  await writeFile(film, Buffer.concat([frame, frame, frame]));
  const world = await open({
    args: [
      '--use-fake-ui-for-media-stream',
      `--use-fake-device-for-media-stream=device-count=${devices}`,
      ...(devices === 1 ? [`--use-file-for-fake-video-capture=${film}`] : []),
    ],
  });
  try {
    await work(world);
    assert.deepEqual(world.faults, []);
  } finally {
    await world.close();
    await rm(folder, { recursive: true });
  }
}

/** Waits for so many captions of what the camera shows. */
function liveCaptions(page, count) {
  return page.evaluate(
    (count) =>
      new Promise((resolve) => {
        let left = count;
        const observer = new MutationObserver(() => {
          if (document.getElementById('result').dataset.state !== 'done') return;
          left -= 1;
          if (left > 0) return;
          observer.disconnect();
          resolve(document.getElementById('caption').textContent);
        });
        observer.observe(document.getElementById('result'), { attributeFilter: ['data-ms'] });
      }),
    count,
  );
}

test('what the camera sees is described again and again, said once, and stopped', () =>
  withCamera(async (world) => {
    const page = await world.soli({ permissions: ['camera'] }, (page) =>
      page.addInitScript(() => {
        // Counts the frames that are read and the captions that are done: no frame may wait behind another.
        window.inWork = 0;
        window.mostInWork = 0;
        const count = (source) => {
          if (!(source instanceof HTMLVideoElement)) return;
          window.inWork += 1;
          window.mostInWork = Math.max(window.mostInWork, window.inWork);
        };
        const { drawImage } = OffscreenCanvasRenderingContext2D.prototype;
        OffscreenCanvasRenderingContext2D.prototype.drawImage = function (source, ...rest) {
          count(source);
          return drawImage.call(this, source, ...rest);
        };
        window.VideoFrame = class extends VideoFrame {
          constructor(source, ...rest) {
            super(source, ...rest);
            count(source);
          }
        };
      }),
    );
    await page.evaluate(() => {
      new MutationObserver(() => {
        window.inWork = 0;
      }).observe(document.getElementById('result'), { attributeFilter: ['data-ms'] });
    });
    const said = await listen(page);
    await page.click('#camera');
    const caption = await liveCaptions(page, 3);
    assert.ok(caption.length > 1);
    assert.equal(await page.textContent('#camera'), 'Stop the camera');
    assert.ok(await page.isHidden('#device-choice'), 'one camera is no choice');
    assert.ok(await page.isHidden('#edit'));
    assert.deepEqual(await said(), [caption], 'a picture that stands still is announced once');
    assert.equal(await page.evaluate(() => window.mostInWork), 1);

    await page.click('#camera');
    assert.ok(await page.isHidden('#viewfinder'));
    assert.equal(await page.textContent('#camera'), 'Use the camera');
    assert.equal(await page.evaluate(() => document.getElementById('viewfinder').srcObject), null);
    assert.equal(await page.getAttribute('#result', 'data-state'), 'idle');
  }));

test('a picture of the camera is kept in the list; a chosen picture ends the camera', () =>
  withCamera(async (world) => {
    const page = await world.soli({ permissions: ['camera'] });
    await page.click('#camera');
    await liveCaptions(page, 1);
    await page.click('#shoot');
    const [row] = await rowsOf(page);
    assert.equal(row.state, 'done');
    assert.ok(await page.isVisible('#viewfinder'), 'the camera stays on');
    const track = await page.evaluateHandle(() => document.getElementById('viewfinder').srcObject.getTracks()[0]);
    const chosen = await resultOf(page, async () => {
      await page.click('#samples button');
      await page.waitForSelector('#viewfinder', { state: 'hidden' });
    });
    assert.equal(chosen.state, 'done');
    assert.ok(await page.isVisible('#picture'));
    assert.equal(await track.evaluate(({ readyState }) => readyState), 'ended', 'its light is off');
  }));

test('another camera can be chosen', () =>
  withCamera(
    async (world) => {
      const page = await world.soli({ permissions: ['camera'] });
      await page.click('#camera');
      await page.waitForSelector('#device-choice:not([hidden])');
      const used = () =>
        page.evaluate(() => document.getElementById('viewfinder').srcObject?.getVideoTracks()[0].getSettings().deviceId);
      const options = await page.locator('#device option').evaluateAll((all) => all.map(({ value }) => value));
      assert.equal(options.length, 2);
      const first = await used();
      assert.equal(await page.inputValue('#device'), first);
      const other = options.find((id) => id !== first);
      await page.selectOption('#device', other);
      await page.waitForFunction(
        (id) => document.getElementById('viewfinder').srcObject?.getVideoTracks()[0].getSettings().deviceId === id,
        other,
      );
      await liveCaptions(page, 1);
    },
    { devices: 2 },
  ));

test('it goes off when the page is hidden, and says so', () =>
  withCamera(async (world) => {
    const page = await world.soli({ permissions: ['camera'] });
    await page.click('#camera');
    await liveCaptions(page, 1);
    const track = await page.evaluateHandle(() => document.getElementById('viewfinder').srcObject.getTracks()[0]);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    assert.equal(await track.evaluate(({ readyState }) => readyState), 'ended');
    assert.match(await page.textContent('#notice-text'), /switched off while this page was hidden/);
    assert.ok(await page.isHidden('#viewfinder'));
  }));

test('a camera that is lost is explained', () =>
  withCamera(async (world) => {
    const page = await world.soli({ permissions: ['camera'] });
    await page.click('#camera');
    await liveCaptions(page, 1);
    await page.evaluate(() => document.getElementById('viewfinder').srcObject.getTracks()[0].dispatchEvent(new Event('ended')));
    assert.equal(await page.getAttribute('#result', 'data-state'), 'error');
    assert.match(await page.textContent('#caption'), /camera is gone/);
    assert.equal(await page.textContent('#camera'), 'Use the camera');
  }));

test('a camera that the user denies is explained', async () => {
  const world = await open({ args: ['--use-fake-device-for-media-stream', '--deny-permission-prompts'] });
  try {
    const page = await world.soli();
    const result = await resultOf(page, () => page.click('#camera'));
    assert.match(result.shown, /may not be used/);
  } finally {
    await world.close();
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
