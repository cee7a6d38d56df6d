/**
 * Brings the weights: from this device if they are kept here, else from the page's host, checked by their SHA-256 in both
 * cases. They are kept in pieces, each stored as soon as it is complete: what was loaded before an interruption
 * is not loaded again.
 */
import { SoliError } from './pkg/index.js';

const CACHE = 'soli-weights';
const PIECE = 1 << 20;

/**
 * @param {URL} card address of the JSON file that names the weights' file, size and hash (see xtask/page.mjs)
 * @param {{ onProgress?(progress: { loaded: number, total: number }): void, signal?: AbortSignal }} [options]
 * @returns {Promise<{ blob: Blob, kept: boolean, notes: Set<'damaged' | 'no-room' | 'no-store'> }>} `kept`: they are here
 *   the next time too; `notes`: what the user should know
 */
export async function bringWeights(card, { onProgress, signal } = {}) {
  const wanted = await readCard(card, signal);
  const notes = new Set();
  const store = await openStore(wanted, notes);
  // The second round is for what was kept damaged, or arrived so.
  for (let round = 1; round <= 2; round += 1) {
    const blob = await complete(wanted, store, { onProgress, signal });
    if (await isGenuine(blob, wanted)) {
      await store.tidy();
      return { blob, kept: store.kept, notes };
    }
    notes.add('damaged');
    await store.forget();
  }
  throw new SoliError('invalid-weights', 'the weights arrived damaged, twice: their SHA-256 is not the expected one');
}

async function readCard(address, signal) {
  const response = await ask(address, { signal });
  const { file, bytes, sha256 } = await response.json();
  const url = new URL(file, address);
  // Another name for every version: a cache on the way cannot answer with an old file.
  url.searchParams.set('sha256', sha256);
  return { url, bytes, sha256 };
}

/** What is kept, and the rest from the host. */
async function complete({ url, bytes }, store, { onProgress, signal }) {
  let parts = await store.pieces();
  let loaded = sizeOf(parts);
  onProgress?.({ loaded, total: bytes });
  if (loaded === bytes) return new Blob(parts);

  const response = await ask(url, { signal, cache: 'no-store', headers: loaded > 0 ? { range: `bytes=${loaded}-` } : {} });
  if (loaded > 0 && !continues(response, loaded)) {
    // The host does not know ranges, or has less than we: from the start.
    await store.forget();
    if (response.status !== 200) {
      await response.body?.cancel();
      return complete({ url, bytes }, store, { onProgress, signal });
    }
    parts = [];
    loaded = 0;
  }

  const reader = response.body.getReader();
  let piece = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (value) {
        piece.push(value);
        loaded += value.byteLength;
        onProgress?.({ loaded, total: bytes });
      }
      if (piece.length > 0 && (done || sizeOf(piece) >= PIECE)) {
        const blob = new Blob(piece);
        piece = [];
        parts.push(blob);
        await store.add(blob);
      }
      if (done) return new Blob(parts);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new SoliError('fetch-failed', `the weights broke off after ${loaded} bytes: ${error.message}`, { cause: error });
  }
}

function continues(response, loaded) {
  return response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${loaded}-`);
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new SoliError('fetch-failed', `${address} could not be fetched: ${error.message}`, { cause: error });
  }
  // 416: less is there than we asked to continue from.
  if (!response.ok && response.status !== 416) {
    throw new SoliError('fetch-failed', `the server answered ${response.status} for ${address}`);
  }
  return response;
}

async function isGenuine(blob, { bytes, sha256 }) {
  if (blob.size !== bytes) return false;
  // Only pages on a secure address can hash; elsewhere nothing is kept either, so the file has just come.
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

const sizeOf = (parts) => parts.reduce((sum, part) => sum + (part.size ?? part.byteLength), 0);

/**
 * The pieces of one version in the Cache API. Where nothing can be kept, or no more, it gives what it has and takes
 * nothing: the page works all the same.
 */
async function openStore({ url, sha256 }, notes) {
  let cache = null;
  try {
    cache = await caches.open(CACHE);
  } catch {
    notes.add('no-store'); // no secure address, or a private window
  }
  let count = 0;
  const address = (place) => `${url.href}&piece=${place}`;

  return {
    get kept() {
      return cache !== null;
    },
    async pieces() {
      const blobs = [];
      for (;;) {
        const response = await cache?.match(address(blobs.length));
        if (!response) break;
        blobs.push(await response.blob());
      }
      count = blobs.length;
      return blobs;
    },
    async add(blob) {
      try {
        await cache?.put(address(count), new Response(blob));
        count += 1;
      } catch (error) {
        // What cannot be kept whole is not worth its room.
        notes.add(error.name === 'QuotaExceededError' ? 'no-room' : 'no-store');
        await this.forget().catch(() => {});
        cache = null;
      }
    },
    async forget() {
      for (const request of (await cache?.keys()) ?? []) await cache.delete(request);
      count = 0;
    },
    /** Removes other versions. */
    async tidy() {
      for (const request of (await cache?.keys()) ?? []) {
        if (!request.url.includes(sha256)) await cache.delete(request);
      }
    },
  };
}
