/** What is dropped on the page: pictures among other things, files without a type, folders. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { open, photos, rowsOf } from './helpers.mjs';

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
