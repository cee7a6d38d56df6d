/** The pictures as a list that fills in: one row each, with what can be done about it. */
import { editText, focusAgain } from './editor.js';
import { about } from './pkg/wording.js';
import { STATES, captionOf, progress, sees, textOf, trouble } from './wording.js';

/**
 * @param {{ section: HTMLElement, heading: HTMLElement, count: HTMLElement, rows: HTMLElement, cancelAll: HTMLElement }} elements
 * @param {import('./pictures.js').Pictures} pictures
 * @param {{ onCopy(text: string): void }} listener
 */
export function createList({ section, heading, count, rows, cancelAll }, pictures, { onCopy }) {
  /** @type {Map<import('./pictures.js').Picture, ReturnType<typeof createRow>>} */
  const shown = new Map();

  function renderList() {
    for (const [picture, row] of shown) {
      if (pictures.items.includes(picture)) continue;
      const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
      const hadFocus = row.element.contains(document.activeElement);
      row.element.remove();
      shown.delete(picture);
      // Who works with the keyboard must not be thrown back to the top of the page.
      if (hadFocus) (next?.querySelector('button') ?? heading).focus();
    }
    for (const picture of pictures.items) {
      if (shown.has(picture)) continue;
      const row = createRow(picture, pictures, onCopy);
      shown.set(picture, row);
      row.render();
      rows.append(row.element);
    }
    renderSelection();
  }

  function renderHead() {
    const { items } = pictures;
    // A single picture that is looked at needs no list.
    section.hidden = items.length === 0 || (items.length === 1 && items[0] === pictures.selected);
    count.textContent = progress(items);
    const open = items.some(({ state }) => state === 'waiting' || state === 'working');
    const hadFocus = document.activeElement === cancelAll;
    cancelAll.hidden = !open;
    if (!open && hadFocus) heading.focus();
  }

  function renderSelection() {
    for (const [picture, row] of shown) row.mark(picture === pictures.selected);
    renderHead();
  }

  pictures.addEventListener('list', renderList);
  pictures.addEventListener('select', renderSelection);
  pictures.addEventListener('change', ({ detail: picture }) => {
    shown.get(picture)?.render();
    renderHead();
  });
}

function createRow(picture, pictures, onCopy) {
  const element = document.createElement('li');
  const thumb = button('', `Show ${picture.name}`, () => pictures.select(picture));
  thumb.className = 'thumb';
  const image = Object.assign(new Image(), { alt: '', loading: 'lazy', decoding: 'async', src: picture.url });
  image.addEventListener('error', () => image.remove());
  thumb.append(image);

  const name = Object.assign(document.createElement('p'), { className: 'row-name', textContent: picture.name });
  const words = Object.assign(document.createElement('p'), { className: 'row-caption' });
  const text = Object.assign(document.createElement('div'), { className: 'row-text' });
  const facts = Object.assign(document.createElement('p'), { className: 'row-facts' });
  const seen = Object.assign(document.createElement('p'), { className: 'row-sees' });
  text.append(name, words, facts, seen);

  const of = `of ${picture.name}`;
  const buttons = {
    cancel: button('Cancel', `Cancel ${picture.name}`, () => pictures.cancel(picture)),
    retry: button('Try again', `Try again: ${picture.name}`, () => pictures.retry(picture)),
    copy: button('Copy', `Copy the caption ${of}`, () => onCopy(textOf(picture))),
    edit: button('Edit', `Edit the caption ${of}`, async () => {
      actions.hidden = true;
      const given = await editText(words, { text: textOf(picture), label: `Caption ${of}` });
      actions.hidden = false;
      if (given !== null) pictures.edit(picture, given);
      focusAgain(buttons.edit);
    }),
    remove: button('Remove', `Remove ${picture.name}`, () => pictures.remove(picture)),
  };
  const actions = Object.assign(document.createElement('div'), { className: 'row-actions' });
  actions.append(...Object.values(buttons));
  element.append(thumb, text, actions);

  return {
    element,
    render() {
      const { state } = picture;
      element.dataset.state = state;
      if (state === 'done') words.textContent = captionOf(picture);
      else words.textContent = state === 'failed' ? trouble(picture.error, picture.name) : STATES[state];
      // The machine's confidence says nothing about a person's words.
      facts.textContent = state === 'done' && picture.text === null ? about(picture.caption) : '';
      facts.hidden = facts.textContent === '';
      seen.textContent = state === 'done' ? sees(picture.caption) : '';
      seen.hidden = seen.textContent === '';
      const focused = document.activeElement;
      buttons.cancel.hidden = state !== 'waiting' && state !== 'working';
      buttons.retry.hidden = state !== 'failed' && state !== 'cancelled';
      buttons.copy.hidden = buttons.edit.hidden = state !== 'done';
      if (focused?.hidden && actions.contains(focused)) actions.querySelector('button:not([hidden])').focus();
    },
    mark(current) {
      if (current) thumb.setAttribute('aria-current', 'true');
      else thumb.removeAttribute('aria-current');
    },
  };
}

function button(text, label, onClick) {
  const element = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
  element.setAttribute('aria-label', label);
  element.addEventListener('click', onClick);
  return element;
}
