import { abortable, throwIfAborted } from './abortable.js';
import { readBody, request } from './download.js';
import { SoliError, describe } from './errors.js';
import { bytesOf, isBlob, isBytes, kindOf } from './kinds.js';
import { readLocalFile } from './local-file.js';
import { inTime, outside } from './outside.js';

/**
 * Brings a weights file here, wherever it is, without looking into it: that is the network's business.
 *
 * @param {URL | string | ArrayBuffer | ArrayBufferView | Blob | Response | PromiseLike} promised a source, or a promise of
 *   one, which is the caller's own and waited for as long as it takes
 * @param {{ onProgress?: (progress: { loaded: number, total: number | null }) => void, signal?: AbortSignal, timeout?: number }} options
 * @returns {Promise<Blob>} a Blob, because it can be handed to a worker any number of times without a copy
 */
export async function readWeights(promised, { onProgress, ...options }) {
  const source = await abortable(promiseOf(promised), options.signal);
  const tell = (progress) => {
    try {
      onProgress?.(progress);
    } catch (error) {
      throw new SoliError('invalid-options', `\`onProgress\` threw: ${describe(error)}`, { cause: error });
    }
  };
  const blob = await toBlob(source, tell, options);
  throwIfAborted(options.signal);
  if (blob.size === 0) throw new SoliError('invalid-weights', `the weights are empty (${nameOf(source)})`);
  await refuseMarkup(blob, source, options);
  return blob;
}

async function promiseOf(promised) {
  try {
    return await promised;
  } catch (error) {
    if (error instanceof SoliError || error?.name === 'AbortError') throw error;
    throw new SoliError('fetch-failed', `the promise of weights was rejected: ${describe(error)}`, { cause: error });
  }
}

async function toBlob(source, tell, options) {
  if (typeof source === 'string' || kindOf(source) === 'URL') {
    const local = await readLocal(source, options);
    return local ? whole(local, tell) : readResponse(await fetchWeights(source, options), tell, options);
  }
  if (kindOf(source) === 'Response') return readResponse(source, tell, options);
  if (isBlob(source)) return whole(await readFile(source, options), tell);
  if (isBytes(source)) return whole(source, tell);
  throw new SoliError(
    'invalid-weights',
    'the weights must be given as a URL, a string, an ArrayBuffer, a Uint8Array, a Blob or a Response',
  );
}

function whole(bytes, tell) {
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  // A Blob takes no shared memory.
  const blob = new Blob([kindOf(view.buffer) === 'SharedArrayBuffer' ? view.slice() : view]);
  tell({ loaded: blob.size, total: blob.size });
  return blob;
}

/** A File is read now: the one on the disk may change, and a captioner that crashed starts again from these bytes. */
async function readFile(file, { signal, timeout }) {
  try {
    return await outside(() => bytesOf(file), { signal, timeout, late: () => new Error(`it was not read ${inTime(timeout)}`) });
  } catch (error) {
    throwIfAborted(signal);
    throw new SoliError('fetch-failed', `the weights' file could not be read: ${describe(error)}`, { cause: error });
  }
}

async function readLocal(url, { signal, timeout }) {
  try {
    return await outside(() => readLocalFile(url, signal), {
      signal,
      timeout,
      late: () => new Error(`it was not read ${inTime(timeout)}`),
    });
  } catch (error) {
    throwIfAborted(signal);
    throw new SoliError('fetch-failed', `the weights could not be read from ${url}: ${describe(error)}`, { cause: error });
  }
}

async function fetchWeights(url, options) {
  try {
    return await request(url, options);
  } catch (error) {
    throwIfAborted(options.signal);
    throw new SoliError('fetch-failed', `the weights could not be fetched from ${url}: ${describe(error)}`, { cause: error });
  }
}

async function readResponse(response, tell, { signal, timeout }) {
  const name = nameOf(response);
  if (!response.ok) {
    const status = `${response.status} ${response.statusText}`.trim();
    const advice = response.status === 404 ? ': is the file among those that are served (README of soli-captioner, "Bundlers")?' : '';
    throw new SoliError('fetch-failed', `the server answered ${status} for the weights (${name})${advice}`);
  }
  if (response.bodyUsed) throw new SoliError('fetch-failed', `the weights' response was read before (${name})`);

  let total = announcedLength(response);
  let loaded = 0;
  tell({ loaded, total });
  const onBytes = (now) => {
    loaded = now;
    // A compressed transfer from another site announces the compressed size only: then the total is unknown.
    if (total !== null && loaded > total) total = null;
    tell({ loaded, total });
  };
  try {
    return new Blob(await readBody(response, { signal, timeout, onBytes }));
  } catch (error) {
    throwIfAborted(signal);
    if (error instanceof SoliError) throw error;
    throw new SoliError('fetch-failed', `the weights broke off after ${loaded} bytes (${name}): ${describe(error)}`, {
      cause: error,
    });
  }
}

/** The number of bytes that will arrive, if the server says so. */
function announcedLength(response) {
  const encoded = response.headers?.get('content-encoding');
  if (encoded && encoded !== 'identity') return null;
  const length = Number(response.headers?.get('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && length > 0 ? length : null;
}

/** Single-page hosts answer a wrong address with their start page and status 200: say so, instead of "bad header". */
async function refuseMarkup(blob, source, options) {
  const bytes = await readFile(blob.slice(0, 64), options);
  const start = String.fromCharCode(...bytes).replace(/^\xef\xbb\xbf/, '').trimStart().toLowerCase();
  if (start.startsWith('<!doctype') || start.startsWith('<html') || start.startsWith('<?xml')) {
    throw new SoliError('invalid-weights', `this is a web page, not weights: check the address (${nameOf(source)})`);
  }
}

function nameOf(source) {
  if (typeof source === 'string') return source;
  if (kindOf(source) === 'URL') return source.href;
  if (kindOf(source) === 'Response') return source.url || 'a response without address';
  return 'given as bytes';
}
