import * as glue from './wasm/soli.js';
import { MOVED, moduleAddress } from './addresses.js';
import { request } from './download.js';
import { SoliError, describe } from './errors.js';
import { bytesOf } from './kinds.js';
import { readLocalFile } from './local-file.js';
import { inTime, outside, TIMEOUT } from './outside.js';

/** The one WebAssembly instance of this thread, once it is there. */
let instance = null;
/** Counts the instances: what was made by an earlier one must not be touched any more. */
let generation = 0;

/**
 * Starts the module and lets the browser notice what to optimise: for the time while the weights are on their way.
 *
 * @param {{ wasmUrl?: string, timeout?: number }} [options] see `moduleAddress`, `outside`
 */
export async function prepare(options = {}) {
  await instantiate(options);
  guarded(() => glue.warmUp());
}

/** Weights in the memory of this thread's WebAssembly instance. */
export class Engine {
  #weights;
  #options;
  #captioner = null;
  #generation = -1;

  /**
   * @param {Blob} weights
   * @param {{ wasmUrl?: string, timeout?: number }} [options]
   */
  static async load(weights, options = {}) {
    const engine = new Engine();
    engine.#weights = weights;
    engine.#options = options;
    await engine.#revive();
    return engine;
  }

  get info() {
    return guarded(() => this.#captioner.info());
  }

  /**
   * @param {{ data: Uint8Array, width: number, height: number }} pixels RGBA, not premultiplied
   * @param {{ beam?: number, maxTokens?: number, neutral?: boolean, cells?: boolean }} options
   */
  async caption({ data, width, height }, options) {
    // Several captioners of one thread share the instance: another one's crash took this one's memory too.
    if (this.#generation !== generation) await this.#revive();
    const start = performance.now();
    const caption = guarded(() => this.#captioner.caption(data, width, height, options));
    return { ...caption, ms: performance.now() - start };
  }

  /** Captions one pixel, so that the first picture does not pay for compiling and growing. */
  async warmUp() {
    await this.caption({ data: new Uint8Array(4), width: 1, height: 1 }, {});
  }

  dispose() {
    if (this.#captioner && this.#generation === generation) guarded(() => this.#captioner.free());
    this.#captioner = null;
    this.#generation = -1;
  }

  async #revive() {
    const [bytes] = await Promise.all([readWeights(this.#weights, this.#options), instantiate(this.#options)]);
    this.#captioner = guarded(() => new glue.WebCaptioner(bytes));
    this.#generation = generation;
  }
}

async function readWeights(blob, { timeout }) {
  try {
    return await outside(() => bytesOf(blob), { timeout, late: () => new Error(`they were not read ${inTime(timeout)}`) });
  } catch (error) {
    throw new SoliError('fetch-failed', `the weights in memory could not be read: ${describe(error)}`, { cause: error });
  }
}

function instantiate(options) {
  instance ??= start(options).catch((error) => {
    instance = null;
    if (error instanceof SoliError) throw error;
    throw new SoliError(
      'wasm-failed',
      `soli's WebAssembly module could not be started (it needs WebAssembly, and 'wasm-unsafe-eval' where a content security policy rules): ${describe(error)}`,
      { cause: error },
    );
  });
  return instance;
}

async function start({ wasmUrl, timeout = TIMEOUT }) {
  const address = moduleAddress(wasmUrl);
  const late = () => new Error(`it was not there ${inTime(timeout)}`);
  const bytes = await outside(() => readLocalFile(address), { timeout, late });
  const module = bytes ?? (await request(address, { timeout }));
  if (!bytes) refuseOther(module, address);
  try {
    // Compiled while it arrives, which nobody hears of: so the whole of it gets the time of two steps.
    return await outside(() => glue.default({ module_or_path: module }), { timeout: 2 * timeout, late });
  } catch (error) {
    // What every engine says in its own words of bytes that do not begin as a module does.
    if (/magic|doesn't parse at byte 0/i.test(describe(error))) throw missing(address, 'something else', error);
    throw error;
  }
}

/** Servers answer for what they do not have with an error, or with their start page. */
function refuseOther(response, address) {
  if (!response.ok) throw missing(address, `${response.status} ${response.statusText}`.trim());
  if (/^text\/html/i.test(response.headers?.get('content-type') ?? '')) throw missing(address, 'a web page');
}

function missing(address, answer, cause) {
  return new SoliError('wasm-failed', `soli's WebAssembly module is not at ${address}: the answer is ${answer}. ${MOVED}`, { cause });
}

/**
 * Calls into WebAssembly. What soli reports on purpose carries a code; anything else (a panic, memory or stack used
 * up) is a trap that leaves the instance's memory undefined, so the instance is replaced by a fresh one.
 */
function guarded(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof Error && typeof error.code === 'string') {
      throw new SoliError(error.code, error.message);
    }
    generation += 1;
    glue.__wbg_reset_state();
    throw new SoliError('crashed', `the captioner crashed and was replaced: ${describe(error)}`, { cause: error });
  }
}
