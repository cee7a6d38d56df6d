/**
 * Packs what goes to npm: `soli-captioner` (pkg/) and `soli-captioner-weights` (weights/ with the files of www/models).
 *
 *   node xtask/packages.mjs [--out FOLDER]     target/npm by default; prints the two tarballs
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { weightsCard } from './page.mjs';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const MODELS = join(ROOT, 'www', 'models');

/**
 * @param {string} out a folder, made if it is missing
 * @returns {Promise<{ code: string, weights: string }>} the paths of the tarballs
 */
export async function packAll(out) {
  await mkdir(out, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), 'soli-weights-'));
  try {
    await layOutWeights(folder);
    return { code: await pack(join(ROOT, 'pkg'), out), weights: await pack(folder, out) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Puts the package of weights together: the file, its hash, the model card as its README, and its terms. */
export async function layOutWeights(folder) {
  await cp(join(ROOT, 'weights'), folder, { recursive: true });
  await cp(join(MODELS, 'soli.safetensors'), join(folder, 'soli.safetensors'));
  await writeFile(join(folder, 'soli.json'), await weightsCard());
  const card = await readFile(join(MODELS, 'README.md'), 'utf8');
  await writeFile(join(folder, 'README.md'), `${await readFile(join(folder, 'README.md'), 'utf8')}\n${card}`);
  await writeFile(join(folder, 'TERMS.md'), termsOf(card));
}

/**
 * What the model card says on data and terms, which decides what the weights may be used for.
 *
 * @param {string} card
 */
export function termsOf(card) {
  const found = /^\*\*Data and terms\.\*\* ([^]*?)\n\n/m.exec(card)?.[1];
  if (!found) throw new Error('www/models/README.md: there is no paragraph "**Data and terms.**", which the package of weights repeats');
  return `# Terms of the weights\n\n${found}\n`;
}

async function pack(folder, out) {
  const npm = promisify(execFile);
  const args = ['pack', '--silent', '--json', '--pack-destination', resolve(out)];
  const { stdout } = await npm('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return join(resolve(out), JSON.parse(stdout)[0].filename);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'target', 'npm') } } });
  for (const path of Object.values(await packAll(values.out))) console.log(path);
}
