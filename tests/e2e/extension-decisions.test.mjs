/** What the extension decides without a browser: which pictures, in which order, in which words, at which moments. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { isFileName, judge, LEAST_SIDE, LONGEST_RATIO } from '../../pkg/eligibility.js';
import { NearestFirst } from '../../extension/src/content/queue.js';
import { isSaving } from '../../extension/src/engine/power.js';
import { UNSURE_BELOW } from '../../pkg/index.js';
import { checked, DEFAULTS, hostOf } from '../../extension/src/shared/settings.js';
import { description } from '../../extension/src/content/wording.js';
import { LANGUAGES, translator } from '../../extension/src/shared/words.js';

/** A photograph that nobody has described. */
const PHOTO = Object.freeze({
  kind: 'img',
  alt: null,
  machine: false,
  name: '',
  role: '',
  ariaHidden: false,
  inGraphic: false,
  control: 'none',
  editable: false,
  file: 'beach.jpg',
  drawing: false,
  loading: 'done',
  visible: true,
  drawn: { width: 300, height: 200 },
  pixels: { width: 600, height: 400 },
});

describe('which pictures', () => {
  const table = [
    ['no alt attribute', {}, 'write', 'no-alt'],
    ['an empty alt', { alt: '' }, 'leave', 'decorative'],
    ['an alt of spaces', { alt: ' \n' }, 'leave', 'decorative'],
    ['a text that soli wrote', { alt: 'A beach.', machine: true }, 'leave', 'machine'],
    ['a person’s text', { alt: 'A beach at dawn' }, 'leave', 'person'],
    ['a file name as text', { alt: 'beach.jpg' }, 'leave', 'file-name'],
    ['role="presentation"', { role: 'presentation' }, 'leave', 'decorative'],
    ['role="none"', { role: 'none' }, 'leave', 'decorative'],
    ['hidden from assistive technology', { ariaHidden: true }, 'leave', 'hidden'],
    ['part of a graphic', { inGraphic: true }, 'leave', 'part-of-graphic'],
    ['a label or title', { name: 'A beach' }, 'leave', 'person'],
    ['in a link', { control: 'unnamed' }, 'offer', 'functional'],
    ['in a link that has a name', { control: 'named' }, 'leave', 'named-control'],
    ['in somebody’s draft', { editable: true }, 'offer', 'draft'],
    ['an image button', { kind: 'input', pixels: null }, 'offer', 'functional'],
    ['an image button with a text', { kind: 'input', pixels: null, alt: 'Search' }, 'leave', 'person'],
    ['a video’s poster', { kind: 'video', pixels: null }, 'offer', 'poster'],
    ['a canvas that says it is a picture', { kind: 'canvas', role: 'img', pixels: null }, 'offer', 'canvas'],
    ['any other canvas', { kind: 'canvas', pixels: null }, 'leave', 'live'],
    ['a background that says it is a picture', { kind: 'background', role: 'img', pixels: null }, 'offer', 'background'],
    ['an inline drawing', { kind: 'svg', pixels: null }, 'leave', 'drawing'],
    ['a drawing’s file', { drawing: true }, 'leave', 'drawing'],
    ['not loaded yet', { loading: 'pending' }, 'wait', 'loading'],
    ['broken', { loading: 'broken' }, 'leave', 'broken'],
    ['not shown', { visible: false }, 'wait', 'not-shown'],
    ['a counter of one pixel', { pixels: { width: 1, height: 1 } }, 'leave', 'spacer'],
    ['a spacer four pixels high', { pixels: { width: 400, height: 4 } }, 'leave', 'spacer'],
    ['just too small', { drawn: { width: 300, height: LEAST_SIDE - 1 } }, 'wait', 'tiny'],
    ['just large enough', { drawn: { width: LEAST_SIDE, height: LEAST_SIDE } }, 'write', 'no-alt'],
    ['a rule', { drawn: { width: 50 * LONGEST_RATIO + 1, height: 50 } }, 'wait', 'strip'],
    ['a panorama', { drawn: { width: 50 * LONGEST_RATIO, height: 50 } }, 'write', 'no-alt'],
  ];
  for (const [name, change, verdict, reason] of table) {
    test(`${name}: ${verdict}, ${reason}`, () => {
      assert.deepEqual(judge({ ...PHOTO, ...change }), { verdict, reason });
    });
  }

  test('what a person decided comes before everything else', () => {
    const decided = [{ alt: '' }, { role: 'none' }, { ariaHidden: true }, { alt: 'A beach' }, { name: 'A beach' }];
    const otherwise = [{ control: 'unnamed' }, { editable: true }, { loading: 'pending' }, { visible: false }, { kind: 'canvas', role: 'img' }];
    for (const first of decided) {
      for (const second of otherwise) {
        const facts = { ...PHOTO, ...second, ...first };
        assert.equal(judge(facts, { fileNames: true }).verdict, 'leave', JSON.stringify([first, second]));
      }
    }
  });

  test('file names are replaced only if the user says so, and only in the way of a missing text', () => {
    const fileNames = true;
    assert.deepEqual(judge({ ...PHOTO, alt: 'beach.jpg' }, { fileNames }), { verdict: 'write', reason: 'file-name' });
    assert.equal(judge({ ...PHOTO, alt: 'beach.jpg', control: 'unnamed' }, { fileNames }).verdict, 'offer');
    assert.equal(judge({ ...PHOTO, alt: 'A beach' }, { fileNames }).verdict, 'leave');
    assert.equal(judge({ ...PHOTO, alt: '' }, { fileNames }).verdict, 'leave');
  });

  test('file names', () => {
    for (const [alt, file] of [
      ['beach.jpg'], ['IMG_1234.JPG'], ['IMG_1234'], ['DSC00042'], ['dscn-0042.jpeg'], ['PXL_20240101_120000123'],
      ['Screenshot 2024-01-01 at 12.00.00.png'], ['my beach.webp'], ['photo1.avif'], ['team-2019_final2', 'team-2019_final2.jpg'],
    ]) {
      assert.equal(isFileName(alt, file), true, alt);
    }
    for (const [alt, file] of [
      ['A beach'], ['rose', 'rose.jpg'], ['The file beach.jpg opened in an editor'], [''], ['Route 66'], ['Apollo 11'],
      ['iPhone 15'], ['Photograph of 1912'], ['Node.js'],
    ]) {
      assert.equal(isFileName(alt, file), false, alt);
    }
  });
});

describe('in which order', () => {
  test('nearest first, asked anew for every turn, one at a time', async () => {
    const place = { a: 30, b: 10, c: 20 };
    const done = [];
    let atOnce = 0;
    const queue = new NearestFirst({
      distance: (item) => place[item],
      async work(item) {
        atOnce += 1;
        assert.equal(atOnce, 1);
        await new Promise(setImmediate);
        done.push(item);
        // Somebody scrolls while `b` is in work.
        if (item === 'b') place.a = 0;
        atOnce -= 1;
      },
    });
    for (const item of ['a', 'b', 'c']) queue.add(item);
    while (!queue.idle) await new Promise(setImmediate);
    assert.deepEqual(done, ['b', 'a', 'c']);
  });

  test('removed while it waits: never in work; removed while in work: told so', async () => {
    const seen = [];
    const queue = new NearestFirst({
      distance: Number,
      async work(item, signal) {
        await new Promise(setImmediate);
        seen.push([item, signal.aborted]);
      },
    });
    for (const item of [1, 2, 3]) queue.add(item);
    await Promise.resolve();
    queue.remove(1);
    queue.remove(2);
    while (!queue.idle) await new Promise(setImmediate);
    assert.deepEqual(seen, [[1, true], [3, false]]);
  });

  test('nothing begins while the gate is shut, and what is cleared meanwhile never does', async () => {
    let open;
    const seen = [];
    const queue = new NearestFirst({
      distance: Number,
      gate: () => new Promise((resolve) => { open = resolve; }),
      work: async (item) => void seen.push(item),
    });
    queue.add(1);
    await new Promise(setImmediate);
    assert.deepEqual(seen, []);
    queue.clear();
    open();
    await new Promise(setImmediate);
    assert.deepEqual(seen, []);
    queue.add(2);
    await new Promise(setImmediate);
    open();
    while (!queue.idle) await new Promise(setImmediate);
    assert.deepEqual(seen, [2]);
  });

  test('an item that asks for another turn gets one', async () => {
    let turns = 0;
    const queue = new NearestFirst({ distance: Number, work: async () => { turns += 1; return turns < 3; } });
    queue.add(1);
    while (!queue.idle) await new Promise(setImmediate);
    assert.equal(turns, 3);
  });
});

describe('at which moments', () => {
  const table = [
    ['no battery is known', null, false],
    ['charging, nearly empty', { charging: true, level: 0.05 }, false],
    ['full', { charging: false, level: 1 }, false],
    ['low', { charging: false, level: 0.2 }, true],
    ['just not low', { charging: false, level: 0.21 }, false],
  ];
  for (const [name, battery, saving] of table) test(name, () => assert.equal(isSaving(battery), saving));
});

describe('in which words', () => {
  const settings = { threshold: 0.5, announce: false };
  test('sure: a sentence; unsure: a guess', () => {
    assert.equal(description({ text: 'a dog runs', score: Math.log(0.5) }, settings), 'A dog runs.');
    assert.equal(description({ text: 'a dog runs', score: Math.log(0.49) }, settings), 'May show: a dog runs.');
  });
  test('the ends of the threshold: never and always', () => {
    assert.equal(description({ text: 'a dog', score: -30 }, { ...settings, threshold: 0 }), 'A dog.');
    assert.equal(description({ text: 'a dog', score: -1e-9 }, { ...settings, threshold: 1 }), 'May show: a dog.');
  });
  test('what is not to be told is no text, marked or not', () => {
    for (const announce of [true, false]) {
      assert.equal(description({ text: 'a dog', score: -3, confidence: 0.1, words: [] }, { ...settings, announce }), '');
    }
  });
  test('marked as machine-made', () => {
    assert.match(description({ text: 'a dog', score: 0 }, { ...settings, announce: true }), /\(Automatic description\)$/);
  });
});

describe('settings', () => {
  test('what makes no sense falls back to its default', () => {
    for (const damaged of [undefined, null, 5, 'x', [], { language: 7, threshold: 'high', fileNames: 1, sites: 'a' }]) {
      assert.deepEqual(checked(damaged), DEFAULTS);
    }
    assert.equal(checked({ threshold: 7 }).threshold, 1);
    assert.deepEqual(checked({ sites: ['a.example', 'a.example', 'not a host', 5, '*'] }).sites, ['a.example']);
  });
  test('the threshold begins as the package’s', () => assert.equal(DEFAULTS.threshold, UNSURE_BELOW));
  test('hosts', () => {
    for (const [text, host] of [
      ['example.org', 'example.org'], [' https://Example.org/path?x ', 'example.org'], ['http://localhost:8080', 'localhost'],
      ['', null], ['ftp://example.org', null], ['javascript:alert(1)', null], ['*.example.org', null], ['a b', null], [null, null],
    ]) {
      assert.equal(hostOf(text), host, String(text));
    }
  });
});

describe('languages', () => {
  const read = async (language) => JSON.parse(await readFile(new URL(`../../extension/src/_locales/${language}/messages.json`, import.meta.url), 'utf8'));

  test('every language says everything, with the same values in it', async () => {
    const english = await read('en');
    for (const language of Object.keys(LANGUAGES)) {
      const messages = await read(language);
      assert.deepEqual(Object.keys(messages).sort(), Object.keys(english).sort(), language);
      for (const [key, { message, placeholders }] of Object.entries(messages)) {
        assert.ok(message.trim(), `${language} ${key}`);
        assert.deepEqual(placeholders, english[key].placeholders, `${language} ${key}`);
        for (const name of Object.keys(placeholders ?? {})) assert.ok(message.includes(`$${name.toUpperCase()}$`), `${language} ${key} ${name}`);
      }
    }
  });

  test('every word that the code asks for exists', async () => {
    const english = await read('en');
    const { readdir } = await import('node:fs/promises');
    const folder = new URL('../../extension/src/', import.meta.url);
    const files = (await readdir(folder, { recursive: true })).filter((name) => /\.(js|html)$/.test(name));
    let asked = 0;
    for (const file of files) {
      const code = await readFile(new URL(file, folder), 'utf8');
      for (const [, key] of code.matchAll(/(?:\bt\('|data-t(?:-label)?=")(\w+)['"]/g)) {
        asked += 1;
        assert.ok(Object.hasOwn(english, key), `${file}: ${key}`);
      }
    }
    assert.ok(asked > 40, 'the search finds them');
  });

  test('values take their places', () => {
    const t = translator({ both: { message: '$A$ and $B$ and $C$', placeholders: { a: { content: '$2' }, b: { content: '$1' } } } });
    assert.equal(t('both', '$A$', 2), '2 and $A$ and $C$');
    assert.equal(t('no-such'), 'no-such');
  });
});
