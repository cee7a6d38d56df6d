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
 * @param {{ onPicture(file: File): void, onTrouble(error: Error): void }} listener
 */
export function listSamples(list, { onPicture, onTrouble }) {
  for (const { file, alt, credit } of SAMPLES) {
    const image = Object.assign(document.createElement('img'), { src: new URL(file, import.meta.url), alt });
    const button = Object.assign(document.createElement('button'), { type: 'button' });
    button.append(image);
    button.addEventListener('click', async () => {
      try {
        const response = await fetch(image.src);
        if (!response.ok) throw new Error(`the server answered ${response.status} for ${file}`);
        onPicture(new File([await response.blob()], file.split('/').at(-1), { type: 'image/jpeg' }));
      } catch (error) {
        onTrouble(error);
      }
    });
    const item = document.createElement('li');
    item.append(button, Object.assign(document.createElement('small'), { textContent: credit }));
    list.append(item);
  }
}
