/** Brings the picture of a request here. */
import { isBlank } from '../pkg/blank.js';
import { readPixels } from '../pkg/source.js';

/** How long a server may be silent, in milliseconds: somebody may wait for the pictures behind this one. */
const TIMEOUT = 20_000;

/**
 * @param {{ data?: string, url?: string }} source pixels as data: address, or the address of a file
 * @returns {Promise<{ data: Uint8Array, width: number, height: number }>}
 */
export async function pixelsOf({ data, url }, signal) {
  const pixels = await readPixels(await fetchBlob(data ?? url, signal), { signal, timeout: TIMEOUT });
  if (isBlank(pixels)) throw failure('blank', 'the picture has one colour');
  return pixels;
}

async function fetchBlob(address, signal) {
  if (!/^(data:image\/|https?:)/.test(address ?? '')) throw failure('fetch-failed', 'not an address that soli fetches');
  const slow = AbortSignal.timeout(TIMEOUT);
  try {
    // No cookies and no referrer: the host learns no more than that somebody wants a picture that it shows to everybody.
    const response = await fetch(address, {
      signal: AbortSignal.any([signal, slow]),
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'force-cache',
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.blob();
  } catch (error) {
    signal.throwIfAborted();
    throw failure('fetch-failed', error.message);
  }
}

function failure(code, message) {
  return Object.assign(new Error(message), { code });
}
