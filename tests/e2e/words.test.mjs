/** The words that the network sees: shown, listed, exported. The results are faked, because not every network gives any. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { listen, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';
import { faked } from './said.mjs';

const WORDS = [
  { word: 'sofa', probability: 0.62 },
  { word: 'cat', probability: 0.914 },
  { word: 'dog', probability: 0.24 },
];
const LINE = 'Sees: cat 91 %, sofa 62 %';

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
    await page.evaluate((words) => (window.caption = { words }), words);
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
      await page.evaluate(() => delete window.caption);
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
      window.caption = { words };
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
