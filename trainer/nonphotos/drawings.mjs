// Collects drawings in many manners as a data set with labels: pictures of packages under free licences.
//   (cd trainer/nonphotos && npm ci --ignore-scripts)
//   node trainer/nonphotos/drawings.mjs runs/drawings [pictures of each source, 40]
// Packages of Debian 12 (1.2 GB) come through apt-get, into runs/drawings/packages. Nothing of them is part of soli.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';

import { Random } from './random.mjs';
import { AVATARS, ICONS, PACKAGES, PAINTED } from './sources.mjs';

const { chromium } = createRequire(new URL('../../tests/e2e/package.json', import.meta.url))('playwright-core');
const require = createRequire(import.meta.url);
const [folder, each = '40'] = process.argv.slice(2);
if (!folder || !(Number(each) > 0)) {
  console.error('usage: node trainer/nonphotos/drawings.mjs FOLDER [PICTURES OF EACH SOURCE]');
  process.exit(2);
}

/** Where a package of Debian lies unpacked. */
function debian(name) {
  const packages = join(folder, 'packages');
  const place = join(packages, name);
  if (existsSync(place)) return place;
  mkdirSync(packages, { recursive: true });
  const [version, hash] = PACKAGES[name];
  execFileSync('apt-get', ['download', `${name}=${version}`], { cwd: packages });
  const file = join(packages, readdirSync(packages).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb')));
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found !== hash) throw new Error(`${file} is another than ${version} was: its SHA-256 is ${found}`);
  execFileSync('dpkg-deb', ['-x', file, `${place}.part`]);
  renameSync(`${place}.part`, place);
  return place;
}

const TYPES = { '.png': 'image/png', '.jpg': 'image/jpeg', '.webp': 'image/webp', '.svg': 'image/svg+xml', '.svgz': 'image/svg+xml' };
const inline = (type, bytes) => `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
const read = (path) => inline(TYPES[extname(path)], path.endsWith('.svgz') ? gunzipSync(readFileSync(path)) : readFileSync(path));

/** Some of a list, in an order that follows from the seed. */
function some(list, count, random) {
  const rest = [...list];
  return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(Math.floor(random.next() * rest.length), 1)[0]);
}

/** Sources: a label, and how many pictures it gives as functions of a random that return an image's address. */
async function* sources(count) {
  for (const [manner, sets] of Object.entries(ICONS)) {
    for (const set of sets) {
      const { icons, width = 16, height = 16 } = require(`@iconify-json/${set}/icons.json`);
      const random = new Random(set.length);
      const draw = ({ body, width: w = width, height: h = height }) => (r) =>
        inline('image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${w} ${h}" width="${w * 20}" height="${h * 20}" color="${r.of(['#000', '#000', '#fff', r.colour()])}">${body}</svg>`);
      yield [`${manner} ${set}`, some(Object.values(icons), Math.ceil(count * 2 / (1 + sets.length)), random).map(draw)];
    }
  }
  const { createAvatar } = await import('@dicebear/core');
  for (const style of AVATARS) {
    const drawn = await import(`@dicebear/${style}`);
    yield [`avatar ${style}`, Array.from({ length: Math.ceil(count / 4) }, (_, i) => () => inline('image/svg+xml', createAvatar(drawn, { seed: String(i) }).toString()))];
  }
  for (const [name, label, pattern] of PAINTED) {
    const root = debian(name);
    const files = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => pattern.test(path));
    yield [label, some(files.sort(), 4 * count, new Random(name.length)).map((path) => () => read(path))];
  }
}

mkdirSync(join(folder, 'Images'), { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
const rows = ['image,kind,label'];
let seed = 1;
const keep = async (label, i, random) => {
  const image = `${label.replaceAll(' ', '_')}_${String(i).padStart(3, '0')}.jpg`;
  await page.screenshot({ path: join(folder, 'Images', image), type: 'jpeg', quality: random.whole(60, 95) });
  rows.push(`${image},drawing,${label}`);
};

for await (const [label, pictures] of sources(Number(each))) {
  let kept = 0;
  for (const picture of pictures) {
    if (kept === Number(each)) break;
    const random = new Random(seed++);
    const address = picture(random);
    await page.setContent('<img style="display:none">');
    const [width, height] = await page.evaluate(async (address) => {
      const image = document.querySelector('img');
      image.src = address;
      await image.decode().catch(() => 0);
      return [image.naturalWidth, image.naturalHeight];
    }, address);
    // What is tiny, long or mostly nothing shows no manner.
    if (Math.min(width, height) < 64 || Math.max(width, height) > 4 * Math.min(width, height)) continue;
    const side = random.whole(200, 448);
    const frame = random.chance(0.6) ? [side, Math.round(side * Math.min(1.6, Math.max(0.6, height / width)))] : [side, side];
    const ground = random.of(['#fff', '#fff', '#fff', random.colour([85, 98]), random.colour(), '#000', `linear-gradient(${random.whole(0, 360)}deg,${random.colour()},${random.colour()})`]);
    await page.setViewportSize({ width: frame[0], height: frame[1] });
    await page.evaluate(([ground, fit, share]) => {
      document.body.style.cssText = `margin:0;height:100vh;overflow:hidden;display:grid;place-content:center;background:${ground}`;
      document.querySelector('img').style.cssText = `width:${share}vw;height:${share}vh;object-fit:${fit}`;
    }, [ground, random.of(['contain', 'contain', 'cover']), random.of([100, 100, 90, 75])]);
    await keep(label, kept++, random);
  }
}

await browser.close();
writeFileSync(join(folder, 'labels.csv'), `${rows.join('\n')}\n`);
console.error(`${folder}: ${rows.length - 1} pictures`);
