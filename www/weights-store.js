/**
 * The pieces of one version of the weights in the Cache API. A piece's address is the weights' hash and its place, and its
 * size follows from the place: whoever writes it, in whatever tab, writes the same bytes.
 */
import { outside } from './pkg/outside.js';

const CACHE = 'soli-weights';

/** Milliseconds after which a store that says nothing is as good as none. */
const PATIENCE = 10_000;

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
  const ask = (call) => outside(call, { timeout: PATIENCE, late: () => new Error('the store gave no answer') });
  try {
    cache = await ask(() => caches.open(CACHE));
    if (!cache) throw new Error('the store is none');
  } catch {
    giveUp('no-store'); // no secure address, a private window, a sandboxed frame
  }

  function giveUp(note) {
    cache = null;
    notes.add(note);
  }
  const address = (place) => `${url.href}&piece=${place}`;

  async function clear(isUnwanted) {
    const mine = cache;
    if (!mine) return;
    try {
      for (const request of (await ask(() => mine.keys())) ?? []) if (isUnwanted(request)) await ask(() => mine.delete(request));
    } catch {
      // What could not be removed takes up room, no more: whatever is read is checked.
    }
  }

  return {
    get kept() {
      return cache !== null;
    },

    /** @returns {Promise<(Blob | null)[]>} one for each place; null: it is not here, or has another size */
    async pieces() {
      const read = async (place) => {
        const mine = cache;
        if (!mine) return null;
        try {
          const blob = await ask(async () => (await mine.match(address(place)))?.blob());
          return blob?.size === sizeAt(place, bytes) ? blob : null;
        } catch {
          giveUp('no-store');
          return null;
        }
      };
      return Promise.all(Array.from({ length: Math.ceil(bytes / PIECE) }, (_, place) => read(place)));
    },

    async put(place, blob) {
      try {
        const mine = cache;
        if (mine) await ask(() => mine.put(address(place), new Response(blob)));
      } catch (error) {
        // What cannot be kept whole is not worth its room.
        await this.forget();
        giveUp(error.name === 'QuotaExceededError' ? 'no-room' : 'no-store');
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
