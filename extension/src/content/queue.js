/** How many are asked for their distance before a turn: to ask ten thousand would hold up the page. */
const ASKED = 500;

/**
 * Works through items one at a time, nearest first. "Nearest" is asked anew for every turn, because people scroll; of very
 * many, those are asked that were not asked for the longest time.
 *
 * @template T
 */
export class NearestFirst {
  /** item -> its distance when it was last asked for, those first that were asked longest ago */
  #waiting = new Map();
  #current = null;
  #turning = false;
  #work;
  #distance;
  #gate;

  /**
   * @param {object} options
   * @param {(item: T, signal: AbortSignal) => Promise<boolean>} options.work must not reject;
   *   true asks for another turn
   * @param {(item: T) => number} options.distance smaller is sooner
   * @param {() => Promise<void>} options.gate resolves when work may go on
   */
  constructor({ work, distance, gate = async () => {} }) {
    this.#work = work;
    this.#distance = distance;
    this.#gate = gate;
  }

  get idle() {
    return this.#current === null && this.#waiting.size === 0;
  }

  add(item) {
    if (this.#current?.item !== item) this.#waiting.set(item, this.#distance(item));
    this.#turn();
  }

  /** Takes an item out, whether it waits or is in work. */
  remove(item) {
    this.#waiting.delete(item);
    if (this.#current?.item === item) this.#current.controller.abort();
  }

  clear() {
    this.#waiting.clear();
    this.#current?.controller.abort();
  }

  async #turn() {
    if (this.#turning) return;
    this.#turning = true;
    try {
      while (this.#waiting.size > 0) {
        await this.#gate();
        const item = this.#nearest();
        if (item === undefined) break;
        this.#waiting.delete(item);
        this.#current = { item, controller: new AbortController() };
        const again = await this.#work(item, this.#current.controller.signal);
        if (again && !this.#current.controller.signal.aborted) this.#waiting.set(item, this.#distance(item));
        this.#current = null;
      }
    } finally {
      this.#current = null;
      this.#turning = false;
    }
  }

  #nearest() {
    let left = ASKED;
    for (const item of this.#waiting.keys()) {
      if (left === 0) break;
      left -= 1;
      if (this.#waiting.size > ASKED) this.#waiting.delete(item); // to the end
      this.#waiting.set(item, this.#distance(item));
    }
    let best;
    let least = Infinity;
    for (const [item, distance] of this.#waiting) {
      if (best === undefined || distance < least) [best, least] = [item, distance];
    }
    return best;
  }
}
