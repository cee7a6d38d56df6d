/** Writes descriptions into the page, knows what it wrote, and takes it back without a trace. */

/** Marks an element whose description soli wrote; its value names the attribute that it wrote. */
export const MARK = 'data-soli';

export class Writer {
  /** element -> what was there before and what was written */
  #written = new Map();

  /** Which attribute holds an element's text alternative. */
  static attributeOf(element) {
    return element.localName === 'img' || element.localName === 'input' ? 'alt' : 'aria-label';
  }

  has(element) {
    return this.#written.has(element);
  }

  get size() {
    return this.#written.size;
  }

  /** @param {string} language of the text; noted on the element where the page around speaks another one */
  write(element, text, language) {
    this.undo(element);
    const attribute = Writer.attributeOf(element);
    const speaks = (element.closest('[lang]')?.lang ?? '').toLowerCase().split('-')[0];
    const lang = !element.hasAttribute('lang') && speaks !== language ? language : null;
    this.#written.set(element, { attribute, before: element.getAttribute(attribute), text, lang });
    element.setAttribute(attribute, text);
    element.setAttribute(MARK, attribute);
    if (lang) element.lang = lang;
  }

  /** Takes back what was written, unless somebody has written over it since. */
  undo(element) {
    const entry = this.#written.get(element);
    if (!entry) return;
    const { attribute, before, text, lang } = entry;
    this.#written.delete(element);
    element.removeAttribute(MARK);
    if (lang && element.getAttribute('lang') === lang) element.removeAttribute('lang');
    if (element.getAttribute(attribute) !== text) return;
    if (before === null) element.removeAttribute(attribute);
    else element.setAttribute(attribute, before);
  }

  undoAll() {
    for (const element of [...this.#written.keys()]) this.undo(element);
  }

  /** Whether the page, or a person, has put another text in the place of the one that was written. */
  wasOverwritten(element) {
    const entry = this.#written.get(element);
    return entry !== undefined && element.getAttribute(entry.attribute) !== entry.text;
  }
}
