/** Chromium's service worker. It may end at any time, so captions are made in an offscreen document. */
import { start } from './main.js';
import { api } from '../shared/api.js';

const DOCUMENT = 'engine/chromium.html';
let opening = null;

/** Opens the offscreen document, unless it is open. */
async function ready() {
  const open = await api.runtime.getContexts({ contextTypes: ['OFFSCREEN_DOCUMENT'] });
  if (open.length > 0) return;
  opening ??= api.offscreen
    .createDocument({ url: DOCUMENT, reasons: ['WORKERS'], justification: 'Describes pictures in a worker of its own.' })
    .finally(() => {
      opening = null;
    });
  await opening;
}

start({ ready });
