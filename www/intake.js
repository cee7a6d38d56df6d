/**
 * The ways in which pictures come to the page: chosen, dropped, pasted.
 *
 * @param {{
 *   input: HTMLInputElement,
 *   dropTarget: HTMLElement,
 *   onPictures(files: File[]): void,
 *   onNothing(message: string): void,
 * }} options `onNothing` gets a sentence for the user when something came that holds no file
 */
export function listenForPictures({ input, dropTarget, onPictures, onNothing }) {
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
    take(event.dataTransfer, 'That was not a file. Save the picture first, then drop the file here.');
  });
  document.addEventListener('paste', (event) => {
    // Words that are pasted into a text field are meant for it.
    if (event.target.closest?.('textarea, input')) return;
    take(event.clipboardData, 'There is no picture on the clipboard.');
  });

  function take(transfer, otherwise) {
    const files = [...(transfer?.files ?? [])];
    const pictures = files.filter(({ type }) => type.startsWith('image/'));
    // Files of which none calls itself a picture are tried all the same: the list says what became of each.
    if (files.length > 0) onPictures(pictures.length > 0 ? pictures : files);
    else onNothing(otherwise);
  }
}
