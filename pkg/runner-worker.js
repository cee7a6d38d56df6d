import { SoliError } from './errors.js';

/**
 * Starts a worker with these weights: its module starts while they are on their way.
 *
 * @param {Blob | Promise<Blob>} weights
 * @param {{ warmUp: boolean, signal?: AbortSignal }} options
 * @returns {Promise<WorkerRunner | null>} null where a module worker cannot be started at all
 */
export async function startWorkerRunner(weights, { warmUp, signal }) {
  const starting = startWorker(signal);
  starting.catch(() => {});
  let blob;
  try {
    blob = await weights;
  } catch (error) {
    starting.then((worker) => worker?.terminate(), () => {});
    throw error;
  }
  const worker = await starting;
  if (!worker) return null;
  const runner = new WorkerRunner(worker);
  const onAbort = () => runner.dispose(signal.reason);
  signal?.addEventListener('abort', onAbort);
  try {
    runner.info = await runner.request({ type: 'load', weights: blob, warmUp });
    return runner;
  } catch (error) {
    runner.dispose();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Resolves to a worker whose script runs, or to null: no workers here, blocked by a policy, no module workers. */
async function startWorker(signal) {
  signal?.throwIfAborted();
  let worker;
  try {
    // This exact form is what bundlers look for.
    worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'soli' });
  } catch {
    return null;
  }
  return new Promise((resolve, reject) => {
    const settle = (end) => {
      worker.onmessage = worker.onerror = null;
      signal?.removeEventListener('abort', onAbort);
      end();
    };
    const giveUp = () => {
      worker.terminate();
      resolve(null);
    };
    const onAbort = () =>
      settle(() => {
        worker.terminate();
        reject(signal.reason);
      });
    signal?.addEventListener('abort', onAbort);
    worker.onmessage = () => settle(() => resolve(worker));
    worker.onerror = (event) => {
      event.preventDefault();
      settle(giveUp);
    };
  });
}

/** The page's side of a worker: at most one request is under way. */
class WorkerRunner {
  thread = 'worker';
  info = null;
  #worker;
  #pending = null;

  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data: answer }) => {
      if (answer.type === 'done') this.#settle(({ resolve }) => resolve(answer.value));
      else this.#fail(new SoliError(answer.code, answer.message));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new SoliError('crashed', `the captioner's worker failed: ${event.message ?? 'no reason given'}`));
    };
    worker.onmessageerror = () => this.#fail(new SoliError('crashed', "the worker's answer could not be read"));
  }

  /** @param {{ data: Uint8Array, width: number, height: number } | VideoFrame} picture is taken away */
  caption(picture, options) {
    return this.request({ type: 'caption', picture, options }, [picture.data?.buffer ?? picture]);
  }

  request(message, transfer = []) {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#worker.postMessage(message, transfer);
    });
  }

  /** Ends the worker; its memory goes back to the system. */
  dispose(reason = new SoliError('disposed', 'this captioner was disposed')) {
    this.#worker.terminate();
    this.#fail(reason);
  }

  #fail(error) {
    this.#settle(({ reject }) => reject(error));
  }

  #settle(end) {
    const pending = this.#pending;
    this.#pending = null;
    if (pending) end(pending);
  }
}
