/**
 * `<soli-caption weights="/models/soli.safetensors"><img src="cat.jpg"></soli-caption>`: gives the pictures inside an
 * alternative text where they have none. Importing this module defines the element. Types: element.d.ts.
 */
import { isBlank } from './blank.js';
import { Captioner } from './captioner.js';
import { judge } from './eligibility.js';
import { SoliError } from './errors.js';
import { DECIDING_ATTRIBUTES, addressOf, factsOf, parentOf } from './facts.js';
import { Writer } from './mark.js';
import { SerialQueue } from './queue.js';
import { sharedCaptioner } from './shared-captioner.js';
import { readPixels } from './source.js';
import { TELLINGS, UNSURE_BELOW, sentence } from './wording.js';

const NAME = 'soli-caption';

/** Server-side rendering and Node have no HTMLElement: there the import must do no harm. */
const Base = globalThis.HTMLElement ?? class {};

/** Knows every text that an element of this page wrote, wherever its picture is now. */
const writer = new Writer();

export class SoliCaptionElement extends Base {
  static observedAttributes = ['weights', 'threshold'];

  /**
   * What is known of each picture inside: the address that it had, what stops the work on it, and how that stands
   * (`working`, `done`, `failed`).
   */
  #works = new Map();
  /** Pictures that are looked at again when their size changes. */
  #waiting = new Set();
  #changes = null;
  #sizes = null;
  #timer = null;
  /** One picture at a time: more would only lie in memory. */
  #turns = new SerialQueue();
  #captioner = null;
  /** The shared captioner in use: its address, the promise of it, and how to let go of it. */
  #share = null;

  #onArrival = ({ target }) => {
    if (this.#works.get(target)?.state === 'failed') this.#works.delete(target);
    this.#lookSoon();
  };
  #onOnline = () => this.#startAgain();

  /** A captioner of the page's own, instead of one loaded from the `weights` attribute. It is not disposed here. */
  get captioner() {
    return this.#captioner;
  }

  set captioner(captioner) {
    if (captioner !== null && !(captioner instanceof Captioner)) throw new TypeError('`captioner` takes a Captioner or null');
    this.#captioner = captioner;
    this.#startAgain();
  }

  get weights() {
    return this.getAttribute('weights');
  }

  set weights(address) {
    this.setAttribute('weights', address);
  }

  /** The confidence below which the text starts with "May show: ". */
  get threshold() {
    const given = Number.parseFloat(this.getAttribute('threshold'));
    return given >= 0 && given <= 1 ? given : UNSURE_BELOW;
  }

  set threshold(threshold) {
    this.setAttribute('threshold', threshold);
  }

  /** What is written at all. As in the extension, single words only for those who ask for them. */
  get tell() {
    const given = this.getAttribute('tell');
    return TELLINGS.includes(given) ? given : 'guesses';
  }

  set tell(tell) {
    this.setAttribute('tell', tell);
  }

  connectedCallback() {
    this.#changes = new MutationObserver(() => this.#lookSoon());
    const attributeFilter = [...DECIDING_ATTRIBUTES];
    this.#changes.observe(this, { subtree: true, childList: true, attributes: true, attributeFilter });
    // What lies around it can be hidden, or become a link.
    for (let at = parentOf(this); at; at = parentOf(at)) this.#changes.observe(at, { attributes: true, attributeFilter });
    // Stand-ins for a browser (jsdom) have no sizes.
    this.#sizes = globalThis.ResizeObserver ? new ResizeObserver(() => this.#lookSoon()) : null;
    // `load` and `error` do not bubble, but they can be caught on their way down.
    for (const type of ['load', 'error']) this.addEventListener(type, this.#onArrival, true);
    globalThis.addEventListener?.('online', this.#onOnline);
    this.#lookSoon();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#changes.disconnect();
    this.#sizes?.disconnect();
    this.#waiting.clear();
    for (const type of ['load', 'error']) this.removeEventListener(type, this.#onArrival, true);
    globalThis.removeEventListener?.('online', this.#onOnline);
    for (const { stop } of this.#works.values()) stop.abort();
    this.#works.clear();
    this.#letGo();
  }

  attributeChangedCallback(name) {
    if (name === 'weights') this.#startAgain();
  }

  /** Whatever is not done is tried again: with other weights, or now that there is a network. */
  #startAgain() {
    for (const [image, { state }] of this.#works) if (state !== 'done') this.#giveUp(image);
    this.#lookSoon();
  }

  /** Changes come in bursts, and show in a picture's properties a moment later. */
  #lookSoon() {
    if (!this.isConnected) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#look();
    });
  }

  /** Starts work on every picture that needs it, ends work on those that do not any more. */
  #look() {
    if (!this.isConnected || !this.#isAble) return;
    const mine = [...this.querySelectorAll('img')].filter((image) => this.#isResponsibleFor(image));
    const kept = new Set(mine);
    for (const image of this.#works.keys()) if (!kept.has(image)) this.#giveUp(image);
    for (const image of this.#waiting) if (!kept.has(image)) this.#waitNoMore(image);
    for (const image of mine) this.#consider(image);
  }

  get #isAble() {
    return Boolean(this.#captioner ?? this.weights);
  }

  /** Of elements within each other, the innermost that has a captioner. */
  #isResponsibleFor(image) {
    for (let at = image.closest(NAME); at && at !== this; at = at.parentElement?.closest(NAME)) {
      if (at instanceof SoliCaptionElement && at.#isAble) return false;
    }
    return true;
  }

  #consider(image) {
    const address = addressOf(image);
    if (writer.has(image)) {
      // Of a picture that came from another element it is not known what it showed when it got its text.
      if (!this.#works.has(image)) this.#works.set(image, { stop: new AbortController(), address, state: 'done' });
      if (!writer.wasOverwritten(image) && this.#works.get(image).address === address) return;
      writer.undo(image);
      this.#giveUp(image);
    }
    const work = this.#works.get(image);
    const { verdict, reason } = judge(factsOf(image));
    if (verdict === 'wait') this.#wait(image);
    else this.#waitNoMore(image);
    if (verdict === 'write') {
      if (work?.address === address) return;
      this.#giveUp(image);
      this.#describe(image, address);
    } else if (reason === 'broken') {
      if (work?.state === 'failed' && work.address === address) return;
      this.#giveUp(image);
      this.#works.set(image, { stop: new AbortController(), address, state: 'failed' });
      this.#tell('soli-error', { image, error: new SoliError('decode-failed', `this <img> shows no picture (${address})`) });
    } else {
      this.#giveUp(image);
    }
  }

  #wait(image) {
    if (this.#waiting.has(image)) return;
    this.#waiting.add(image);
    this.#sizes?.observe(image);
  }

  #waitNoMore(image) {
    if (this.#waiting.delete(image)) this.#sizes?.unobserve(image);
  }

  #giveUp(image) {
    this.#works.get(image)?.stop.abort();
    this.#works.delete(image);
  }

  async #describe(image, address) {
    const work = { stop: new AbortController(), address, state: 'working' };
    const { signal } = work.stop;
    this.#works.set(image, work);
    try {
      const captioner = this.#captioner ?? (await this.#shared());
      const caption = await this.#turns.run(() => captionOf(image, captioner, signal), signal);
      if (signal.aborted) return;
      // The picture, or what is said about it, may have changed while it was described.
      if (addressOf(image) !== address || judge(factsOf(image)).verdict !== 'write') {
        this.#works.delete(image);
        this.#lookSoon();
        return;
      }
      work.state = 'done';
      if (!caption) return;
      const { threshold, tell } = this;
      const text = sentence(caption, { threshold, tell });
      if (!text) {
        this.#tell('soli-untold', { image, caption, text: sentence(caption, { threshold }) });
        return;
      }
      writer.write(image, text);
      this.#tell('soli-caption', { image, caption, alt: text });
    } catch (error) {
      if (signal.aborted) return;
      work.state = 'failed';
      this.#tell('soli-error', { image, error });
    }
  }

  #shared() {
    const address = absolute(this.weights, this.ownerDocument.baseURI);
    if (this.#share?.address !== address) {
      this.#letGo();
      const share = { address, ...sharedCaptioner(address) };
      this.#share = share;
      share.captioner.catch(() => {
        if (this.#share === share) this.#letGo();
      });
    }
    return this.#share.captioner;
  }

  #letGo() {
    this.#share?.release();
    this.#share = null;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail }));
  }
}

/** Null for a picture with nothing on it: a sentence about it would be invented. */
async function captionOf(image, captioner, signal) {
  const pixels = await readPixels(image, { signal, timeout: captioner.timeout });
  return isBlank(pixels) ? null : captioner.caption(pixels, { signal });
}

function absolute(address, base) {
  try {
    return new URL(address, base).href;
  } catch (error) {
    throw new SoliError('fetch-failed', `the weights' address is none: ${address}`, { cause: error });
  }
}

if (globalThis.customElements && !customElements.get(NAME)) {
  customElements.define(NAME, SoliCaptionElement);
}
