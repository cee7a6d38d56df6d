/**
 * `<soli-caption weights="/models/soli.safetensors"><img src="cat.jpg"></soli-caption>`: gives the pictures inside an
 * alternative text where they have none. Importing this module defines the element. Types: element.d.ts.
 */
import { Captioner } from './captioner.js';
import { SoliError } from './errors.js';
import { sharedCaptioner } from './shared-captioner.js';
import { UNSURE_BELOW, sentence } from './wording.js';

/** Marks what a machine wrote, so that people, scripts and styles can tell. */
const MARK = 'data-soli-alt';

/** Server-side rendering and Node have no HTMLElement: there the import must do no harm. */
const Base = globalThis.HTMLElement ?? class {};

export class SoliCaptionElement extends Base {
  static observedAttributes = ['weights', 'threshold'];

  /** Images in work or done: what stops the work, and the picture it is for. */
  #works = new Map();
  #observer = null;
  #captioner = null;
  /** The shared captioner in use: its address, the promise of it, and how to let go of it. */
  #share = null;

  /** A captioner of the page's own, instead of one loaded from the `weights` attribute. It is not disposed here. */
  get captioner() {
    return this.#captioner;
  }

  set captioner(captioner) {
    if (captioner !== null && !(captioner instanceof Captioner)) throw new TypeError('`captioner` takes a Captioner or null');
    this.#captioner = captioner;
    this.#look();
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

  connectedCallback() {
    this.#observer = new MutationObserver(() => this.#look());
    this.#observer.observe(this, {
      subtree: true,
      childList: true,
      attributeFilter: ['src', 'srcset', 'alt', 'role', 'aria-hidden', 'aria-label', 'aria-labelledby'],
    });
    this.#look();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    for (const { stop } of this.#works.values()) stop.abort();
    this.#works.clear();
    this.#letGo();
  }

  attributeChangedCallback() {
    this.#look();
  }

  /** Starts work on every picture that needs it, ends work on those that do not any more. */
  #look() {
    if (!this.isConnected || !(this.#captioner ?? this.weights)) return;
    for (const image of this.#works.keys()) if (!this.contains(image)) this.#giveUp(image);
    for (const image of this.querySelectorAll('img')) {
      const mine = isOurs(image);
      if (this.#works.has(image) && this.#works.get(image).picture !== pictureOf(image)) {
        this.#giveUp(image);
        if (mine) withdraw(image);
      }
      if (!this.#works.has(image) && needsText(image)) this.#describe(image);
    }
  }

  #giveUp(image) {
    this.#works.get(image).stop.abort();
    this.#works.delete(image);
  }

  async #describe(image) {
    const stop = new AbortController();
    const { signal } = stop;
    this.#works.set(image, { stop, picture: pictureOf(image) });
    try {
      await loaded(image, signal);
      const captioner = this.#captioner ?? (await this.#shared());
      const caption = await captioner.caption(image, { signal });
      const text = sentence(caption, { threshold: this.threshold });
      // A person may have written a text in the meantime.
      if (!text || signal.aborted || !needsText(image)) return;
      image.setAttribute(MARK, text);
      image.alt = text;
      this.#tell('soli-caption', { image, caption, alt: text });
    } catch (error) {
      if (!signal.aborted) this.#tell('soli-error', { image, error });
    }
  }

  #shared() {
    const address = new URL(this.weights, this.ownerDocument.baseURI).href;
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

/** Whether nobody has said what this picture shows, and somebody should. */
function needsText(image) {
  return (
    !image.hasAttribute('alt') &&
    !['aria-label', 'aria-labelledby', 'title'].some((name) => image.getAttribute(name)?.trim()) &&
    !['none', 'presentation'].includes(image.getAttribute('role')) &&
    !image.closest('[aria-hidden="true"]') &&
    // In a link or a button the text has to say what happens there, which a picture does not tell.
    !image.closest('a[href], button, [role="button"], [role="link"]')
  );
}

/** Which picture an element shows, as far as its attributes tell. */
function pictureOf(image) {
  return JSON.stringify([image.getAttribute('src'), image.getAttribute('srcset')]);
}

/** Whether the text is a machine's. A person who corrected it made it theirs. */
function isOurs(image) {
  const mine = image.getAttribute(MARK);
  if (mine === null) return false;
  if (image.alt === mine) return true;
  image.removeAttribute(MARK);
  return false;
}

function withdraw(image) {
  image.removeAttribute(MARK);
  image.removeAttribute('alt');
}

/** Waits for a picture that is still on its way; one with `loading="lazy"` comes when it is scrolled to. */
async function loaded(image, signal) {
  // An attribute that has just changed shows in `complete` a moment later.
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
  if (image.complete && image.naturalWidth > 0) return;
  await new Promise((resolve, reject) => {
    const options = { once: true, signal };
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    image.addEventListener('load', () => resolve(), options);
    image.addEventListener(
      'error',
      () => reject(new SoliError('decode-failed', `this <img> shows no picture (${image.currentSrc || image.src})`)),
      options,
    );
  });
}

if (globalThis.customElements && !customElements.get('soli-caption')) {
  customElements.define('soli-caption', SoliCaptionElement);
}
