import { abortable } from './abortable.js';
import { SoliError, describe } from './errors.js';

/**
 * How long anything that is not soli's own (a server, a decoder, a worker) may take without a sign of life, in
 * milliseconds: nothing that is waited for is waited for without an end.
 */
export const TIMEOUT = 30_000;

/** Of how many turns of the clock a time limit consists. */
const TURNS = 10;

/**
 * The result of something outside; its rejection, its synchronous throw, the signal's reason, or, when nothing came of
 * it for `timeout` milliseconds, what `late` gives. What comes after that goes to `drop`.
 *
 * @template T
 * @param {() => T | Promise<T>} start
 * @param {{ timeout?: number, signal?: AbortSignal, late: () => Error, drop?: (result: T) => void }} options
 * @returns {Promise<T>}
 */
export function outside(start, { timeout = TIMEOUT, signal, late, drop }) {
  const work = (async () => start())();
  let over = false;
  let clock;
  const end = new Promise((_, reject) => {
    // Counted in turns instead of by the clock: while a computer sleeps, time passes and nobody works.
    let turns = 0;
    clock = setInterval(() => {
      turns += 1;
      if (turns >= TURNS) reject(late());
    }, timeout / TURNS);
  });
  if (drop) work.then((result) => over && drop(result), () => {});
  return abortable(Promise.race([work, end]), signal).finally(() => {
    over = true;
    clearInterval(clock);
  });
}

/** "within 30 seconds", for messages. */
export function inTime(timeout = TIMEOUT) {
  return `within ${Math.round(timeout / 100) / 10} seconds`;
}

/**
 * What a caller of the package gets for whatever was thrown: its own reason if it aborted, a SoliError otherwise.
 */
export function coded(error, signal) {
  if (signal?.aborted) return signal.reason ?? error;
  // A promise of the caller's own may have been aborted without soli's signal.
  if (error instanceof SoliError || error?.name === 'AbortError') return error;
  return new SoliError('internal', `soli met something unexpected, please report it: ${describe(error)}`, { cause: error });
}
