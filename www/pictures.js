/**
 * The pictures that were given, and the work on them: one at a time, the one that is looked at first. Knows nothing of
 * how it is shown.
 *
 * @typedef {object} Picture
 * @property {number} id
 * @property {string} name
 * @property {Blob} blob
 * @property {string} url a blob address, revoked when the picture is removed
 * @property {'waiting' | 'working' | 'done' | 'failed' | 'cancelled'} state
 * @property {import('./pkg/index.js').Caption | null} caption what the machine said
 * @property {string | null} text what a person made of it
 * @property {unknown} error
 */

/** Events: `change` (detail: a picture), `list` (some came or went), `select`, `idle` (detail: how many were worked on). */
export class Pictures extends EventTarget {
  /** @type {Picture[]} */
  items = [];
  /** @type {Picture | null} */
  selected = null;
  #caption;
  #stop = null;
  #running = false;
  #next = 1;

  /** @param {(blob: Blob, options: { signal: AbortSignal }) => Promise<import('./pkg/index.js').Caption>} caption */
  constructor(caption) {
    super();
    this.#caption = caption;
  }

  /** Takes pictures in and selects the first of them. */
  add(blobs, { select = true } = {}) {
    const added = blobs.map((blob) => {
      const id = this.#next;
      this.#next += 1;
      const name = blob.name || `picture ${id}`;
      return { id, name, blob, url: URL.createObjectURL(blob), state: 'waiting', caption: null, text: null, error: null };
    });
    this.items.push(...added);
    this.#tell('list');
    if (select && added.length > 0) this.select(added[0]);
    this.run();
    return added;
  }

  select(picture) {
    this.selected = picture;
    this.#tell('select');
  }

  /** Works on what waits. Called again by itself whenever there may be something to do. */
  async run() {
    if (this.#running) return;
    this.#running = true;
    let worked = 0;
    try {
      for (;;) {
        const isWaiting = ({ state }) => state === 'waiting';
        const picture = this.selected && isWaiting(this.selected) ? this.selected : this.items.find(isWaiting);
        if (!picture) break;
        if (!(await this.#work(picture))) return;
        worked += 1;
      }
    } finally {
      this.#running = false;
    }
    if (worked > 0) this.#tell('idle', worked);
  }

  /** Gives false when there is no captioner: then everything waits until somebody calls `run` again. */
  async #work(picture) {
    const stop = new AbortController();
    this.#stop = { picture, stop };
    this.#change(picture, { state: 'working', error: null });
    try {
      const caption = await this.#caption(picture.blob, { signal: stop.signal });
      this.#change(picture, { state: 'done', caption, text: null });
    } catch (error) {
      if (stop.signal.aborted) return true;
      if (error instanceof NoCaptioner) {
        this.#change(picture, { state: 'waiting', error: error.cause });
        return false;
      }
      this.#change(picture, { state: 'failed', error });
    } finally {
      this.#stop = null;
    }
    return true;
  }

  cancel(picture) {
    if (picture.state !== 'waiting' && picture.state !== 'working') return;
    this.#change(picture, { state: 'cancelled', error: null });
    if (this.#stop?.picture === picture) this.#stop.stop.abort();
  }

  cancelAll() {
    for (const picture of [...this.items].reverse()) this.cancel(picture);
  }

  retry(picture) {
    this.#change(picture, { state: 'waiting', error: null });
    this.run();
  }

  edit(picture, text) {
    this.#change(picture, { text });
  }

  remove(picture) {
    this.cancel(picture);
    const place = this.items.indexOf(picture);
    this.items.splice(place, 1);
    URL.revokeObjectURL(picture.url);
    this.#tell('list');
    if (this.selected === picture) this.select(this.items[Math.min(place, this.items.length - 1)] ?? null);
  }

  clear() {
    this.cancelAll();
    const gone = this.items;
    this.items = [];
    for (const { url } of gone) URL.revokeObjectURL(url);
    this.#tell('list');
    this.select(null);
  }

  #change(picture, changes) {
    Object.assign(picture, changes);
    this.#tell('change', picture);
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The captioner itself could not be had: no fault of the picture. */
export class NoCaptioner extends Error {
  constructor(cause) {
    super('there is no captioner', { cause });
  }
}
