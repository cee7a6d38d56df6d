/**
 * The worker's side: one Engine, one request at a time (the page keeps the queue).
 *
 * page to worker: { type: 'prepare', ...addresses and limits }, then { type: 'load', weights: Blob, warmUp: boolean },
 *   { type: 'caption', picture, options } with pixels or a VideoFrame as the picture
 * worker to page: { type: 'up' }, then for every request but `prepare` { type: 'done', value } or
 *   { type: 'failed', code, message }
 */
import { closeQuietly } from './decode.js';
import { Engine, prepare } from './engine.js';
import { SoliError, describe } from './errors.js';
import { readPixels } from './source.js';

let engine;
let settings = {};

const handlers = {
  async load({ weights, warmUp }) {
    engine = await Engine.load(weights, settings);
    if (warmUp) await engine.warmUp();
    return engine.info;
  },
  async caption({ picture, options }) {
    return engine.caption(picture.data ? picture : await readFrame(picture), options);
  },
};

async function readFrame(frame) {
  try {
    return await readPixels(frame, settings);
  } finally {
    closeQuietly(frame);
  }
}

self.addEventListener('message', async ({ data: request }) => {
  if (request.type === 'prepare') {
    settings = { wasmUrl: request.wasmUrl, timeout: request.timeout };
    // What fails here fails again when there are weights, and is told then.
    prepare(settings).catch(() => {});
    return;
  }
  try {
    self.postMessage({ type: 'done', value: await handlers[request.type](request) });
  } catch (error) {
    const code = error instanceof SoliError ? error.code : 'crashed';
    self.postMessage({ type: 'failed', code, message: describe(error) });
  }
});

// Tells the page that the script itself could be loaded and started here.
self.postMessage({ type: 'up' });
