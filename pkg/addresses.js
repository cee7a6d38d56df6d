/** Where soli's own files are: beside its code, unless the caller says otherwise. */
import { SoliError } from './errors.js';
import { hasVectors } from './instructions.js';

/** What to do when soli's files are not beside its code. */
export const MOVED =
  "A bundler or a development server has moved soli's code away from its files: in Vite set `optimizeDeps: { exclude: ['soli-captioner'] }`; with esbuild, Rollup and others give `Captioner.load` the options `workerUrl` and `wasmUrl` (README of soli-captioner, \"Bundlers\")";

/**
 * The addresses that a caller gave, made absolute: a worker has another base than its page.
 *
 * @param {{ workerUrl?: string | URL | TrustedScriptURL, wasmUrl?: string | URL }} options
 */
export function givenAddresses({ workerUrl, wasmUrl }) {
  return {
    workerUrl: isTrusted(workerUrl) ? workerUrl : absolute('workerUrl', workerUrl),
    wasmUrl: absolute('wasmUrl', wasmUrl),
  };
}

/**
 * Where the WebAssembly module for this engine is: with vectors, or, as a last resort for browsers from before 2021
 * (Safari: 2023) and processors without SSE 4.1, without. Both give the same captions, the second in several times the
 * time.
 *
 * @param {string} [given] a module's address; one that ends in "/" is a folder with both modules
 */
export function moduleAddress(given) {
  const vectors = hasVectors();
  if (given) return new URL(given.endsWith('/') ? `${given}${vectors ? 'soli_bg.wasm' : 'soli_plain_bg.wasm'}` : given);
  try {
    // Bundlers look for exactly these forms.
    return vectors ? new URL('./wasm/soli_bg.wasm', import.meta.url) : new URL('./wasm/soli_plain_bg.wasm', import.meta.url);
  } catch (error) {
    // Classic scripts have no `import.meta`.
    throw new SoliError('wasm-failed', `soli cannot tell where its WebAssembly module is. ${MOVED}`, { cause: error });
  }
}

function absolute(name, given) {
  if (given == null) return undefined;
  try {
    return new URL(String(given), globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch (error) {
    throw new SoliError('invalid-options', `\`${name}\` is no address: ${String(given)}`, { cause: error });
  }
}

function isTrusted(address) {
  return globalThis.trustedTypes?.isScriptURL?.(address) === true;
}
