/**
 * Opens each picture of a folder in Chromium, as an `<img>`, and writes what a canvas then holds beside it as
 * NAME.expected.png; see decode.py. Files that Chromium does not show are named.
 *
 *     node tests/reference/decode.mjs FOLDER [CHROMIUM]
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../e2e/package.json', import.meta.url))('playwright-core');
const [folder, executablePath = process.env.SOLI_CHROMIUM ?? '/usr/bin/chromium'] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ['--force-color-profile=srgb', '--no-sandbox'] });
console.log(browser.version());
const page = await browser.newPage();
await page.goto('about:blank');
const types = { jpg: 'image/jpeg', png: 'image/png', gif: 'image/gif', webp: 'image/webp', bmp: 'image/bmp' };
for (const name of readdirSync(folder).filter((name) => !name.endsWith('.expected.png')).sort()) {
  const type = types[name.split('.').pop()];
  if (!type) continue;
  const source = `data:${type};base64,${readFileSync(join(folder, name)).toString('base64')}`;
  const shown = await page.evaluate(async (source) => {
    const image = new Image();
    const loaded = new Promise((resolve) => { image.onload = () => resolve(true); image.onerror = () => resolve(false); });
    image.src = source;
    if (!(await loaded)) return null;
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }, source);
  if (shown) writeFileSync(join(folder, `${name}.expected.png`), Buffer.from(shown, 'base64'));
  else console.log(`not shown: ${name}`);
}
await browser.close();
