/** Many pictures at once. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { gif, png } from './bad-pictures.mjs';
import { PATIENCE, holdable, listen, open, photos, rowsOf, upload } from './helpers.mjs';

const text = { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') };

/** Pictures that differ, small enough for fifty of them: squares of one colour, as BMP files. */
function squares(count) {
  return Array.from({ length: count }, (_, place) => {
    const side = 8;
    const bitmap = Buffer.alloc(54 + side * side * 4);
    bitmap.write('BM');
    bitmap.writeUInt32LE(bitmap.length, 2);
    bitmap.writeUInt32LE(54, 10);
    bitmap.writeUInt32LE(40, 14);
    bitmap.writeInt32LE(side, 18);
    bitmap.writeInt32LE(side, 22);
    bitmap.writeUInt16LE(1, 26);
    bitmap.writeUInt16LE(32, 28);
    for (let i = 54; i < bitmap.length; i += 4) bitmap.writeUInt32LE(0xff000000 + ((place * 0x050b13) & 0xffffff), i);
    return { name: `square ${place}.bmp`, mimeType: 'image/bmp', buffer: bitmap };
  });
}

describe('the list', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    const options = { permissions: ['clipboard-read', 'clipboard-write'], acceptDownloads: true };
    page = await world.soli(options, (page) => page.addInitScript(holdable));
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  const row = (place) => page.locator(`#rows li:nth-child(${place})`);
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());

  async function start(files) {
    await page.evaluate(() => document.getElementById('clear').click());
    await page.setInputFiles('#file', files);
  }

  test('one picture needs no list', async () => {
    await start([await upload(photos[0])]);
    await rowsOf(page);
    assert.ok(await page.isHidden('#list'));
  });

  test('fills in; a bad picture is told in its row and the others go on; one sentence at the end', async () => {
    await start([]);
    const said = await listen(page);
    await start([await upload(photos[0]), text, await upload(photos[1])]);
    const rows = await rowsOf(page);
    assert.deepEqual(rows.map(({ state }) => state), ['done', 'failed', 'done']);
    assert.deepEqual(rows.map(({ name }) => name), ['cat.jpg', 'notes.jpg', 'astronaut.jpg']);
    assert.match(rows[1].caption, /not a picture that the browser can read/);
    assert.equal(await page.textContent('#list-count'), '2 of 3 described, 1 not readable');
    assert.equal((await said()).at(-1), '2 of 3 described, 1 not readable.');
    assert.ok((await said()).length <= 2, 'the picture that is looked at, and the end');
    assert.ok(await page.isHidden('#cancel-all'));
  });

  test('a row’s picture is looked at', async () => {
    const rows = await rowsOf(page);
    await page.getByRole('button', { name: 'Show astronaut.jpg' }).click();
    assert.equal(await page.textContent('#caption'), rows[2].caption);
    assert.equal(await row(3).locator('.thumb').getAttribute('aria-current'), 'true');
    assert.equal(await page.locator('.thumb[aria-current]').count(), 1);
    await page.getByRole('button', { name: 'Show notes.jpg' }).click();
    assert.equal(await page.getAttribute('#result', 'data-state'), 'error');
    assert.ok(await page.isHidden('#sizes'));
  });

  test('edit, copy one, copy all, export', async () => {
    const before = await rowsOf(page);
    await page.getByRole('button', { name: 'Edit the caption of cat.jpg' }).click();
    await page.keyboard.type('Chelsea, "the" cat');
    await page.keyboard.press('Enter');
    assert.equal((await rowsOf(page))[0].caption, 'Chelsea, "the" cat');
    assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /^Edit the caption of cat/);

    await page.getByRole('button', { name: 'Copy the caption of cat.jpg' }).click();
    await page.waitForFunction(() => document.getElementById('notice-text').textContent === 'Copied.');
    assert.equal(await clipboard(), 'Chelsea, "the" cat');
    await page.click('#copy-all');
    await page.waitForFunction(async () => (await navigator.clipboard.readText()).includes('\n'));
    assert.equal(await clipboard(), `cat.jpg: Chelsea, "the" cat\nastronaut.jpg: ${before[2].caption}`);

    const saved = async (button) => {
      const download = page.waitForEvent('download');
      await page.click(button);
      const file = await download;
      return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
    };
    const json = await saved('#export-json');
    assert.equal(json.name, 'captions.json');
    const records = JSON.parse(json.text);
    assert.deepEqual(records.map(({ file, edited, state }) => [file, edited, state]), [
      ['cat.jpg', true, 'done'],
      ['notes.jpg', false, 'failed'],
      ['astronaut.jpg', false, 'done'],
    ]);
    assert.equal(records[0].caption, 'Chelsea, "the" cat');
    assert.ok(records[0].machine_caption.length > 0 && records[0].machine_caption !== records[0].caption);
    assert.equal(records[1].error, 'decode-failed');
    assert.ok(records[2].score <= 0 && records[2].confidence <= 1);

    const csv = await saved('#export-csv');
    assert.equal(csv.name, 'captions.csv');
    const [head, first, second] = csv.text.replace('\ufeff', '').split('\r\n');
    assert.equal(head, 'file,caption,machine_caption,edited,score,confidence,certainty,kind,state,error,words');
    assert.ok(first.startsWith('cat.jpg,"Chelsea, ""the"" cat",'), first);
    assert.equal(second, 'notes.jpg,,,false,,,,,failed,decode-failed,');
  });

  test('another picture ends the editing of the one before; a second Edit is no second form', async () => {
    await page.getByRole('button', { name: 'Show cat.jpg' }).click();
    const before = await page.textContent('#caption');
    await page.click('#edit');
    await page.keyboard.type('half a sen');
    await page.click('#edit');
    assert.equal(await page.locator('#result .editor').count(), 1);
    await page.keyboard.type('half a sen');
    await page.getByRole('button', { name: 'Show astronaut.jpg' }).click();
    assert.equal(await page.locator('.editor').count(), 0);
    assert.ok(await page.isVisible('#caption'));
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Show astronaut.jpg', 'the focus stays');
    await page.getByRole('button', { name: 'Show cat.jpg' }).click();
    assert.equal(await page.textContent('#caption'), before);
  });

  test('a CSV runs no formula', async () => {
    const csv = await page.evaluate(async () => {
      const { toCsv } = await import(new URL('export.js', document.baseURI).href);
      return toCsv([{ name: '=HYPERLINK("https://example.org")', text: '@x', caption: { text: 'a', score: -1 }, state: 'done' }]);
    });
    assert.ok(csv.includes(`"'=HYPERLINK(""https://example.org"")",'@x,a,true,-1,`), csv);
  });

  test('every kind of bad file is told in words, the page goes on', async () => {
    const photo = await readFile(photos[0]);
    const file = (name, mimeType, buffer) => ({ name, mimeType, buffer });
    await start([
      file('empty.jpg', 'image/jpeg', Buffer.alloc(0)),
      file('words.png', 'image/png', Buffer.from('words')),
      file('header.jpg', 'image/jpeg', photo.subarray(0, 200)),
      file('drawing.svg', 'image/svg+xml', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg">')),
      file('page.html', 'text/html', Buffer.from('<!doctype html><script>alert(1)</script>')),
      file('animated.gif', 'image/gif', gif(0, 1)),
      file('wide.png', 'image/png', png(20_000, 40)),
      file('good.jpg', 'image/jpeg', photo),
    ]);
    const rows = await rowsOf(page);
    assert.deepEqual(rows.map(({ state }) => state), ['failed', 'failed', 'failed', 'failed', 'failed', 'done', 'done', 'done']);
    for (const { state, caption, name } of rows) {
      if (state === 'failed') assert.match(caption, /^This is not a picture that the browser can read\./, name);
    }
  });

  test('removing keeps the keyboard’s place; removing all leaves the page as it was', async () => {
    await start([await upload(photos[0]), text, await upload(photos[1])]);
    await rowsOf(page);
    await page.getByRole('button', { name: 'Remove notes.jpg' }).focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#rows li').count(), 2);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Show astronaut.jpg');
    await page.click('#clear');
    assert.ok(await page.isHidden('#list'));
    assert.ok(await page.isVisible('#hint'));
    assert.equal(await page.getAttribute('#result', 'data-state'), 'idle');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'file');
  });

  test('cancel one, cancel the rest, try again', async () => {
    await page.evaluate(() => captions.hold());
    await start(squares(30));
    await page.getByRole('button', { name: 'Cancel square 29.bmp' }).click();
    assert.equal(await row(30).getAttribute('data-state'), 'cancelled');
    assert.equal(await row(1).getAttribute('data-state'), 'working', 'the others go on');
    await page.click('#cancel-all');
    const rows = await rowsOf(page);
    assert.deepEqual([...new Set(rows.map(({ state }) => state))], ['cancelled'], 'the one in work too');
    assert.equal(await page.textContent('#list-count'), '0 of 30 described, 30 cancelled');
    await page.evaluate(() => captions.release());
    // The keyboard is not lost with the button.
    assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'BODY');

    await page.getByRole('button', { name: 'Try again: square 29.bmp' }).click();
    assert.equal((await rowsOf(page))[29].state, 'done');
  });

  test('fifty pictures; the one that is looked at goes first', async () => {
    await page.evaluate(() => captions.hold());
    await start(squares(50));
    await page.getByRole('button', { name: 'Show square 49.bmp' }).click();
    await page.evaluate(() => {
      window.order = [];
      const rows = [...document.querySelectorAll('#rows li')];
      new MutationObserver((changes) => {
        for (const { target } of changes) if (target.dataset.state === 'done') window.order.push(rows.indexOf(target));
      }).observe(document.getElementById('rows'), { subtree: true, attributeFilter: ['data-state'] });
      captions.release();
    });
    const rows = await rowsOf(page, 10 * PATIENCE);
    // The first was in work when the last was chosen.
    assert.deepEqual((await page.evaluate(() => [...new Set(window.order)])).slice(0, 3), [0, 49, 1]);
    assert.equal(rows.length, 50);
    assert.deepEqual([...new Set(rows.map(({ state }) => state))], ['done']);
    assert.ok(rows.every(({ caption }) => caption.length > 1));
    assert.equal(await page.textContent('#list-count'), '50 of 50 described');
  });
});
