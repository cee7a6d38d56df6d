/**
 * Works through items one at a time, nearest first. "Nearest" is asked anew for every turn, because people scroll.
 *
 * @template T
 */
export class NearestFirst {
  #waiting = new Set();
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
    if (this.#current?.item !== item) this.#waiting.add(item);
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
        if (again && !this.#current.controller.signal.aborted) this.#waiting.add(item);
        this.#current = null;
      }
    } finally {
      this.#current = null;
      this.#turning = false;
    }
  }

  #nearest() {
    let best;
    let least = Infinity;
    for (const item of this.#waiting) {
      const distance = this.#distance(item);
      if (best === undefined || distance < least) [best, least] = [item, distance];
    }
    return best;
  }
}
