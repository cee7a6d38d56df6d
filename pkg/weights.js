import { abortable } from './abortable.js';
import { SoliError, describe } from './errors.js';
import { readLocalFile } from './local-file.js';

/**
 * Brings a weights file here, wherever it is, without looking into it: that is the network's business.
 *
 * @param {URL | string | ArrayBuffer | ArrayBufferView | Blob | Response | PromiseLike} promised a source, or a promise of one
 * @param {{ onProgress?: (progress: { loaded: number, total: number | null }) => void, signal?: AbortSignal }} options
 * @returns {Promise<Blob>} a Blob, because it can be handed to a worker any number of times without a copy
 */
export async function readWeights(promised, { onProgress, signal }) {
  const source = await abortable(Promise.resolve(promised), signal);
  const blob = await toBlob(source, onProgress, signal);
  signal?.throwIfAborted();
  if (blob.size === 0) throw new SoliError('invalid-weights', `the weights are empty (${nameOf(source)})`);
  await refuseMarkup(blob, source);
  return blob;
}

async function toBlob(source, onProgress, signal) {
  if (typeof source === 'string' || source instanceof URL) {
    return readResponse(await fetchWeights(source, signal), onProgress, signal);
  }
  if (typeof Response !== 'undefined' && source instanceof Response) return readResponse(source, onProgress, signal);
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source) || source instanceof Blob) {
    const blob = new Blob([source instanceof Blob ? await readFile(source) : source]);
    onProgress?.({ loaded: blob.size, total: blob.size });
    return blob;
  }
  throw new SoliError(
    'invalid-weights',
    'the weights must be given as a URL, a string, an ArrayBuffer, a Uint8Array, a Blob or a Response',
  );
}

/** A File is read now: the one on the disk may change, and a captioner that crashed starts again from these bytes. */
async function readFile(file) {
  try {
    return await file.arrayBuffer();
  } catch (error) {
    throw new SoliError('fetch-failed', `the weights' file could not be read: ${describe(error)}`, { cause: error });
  }
}

async function fetchWeights(url, signal) {
  try {
    const bytes = await readLocalFile(url, signal);
    if (bytes) return new Response(bytes, { headers: { 'content-length': String(bytes.length) } });
    return await fetch(url, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new SoliError('fetch-failed', `the weights could not be fetched from ${url}: ${describe(error)}`, { cause: error });
  }
}

async function readResponse(response, onProgress, signal) {
  const name = nameOf(response);
  if (!response.ok) {
    const status = `${response.status} ${response.statusText}`.trim();
    throw new SoliError('fetch-failed', `the server answered ${status} for the weights (${name})`);
  }
  if (response.bodyUsed) throw new SoliError('fetch-failed', `the weights' response was read before (${name})`);
  if (!response.body) return new Blob([]);

  let total = announcedLength(response);
  let loaded = 0;
  onProgress?.({ loaded, total });
  const reader = response.body.getReader();
  const onAbort = () => reader.cancel(signal.reason).catch(() => {});
  signal?.addEventListener('abort', onAbort);
  try {
    const chunks = [];
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      chunks.push(value);
      loaded += value.byteLength;
      // A compressed transfer from another site announces the compressed size only: then the total is unknown.
      if (total !== null && loaded > total) total = null;
      onProgress?.({ loaded, total });
    }
    return new Blob(chunks);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SoliError) throw error;
    throw new SoliError('fetch-failed', `the weights broke off after ${loaded} bytes (${name}): ${describe(error)}`, {
      cause: error,
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The number of bytes that will arrive, if the server says so. */
function announcedLength(response) {
  const encoded = response.headers.get('content-encoding');
  if (encoded && encoded !== 'identity') return null;
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && length > 0 ? length : null;
}

/** Single-page hosts answer a wrong address with their start page and status 200: say so, instead of "bad header". */
async function refuseMarkup(blob, source) {
  const start = (await blob.slice(0, 64).text()).trimStart().toLowerCase();
  if (start.startsWith('<!doctype') || start.startsWith('<html') || start.startsWith('<?xml')) {
    throw new SoliError('invalid-weights', `this is a web page, not weights: check the address (${nameOf(source)})`);
  }
}

function nameOf(source) {
  if (typeof source === 'string') return source;
  if (source instanceof URL) return source.href;
  if (typeof Response !== 'undefined' && source instanceof Response) return source.url || 'a response without address';
  return 'given as bytes';
}
