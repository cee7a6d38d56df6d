import { checkSignal, throwIfAborted } from './abortable.js';
import { givenAddresses } from './addresses.js';
import { captionAll } from './caption-all.js';
import { closeQuietly } from './decode.js';
import { SoliError } from './errors.js';
import { TIMEOUT, coded } from './outside.js';
import { SerialQueue } from './queue.js';
import { readPixels } from './source.js';
import { startLocalRunner } from './runner-local.js';
import { startWorkerRunner } from './runner-worker.js';
import { readWeights } from './weights.js';

/** Ranges of the options, ends included. The longest caption is the weights' business: a longer wish is no error. */
const BEAM = { min: 1, max: 8 };
const MAX_TOKENS = { min: 2, max: 0xffff };
/** Milliseconds; clocks have no longer ones. */
const TIMEOUTS = { min: 1, max: 0x7fffffff };

/** Only `Captioner.load` holds this, so nobody can construct a captioner that has no weights. */
const FROM_LOAD = Symbol('from load');

/** A loaded captioner. See index.d.ts for the documentation of what is public. */
export class Captioner {
  /** The weights file as a Blob: immutable, outside of the page's heap, cheap to hand to another worker. */
  #weights;
  /** What runs the network now; null after a crash, until the next call starts another. */
  #runner;
  #info;
  /** What every start of a runner needs: time limit and addresses. */
  #surroundings;
  #queue = new SerialQueue();
  #disposed = false;

  constructor(key, weights, runner, surroundings) {
    if (key !== FROM_LOAD) throw new TypeError('use `await Captioner.load({ weights })`, not `new Captioner()`');
    this.#weights = weights;
    this.#runner = runner;
    this.#info = Object.freeze(runner.info);
    this.#surroundings = surroundings;
  }

  static async load(options) {
    const { weights, onProgress, signal, warmUp = true, timeout = TIMEOUT, workerUrl, wasmUrl } = options ?? {};
    try {
      checkSignal(signal);
      throwIfAborted(signal);
      if (onProgress != null && typeof onProgress !== 'function') {
        throw new SoliError('invalid-options', '`onProgress` must be a function');
      }
      wholeNumber('timeout', timeout, TIMEOUTS);
      const surroundings = { timeout, ...givenAddresses({ workerUrl, wasmUrl }) };
      const reading = readWeights(weights, { onProgress, signal, timeout });
      const runner = await startRunner(reading, { ...surroundings, warmUp: Boolean(warmUp), signal });
      return new Captioner(FROM_LOAD, await reading, runner, surroundings);
    } catch (error) {
      throw coded(error, signal);
    }
  }

  get info() {
    return this.#info;
  }

  get timeout() {
    return this.#surroundings.timeout;
  }

  get thread() {
    return this.#runner?.thread ?? null;
  }

  get disposed() {
    return this.#disposed;
  }

  async caption(source, options) {
    try {
      return await this.#caption(source, options ?? {});
    } catch (error) {
      throw coded(error, options?.signal);
    }
  }

  async #caption(source, { beam, maxTokens, neutral, cells, signal }) {
    this.#assertUsable();
    checkSignal(signal);
    throwIfAborted(signal);
    const options = checkedOptions({ beam, maxTokens, neutral, cells });
    const { timeout } = this.#surroundings;
    // Read before waiting for anything: a video or a canvas is captioned as it is at the moment of the call.
    const toWorker = this.#runner?.thread === 'worker' && this.#queue.idle;
    const picture = await readPixels(source, { signal, timeout, frame: toWorker });
    try {
      this.#assertUsable();
      return await this.#queue.run(() => this.#run(picture, options), signal);
    } finally {
      // A frame that never reached the worker; one that did is no longer here.
      closeQuietly(picture);
    }
  }

  captionAll(sources, options) {
    this.#assertUsable();
    checkSignal(options?.signal);
    checkedOptions(options ?? {});
    return captionAll(this, sources, options ?? {});
  }

  dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#queue.close(disposedError());
    this.#runner?.dispose();
    this.#runner = null;
    this.#weights = null;
  }

  async #run(picture, options) {
    const runner = this.#runner ?? (await startRunner(this.#weights, { ...this.#surroundings, warmUp: false }));
    if (this.#disposed) {
      runner.dispose();
      throw disposedError();
    }
    this.#runner = runner;
    try {
      return await runner.caption(picture, options);
    } catch (error) {
      if (error instanceof SoliError && error.code === 'crashed' && this.#runner === runner) {
        // A trapped instance has undefined memory: never used again. The next call starts from the kept weights.
        this.#runner = null;
        runner.dispose();
      }
      throw error;
    }
  }

  #assertUsable() {
    if (this.#disposed) throw disposedError();
  }
}

// Older engines have no Symbol.dispose; there the method is simply absent.
if (Symbol.dispose) {
  Object.defineProperty(Captioner.prototype, Symbol.dispose, {
    value: Captioner.prototype.dispose,
    configurable: true,
    writable: true,
  });
}

/** A worker where there are workers; the page's own thread otherwise. */
async function startRunner(weights, options) {
  return (await startWorkerRunner(weights, options)) ?? startLocalRunner(weights, options);
}

function disposedError() {
  return new SoliError('disposed', 'this captioner was disposed: load another one');
}

function checkedOptions({ beam, maxTokens, neutral, cells }) {
  const options = {};
  if (beam !== undefined) options.beam = wholeNumber('beam', beam, BEAM);
  if (maxTokens !== undefined) options.maxTokens = wholeNumber('maxTokens', maxTokens, MAX_TOKENS);
  if (neutral !== undefined) options.neutral = trueOrFalse('neutral', neutral);
  if (cells !== undefined) options.cells = trueOrFalse('cells', cells);
  return options;
}

function trueOrFalse(name, value) {
  if (typeof value !== 'boolean') {
    throw new SoliError('invalid-options', `\`${name}\` must be true or false, but is ${String(value)}`);
  }
  return value;
}

function wholeNumber(name, value, { min, max }) {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new SoliError(
      'invalid-options',
      `\`${name}\` must be a whole number from ${min} to ${max}, but is ${String(value)}`,
    );
  }
  return value;
}
