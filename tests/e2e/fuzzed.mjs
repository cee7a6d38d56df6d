/**
 * Shows Chromium the pictures that the fuzz test's decoder took, and compares the pixels:
 *
 *     cargo test --package soli-trainer --test fuzz pictures && node tests/e2e/fuzzed.mjs [FOLDER]
 *
 * The folder (target/tmp/fuzzed) has the damaged files, and beside each what our decoder made of it: NAME.ours.png, or
 * NAME.part.png where it said that something is missing.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium } from './browser.mjs';

/** Where the fuzz test keeps them. */
export const FUZZED = fileURLToPath(new URL('../../target/tmp/fuzzed/', import.meta.url));
const TYPES = { jpg: 'image/jpeg', png: 'image/png', gif: 'image/gif', webp: 'image/webp', bmp: 'image/bmp' };

/** Runs in a page: how two files look beside each other, over white. */
async function differ([file, ours]) {
  const shown = async (source) => {
    const image = new Image();
    const loaded = new Promise((resolve) => {
      image.onload = () => resolve(true);
      image.onerror = () => resolve(false);
    });
    image.src = source;
    if (!(await loaded)) return null;
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const over = new Uint8Array(width * height * 3);
    for (let i = 0, j = 0; i < data.length; i += 4) {
      const alpha = data[i + 3];
      for (let c = 0; c < 3; c += 1) over[j++] = Math.floor((data[i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    return { width, height, over };
  };
  const [theirs, own] = [await shown(file), await shown(ours)];
  if (!theirs) return { shown: false };
  if (theirs.width !== own.width || theirs.height !== own.height) {
    return { shown: true, sizes: [own, theirs].map(({ width, height }) => `${width}x${height}`) };
  }
  let [most, sum, many] = [0, 0, 0];
  for (let i = 0; i < own.over.length; i += 1) {
    const apart = Math.abs(own.over[i] - theirs.over[i]);
    most = Math.max(most, apart);
    sum += apart;
    if (apart > 3) many += 1;
  }
  return { shown: true, most, mean: sum / own.over.length, share: many / own.over.length };
}

/**
 * What came of each file of the folder.
 *
 * @returns {Promise<{ name: string, partial: boolean, shown: boolean, sizes?: string[], most?: number, mean?: number, share?: number }[]>}
 */
export async function compare(folder = FUZZED) {
  const names = await readdir(folder);
  const files = names.filter((name) => !/\.(ours|part)\.png$/.test(name)).sort((a, b) => parseInt(a, 10) - parseInt(b, 10));
  const browser = await launchChromium({ args: ['--force-color-profile=srgb'] });
  try {
    const page = await browser.newPage();
    const found = [];
    for (const name of files) {
      const partial = names.includes(`${name}.part.png`);
      const address = async (path, type) => `data:${type};base64,${(await readFile(join(folder, path))).toString('base64')}`;
      const pair = [await address(name, TYPES[name.split('.').pop()]), await address(`${name}.${partial ? 'part' : 'ours'}.png`, 'image/png')];
      found.push({ name, partial, ...(await page.evaluate(differ, pair)) });
    }
    return found;
  } finally {
    await browser.close();
  }
}

/** By how much values may differ: what rounds in another order (colour profiles, inks, transparency) is a little apart. */
export function verdict({ partial, shown, sizes, most, mean }) {
  if (!shown) return 'not shown by Chromium';
  if (sizes) return `another size: ${sizes.join(' instead of ')}`;
  if (most <= 1 || (most <= 3 && mean <= 0.6)) return 'same';
  return partial ? 'part' : 'other pixels';
}

/**
 * How many files of each format came to which end.
 *
 * @returns {Record<string, { compared: number, same: number, part: number, others: string[] }>}
 */
export function tally(found) {
  const formats = {};
  for (const each of found) {
    const format = each.name.split('.').pop();
    const row = (formats[format] ??= { compared: 0, same: 0, part: 0, others: [] });
    const said = verdict(each);
    row.compared += 1;
    if (said === 'same' || said === 'part') row[said] += 1;
    else row.others.push(`${each.name}: ${said}`);
  }
  return formats;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const formats = tally(await compare(process.argv[2]));
  for (const { others } of Object.values(formats)) for (const other of others) console.log(other);
  // Rows of the table in docs/reliability.md.
  for (const [format, { compared, same, part, others }] of Object.entries(formats)) {
    console.log(`| ${format} | ${compared} | ${same} | ${part} | ${others.length} |`);
  }
}
