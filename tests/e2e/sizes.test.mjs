/** How small may it be: the pictures that the captioner is shown, and what the page shows of them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { SIDES, shrink } from '../../www/shrink.js';
import { listen, open, photos, resultOf, upload } from './helpers.mjs';

/** As tests/reference/resize.py renders them. */
function render(pattern, width, height) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const pixel =
        pattern === 'smooth'
          ? [(x * 255) / width, (y * 255) / height, ((x * height + y * width) * 127) / (width * height)].map(Math.floor)
          : [0, 1, 2].map((c) => (x * x * 7 + y * 13 + x * y * (c + 1) + c * 71) % 256);
      data.set([...pixel, 255], (y * width + x) * 4);
    }
  }
  return { data, width, height };
}

test('pictures are shrunk as Pillow does it', async () => {
  const { cases, side } = JSON.parse(await readFile(new URL('../fixtures/resize.json', import.meta.url), 'utf8'));
  const opaque = cases.filter(({ pattern }) => pattern !== 'clear');
  assert.ok(opaque.length > 5);
  for (const { pattern, width, height, pillow } of opaque) {
    const expected = Buffer.from(pillow, 'hex');
    const { data } = shrink(render(pattern, width, height), side);
    let worst = 0;
    for (let i = 0; i < side * side; i += 1) {
      for (let c = 0; c < 3; c += 1) worst = Math.max(worst, Math.abs(data[i * 4 + c] - expected[i * 3 + c]));
    }
    assert.ok(worst <= 1, `${pattern} ${width} x ${height}: off by ${worst}`);
  }
});

describe('the slider', () => {
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

  test('is not there without a picture', async () => {
    assert.ok(await page.isHidden('#sizes'));
  });

  test('shows the picture at every size with a caption for each, by the keyboard', async () => {
    await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
    const said = await listen(page);
    await page.focus('#side');
    const ratio = await page.evaluate(() => document.getElementById('picture').naturalWidth / document.getElementById('picture').naturalHeight);
    for (const side of SIDES) {
      await page.keyboard.press('ArrowRight');
      await page.waitForFunction((side) => document.getElementById('seen').width === side, side);
      const box = await page.locator('#seen').boundingBox();
      assert.ok(Math.abs(box.width / box.height - ratio) < 0.02, `${side}: in the picture’s own shape`);
      assert.ok(box.width > 200, 'and in its size');
      assert.equal(await page.getAttribute('#side', 'aria-valuetext'), `${side} × ${side} pixels`);
      assert.ok(await page.isHidden('#picture'));
    }
    await page.waitForFunction(() => [...document.querySelectorAll('#side-captions span')].every((s) => s.textContent !== '…'));
    const rows = await page.locator('#side-captions li').evaluateAll((rows) =>
      rows.map((row) => ({ side: row.querySelector('b').textContent, text: row.querySelector('span').textContent, current: 'current' in row.dataset })),
    );
    assert.deepEqual(rows.map(({ side }) => side), SIDES.map((side) => `${side} px`));
    assert.deepEqual(rows.map(({ current }) => current), SIDES.map((_, place) => place === SIDES.length - 1));
    assert.equal((await said()).at(-1), rows.at(-1).text);

    // What is captioned is the small picture itself.
    const expected = await page.evaluate(
      async ([side, file]) => {
        const { Captioner, sentence } = await import(new URL('pkg/index.js', document.baseURI).href);
        const { pixelsOf, shrink } = await import(new URL('shrink.js', document.baseURI).href);
        const soli = await Captioner.load({ weights: new URL('models/soli.safetensors', document.baseURI) });
        const blob = await (await fetch(file)).blob();
        const caption = await soli.caption(shrink(await pixelsOf(blob), side));
        soli.dispose();
        return sentence(caption);
      },
      [50, 'photos/cat.jpg'],
    );
    assert.equal(rows.find(({ side }) => side === '50 px').text, expected);

    await page.keyboard.press('Home');
    assert.ok(await page.isVisible('#picture'));
    assert.equal(await page.textContent('#side-text'), 'as it is');
  });

  test('starts anew with another picture', async () => {
    await page.focus('#side');
    await page.keyboard.press('End');
    await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[2])));
    assert.equal(await page.inputValue('#side'), '0');
    assert.ok(await page.isVisible('#picture'));
    assert.ok(await page.isHidden('#side-captions'));
  });
});
