import { throwIfAborted } from './abortable.js';
import { inTime, outside } from './outside.js';

/**
 * Asks for an address, and ends when no answer begins in time. Rejects with whatever `fetch` rejects with.
 *
 * @param {URL | string} address
 * @param {{ signal?: AbortSignal, timeout?: number }} options
 * @returns {Promise<Response>}
 */
export async function request(address, { signal, timeout }) {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  try {
    const response = await outside(() => fetch(address, { signal: stop.signal }), {
      signal,
      timeout,
      late: () => {
        stop.abort();
        return new Error(`the server did not answer ${inTime(timeout)}`);
      },
    });
    if (!response) throw new Error('there was no answer');
    return response;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Reads an answer to its end, or until nothing more comes for `timeout` milliseconds.
 *
 * @param {Response} response
 * @param {{ signal?: AbortSignal, timeout?: number, onBytes?: (loaded: number) => void }} options
 * @returns {Promise<Uint8Array[]>} its pieces
 */
export async function readBody(response, { signal, timeout, onBytes = () => {} }) {
  const late = () => new Error(`nothing more came ${inTime(timeout)}`);
  // Stand-ins for `Response` in tests and in old engines have no stream.
  if (typeof response.body?.getReader !== 'function') {
    const bytes = new Uint8Array(await outside(() => response.arrayBuffer(), { signal, timeout, late }));
    onBytes(bytes.length);
    return [bytes];
  }
  const reader = response.body.getReader();
  const pieces = [];
  let loaded = 0;
  try {
    for (;;) {
      const step = await outside(() => reader.read(), { signal, timeout, late });
      throwIfAborted(signal);
      if (step.done) return pieces;
      pieces.push(step.value);
      loaded += step.value.byteLength;
      onBytes(loaded);
    }
  } catch (error) {
    (async () => reader.cancel(error))().catch(() => {});
    throw error;
  }
}
