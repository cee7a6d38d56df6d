/** Where the words that are seen come from: a switch, a button for each word, and a map of the chosen one over the picture. */
import { whereOf } from './where.js';
import { wordsSeen } from './wording.js';

/** How much of the picture the map covers where it is strongest: what lies under it can still be told. */
const COVER = 0.75;

/**
 * @param {{
 *   section: HTMLElement, toggle: HTMLButtonElement, choices: HTMLElement, text: HTMLElement,
 *   picture: HTMLImageElement, map: HTMLCanvasElement,
 * }} elements
 * @param {{
 *   caption(blob: Blob, options: { signal: AbortSignal, cells: true }): Promise<import('./pkg/index.js').Caption>,
 *   onTrouble(error: unknown): void,
 * }} listener
 */
export function createHeat({ section, toggle, choices, text, picture, map }, { caption, onTrouble }) {
  let on = false;
  /** The picture whose words stand there; null: there are no words, or what is told is something else. */
  let current = null;
  /** The word whose map is shown, and the caption that it belongs to. */
  let chosen = { caption: null, word: '' };
  let stop = new AbortController();
  /** By captions that were made without cells: the words of the same picture with them. */
  const found = new WeakMap();

  /** The words seen with their cells; null while any is without. */
  function mapped(made) {
    const cellsOf = new Map((found.get(made) ?? made.words).map(({ word, cells }) => [word, cells]));
    const words = wordsSeen(made).map((seen) => ({ ...seen, cells: cellsOf.get(seen.word) }));
    return words.every(({ cells }) => cells) ? words : null;
  }

  function render() {
    stop.abort();
    section.hidden = !current || wordsSeen(current.caption).length === 0;
    toggle.setAttribute('aria-pressed', String(on));
    choices.replaceChildren();
    text.textContent = '';
    map.hidden = true;
    if (!on || section.hidden) return;
    const words = mapped(current.caption);
    if (words) {
      choices.append(...words.map(choiceOf));
      const same = chosen.caption === current.caption && words.find(({ word }) => word === chosen.word);
      choose(same || words[0]);
    } else if (!found.has(current.caption)) {
      find(current);
    }
  }

  function choiceOf(seen) {
    const { word, cells } = seen;
    // The title is read out with the word: whoever does not see the map need not choose the word to know.
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: word, title: whereOf(cells) });
    button.addEventListener('click', () => choose(seen));
    return button;
  }

  function choose({ word, cells }) {
    chosen = { caption: current.caption, word };
    for (const button of choices.children) button.setAttribute('aria-pressed', String(button.textContent === word));
    text.textContent = `${word}: ${whereOf(cells)}`;
    draw(map, cells);
    map.hidden = false;
  }

  /** Has a picture looked at again whose caption was made while the switch was off. */
  async function find({ blob, caption: made }) {
    stop = new AbortController();
    const { signal } = stop;
    try {
      const { words } = await caption(blob, { signal, cells: true });
      if (signal.aborted) return;
      found.set(made, words ?? []);
      render();
    } catch (error) {
      if (!signal.aborted) onTrouble(error);
    }
  }

  toggle.addEventListener('click', () => {
    on = !on;
    render();
  });

  // The map has the shape of the picture that it lies on; a drawing without a size has none.
  picture.addEventListener('load', () => map.style.setProperty('--ratio', picture.naturalWidth / picture.naturalHeight || 1));

  return {
    get on() {
      return on;
    },
    /** @param {import('./pictures.js').Picture} given one that has a caption */
    show(given) {
      current = given;
      render();
    },
    /** The words that stood there are gone. */
    hide() {
      current = null;
      render();
    },
  };
}

/** A pixel a cell: the browser makes it as large as the picture, and smooth. */
function draw(canvas, cells) {
  const side = Math.sqrt(cells.length);
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d');
  context.fillStyle = getComputedStyle(canvas).color;
  // As a share of the strongest: a word of which the network is not sure is seen faintly, and still comes from somewhere.
  const strongest = Math.max(...cells) || 1;
  for (const [place, value] of cells.entries()) {
    context.globalAlpha = (COVER * value) / strongest;
    context.fillRect(place % side, Math.floor(place / side), 1, 1);
  }
}
