/** The extension's panel beside what lies over the whole page: modal dialogs, and things that are fullscreen. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';

describe('the panel on a page with a modal dialog', () => {
  let site;
  let chromium;
  let page;
  before(async () => {
    site = await fixtureSite();
    chromium = await openWithExtension({ panel: 'open' });
    page = await chromium.context.newPage();
    await page.goto(`${site.origin}/dialog.html`);
    await page.bringToFront();
    await chromium.press(page);
    await page.waitForSelector('#missing[data-soli]');
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });

  const button = (name) => page.locator('[data-soli-panel]').getByRole('button', { name });
  /** Whether a button of the panel is what a click in its middle hits, and can have the focus. */
  const usable = () =>
    page.evaluate(() => {
      const root = document.querySelector('[data-soli-panel]')?.shadowRoot ?? window.inShadow.querySelector('[data-soli-panel]')?.shadowRoot;
      const close = root.querySelector('.close');
      const { left, top, width, height } = close.getBoundingClientRect();
      const hit = root.elementFromPoint(left + width / 2, top + height / 2);
      const before = root.activeElement;
      close.focus();
      const focusable = root.activeElement === close;
      before?.focus();
      return hit === close && focusable;
    });
  const isOpen = (id) => page.evaluate((id) => document.getElementById(id).open, id);

  test('is usable by mouse, and a click in it does not count as one beside the dialog', async () => {
    assert.ok(await usable());
    await button('Undo').click();
    await page.waitForSelector('#missing:not([data-soli])');
    assert.ok(await isOpen('question'));
  });

  test('is reached by Tab, and Escape closes the panel, not the dialog', async () => {
    await page.focus('#yes');
    for (let i = 0; i < 20; i += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement.hasAttribute('data-soli-panel'))) break;
    }
    assert.ok(await page.evaluate(() => document.activeElement.hasAttribute('data-soli-panel')));
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('[data-soli-panel]').count(), 0);
    assert.ok(await isOpen('question'));
  });

  test('follows the dialogs of the page: a second one on top, back to the first, to the page, into one of a shadow tree', async () => {
    await chromium.press(page);
    await page.waitForSelector('#missing[data-soli]');
    assert.ok(await usable());
    const steps = {
      second: () => document.getElementById('second').showModal(),
      'back to the first': () => document.getElementById('second').close(),
      none: () => document.getElementById('question').close(),
      'first again': () => document.getElementById('question').showModal(),
      'removed with the panel in it': () => document.getElementById('question').remove(),
      'in a shadow tree': () => window.inShadow.showModal(),
      'out of it': () => window.inShadow.close(),
    };
    for (const [name, step] of Object.entries(steps)) {
      await page.evaluate(step);
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
      assert.ok(await usable(), name);
    }
    await page.evaluate(() => document.querySelector('[data-soli-panel]'));
  });

  test('lies over what is fullscreen', async () => {
    await page.evaluate(() => {
      const block = document.body.appendChild(document.createElement('div'));
      block.id = 'block';
      block.addEventListener('click', () => block.requestFullscreen());
      Object.assign(block.style, { width: '90px', height: '90px', background: 'grey' });
    });
    await page.click('#block');
    await page.waitForFunction(() => document.fullscreenElement);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
    assert.ok(await usable());
    await page.evaluate(() => document.exitFullscreen());
  });

  test('closed, nothing of it stays', async () => {
    await page.locator('[data-soli-panel] .close').click();
    await page.evaluate(() => document.body.appendChild(document.createElement('dialog')).showModal());
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
    assert.equal(await page.locator('[data-soli-panel]').count(), 0);
  });
});
