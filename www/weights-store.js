/**
 * The pieces of one version of the weights in the Cache API. A piece's address is the weights' hash and its place, and its
 * size follows from the place: whoever writes it, in whatever tab, writes the same bytes.
 */
import { outside } from './pkg/outside.js';

const CACHE = 'soli-weights';

/** Milliseconds in which a store answers, be its disk slow or asleep. */
const PATIENCE = 10_000;

/** The same for what is kept, which is asked for twice: the second time by the tab whose turn it is. */
const READ = PATIENCE / 2;

class NoAnswer extends Error {}

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
  const ask = (call, timeout = PATIENCE) => outside(call, { timeout, late: () => new NoAnswer('the store gave no answer') });
  const address = (place) => `${url.href}&piece=${place}`;
  await enter();

  async function enter({ anew = false } = {}) {
    try {
      if (anew) await ask(() => caches.delete(CACHE));
      cache = await ask(() => caches.open(CACHE));
      if (!cache) throw new Error('the store is none');
    } catch {
      giveUp('no-store'); // no secure address, a private window, a sandboxed frame
    }
  }

  function giveUp(note) {
    cache = null;
    notes.add(note);
  }

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

    /**
     * @param {{ renew?: boolean }} [options] `renew`: a store that says nothing is begun anew; for the tab whose turn it is, so that no
     *   two throw away what the other writes
     * @returns {Promise<(Blob | null)[]>} one for each place; null: it is not here, cannot be read, or has another size
     */
    async pieces({ renew = false } = {}) {
      // While this tab waited for its turn, another may have begun it anew.
      if (renew && cache) await enter();
      const mine = cache;
      let answered = false;
      const read = async (place) => {
        try {
          const blob = await ask(async () => (await mine.match(address(place)))?.blob(), READ);
          answered = true;
          return blob?.size === sizeAt(place, bytes) ? blob : null;
        } catch (error) {
          answered ||= !(error instanceof NoAnswer);
          return null;
        }
      };
      const places = Array.from({ length: Math.ceil(bytes / PIECE) }, (_, place) => place);
      if (!mine) return places.map(() => null);
      const parts = await Promise.all(places.map(read));
      // Where a tab died while it wrote, Chromium holds whatever is asked of that cache back for good; a new one of the same name is
      // free. Should it only have been slow, its pieces have to be loaded again, no more.
      if (renew && !answered) await enter({ anew: true });
      return parts;
    },

    async put(place, blob) {
      try {
        const mine = cache;
        if (mine) await ask(() => mine.put(address(place), new Response(blob)));
      } catch (error) {
        // What cannot be kept whole is not worth its room; but a store that says nothing is not asked for more.
        if (!(error instanceof NoAnswer)) await this.forget();
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
