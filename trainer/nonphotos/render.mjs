// Draws pictures that are no photographs in Chromium, with the fonts that the machine has, as a data set with labels:
//   node trainer/nonphotos/render.mjs runs/nonphotos [pictures of each template, 60] [folder of photographs]
// With a folder of photographs, some of them are written over, as memes are: they stay photographs.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';

import { Random } from './random.mjs';
import { TEMPLATES, meme } from './templates.mjs';

const { chromium } = createRequire(new URL('../../tests/e2e/package.json', import.meta.url))('playwright-core');
const [folder, each = '60', photographs] = process.argv.slice(2);
if (!folder || !(Number(each) > 0)) {
  console.error('usage: node trainer/nonphotos/render.mjs FOLDER [PICTURES OF EACH TEMPLATE]');
  process.exit(2);
}
mkdirSync(join(folder, 'Images'), { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
const rows = ['image,kind,label'];
let seed = 1;
const templates = Object.entries(TEMPLATES);
if (photographs) {
  const files = readdirSync(photographs).filter((name) => /\.jpe?g$/i.test(name)).sort();
  const load = (name) => readFileSync(join(photographs, name)).toString('base64');
  templates.push(['meme', ['photograph', (random) => meme(random, load(random.of(files)))]]);
}
for (const [source, [kind, draw]] of templates) {
  for (let i = 0; i < Number(each); i++) {
    const { size: [width, height], html } = draw(new Random(seed++));
    await page.setViewportSize({ width, height });
    await page.setContent(html);
    const image = `${source}_${String(i).padStart(3, '0')}.jpg`;
    await page.screenshot({ path: join(folder, 'Images', image), type: 'jpeg', quality: 60 + (seed * 7) % 36 });
    rows.push(`${image},${kind},${source}`);
  }
}
await browser.close();
writeFileSync(join(folder, 'labels.csv'), `${rows.join('\n')}\n`);
console.error(`${folder}: ${rows.length - 1} pictures`);
