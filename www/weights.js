/**
 * Brings the weights: from this device if they are kept here, else from the page's host, checked by their SHA-256 in both
 * cases. They are kept in pieces, each stored as soon as it is complete: what was loaded before an interruption
 * is not loaded again. Of several tabs one loads, and the others wait for it.
 */
import { LoadError } from './load-error.js';
import { outside } from './pkg/outside.js';
import { takeTurns, whenNobodyWorks } from './turns.js';
import { PIECE, openStore, sizeAt } from './weights-store.js';

/** Milliseconds without a byte after which a download has failed. */
const STALL = 60_000;

/** Milliseconds in which the weights can be read, and hashed: both take a tenth of a second. */
const CHECKED = 5_000;

const TURN = 'soli-weights';

/**
 * @param {URL} card address of the JSON file that names the weights' file, size and hash (see xtask/page.mjs)
 * @param {{ onProgress?(progress: { loaded: number, total: number, elsewhere: boolean }): void, signal?: AbortSignal, stall?: number }} [options]
 *   `elsewhere`: another tab loads them; `stall`: milliseconds without a byte after which to give up
 * @returns {Promise<{ blob: Blob, kept: boolean, notes: Set<'damaged' | 'no-room' | 'no-store'> }>} `kept`: they are here
 *   the next time too; `notes`: what the user should know
 * @throws {LoadError}
 */
export async function bringWeights(card, { onProgress, signal, stall = STALL } = {}) {
  const wanted = await readCard(card, { signal, stall });
  const notes = new Set();
  const store = await openStore(wanted, notes);
  const done = (blob) => ({ blob, kept: store.kept, notes });

  const parts = await store.pieces();
  if (!parts.includes(null)) {
    onProgress?.({ loaded: wanted.bytes, total: wanted.bytes, elsewhere: false });
    const blob = new Blob(parts);
    if (await isGenuine(blob, wanted)) {
      // Not waited for: nobody needs it to caption.
      whenNobodyWorks(TURN, () => store.tidy());
      return done(blob);
    }
  }

  async function load(tell) {
    const told = (loaded) => {
      const progress = { loaded, total: wanted.bytes };
      onProgress?.({ ...progress, elsewhere: false });
      tell?.({ ...progress, sha256: wanted.sha256 });
    };
    // The second round is for what was kept damaged, or arrived so.
    for (let round = 1; round <= 2; round += 1) {
      const blob = await complete(wanted, store, { told, signal, stall });
      if (await isGenuine(blob, wanted)) {
        await store.tidy();
        return done(blob);
      }
      notes.add('damaged');
      await store.forget();
    }
    throw new LoadError('damaged', 'the weights arrived damaged, twice: their SHA-256 is not the expected one');
  }

  // Tabs that keep nothing have nothing to wait for.
  if (!store.kept) return load();
  return takeTurns(TURN, load, {
    signal,
    // Longer than a download may stall, so that the tab at work gives up first.
    patience: stall * 1.5,
    onElsewhere({ loaded, total, sha256 }) {
      if (sha256 === wanted.sha256) onProgress?.({ loaded, total, elsewhere: true });
    },
  });
}

async function readCard(address, { signal, stall }) {
  return request(address, { signal, stall }, async (response, watch) => {
    if (response.status !== 200) throw refused(response, address);
    let card = null;
    try {
      card = await watch(response.json());
    } catch (error) {
      if (error instanceof LoadError) throw error;
      if (!(error instanceof SyntaxError)) throw brokeOff(address, error);
    }
    const { file, bytes, sha256 } = card ?? {};
    if (typeof file !== 'string' || !Number.isSafeInteger(bytes) || bytes < 1 || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw new LoadError('wrong-answer', `${address} is not the card of the weights`);
    }
    const url = new URL(file, address);
    // Another name for every version: a cache on the way cannot answer with an old file.
    url.searchParams.set('sha256', sha256);
    return { url, bytes, sha256 };
  });
}

/** What is kept, and the rest from the host. */
async function complete({ url, bytes }, store, { told, signal, stall }) {
  const parts = await store.pieces({ renew: true });
  const loaded = () => parts.reduce((sum, part) => sum + (part?.size ?? 0), 0);
  told(loaded());

  let wholeOnly = false;
  for (let first = parts.indexOf(null); first >= 0; first = parts.indexOf(null)) {
    const next = parts.findIndex((part, place) => place > first && part !== null);
    const range = wholeOnly ? null : { from: first * PIECE, to: next < 0 ? bytes : next * PIECE };
    const isRest = await receive(url, bytes, range, { signal, stall }, {
      onPiece(place, blob) {
        parts[place] = blob;
        return store.put(place, blob);
      },
      onBytes: (more) => told(Math.min(loaded() + more, bytes)),
    });
    if (!isRest) {
      // The host does not continue where we stopped: from the start, in one go.
      wholeOnly = true;
      parts.fill(null);
      await store.forget();
    }
  }
  return new Blob(parts);
}

/**
 * Asks for a range (null: for everything) and cuts what comes into pieces.
 *
 * @returns {Promise<boolean>} false: the host has nothing there, and has to be asked for the whole
 */
function receive(url, bytes, range, { signal, stall }, { onPiece, onBytes }) {
  const headers = {};
  if (range && range.to < bytes) headers.range = `bytes=${range.from}-${range.to - 1}`;
  else if (range?.from > 0) headers.range = `bytes=${range.from}-`;

  return request(url, { signal, stall, cache: 'no-store', headers }, async (response, watch) => {
    let { from, to } = range ?? { from: 0, to: bytes };
    if (response.status === 200) {
      [from, to] = [0, bytes];
      refuseOther(response, bytes, url);
    } else if (response.status === 206 && headers.range) {
      if (!response.headers.get('content-range')?.startsWith(`bytes ${from}-`)) return false;
    } else if (response.status === 416 && headers.range) return false;
    else throw refused(response, url);

    const reader = response.body.getReader();
    let chunks = [];
    let inPiece = 0;
    let position = from;
    for (;;) {
      const { done, value } = await watch(reader.read()).catch((error) => {
        throw error instanceof LoadError ? error : brokeOff(url, error);
      });
      if (done) break;
      if (position + value.byteLength > to) throw new LoadError('wrong-answer', `${url} is longer than it should be`);
      for (let rest = value; rest.byteLength > 0; ) {
        const place = Math.floor(position / PIECE);
        const taken = rest.subarray(0, sizeAt(place, bytes) - inPiece);
        rest = rest.subarray(taken.byteLength);
        chunks.push(taken);
        inPiece += taken.byteLength;
        position += taken.byteLength;
        if (inPiece < sizeAt(place, bytes)) continue;
        const piece = new Blob(chunks);
        [chunks, inPiece] = [[], 0];
        await onPiece(place, piece);
      }
      onBytes(inPiece);
    }
    if (position < to) throw brokeOff(url, new Error(`${to - position} bytes are missing`));
    return true;
  });
}

/** A web page, or a file of another length, must not pass for the weights, whatever its status. */
function refuseOther(response, expected, url) {
  const type = response.headers.get('content-type') ?? '';
  const length = response.headers.get('content-encoding') ? null : response.headers.get('content-length');
  if (/html|xml|json/.test(type) || (length !== null && Number(length) !== expected)) {
    throw new LoadError('wrong-answer', `${url} gave ${type || 'something'} of ${length ?? 'unknown'} bytes, not weights of ${expected}`);
  }
}

/**
 * Fetches, and hands the response to `use` together with `watch`, which has every promise of more end after `stall`
 * milliseconds; the caller's signal ends it too.
 */
async function request(url, { signal, stall, ...options }, use) {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort);
  async function watch(promise) {
    let timer;
    const stalled = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new LoadError('stalled', `nothing came from ${url} for ${stall} ms`)), stall);
    });
    try {
      return await Promise.race([promise, stalled]);
    } finally {
      clearTimeout(timer);
    }
  }
  try {
    const response = await watch(fetch(url, { ...options, signal: stop.signal })).catch((error) => {
      if (error instanceof LoadError) throw error;
      throw new LoadError('unreachable', `${url} could not be fetched: ${error.message}`, { cause: error });
    });
    if (!response) throw new LoadError('unreachable', `${url} gave nothing`);
    return await use(response, watch);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    // Whatever was not read is not wanted any more.
    stop.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}

function refused(response, url) {
  return new LoadError('refused', `the server answered ${response.status} for ${url}`);
}

function brokeOff(url, error) {
  return new LoadError('broke-off', `${url} broke off: ${error.message}`, { cause: error });
}

/**
 * Whether these are the weights that are wanted. Where that cannot be told (only pages on a secure address can hash), their
 * length has to do: weights that are most likely right are better than none. What cannot be read is none.
 */
async function isGenuine(blob, { bytes, sha256 }) {
  if (blob.size !== bytes) return false;
  if (!globalThis.crypto?.subtle) return true;
  const within = (call) => outside(call, { timeout: CHECKED, late: () => new Error('no answer') }).catch(() => null);
  const read = await within(() => blob.arrayBuffer());
  if (!read) return false;
  const digest = await within(() => crypto.subtle.digest('SHA-256', read));
  if (!digest) return true;
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}
