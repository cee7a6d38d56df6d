import { SoliError } from './errors.js';

/** Throws the caller's reason if the signal was aborted. Engines from before 2022 have signals without a reason. */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw reasonOf(signal);
}

/** Why a signal was aborted. */
export function reasonOf(signal) {
  return signal.reason ?? new DOMException('This operation was aborted', 'AbortError');
}

/** Says so at once where something else was given in a signal's place. */
export function checkSignal(signal) {
  if (signal == null || (typeof signal.aborted === 'boolean' && typeof signal.addEventListener === 'function')) return;
  throw new SoliError('invalid-options', '`signal` must be the signal of an AbortController');
}

/**
 * `promise`, or a rejection as soon as the signal aborts. What the promise stands for goes on, unheard.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(reasonOf(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}
