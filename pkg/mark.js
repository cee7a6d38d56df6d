/**
 * Writes descriptions into a page, marks them, knows what it wrote, and takes it back without a trace.
 * `<soli-caption>` and the browser extension write alike, so that each leaves the other's texts alone.
 */

import { call } from './dom.js';

/** Marks an element whose text a machine wrote; its value names the attribute that holds the text. */
export const MARK = 'data-soli';

/** The language of every description. */
export const CAPTION_LANGUAGE = 'en';

export class Writer {
  /** element -> what was there before and what was written. Weak: a page may drop its pictures. */
  #written = new WeakMap();
  #elements = new Set();

  /** Which attribute holds an element's text alternative. */
  static attributeOf(element) {
    return element.localName === 'img' || element.localName === 'input' ? 'alt' : 'aria-label';
  }

  has(element) {
    return this.#written.has(element);
  }

  /** Writes a text; its language is noted on the element where the page around speaks another one. */
  write(element, text) {
    this.undo(element);
    const attribute = Writer.attributeOf(element);
    const around = element.closest('[lang]');
    const speaks = ((around && call(around, 'getAttribute', 'lang')) ?? '').toLowerCase().split('-')[0];
    const lang = !element.hasAttribute('lang') && speaks !== CAPTION_LANGUAGE ? CAPTION_LANGUAGE : null;
    const reference = new WeakRef(element);
    this.#written.set(element, { attribute, before: element.getAttribute(attribute), text, lang, reference });
    this.#elements.add(reference);
    element.setAttribute(attribute, text);
    element.setAttribute(MARK, attribute);
    if (lang) element.lang = lang;
  }

  /** Takes back what was written, unless somebody has written over it since. */
  undo(element) {
    const entry = this.#written.get(element);
    if (!entry) return;
    const { attribute, before, text, lang, reference } = entry;
    this.#written.delete(element);
    this.#elements.delete(reference);
    element.removeAttribute(MARK);
    if (lang && element.getAttribute('lang') === lang) element.removeAttribute('lang');
    if (element.getAttribute(attribute) !== text) return;
    if (before === null) element.removeAttribute(attribute);
    else element.setAttribute(attribute, before);
  }

  undoAll() {
    for (const reference of [...this.#elements]) {
      const element = reference.deref();
      if (element) this.undo(element);
      else this.#elements.delete(reference);
    }
  }

  /** Whether the page, or a person, has put another text in the place of the one that was written. */
  wasOverwritten(element) {
    const entry = this.#written.get(element);
    return entry !== undefined && element.getAttribute(entry.attribute) !== entry.text;
  }
}
