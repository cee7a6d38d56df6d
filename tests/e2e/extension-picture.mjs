/**
 * Takes the picture of the extension at work for the README.
 *
 *   node extension-picture.mjs ../../docs/extension.jpg
 */
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';
import { PATIENCE } from './helpers.mjs';

const [path] = process.argv.slice(2);
if (!path) throw new Error('the path of the picture is missing');
const site = await fixtureSite();
const chromium = await openWithExtension({ panel: 'open', settings: null });
try {
  const page = await chromium.context.newPage();
  await page.setViewportSize({ width: 1000, height: 640 });
  await page.goto(`${site.origin}/story.html`);
  await page.bringToFront();
  await chromium.open(page);
  // However many of the three are written: what it is not sure of, it only lists.
  await page.waitForFunction(() => document.querySelector('[data-soli-panel]')?.shadowRoot.querySelectorAll('.list li').length === 3, null, {
    timeout: 3 * PATIENCE,
  });
  await page.screenshot({ path, type: 'jpeg', quality: 78 });
} finally {
  await chromium.close();
  await site.close();
}
