import { sampleTrouble } from './wording.js';

/** The bundled photographs; photos/SOURCES.md names their sources. */
const SAMPLES = [
  { file: './photos/cat.jpg', alt: 'Sample: a cat', credit: 'Stefan van der Walt, CC0' },
  { file: './photos/astronaut.jpg', alt: 'Sample: an astronaut', credit: 'NASA, public domain' },
  { file: './photos/coffee.jpg', alt: 'Sample: a cup of coffee', credit: 'Rachel Michetti, CC0' },
];

/**
 * Fills a list with one button a photograph.
 *
 * @param {HTMLUListElement} list
 * @param {{ onPicture(file: File): void, onTrouble(message: string): void }} listener
 */
export function listSamples(list, { onPicture, onTrouble }) {
  for (const { file, alt, credit } of SAMPLES) {
    const image = Object.assign(document.createElement('img'), { src: new URL(file, import.meta.url), alt });
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    button.append(image);
    button.addEventListener('click', async () => {
      try {
        const response = await fetch(image.src);
        const blob = await response.blob();
        // An error page is no photograph, whatever its status.
        if (!response.ok || !blob.type.startsWith('image/')) throw new Error(`${file} did not come`);
        onPicture(new File([blob], file.split('/').at(-1), { type: blob.type }));
      } catch {
        onTrouble(sampleTrouble());
      }
    });
    const item = document.createElement('li');
    item.append(button, Object.assign(document.createElement('small'), { textContent: credit }));
    list.append(item);
  }
}
