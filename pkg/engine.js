import * as glue from './wasm/soli.js';
import { SoliError, describe } from './errors.js';
import { moduleAddress } from './instructions.js';
import { readLocalFile } from './local-file.js';

/** The one WebAssembly instance of this thread, once it is there. */
let instance = null;
/** Counts the instances: what was made by an earlier one must not be touched any more. */
let generation = 0;

/** Starts the module and lets the browser notice what to optimise: for the time while the weights are on their way. */
export async function prepare() {
  await instantiate();
  guarded(() => glue.warmUp());
}

/** Weights in the memory of this thread's WebAssembly instance. */
export class Engine {
  #weights;
  #captioner = null;
  #generation = -1;

  /** @param {Blob} weights */
  static async load(weights) {
    const engine = new Engine();
    engine.#weights = weights;
    await engine.#revive();
    return engine;
  }

  get info() {
    return guarded(() => this.#captioner.info());
  }

  /**
   * @param {{ data: Uint8Array, width: number, height: number }} pixels RGBA, not premultiplied
   * @param {{ beam?: number, maxTokens?: number }} options
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
    const [bytes] = await Promise.all([this.#weights.arrayBuffer(), instantiate()]);
    this.#captioner = guarded(() => new glue.WebCaptioner(new Uint8Array(bytes)));
    this.#generation = generation;
  }
}

function instantiate() {
  instance ??= start(moduleAddress()).catch((error) => {
    instance = null;
    throw new SoliError(
      'wasm-failed',
      `soli's WebAssembly module could not be started (it needs WebAssembly, and 'wasm-unsafe-eval' where a content security policy rules): ${describe(error)}`,
      { cause: error },
    );
  });
  return instance;
}

async function start(address) {
  return glue.default({ module_or_path: (await readLocalFile(address)) ?? address });
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
