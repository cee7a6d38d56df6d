import { reasonOf } from './abortable.js';

/**
 * Runs asynchronous tasks one at a time, in order.
 *
 * An aborted task that still waits is removed and never runs. An aborted task that runs is let go: its caller gets
 * the abort at once, its result is dropped, and the next task starts only when it has really ended.
 */
export class SerialQueue {
  #waiting = [];
  #current = null;
  #closed = null;

  /**
   * @template T
   * @param {() => Promise<T>} task
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  run(task, signal) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (signal?.aborted) return reject(reasonOf(signal));
      const entry = { task, resolve, reject, release: () => signal?.removeEventListener('abort', onAbort) };
      const onAbort = () => {
        const place = this.#waiting.indexOf(entry);
        if (place >= 0) this.#waiting.splice(place, 1);
        entry.release();
        reject(reasonOf(signal));
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(entry);
      this.#next();
    });
  }

  /** Whether nothing runs or waits. */
  get idle() {
    return !this.#current && this.#waiting.length === 0;
  }

  /** Rejects everything that waits or runs with `error`, and everything that comes later. */
  close(error) {
    this.#closed = error;
    const entries = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    this.#waiting = [];
    for (const entry of entries) {
      entry.release();
      entry.reject(error);
    }
  }

  async #next() {
    if (this.#current || this.#waiting.length === 0) return;
    const entry = (this.#current = this.#waiting.shift());
    try {
      entry.resolve(await entry.task());
    } catch (error) {
      entry.reject(error);
    } finally {
      entry.release();
      this.#current = null;
      this.#next();
    }
  }
}
