import { SoliError, describe } from './errors.js';

/**
 * Runs the network on the page's own thread: for places without workers. The page stands still while it works.
 *
 * @param {Blob | Promise<Blob>} weights
 * @param {{ warmUp: boolean, signal?: AbortSignal }} options
 */
export async function startLocalRunner(weights, { warmUp, signal }) {
  // Imported only here, so that a page with a worker never loads the WebAssembly glue twice.
  const { Engine } = await importEngine();
  signal?.throwIfAborted();
  const engine = await Engine.load(await weights);
  try {
    signal?.throwIfAborted();
    if (warmUp) await engine.warmUp();
    signal?.throwIfAborted();
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

async function importEngine() {
  try {
    return await import('./engine.js');
  } catch (error) {
    throw new SoliError('wasm-failed', `soli's code could not be loaded: ${describe(error)}`, { cause: error });
  }
}
