/**
 * A module of one function with two vector instructions (`i8x16.splat`, `i8x16.popcnt`), as wasm-feature-detect has it:
 * whoever finds it valid has WebAssembly's 128-bit vectors.
 */
const VECTORS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Whether this engine has WebAssembly's vectors. One without WebAssembly at all says so when a module is started. */
export function hasVectors() {
  return globalThis.WebAssembly?.validate(VECTORS) ?? true;
}
