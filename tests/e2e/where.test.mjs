/** Where the words that are seen come from: on the map, in words, by the keyboard. The results are faked: what the maps show is known. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { whereOf } from '../../www/where.js';
import { eventually, listen, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';
import { faked } from './said.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A grid with the value 0.9 where `isThere` says so. */
const grid = (isThere, rest = 0.05, side = 8) =>
  Array.from({ length: side * side }, (_, place) => (isThere(place % side, Math.floor(place / side)) ? 0.9 : rest));
const box = (left, top, width, height) => (x, y) => x >= left && x < left + width && y >= top && y < top + height;

describe('a map in words', () => {
  const maps = {
    'mostly top left': [grid(box(0, 0, 3, 2)), grid(box(0, 0, 1, 1)), grid(box(0, 0, 2, 2), 0.05, 6)],
    'mostly at the top': [grid(box(3, 0, 2, 2)), grid(box(0, 0, 8, 2)), grid((x, y) => y < 2 && (x < 2 || x > 5))],
    'mostly top right': [grid(box(5, 1, 3, 1))],
    'mostly on the left': [grid(box(0, 3, 2, 2)), grid(box(0, 0, 4, 8)), grid(box(0, 0, 1, 8), 0.3)],
    'mostly in the middle': [grid(box(3, 3, 2, 2)), grid(box(2, 2, 4, 4)), grid(box(1, 1, 1, 1), 0, 3)],
    'mostly on the right': [grid(box(6, 3, 2, 2)), grid(box(4, 0, 4, 8))],
    'mostly bottom left': [grid(box(0, 6, 3, 2)), grid(box(0, 6, 3, 2)).map((cell) => cell / 100)],
    'mostly at the bottom': [grid(box(3, 6, 2, 2)), grid(box(0, 5, 8, 3))],
    'mostly bottom right': [grid(box(4, 4, 4, 4))],
    'across the middle': [grid(box(0, 3, 8, 2)), grid((x, y) => y === 4 && (x < 2 || x > 5))],
    'down the middle': [grid(box(3, 0, 2, 8))],
    'in several places': [grid((x, y) => (x < 2 && y < 2) || (x > 5 && y > 5))],
    'all over': [grid(() => true), grid(() => false, 0), grid(() => false, 0.4), grid(box(0, 0, 4, 4), 0.7), grid(box(0, 0, 7, 8)), grid(box(1, 1, 7, 7)), [0.5]],
  };
  for (const [words, all] of Object.entries(maps)) {
    test(words, () => assert.deepEqual(all.map(whereOf), all.map(() => words)));
  }

  test('turned over, it says the other side', () => {
    const opposite = { left: 'right', right: 'left', top: 'bottom', bottom: 'top' };
    for (const [words, all] of Object.entries(maps)) {
      const turned = words.replace(/left|right|top|bottom/g, (word) => opposite[word]);
      for (const map of all) assert.equal(whereOf(map.toReversed()), turned);
    }
  });
});

const WORDS = [
  { word: 'sofa', probability: 0.62, cells: grid(box(5, 0, 3, 3), 0) },
  { word: 'cat', probability: 0.91, cells: grid(box(0, 6, 3, 2), 0) },
  { word: 'dog', probability: 0.24, cells: grid(box(3, 3, 2, 2), 0) },
];
const LINE = 'Sees: cat 91 %, sofa 62 %';

/** Runs in the page before its code: words say where they are only when they are asked to, and every question is written down. */
function seeing(words) {
  window.words = words;
  window.asked = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message.type === 'caption') {
      const { cells = false } = message.options;
      window.asked.push(cells);
      window.caption = { words: window.words.map((seen) => (cells ? seen : { word: seen.word, probability: seen.probability })) };
    }
    postMessage.call(this, message, ...rest);
  };
}

describe('the page', () => {
  let world;
  let page;
  before(async () => {
    world = await open({ args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'] });
    page = await visit();
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  const visit = (options, words = WORDS) =>
    world.soli(options, async (page) => {
      await page.addInitScript(faked);
      await page.addInitScript(seeing, words);
    });
  const choose = (on = page, photo = photos[0]) => resultOf(on, async () => on.setInputFiles('#file', await upload(photo)));
  /** Switches it on or off, whatever the test before has left. */
  const turn = async (to) => {
    if ((await page.getAttribute('#show-where', 'aria-pressed')) !== String(to)) await page.click('#show-where');
  };
  const mapShown = (on = page) => on.waitForSelector('#heat', { state: 'visible' });
  const word = (name) => page.locator('#where-choices').getByRole('button', { name });
  const pressed = () => page.locator('#where-choices button').evaluateAll((all) => all.map((button) => [button.textContent, button.getAttribute('aria-pressed')]));

  /** How much of the picture each cell of the map covers, of 255, and what colour it has. */
  const cells = () =>
    page.evaluate(() => {
      const canvas = document.getElementById('heat');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const at = (x, y) => [...data.subarray((y * canvas.width + x) * 4, (y * canvas.width + x) * 4 + 4)];
      const last = canvas.width - 1;
      return { size: [canvas.width, canvas.height], topLeft: at(0, 0), topRight: at(last, 0), bottomLeft: at(0, last), bottomRight: at(last, last) };
    });

  /** What a test asked for since it began. */
  const asked = () => page.evaluate(() => window.asked);
  const forget = () => page.evaluate(() => void (window.asked.length = 0));

  test('there is no map unless it is switched on, and nothing is asked for it', async () => {
    assert.ok(await page.isHidden('#show-where'), 'without a picture there is no switch');
    await forget();
    await choose();
    assert.ok(await page.isVisible('#show-where'));
    assert.equal(await page.getAttribute('#show-where', 'aria-pressed'), 'false');
    assert.equal(await page.textContent('#seen-words'), LINE);
    assert.ok(await page.isHidden('#heat'));
    assert.deepEqual(await asked(), [false]);
  });

  test('switched on, the picture is looked at once more, silently, and the surest word is shown', async () => {
    const { shown, ...before } = await page.evaluate(() => ({ ...document.getElementById('result').dataset, shown: document.getElementById('caption').textContent }));
    const place = await page.locator('#show-where').boundingBox();
    const said = await listen(page);
    await forget();
    await page.click('#show-where');
    await mapShown();
    assert.deepEqual(await asked(), [true]);
    assert.equal(await page.getAttribute('#show-where', 'aria-pressed'), 'true');
    assert.deepEqual(await pressed(), [['cat', 'true'], ['sofa', 'false']]);
    assert.equal(await page.textContent('#where-text'), 'cat: mostly bottom left');
    assert.equal(await page.textContent('#seen-words'), LINE, 'the line stays');
    assert.deepEqual(await page.locator('#show-where').boundingBox(), place, 'so does the switch, under the pointer');
    const { size, topLeft, topRight, bottomLeft, bottomRight } = await cells();
    assert.deepEqual(size, [8, 8]);
    assert.ok(bottomLeft[3] > 180 && bottomLeft[3] < 230, `seen, and seen through: ${bottomLeft}`);
    assert.deepEqual([topLeft[3], topRight[3], bottomRight[3]], [0, 0, 0]);
    assert.deepEqual(await said(), []);
    const after = await page.evaluate(() => ({ ...document.getElementById('result').dataset, shown: document.getElementById('caption').textContent }));
    assert.deepEqual(after, { ...before, shown });
  });

  test('the map lies on the picture, whatever its shape, and lets clicks through', async () => {
    const over = () =>
      page.evaluate(() => {
        const picture = document.getElementById('picture');
        const stage = picture.getBoundingClientRect();
        const map = document.getElementById('heat').getBoundingClientRect();
        const scale = Math.min(stage.width / picture.naturalWidth, stage.height / picture.naturalHeight);
        const middle = [stage.left + stage.width / 2, stage.top + stage.height / 2];
        return {
          width: map.width - picture.naturalWidth * scale,
          height: map.height - picture.naturalHeight * scale,
          x: map.left + map.width / 2 - middle[0],
          y: map.top + map.height / 2 - middle[1],
          under: document.elementFromPoint(...middle).id,
        };
      });
    for (const [width, height] of [[300, 90], [90, 300], [120, 90]]) {
      const file = await page.evaluate(async ([width, height]) => {
        const context = new OffscreenCanvas(width, height).getContext('2d');
        context.fillRect(0, 0, width / 2, height);
        return Array.from(new Uint8Array(await (await context.canvas.convertToBlob()).arrayBuffer()));
      }, [width, height]);
      await resultOf(page, () => page.setInputFiles('#file', { name: 'drawn.png', mimeType: 'image/png', buffer: Buffer.from(file) }));
      await mapShown();
      await eventually(() => page.evaluate((width) => document.getElementById('picture').naturalWidth === width, width), 'the picture is shown');
      const { under, ...off } = await over();
      for (const [name, pixels] of Object.entries(off)) assert.ok(Math.abs(pixels) < 1.5, `${width} x ${height}: ${name} is off by ${pixels}`);
      assert.equal(under, 'picture');
    }
    assert.deepEqual((await asked()).slice(1), [true, true, true], 'what comes while it is on is looked at once');
  });

  test('each word is a button that says where it is, by the keyboard too', async () => {
    await choose();
    await turn(true);
    await mapShown();
    assert.equal(await word('cat').getAttribute('title'), 'mostly bottom left');
    assert.equal(await word('sofa').getAttribute('title'), 'mostly top right');
    await word('cat').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    assert.deepEqual(await pressed(), [['cat', 'false'], ['sofa', 'true']]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'sofa', 'the focus stays');
    assert.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'and is seen');
    assert.equal(await page.textContent('#where-text'), 'sofa: mostly top right');
    const { topRight, bottomLeft } = await cells();
    assert.ok(topRight[3] > 180 && bottomLeft[3] === 0);
    assert.equal(await page.getAttribute('#heat', 'aria-hidden'), 'true');
  });

  test('a person’s words stay, and so does the word that was chosen', async () => {
    await page.click('#edit');
    await page.keyboard.type('Chelsea on her sofa');
    await page.keyboard.press('Enter');
    assert.deepEqual(await pressed(), [['cat', 'false'], ['sofa', 'true']]);
    assert.ok(await page.isVisible('#heat'));
    await forget();
    await page.click('#show-where');
    assert.ok(await page.isHidden('#heat'));
    assert.equal(await page.textContent('#caption'), 'Chelsea on her sofa');
    assert.deepEqual(await pressed(), []);
    assert.equal(await page.textContent('#where-text'), '');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'show-where');
    await page.keyboard.press('Enter');
    await mapShown();
    assert.equal(await page.textContent('#caption'), 'Chelsea on her sofa');
    assert.deepEqual(await asked(), [], 'it is known already');
  });

  test('an edited caption that was made without a map stays when it is looked at again, in its row too', async () => {
    await turn(false);
    await page.evaluate(() => document.getElementById('clear').click());
    await page.setInputFiles('#file', [await upload(photos[0]), await upload(photos[1])]);
    await rowsOf(page);
    await page.click('#edit');
    await page.keyboard.type('Chelsea');
    await page.keyboard.press('Enter');
    await forget();
    await page.click('#show-where');
    await mapShown();
    assert.deepEqual(await asked(), [true], 'only the one that is looked at');
    assert.equal(await page.textContent('#caption'), 'Chelsea');
    assert.equal((await rowsOf(page))[0].caption, 'Chelsea');
    await page.getByRole('button', { name: 'Show astronaut.jpg' }).click();
    await mapShown();
    await page.getByRole('button', { name: 'Show cat.jpg' }).click();
    await mapShown();
    assert.deepEqual(await asked(), [true, true], 'each once');
    assert.deepEqual(await pressed(), [['cat', 'true'], ['sofa', 'false']]);
  });

  test('of a smaller size of the picture there is no map', async () => {
    await page.focus('#side');
    await page.keyboard.press('End');
    await page.waitForSelector('#seen', { state: 'visible' });
    assert.ok(await page.isHidden('#heat'));
    await page.focus('#side');
    await page.keyboard.press('Home');
    await mapShown();
  });

  test('it goes with the words: an error, a picture without words, and the next one with words', async () => {
    await resultOf(page, () => page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') }));
    assert.ok((await page.isHidden('#show-where')) && (await page.isHidden('#heat')));
    await page.evaluate(() => (window.words = []));
    await choose();
    assert.ok((await page.isHidden('#show-where')) && (await page.isHidden('#heat')));
    await page.evaluate((words) => (window.words = words), WORDS);
    await choose();
    await mapShown();
  });

  test('in front of the camera there is neither switch nor map', async () => {
    await page.click('#camera');
    await page.waitForSelector('#viewfinder', { state: 'visible' });
    await page.waitForSelector('#result[data-state=done]');
    assert.equal(await page.textContent('#seen-words'), LINE);
    assert.ok((await page.isHidden('#show-where')) && (await page.isHidden('#heat')));
    assert.equal((await asked()).at(-1), false);
    await page.click('#camera');
    await mapShown();
  });

  test('a word that is seen faintly has a map too', async () => {
    await page.evaluate(() => (window.words = [{ word: 'cat', probability: 0.3, cells: window.words[1].cells.map((cell) => cell / 20) }]));
    await choose();
    await mapShown();
    assert.ok((await cells()).bottomLeft[3] > 180);
    assert.equal(await page.textContent('#where-text'), 'cat: mostly bottom left');
  });

  test('a captioner that knows of no cells is asked once more and no more', async () => {
    await page.evaluate(() => (window.words = [{ word: 'cat', probability: 0.91 }]));
    await forget();
    await choose();
    await eventually(async () => (await asked()).length === 2, 'it is asked once more');
    await page.click('#edit');
    await page.keyboard.press('Escape');
    await turn(false);
    await turn(true);
    assert.equal((await asked()).length, 2);
    assert.ok(await page.isHidden('#heat'));
    assert.deepEqual(await pressed(), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing, ${colorScheme}, at 320 px, where nothing scrolls sideways`, async () => {
      const many = ['refrigerator', 'skateboard', 'motorcycle', 'umbrella', 'cat', 'dog'].map((word) => ({ ...WORDS[1], word }));
      const narrow = await visit({ colorScheme, viewport: { width: 320, height: 640 }, reducedMotion: 'reduce' }, many);
      await choose(narrow);
      await narrow.click('#show-where');
      await mapShown(narrow);
      await narrow.evaluate(axe);
      const { violations, passes } = await narrow.evaluate(() => window.axe.run());
      assert.ok(passes.length > 10, 'axe did look');
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`), []);
      const [content, view] = await narrow.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= view, `${content} px of content in ${view} px`);
      assert.deepEqual(await narrow.evaluate(() => document.getAnimations().length), 0);
    });
  }
});
