/** Pictures that need a second look by the extension in Chromium: animations, and texts that soli wrote already. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { animatedWebp } from './bad-pictures.mjs';
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';

describe('the extension', () => {
  let site;
  let chromium;
  let page;
  before(async () => {
    site = await fixtureSite();
    chromium = await openWithExtension({ panel: 'open' });
    page = await chromium.context.newPage();
    await page.goto(`${site.origin}/strict.html`);
    await page.bringToFront();
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });

  test('describes an animation that begins with nothing by a later frame, and leaves one with nothing at all', async () => {
    const blank = await chromium.context.newPage();
    const stills = await blank.evaluate(async () => {
      const still = async (colour) => {
        const context = new OffscreenCanvas(96, 96).getContext('2d');
        context.fillStyle = 'white';
        context.fillRect(0, 0, 96, 96);
        context.fillStyle = colour;
        context.fillRect(10, 10, 60, 60);
        return Array.from(new Uint8Array(await (await context.canvas.convertToBlob({ type: 'image/webp' })).arrayBuffer()));
      };
      return [await still('white'), await still('red')];
    });
    await blank.close();
    const [white, red] = stills.map((bytes) => Buffer.from(bytes));
    await page.route('**/animation-*.webp', (route) =>
      route.fulfill({ contentType: 'image/webp', body: animatedWebp(route.request().url().includes('empty') ? [white, white] : [white, red], 96, 96) }),
    );
    await page.evaluate(async () => {
      for (const id of ['empty', 'late']) {
        const image = Object.assign(new Image(200, 200), { id, src: `/animation-${id}.webp` });
        document.body.prepend(image);
        await image.decode();
      }
      document.body.insertAdjacentHTML('afterbegin', '<img id="written" data-soli="alt" alt="May show: a cat." src="/photos/cat.jpg" width="200" height="150">');
    });
    await chromium.press(page);
    await page.waitForSelector('#late[data-soli]');
    await page.waitForSelector('#missing[data-soli]');
    assert.equal(await page.getAttribute('#empty', 'alt'), null);
  });

  test('leaves what a page’s <soli-caption> wrote', async () => {
    assert.equal(await page.getAttribute('#written', 'alt'), 'May show: a cat.');
    await page.locator('[data-soli-panel]').getByRole('button', { name: 'Undo' }).click();
    await page.waitForSelector('#late:not([data-soli])');
    assert.equal(await page.getAttribute('#written', 'data-soli'), 'alt');
  });

  test('writes nothing about a picture that it is too unsure of, and says so', async () => {
    const other = await chromium.context.newPage();
    await other.goto(`${site.origin}/strict.html`);
    await other.bringToFront();
    await other.evaluate(() => document.getElementById('missing').remove());
    await chromium.press(other);
    const panel = other.locator('[data-soli-panel]');
    await panel.getByText('There is nothing to describe').waitFor();
    // What is told follows from the confidence, not from the picture: the engine's answer is given in its place.
    const inScript = await chromium.contentScript(other);
    await inScript(`globalThis.send = chrome.runtime.sendMessage.bind(chrome.runtime);
      chrome.runtime.sendMessage = async (message) => message.type === 'caption'
        ? { value: { text: 'a dog on a boat', score: -3, kind: 'photograph', confidence: 0.1, certainty: 'no', words: [] } }
        : send(message); null`);
    await other.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<img id="unsure" src="/photos/cat.jpg" width="300" height="200">'));
    await panel.locator('.list', { hasText: 'soli cannot tell what this picture shows' }).waitFor();
    assert.equal(await panel.getByRole('status').textContent(), 'Written: 0. Not written: 1.');
    const { attributes, outer } = await other.evaluate(() => {
      const picture = document.getElementById('unsure');
      return { attributes: picture.getAttributeNames(), outer: picture.outerHTML };
    });
    assert.deepEqual(attributes, ['id', 'src', 'width', 'height'], outer);
    assert.deepEqual(await panel.locator('.list button').allTextContents(), ['Show'], 'there is nothing to read, copy, use or try again');
    await other.close();
  });
});
