/**
 * The ways in which a picture comes to the page: chosen, dropped, pasted.
 *
 * @param {{
 *   input: HTMLInputElement,
 *   dropTarget: HTMLElement,
 *   onPicture(file: File): void,
 *   onNothing(message: string): void,
 * }} options `onNothing` gets a sentence for the user when something came that holds no file
 */
export function listenForPictures({ input, dropTarget, onPicture, onNothing }) {
  input.addEventListener('change', () => {
    const [file] = input.files;
    // Emptied, so that choosing the same file again is a change again.
    input.value = '';
    if (file) onPicture(file);
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
    take(event.clipboardData, 'There is no picture on the clipboard.');
  });

  function take(transfer, otherwise) {
    const files = [...(transfer?.files ?? [])];
    const file = files.find(({ type }) => type.startsWith('image/')) ?? files[0];
    if (file) onPicture(file);
    else onNothing(otherwise);
  }
}
