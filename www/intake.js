import { filesOf } from './folders.js';
import { NOTHING, leftOut } from './wording.js';

/**
 * The ways in which pictures come to the page: chosen, dropped, pasted. Every file is handed on, whatever it calls itself:
 * the list says what became of each.
 *
 * @param {{
 *   input: HTMLInputElement,
 *   dropTarget: HTMLElement,
 *   onPictures(files: File[]): void,
 *   onNothing(message: string): void,
 *   onNote(message: string): void,
 * }} options `onNothing` gets a sentence for the user when something came that holds no picture, `onNote` one when a
 *   part of it was left out
 */
export function listenForPictures({ input, dropTarget, onPictures, onNothing, onNote }) {
  input.addEventListener('change', () => {
    const files = [...input.files];
    // Emptied, so that choosing the same file again is a change again.
    input.value = '';
    if (files.length > 0) onPictures(files);
  });

  // The whole page takes the drop: a near miss must not make the browser leave the page to show the file.
  const mark = (over) => dropTarget.toggleAttribute('data-over', over);
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) mark(false);
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(false);
    take(event.dataTransfer, NOTHING.drop);
  });
  document.addEventListener('paste', (event) => {
    // Words that are pasted into a text field are meant for it.
    if (event.target.closest?.('textarea, input')) return;
    take(event.clipboardData, NOTHING.paste);
  });

  async function take(transfer, otherwise) {
    const { files, folders, others } = await filesOf(transfer);
    if (files.length > 0) onPictures(files);
    else onNothing(folders > 0 ? NOTHING.folder : otherwise);
    if (files.length > 0 && others > 0) onNote(leftOut(others));
  }
}
