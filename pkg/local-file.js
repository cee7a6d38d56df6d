/**
 * The bytes behind a `file:` address where there are files (Node 20.16 or newer, Deno, Bun), whose `fetch` does not
 * read them; null for every other address and in browsers.
 *
 * `getBuiltinModule` instead of `import('node:fs')`: bundlers for the browser stumble over the import.
 *
 * @param {URL | string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array | null>}
 */
export async function readLocalFile(address, signal) {
  if (!String(address).startsWith('file:')) return null;
  const files = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  return files ? files.readFile(new URL(address), { signal }) : null;
}
