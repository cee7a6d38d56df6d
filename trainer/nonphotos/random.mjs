/** Random choices that follow from a seed (mulberry32). */
export class Random {
  #state;
  constructor(seed) {
    this.#state = seed >>> 0;
  }
  /** 0 to 1, 1 excluded. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  /** A whole number, both ends included. */
  whole(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  chance(share) {
    return this.next() < share;
  }
  of(list) {
    return list[Math.floor(this.next() * list.length)];
  }
  /** A CSS colour. */
  colour(light = [20, 90]) {
    return `hsl(${this.whole(0, 359)} ${this.whole(0, 90)}% ${this.whole(...light)}%)`;
  }
  times(low, high, make) {
    return Array.from({ length: this.whole(low, high) }, (_, i) => make(i)).join('');
  }
}
