/** Chromium's service worker. It may end at any time, so captions are made in an offscreen document. */
import { start } from './main.js';
import { api } from '../shared/api.js';

const DOCUMENT = 'engine/chromium.html';
let opening = null;

/** Opens the offscreen document, unless it is open. One that is still loading counts as open to the browser, not here. */
function ready() {
  opening ??= open().finally(() => {
    opening = null;
  });
  return opening;
}

async function open() {
  const documents = await api.runtime.getContexts({ contextTypes: ['OFFSCREEN_DOCUMENT'] });
  if (documents.length > 0) return;
  await api.offscreen.createDocument({
    url: DOCUMENT,
    reasons: ['WORKERS'],
    justification: 'Describes pictures in a worker of its own.',
  });
}

start({ ready });
