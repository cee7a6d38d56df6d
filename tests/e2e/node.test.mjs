/** The package in Node itself: weights and pixels as bytes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Captioner, SoliError } from '../../pkg/index.js';
import { open } from './helpers.mjs';
import { NODE_WITHOUT_VECTORS } from './vectors.mjs';

const WEIGHTS = new URL('../../www/models/soli.safetensors', import.meta.url);
const pixels = {
  data: await readFile(new URL('../fixtures/cat_96x64.rgba', import.meta.url)),
  width: 96,
  height: 64,
};

describe('the package in Node', () => {
  let bytes;
  before(async () => {
    bytes = await readFile(WEIGHTS);
  });

  test('gives the caption that Chromium gives', async () => {
    const soli = await Captioner.load({ weights: bytes });
    const here = await soli.caption(pixels);
    assert.equal(soli.thread, 'main');
    soli.dispose();
    const world = await open();
    try {
      const page = await world.blank();
      const there = await page.evaluate(async (data) => {
        const soli = await soliModule.Captioner.load({ weights });
        return soli.caption(new ImageData(new Uint8ClampedArray(data), 96, 64));
      }, [...pixels.data]);
      assert.equal(here.text, there.text);
      assert.equal(here.score, there.score);
    } finally {
      await world.close();
    }
  });

  test('without vectors: the plain module gives the same', { skip: !NODE_WITHOUT_VECTORS }, async () => {
    const soli = await Captioner.load({ weights: bytes, warmUp: false });
    const here = await soli.caption(pixels);
    soli.dispose();
    const program = `
      import { readFile } from 'node:fs/promises';
      import { Captioner } from '../../pkg/index.js';
      import { moduleAddress } from '../../pkg/addresses.js';
      const soli = await Captioner.load({ weights: await readFile('../../www/models/soli.safetensors'), warmUp: false });
      const data = await readFile('../fixtures/cat_96x64.rgba');
      const caption = await soli.caption({ data, width: 96, height: 64 });
      const vectors = await readFile('../../pkg/wasm/soli_bg.wasm');
      console.log(JSON.stringify({ ...caption, module: moduleAddress().pathname, other: WebAssembly.validate(vectors) }));
    `;
    const args = [...NODE_WITHOUT_VECTORS, '--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(new URL('.', import.meta.url)) });
    const there = JSON.parse(stdout);
    assert.match(there.module, /soli_plain_bg\.wasm$/);
    assert.equal(there.other, false, 'this engine would refuse the usual module');
    assert.deepEqual(there.tokens, here.tokens);
    assert.ok(Math.abs(there.score - here.score) < 1e-4, `${there.score} ${here.score}`);
  });

  test('takes a file address too, and several captioners work side by side', async () => {
    const [one, two] = await Promise.all([Captioner.load({ weights: WEIGHTS }), Captioner.load({ weights: bytes })]);
    const [a, b] = await Promise.all([one.caption(pixels), two.caption(pixels)]);
    assert.deepEqual([a.text, a.score], [b.text, b.score]);
    one.dispose();
    assert.equal((await two.caption(pixels)).text, a.text, 'disposing one leaves the other');
    two.dispose();
  });

  test('Symbol.dispose', { skip: !Symbol.dispose }, async () => {
    const soli = await Captioner.load({ weights: bytes, warmUp: false });
    soli[Symbol.dispose]();
    await assert.rejects(soli.caption(pixels), { name: 'SoliError', code: 'disposed' });
  });

  test('every failure is a SoliError with a code', async () => {
    const soli = await Captioner.load({ weights: bytes, warmUp: false });
    const code = async (promise) => {
      const error = await promise.then(() => null, (error) => error);
      assert.ok(error instanceof SoliError, String(error));
      return error.code;
    };
    const half = new Uint8Array(bytes.subarray(0, bytes.length >> 1));
    assert.equal(await code(Captioner.load({ weights: new URL('no-such', WEIGHTS) })), 'fetch-failed');
    assert.equal(await code(Captioner.load({ weights: half })), 'invalid-weights');
    assert.equal(await code(soli.caption(new Blob(['GIF89a']))), 'unsupported-source');
    assert.equal(await code(soli.caption({ data: new Uint8Array(3), width: 1, height: 1 })), 'invalid-image');
    assert.equal(await code(soli.caption(pixels.data)), 'unsupported-source');
    soli.dispose();
  });

  test('aborts: before loading, before a caption, while many are made', async () => {
    await assert.rejects(Captioner.load({ weights: bytes, signal: AbortSignal.abort() }), { name: 'AbortError' });
    const soli = await Captioner.load({ weights: bytes, warmUp: false });
    await assert.rejects(soli.caption(pixels, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const stop = new AbortController();
    let done = 0;
    await assert.rejects(
      async () => {
        for await (const { caption } of soli.captionAll(Array(9).fill(pixels), { signal: stop.signal, beam: 1 })) {
          assert.ok(caption.text);
          done += 1;
          stop.abort();
        }
      },
      { name: 'AbortError' },
    );
    assert.equal(done, 1);
    soli.dispose();
  });

  test('the element’s module can be imported where there are no elements', async () => {
    const { SoliCaptionElement } = await import('../../pkg/element.js');
    assert.equal(typeof SoliCaptionElement, 'function');
  });
});
