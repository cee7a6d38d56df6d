/** The words that the network sees: shown, listed, exported. The results are faked, because not every network gives any. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { listen, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

const WORDS = [
  { word: 'sofa', probability: 0.62 },
  { word: 'cat', probability: 0.914 },
  { word: 'dog', probability: 0.24 },
];
const LINE = 'Sees: cat 91 %, sofa 62 %';

/** Runs in the page before its code: every caption gets `window.words`. */
function faked() {
  const { set, get } = Object.getOwnPropertyDescriptor(Worker.prototype, 'onmessage');
  Object.defineProperty(Worker.prototype, 'onmessage', {
    configurable: true,
    get,
    set(handler) {
      set.call(this, handler && ((event) => {
        if (event.data?.value?.text !== undefined && window.words !== undefined) event.data.value.words = window.words;
        handler.call(this, event);
      }));
    },
  });
}

describe('the words that are seen', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    page = await world.soli({ acceptDownloads: true }, (page) => page.addInitScript(faked));
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  const choose = (words) => async () => {
    await page.evaluate((words) => (window.words = words), words);
    await page.setInputFiles('#file', await upload(photos[0]));
  };

  test('stand quietly under the sentence, and are not read out by themselves', async () => {
    const said = await listen(page);
    const { shown } = await resultOf(page, choose(WORDS));
    assert.equal(await page.textContent('#seen-words'), LINE);
    assert.ok(await page.isVisible('#seen-words'));
    assert.ok(await page.evaluate(() => document.getElementById('caption').nextElementSibling.id === 'seen-words'));
    assert.ok(await page.locator('.result').ariaSnapshot().then((tree) => tree.includes(LINE)), 'a screen reader finds them');
    assert.deepEqual(await said(), [shown]);
  });

  for (const [name, words] of [['absent', null], ['empty', []], ['not sure enough', [{ word: 'dog', probability: 0.2 }]]]) {
    test(`${name}: nothing is there`, async () => {
      await resultOf(page, choose(WORDS));
      await page.evaluate(() => delete window.words);
      await resultOf(page, choose(words));
      assert.ok(await page.isHidden('#seen-words'));
    });
  }

  test('are gone with an error', async () => {
    await resultOf(page, choose(WORDS));
    await resultOf(page, () => page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') }));
    assert.ok(await page.isHidden('#seen-words'));
  });

  test('are in the list and in what is exported', async () => {
    await page.evaluate((words) => {
      window.words = words;
      document.getElementById('clear').click();
    }, WORDS);
    await page.setInputFiles('#file', [await upload(photos[0]), { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') }]);
    await rowsOf(page);
    assert.deepEqual(await page.locator('.row-sees').evaluateAll((all) => all.map(({ textContent, hidden }) => [textContent, hidden])), [[LINE, false], ['', true]]);

    const saved = async (button) => {
      const download = page.waitForEvent('download');
      await page.click(button);
      return readFile(await (await download).path(), 'utf8');
    };
    const [first, second] = JSON.parse(await saved('#export-json'));
    assert.deepEqual(first.words, [WORDS[1], WORDS[0]]);
    assert.deepEqual(second.words, []);
    const [head, row, bad] = (await saved('#export-csv')).split('\r\n');
    assert.ok(head.endsWith(',error,words'), head);
    assert.ok(row.endsWith(',done,,cat 0.91; sofa 0.62'), row);
    assert.ok(bad.endsWith(',failed,decode-failed,'), bad);
  });
});

describe('what is dropped', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    page = await world.soli();
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  /** Drops files of these names and types; all have the bytes of a photograph, but those of which `bytes` says otherwise. */
  async function drop(files) {
    const photo = [...(await readFile(photos[0]))];
    await page.evaluate(() => document.getElementById('clear').click());
    const transfer = await page.evaluateHandle(
      ([files, photo]) => {
        const transfer = new DataTransfer();
        for (const { name, type, text } of files) transfer.items.add(new File([text ?? new Uint8Array(photo)], name, { type }));
        return transfer;
      },
      [files, photo],
    );
    await page.dispatchEvent('#stage', 'drop', { dataTransfer: transfer });
    return rowsOf(page);
  }

  const photo = { name: 'a.jpg', type: 'image/jpeg' };
  for (const [what, others] of Object.entries({
    'files without a type': [{ name: 'IMG_0001.HEIC', type: '', text: 'ftypheic' }, { name: 'noext', type: '' }],
    'texts and films': [{ name: 'notes.txt', type: 'text/plain', text: 'no' }, { name: 'clip.mov', type: 'video/quicktime', text: 'no' }],
    'a picture under a wrong type': [{ name: 'download', type: 'application/octet-stream' }, { name: 'scan.pdf', type: 'application/pdf', text: '%PDF' }],
  })) {
    test(`pictures and ${what}: each has its row`, async () => {
      for (const files of [[photo, ...others], [...others, photo], others]) {
        const rows = await drop(files);
        assert.deepEqual(rows.map(({ name }) => name), files.map(({ name }) => name));
        assert.deepEqual(rows.map(({ state }) => state), files.map(({ text }) => (text === undefined ? 'done' : 'failed')));
        for (const { state, caption } of rows) if (state === 'failed') assert.match(caption, /^This is not a picture that the browser can read/);
        const heic = rows.find(({ name }) => name.endsWith('HEIC'));
        if (heic) assert.match(heic.caption, /HEIC pictures \(an iPhone’s\)\. Share or save it as JPEG/);
      }
    });
  }

  test('a folder: its pictures at any depth, and how many files were left out', async () => {
    const found = await page.evaluate(async () => {
      const { filesOf } = await import(new URL('folders.js', document.baseURI).href);
      const file = (name, type = '') => ({ isDirectory: false, name, file: (give) => give(new File(['x'], name, { type })) });
      const folder = (name, entries) => ({
        isDirectory: true,
        name,
        createReader: () => {
          const rest = [...entries];
          return { readEntries: (give) => give(rest.splice(0, 2)) };
        },
      });
      const unreadable = { isDirectory: false, name: 'locked.jpg', file: (give, refuse) => refuse(new Error('no')) };
      const tree = folder('holiday', [file('b.jpg', 'image/jpeg'), file('a.HEIC'), file('.DS_Store'), file('notes.txt', 'text/plain'), unreadable, folder('day 2', [file('c.png', 'image/png')])]);
      const item = (entry, given) => ({ kind: 'file', webkitGetAsEntry: () => entry, getAsFile: () => given });
      const one = new File(['x'], 'beside.gif');
      const { files, folders, others } = await filesOf({ items: [item(tree, null), item(null, one), { kind: 'string' }], files: [] });
      return { names: files.map(({ name }) => name), folders, others };
    });
    assert.deepEqual(found, { names: ['a.HEIC', 'b.jpg', 'c.png', 'beside.gif'], folders: 1, others: 1 });
  });
});
