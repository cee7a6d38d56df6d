/**
 * The pieces of one version of the weights in the Cache API. A piece's address is the weights' hash and its place, and its
 * size follows from the place: whoever writes it, in whatever tab, writes the same bytes.
 */
const CACHE = 'soli-weights';

/** Bytes of every piece but the last. */
export const PIECE = 1 << 20;

/**
 * Where nothing can be kept, or no more, the store gives what it has and takes nothing: the page works all the same.
 *
 * @param {{ url: URL, bytes: number, sha256: string }} wanted
 * @param {Set<string>} notes gets `no-store` or `no-room`
 */
export async function openStore({ url, bytes, sha256 }, notes) {
  let cache = null;
  try {
    cache = await caches.open(CACHE);
  } catch {
    notes.add('no-store'); // no secure address, a private window, a sandboxed frame
  }
  const address = (place) => `${url.href}&piece=${place}`;

  async function clear(isUnwanted) {
    for (const request of (await cache?.keys()) ?? []) if (isUnwanted(request)) await cache.delete(request);
  }

  return {
    get kept() {
      return cache !== null;
    },

    /** @returns {Promise<(Blob | null)[]>} one for each place; null: it is not here, or has another size */
    async pieces() {
      const read = async (place) => {
        const blob = await (await cache?.match(address(place)))?.blob();
        return blob?.size === sizeAt(place, bytes) ? blob : null;
      };
      return Promise.all(Array.from({ length: Math.ceil(bytes / PIECE) }, (_, place) => read(place)));
    },

    async put(place, blob) {
      try {
        await cache?.put(address(place), new Response(blob));
      } catch (error) {
        // What cannot be kept whole is not worth its room.
        notes.add(error.name === 'QuotaExceededError' ? 'no-room' : 'no-store');
        await this.forget().catch(() => {});
        cache = null;
      }
    },

    /** Removes this version. */
    forget: () => clear((request) => request.url.includes(sha256)),

    /** Removes other versions, and what is no piece of this one. */
    tidy() {
      const pieces = new Set(Array.from({ length: Math.ceil(bytes / PIECE) }, (_, place) => address(place)));
      return clear((request) => !pieces.has(request.url));
    },
  };
}

/** Bytes of the piece at a place of a file of so many bytes. */
export function sizeAt(place, bytes) {
  return Math.min(PIECE, bytes - place * PIECE);
}
