/**
 * What the page has to know about its own files, made from these files:
 *
 *   www/models/soli.json  the weights' size and SHA-256, checked by the page before it uses them
 *   www/precache.js       every file of the page with its hash, for the service worker; its version follows from them
 *
 *   node xtask/page.mjs   (or `cargo xtask page`; `build`, `serve`, `demo` and `test` do it too)
 *
 * Both are made anew each time and not committed, so that no change of weights or page can forget them.
 */
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Not for visitors, not cached with the page (the weights have a cache of their own), or the list itself. */
const LEFT_OUT = /\.md$|\.safetensors$|^sw\.js$|^precache\.js$|^models\/soli\.json$|(^|\/)\./;

/** The text of models/soli.json. */
export async function weightsCard(root = ROOT) {
  const file = 'soli.safetensors';
  const bytes = await readFile(join(root, 'www', 'models', file));
  return `${JSON.stringify({ file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })}\n`;
}

/**
 * Throws if the policy of index.html does not allow its own script: browsers would leave it out without a word to anybody.
 *
 * @param {string} page the text of index.html
 */
export function checkPolicy(page) {
  const script = /<script>([^]*?)<\/script>/.exec(page)?.[1];
  if (script === undefined) return;
  const hash = `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? '';
  if (!policy.includes(hash)) {
    throw new Error(`www/index.html: its script was changed; write ${hash} into script-src of its Content-Security-Policy`);
  }
}

/** The text of precache.js. */
export async function precache(root = ROOT) {
  const files = {};
  const add = (url, bytes) => {
    // In the form of the `integrity` option of `fetch`.
    files[url] = `sha256-${createHash('sha256').update(bytes).digest('base64')}`;
  };
  for (const path of await list(join(root, 'www'))) {
    // Hosts redirect index.html to its folder, and a redirected answer may not be used for a page.
    if (!LEFT_OUT.test(path)) add(path === 'index.html' ? './' : `./${path}`, await readFile(join(root, 'www', path)));
  }
  for (const path of await list(join(root, 'pkg'))) {
    // Of the two modules the service worker keeps the one that its browser uses.
    if (/\.(js|wasm)$/.test(path)) add(`./pkg/${path}`, await readFile(join(root, 'pkg', path)));
  }
  add('./models/soli.json', await weightsCard(root));
  const worker = await readFile(join(root, 'www', 'sw.js'));
  const version = createHash('sha256').update(JSON.stringify(files)).update(worker).digest('hex').slice(0, 12);
  return `self.PRECACHE = ${JSON.stringify({ version, files }, null, 1)};\n`;
}

/** All files below a folder, with `/`, in a fixed order. */
async function list(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1).replaceAll('\\', '/'))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  checkPolicy(await readFile(join(ROOT, 'www', 'index.html'), 'utf8'));
  await writeFile(join(ROOT, 'www', 'models', 'soli.json'), await weightsCard());
  await writeFile(join(ROOT, 'www', 'precache.js'), await precache());
}
