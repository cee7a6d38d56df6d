/**
 * How small a picture may be: shows it as the captioner sees it at each of some sizes, with the caption for that.
 */
import { sentence } from './pkg/index.js';
import { SIDES, pixelsOf, shrink } from './shrink.js';
import { NOTICES } from './wording.js';

/**
 * @param {{ section: HTMLElement, slider: HTMLInputElement, output: HTMLOutputElement, list: HTMLElement }} elements
 * @param {{
 *   caption(pixels: object, options: { signal: AbortSignal }): Promise<import('./pkg/index.js').Caption>,
 *   onShrunk(shrunk: object | null, ratio: number): void,
 *   onCaption(text: string): void,
 *   onTrouble(error: unknown): void,
 * }} listener
 */
export function createSizes({ section, slider, output, list }, { caption, onShrunk, onCaption, onTrouble }) {
  /** The picture shown: its file, its pixels once they are needed, the captions so far. */
  let current = null;
  slider.max = SIDES.length;

  const rows = SIDES.map((side) => {
    const row = document.createElement('li');
    const words = document.createElement('span');
    row.append(Object.assign(document.createElement('b'), { textContent: `${side} px` }), words);
    list.append(row);
    return { row, words };
  });

  const side = () => SIDES[slider.value - 1] ?? null;

  function mark() {
    output.textContent = side() ? `${side()} × ${side()} pixels` : 'as it is';
    slider.setAttribute('aria-valuetext', output.textContent);
    for (const [place, { row, words }] of rows.entries()) {
      row.toggleAttribute('data-current', place === slider.value - 1);
      words.textContent = current?.captions.get(SIDES[place]) ?? '…';
    }
    list.hidden = !current?.pixels;
  }

  async function look() {
    const mine = current;
    mark();
    if (!mine) return;
    if (!side()) {
      if (mine.pixels) onShrunk(null);
      return;
    }
    try {
      mine.reading ??= pixelsOf(mine.blob);
      mine.pixels = await mine.reading;
      if (current !== mine) return;
      if (side()) onShrunk(shrink(mine.pixels, side()), mine.pixels.width / mine.pixels.height);
      mark();
      if (mine.captions.has(side())) onCaption(mine.captions.get(side()));
      await work(mine);
    } catch (error) {
      if (current === mine) onTrouble(error);
    }
  }

  /** Captions every size, the one that is looked at first. */
  async function work(mine) {
    if (mine.working) return;
    mine.working = true;
    try {
      while (current === mine) {
        const missing = SIDES.filter((side) => !mine.captions.has(side));
        if (missing.length === 0) return;
        const next = missing.includes(side()) ? side() : missing[0];
        const { data, width, height } = shrink(mine.pixels, next);
        const made = await caption(new ImageData(data, width, height), { signal: mine.stop.signal });
        mine.captions.set(next, sentence(made) || NOTICES.noWords);
        if (current !== mine) return;
        mark();
        if (next === side()) onCaption(mine.captions.get(next));
      }
    } finally {
      mine.working = false;
    }
  }

  slider.addEventListener('input', look);

  return {
    /** Starts anew with another picture; null: with none. */
    show(blob) {
      current?.stop.abort();
      current = blob && { blob, stop: new AbortController(), captions: new Map(), pixels: null, reading: null, working: false };
      slider.value = 0;
      section.hidden = !blob;
      mark();
    },
  };
}
