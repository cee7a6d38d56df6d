import { reasonOf, throwIfAborted } from './abortable.js';
import { SoliError, describe } from './errors.js';
import { inTime, outside, TIMEOUT } from './outside.js';

/**
 * How many times the usual time limit the worker may take for its answer: while it loads it waits for things outside
 * itself, and then says better what was missing.
 */
const PATIENCE = { load: 3, caption: 2 };

/**
 * Starts a worker with these weights: its module starts while they are on their way.
 *
 * @param {Blob | Promise<Blob>} weights
 * @param {{ warmUp: boolean, signal?: AbortSignal, timeout?: number, workerUrl?: string | TrustedScriptURL, wasmUrl?: string }} options
 * @returns {Promise<WorkerRunner | null>} null where a module worker cannot be started at all
 */
export async function startWorkerRunner(weights, { warmUp, signal, timeout = TIMEOUT, workerUrl, wasmUrl }) {
  const starting = startWorker({ signal, timeout, workerUrl, wasmUrl });
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
  const runner = new WorkerRunner(worker, timeout);
  const onAbort = () => runner.dispose(reasonOf(signal));
  signal?.addEventListener('abort', onAbort);
  try {
    throwIfAborted(signal);
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
async function startWorker({ signal, timeout, workerUrl, wasmUrl }) {
  throwIfAborted(signal);
  const worker = makeWorker(workerUrl);
  if (!worker) return null;
  try {
    await outside(
      () =>
        new Promise((resolve, reject) => {
          worker.onmessage = resolve;
          worker.onerror = (event) => {
            event.preventDefault?.();
            reject(new Error('its script does not run'));
          };
        }),
      { signal, timeout, late: () => new Error('its script did not come') },
    );
    worker.onmessage = worker.onerror = null;
    worker.postMessage({ type: 'prepare', wasmUrl, timeout });
    return worker;
  } catch {
    worker.terminate();
    throwIfAborted(signal);
    return null;
  }
}

function makeWorker(given) {
  try {
    if (given) return new Worker(given, { type: 'module', name: 'soli' });
    // This exact form is what bundlers look for.
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'soli' });
  } catch {
    return makeTrustedWorker(given);
  }
}

/** Pages that require trusted types take no plain address: soli vouches for its own worker, and for nothing else. */
function makeTrustedWorker(given) {
  if (given || !globalThis.trustedTypes) return null;
  try {
    // Not in the form that bundlers look for: they would make a second copy of the worker.
    const address = import.meta.url.replace(/[^/]*$/, 'worker.js');
    const policy = trustedTypes.createPolicy('soli', {
      createScriptURL(url) {
        if (url !== address) throw new TypeError(`${url} is not soli's worker`);
        return url;
      },
    });
    return new Worker(policy.createScriptURL(address), { type: 'module', name: 'soli' });
  } catch {
    return null;
  }
}

/** The page's side of a worker: at most one request is under way. */
class WorkerRunner {
  thread = 'worker';
  info = null;
  #worker;
  #timeout;
  #pending = null;

  constructor(worker, timeout) {
    this.#worker = worker;
    this.#timeout = timeout;
    worker.onmessage = ({ data: answer }) => {
      if (answer?.type === 'done') this.#settle(({ resolve }) => resolve(answer.value));
      else this.#fail(new SoliError(answer?.code ?? 'crashed', answer?.message ?? 'the worker gave no answer'));
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#fail(new SoliError('crashed', `the captioner's worker failed: ${event.message ?? 'no reason given'}`));
    };
    worker.onmessageerror = () => this.#fail(new SoliError('crashed', "the worker's answer could not be read"));
  }

  /** @param {{ data: Uint8Array, width: number, height: number } | VideoFrame} picture is taken away */
  caption(picture, options) {
    return this.request({ type: 'caption', picture, options }, [picture.data?.buffer ?? picture]);
  }

  request(message, transfer = []) {
    const answer = () =>
      new Promise((resolve, reject) => {
        this.#pending = { resolve, reject };
        try {
          this.#worker.postMessage(message, transfer);
        } catch (error) {
          this.#fail(new SoliError('crashed', `the captioner's worker could not be reached: ${describe(error)}`, { cause: error }));
        }
      });
    const timeout = PATIENCE[message.type] * this.#timeout;
    return outside(answer, {
      timeout,
      late: () => new SoliError('crashed', `the captioner's worker gave no answer ${inTime(timeout)}`),
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
