import { throwIfAborted } from './abortable.js';
import { SoliError, describe } from './errors.js';
import { inTime, outside } from './outside.js';

/**
 * Runs the network on the page's own thread: for places without workers. The page stands still while it works.
 *
 * @param {Blob | Promise<Blob>} weights
 * @param {{ warmUp: boolean, signal?: AbortSignal, timeout?: number, wasmUrl?: string }} options
 */
export async function startLocalRunner(weights, { warmUp, signal, timeout, wasmUrl }) {
  // Imported only here, so that a page with a worker never loads the WebAssembly glue twice.
  const { Engine } = await importEngine(signal, timeout);
  throwIfAborted(signal);
  const engine = await Engine.load(await weights, { wasmUrl, timeout });
  try {
    throwIfAborted(signal);
    if (warmUp) await engine.warmUp();
    throwIfAborted(signal);
  } catch (error) {
    engine.dispose();
    throw error;
  }
  return {
    thread: 'main',
    info: engine.info,
    caption: (pixels, options) => engine.caption(pixels, options),
    dispose: () => engine.dispose(),
  };
}

async function importEngine(signal, timeout) {
  lendDecoder();
  try {
    return await outside(() => import('./engine.js'), { signal, timeout, late: () => new Error(`it did not come ${inTime(timeout)}`) });
  } catch (error) {
    throwIfAborted(signal);
    throw new SoliError('wasm-failed', `soli's code could not be loaded: ${describe(error)}`, { cause: error });
  }
}

/** Jest's jsdom hides what Node has and the WebAssembly glue needs. */
function lendDecoder() {
  const util = globalThis.process?.getBuiltinModule?.('node:util');
  if (!util) return;
  globalThis.TextDecoder ??= util.TextDecoder;
  globalThis.TextEncoder ??= util.TextEncoder;
}
