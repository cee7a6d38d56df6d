/**
 * Each message that a user of the page can meet, as they read it. Whoever adds or changes one reads it here among the others:
 * what happened, what to do, in the words of who is no developer.
 */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';

const WWW = new URL('../../www/', import.meta.url);
const PKG = new URL('../../pkg/', import.meta.url);

/** www/wording.js with the package's words, which the page finds under another address. */
async function wording() {
  const text = await readFile(new URL('wording.js', WWW), 'utf8');
  const resolved = text.replaceAll(/'\.\/pkg\/(index|wording)\.js'/g, JSON.stringify(new URL('wording.js', PKG).href));
  return import(`data:text/javascript,${encodeURIComponent(resolved)}`);
}
const words = await wording();
/** index.html says two things before there are modules. */
const start = [...(await readFile(new URL('index.html', WWW), 'utf8')).matchAll(/'(This page [^']*)'/g)].map(([, text]) => text);
const source = (name) => readFile(new URL(name, WWW), 'utf8');

/** By what they are about; an error has to say what to do. */
const FAILURES = {
  load: words.LOAD_SENTENCES,
  captioner: words.SENTENCES,
  start,
  camera: words.CAMERA_SENTENCES,
  nothing: words.NOTHING,
  notes: Object.fromEntries(Object.entries(words.NOTES).map(([name, say]) => [name, say(7_264_728)])),
  others: {
    sample: words.sampleTrouble(),
    unknown: words.trouble(new TypeError('x is undefined')),
    unknownCamera: words.cameraTrouble(new TypeError('x')),
    copy: words.NOTICES.copyRefused,
    voice: words.NOTICES.noVoice,
    hidden: words.NOTICES.cameraHidden,
    shot: words.NOTICES.shotFailed,
    ...Object.fromEntries(['a.HEIC', 'a.jxl', 'a.tif', 'a.CR2', 'a.pdf', 'a.mov'].map((name) => [name, words.trouble({ code: 'decode-failed' }, name)])),
  },
};
const failures = Object.entries(FAILURES).flatMap(([group, all]) => Object.entries(all).map(([name, text]) => [`${group}: ${name}`, text]));

/** What somebody can do. */
const ADVICE =
  /\b(try|load|choose|check|save|select|allow|free|connect|copy|drop|open|switch|export|share|ordinary window|nothing to do|settings may have)\b/i;
/** Words of the trade, and what only its makers see. */
const JARGON =
  /\b(undefined|null|NaN|exception|error code|SecurityError|DOMException|tainted|canvas|blob|fetch|HTTP|\d{3} for|CORS|SHA|hash|cache|service worker|worker|thread|instance|decode|JSON|token|pixel buffer|safetensors|WASM|module|invalid|internal)\b/;

describe('what the page says', () => {
  for (const [name, text] of failures) {
    test(`${name}: “${text}”`, () => {
      assert.match(text, /^[A-Z].*/, 'a sentence');
      if (!/unknown/.test(name)) {
        assert.match(text, /[.?]$/, 'to its end');
        assert.doesNotMatch(text, JARGON);
      }
      assert.match(text, ADVICE, 'says what to do');
      assert.ok(text.length <= 260, `${text.length} characters`);
    });
  }

  test('there is a sentence for every code of the package, and none for others', async () => {
    const types = await readFile(new URL('index.d.ts', PKG), 'utf8');
    const codes = [...types.match(/export type SoliErrorCode =([^;]*);/)[1].matchAll(/'([\w-]+)'/g)].map(([, code]) => code);
    assert.ok(codes.length > 8);
    for (const code of codes) assert.ok(words.SENTENCES[code], `no sentence for ${code}`);
  });

  test('there is a sentence for everything that the page’s own loading throws or notes', async () => {
    const all = (await Promise.all(['weights.js', 'weights-store.js'].map(source))).join('\n');
    const kinds = new Set([...all.matchAll(/new LoadError\(\s*'([\w-]+)'/g)].map(([, kind]) => kind));
    assert.deepEqual([...kinds].sort(), Object.keys(words.LOAD_SENTENCES).sort());
    const notes = new Set([...all.matchAll(/'(no-room|no-store|damaged)'/g)].map(([, note]) => note));
    assert.deepEqual([...notes].sort(), Object.keys(words.NOTES).sort());
    assert.match(words.trouble({ kind: 'stalled', message: 'nothing came' }), /for a minute/);
  });

  test('all the others', () => {
    assert.equal(start.length, 2);
    assert.deepEqual({ ...words.STATES, ...words.STANDING, question: words.QUESTION }, {
      waiting: 'Waiting …',
      working: 'Looking …',
      cancelled: 'Cancelled.',
      kept: 'Works without a network',
      online: 'Works while you are online',
      question: 'What does your picture show?',
    });
    assert.deepEqual(Object.keys(words.NOTICES), ['cancelled', 'copied', 'copyRefused', 'noVoice', 'cameraHidden', 'noWords', 'kept', 'shotFailed', 'update']);
    assert.equal(words.leftOut(1), 'One file of the folder is no picture and was left out.');
    assert.equal(words.leftOut(12), '12 files of the folder are no pictures and were left out.');
    assert.equal(words.loadingProgress({ loaded: 2_500_000, total: 7_264_728, elsewhere: false }), 'Loading the captioner: 2.5 of 7.3 MB');
    assert.equal(words.loadingProgress({ loaded: 2_500_000, total: 7_264_728, elsewhere: true }), 'Another tab is loading the captioner: 2.5 of 7.3 MB');
    assert.equal(words.captionOf({ text: null, caption: null }), 'No words came to mind for this picture.');
  });

  test('no other module has sentences of its own', async () => {
    for (const file of (await readdir(WWW)).filter((name) => name.endsWith('.js') && !['wording.js', 'precache.js', 'sw.js'].includes(name))) {
      const code = (await source(file)).replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
      // What is thrown is for developers: users get the sentence of its code or kind.
      const said = code.replace(/(new (Error|TypeError|LoadError|DOMException)|super|brokeOff)\([^\n]*/g, '');
      const sentences = [...said.matchAll(/(['`])([A-Z][^'`\n]* [^'`\n]*[.?…])\1/g)].map(([, , text]) => text);
      assert.deepEqual(sentences, [], file);
    }
  });
});

describe('the words that the network sees', () => {
  const seen = (...pairs) => ({ words: pairs.map(([word, probability]) => ({ word, probability })) });

  test('the surest six from a quarter on, as percentages', () => {
    assert.equal(words.sees(seen(['cat', 0.914], ['sofa', 0.62])), 'Sees: cat 91 %, sofa 62 %');
    assert.equal(words.sees(seen(['sofa', 0.62], ['cat', 0.914])), 'Sees: cat 91 %, sofa 62 %', 'sorted, whoever sent them');
    assert.equal(words.sees(seen(['cat', 0.25], ['dog', 0.2499])), 'Sees: cat 25 %');
    const many = seen(...Array.from({ length: 9 }, (_, place) => [`thing${place}`, 0.9 - place / 100]));
    assert.equal(words.wordsSeen(many).length, 6);
    assert.equal(many.words.length, 9, 'the caption itself is left as it is');
  });

  for (const [name, caption] of Object.entries({
    'no caption': null,
    'no words': {},
    'an empty list': { words: [] },
    'nothing sure enough': seen(['cat', 0.1]),
    'no list': { words: 'cat' },
    'no numbers': seen(['cat', Number.NaN], ['dog', undefined], ['cow', '']),
    'out of range': seen(['cat', 7]),
    'no names': { words: [null, { probability: 0.9 }, { word: '', probability: 0.9 }] },
  })) {
    test(`${name}: nothing is said`, () => assert.equal(words.sees(caption), ''));
  }
});
