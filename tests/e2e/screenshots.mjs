/**
 * Takes the pictures of the page that the documentation shows: docs/page.jpg, docs/page-list.jpg, docs/page-narrow.jpg.
 *
 *   node tests/e2e/screenshots.mjs   (after a build; again when the weights or the looks change)
 */
import { fileURLToPath } from 'node:url';
import { open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const world = await open();
try {
  const wide = await visit({ viewport: { width: 1100, height: 800 } });
  await look(wide, photos[1]);
  await take(wide, 'page');

  const [cat, , coffee] = photos;
  const words = { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') };
  await wide.setInputFiles('#file', [await upload(cat), await upload(coffee), words]);
  await rowsOf(wide);
  await wide.getByRole('button', { name: 'Edit the caption of cat.jpg' }).click();
  await wide.keyboard.type('Chelsea the cat looks to the right.');
  await wide.keyboard.press('Enter');
  await take(wide, 'page-list');

  const narrow = await visit({ viewport: { width: 390, height: 800 }, colorScheme: 'dark' });
  await look(narrow, photos[2]);
  await take(narrow, 'page-narrow');
} finally {
  await world.close();
}

async function visit(options) {
  const page = await world.page({ serviceWorkers: 'allow', ...options });
  await page.goto(world.url);
  await page.waitForSelector('#state[data-kept=yes]');
  return page;
}

/** A picture at 50 pixels, with the captions of all sizes. */
async function look(page, photo) {
  await resultOf(page, async () => page.setInputFiles('#file', await upload(photo)));
  await page.focus('#side');
  for (let step = 0; step < 5; step += 1) await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => [...document.querySelectorAll('#side-captions span')].every(({ textContent }) => textContent !== '…'));
}

async function take(page, name) {
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: `${DOCS}${name}.jpg`, type: 'jpeg', quality: 70, fullPage: true });
}
