/** What ends the form that is in the place of a text now. */
const open = new WeakMap();

/** Takes the form away from a text, if there is one; the text stays as it was. */
export function leaveEditor(place) {
  open.get(place)?.(null);
}

/** Gives the focus back after a form that had it; who has gone elsewhere is not fetched. */
export function focusAgain(element) {
  if (document.activeElement === document.body) element.focus();
}

/**
 * Puts a small form in the place of a text. Enter or "Save" takes the new text, Escape or "Cancel" leaves the old one.
 *
 * @param {HTMLElement} place hidden while the form is there
 * @param {{ text: string, label: string }} options
 * @returns {Promise<string | null>} null: nothing was changed
 */
export function editText(place, { text, label }) {
  leaveEditor(place);
  const form = Object.assign(document.createElement('form'), { className: 'editor' });
  const field = Object.assign(document.createElement('textarea'), { value: text, rows: 3 });
  field.setAttribute('aria-label', label);
  const save = Object.assign(document.createElement('button'), { textContent: 'Save', className: 'primary' });
  const cancel = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Cancel' });
  const buttons = Object.assign(document.createElement('div'), { className: 'row-actions' });
  buttons.append(save, cancel);
  form.append(field, buttons);
  place.after(form);
  place.hidden = true;
  field.focus();
  field.select();

  return new Promise((resolve) => {
    const end = (result) => {
      open.delete(place);
      form.remove();
      place.hidden = false;
      resolve(result);
    };
    open.set(place, end);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const given = field.value.replace(/\s+/g, ' ').trim();
      end(given && given !== text ? given : null);
    });
    cancel.addEventListener('click', () => end(null));
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') end(null);
      if (event.key === 'Enter' && !event.isComposing && event.target === field) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
  });
}
