/**
 * Captions of every kind and certainty, and what is to be said of each, wherever it is. Which pictures a network is sure of
 * changes with its weights; so here stand-ins say it.
 */

const words = [
  { word: 'grass', probability: 0.4 },
  { word: 'dog', probability: 0.62 },
  { word: 'sky', probability: 0.1 },
];
const caption = (certainty, confidence, more = {}) => ({
  text: 'a dog runs over grass',
  kind: 'photograph',
  score: -1.5,
  tokens: ['a', 'dog', 'runs', 'over', 'grass'],
  confidence,
  certainty,
  words,
  ...more,
});

/** By name: the caption, its `sentence`, and the `kind` and `certainty` in words. */
export const CAPTIONS = {
  sure: { caption: caption('likely', 0.72), sentence: 'A dog runs over grass.', kind: 'Photograph', certainty: 'Probably right' },
  guess: { caption: caption('unsure', 0.31), sentence: 'May show: a dog runs over grass.', kind: 'Photograph', certainty: 'A guess' },
  words: { caption: caption('no', 0.12), sentence: 'Perhaps: dog, grass.', kind: 'Photograph', certainty: 'Very unsure' },
  nothing: { caption: caption('no', 0.08, { words: [] }), sentence: '', kind: 'Photograph', certainty: 'Very unsure' },
  drawing: {
    caption: caption('unsure', 0.44, { kind: 'drawing', text: 'a drawing, perhaps of a orange cat' }),
    sentence: 'A drawing, perhaps of an orange cat.',
    kind: 'Drawing',
    certainty: 'A guess',
  },
  page: {
    caption: caption('likely', 0.98, { kind: 'text', text: 'a page of text', words: [] }),
    sentence: 'Looks like a page of text.',
    kind: 'Page of text',
    certainty: 'Probably right',
  },
};

/** Which of them each choice tells. */
export const TOLD = {
  sure: ['sure', 'page'],
  guesses: ['sure', 'guess', 'drawing', 'page'],
  words: ['sure', 'guess', 'words', 'drawing', 'page'],
};

/** Runs in a page before its code: every caption that comes from a worker has the fields of `window.caption`. */
export function faked() {
  const { set, get } = Object.getOwnPropertyDescriptor(Worker.prototype, 'onmessage');
  Object.defineProperty(Worker.prototype, 'onmessage', {
    configurable: true,
    get,
    set(handler) {
      set.call(this, handler && ((event) => {
        if (event.data?.value?.text !== undefined && window.caption) Object.assign(event.data.value, window.caption);
        handler.call(this, event);
      }));
    },
  });
}

/** Runs where texts are read aloud: there are no voices in a container, so what they are given is written down. */
export function voiceless() {
  globalThis.spoken = [];
  Object.defineProperty(window, 'speechSynthesis', {
    configurable: true,
    value: { speak: ({ text, lang }) => void globalThis.spoken.push({ text, lang }), cancel() {} },
  });
}

/** The width of the picture that a caption belongs to: by it the extension's stand-in knows what to say. */
export const widthOf = (name) => 100 + Object.keys(CAPTIONS).indexOf(name);

/** The source of a module that stands in the place of the package's captioner.js. */
export const CAPTIONER = `
  const captions = new Map(${JSON.stringify(Object.entries(CAPTIONS).map(([name, { caption }]) => [widthOf(name), caption]))});
  export class Captioner {
    static load = async () => new Captioner();
    caption = async ({ width }) => ({ ...captions.get(width), ms: 1 });
    dispose() {}
  }`;

/** The names that Chromium gives to screen readers for everything of a role, in the order of the page. */
export async function namesOf(page, role) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes.filter((node) => !node.ignored && node.role.value === role).map(({ name }) => name?.value ?? '');
}
