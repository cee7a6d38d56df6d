/**
 * Puts the extension together for one browser: an unpacked folder that the browser can load.
 *
 *   node build.mjs --browser chromium|firefox --out FOLDER
 *
 * Pages and the background stay the modules they are. The content script is bundled, because browsers inject content
 * scripts as classic scripts, and modules could reach it only through addresses that every page may probe.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build as bundle } from 'esbuild';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const ROOT = fileURLToPath(new URL('../', import.meta.url));
export const BROWSERS = ['chromium', 'firefox'];

/** What of the npm package is needed at run time: not its README and types, nor the module for browsers without vectors. */
const isRuntime = (path) => !/\.(md|d\.ts|tgz)$|package\.json$|node_modules|_plain_/.test(path);

/**
 * @param {{ browser: string, out: string, manifest?: (manifest: object) => object, panel?: 'closed' | 'open' }} options
 *   `manifest` and `panel` are for tests, which can neither click a browser's prompts nor look into a closed shadow root
 */
export async function build({ browser, out, manifest = (it) => it, panel = 'closed' }) {
  if (!BROWSERS.includes(browser)) throw new Error(`--browser must be one of ${BROWSERS.join(', ')}`);
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const other = BROWSERS.find((name) => name !== browser);
  await cp(join(HERE, 'src'), out, {
    recursive: true,
    filter: (path) => !path.endsWith(join('src', 'content')) && !basename(path).startsWith(`${other}.`),
  });
  await cp(join(ROOT, 'pkg'), join(out, 'pkg'), { recursive: true, filter: isRuntime });
  await mkdir(join(out, 'models'));
  await cp(join(ROOT, 'www', 'models', 'soli.safetensors'), join(out, 'models', 'soli.safetensors'));
  await bundle({
    entryPoints: [join(HERE, 'src', 'content', 'main.js')],
    outfile: join(out, 'content.js'),
    bundle: true,
    format: 'iife',
    target: browser === 'chromium' ? 'chrome123' : 'firefox142',
    charset: 'utf8',
    define: { SOLI_PANEL: JSON.stringify(panel) },
    logLevel: 'warning',
  });
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest(await manifestOf(browser)), null, 2)}\n`);
  return out;
}

async function manifestOf(browser) {
  const read = async (path) => JSON.parse(await readFile(path, 'utf8'));
  const base = await read(join(HERE, 'manifest', 'base.json'));
  const own = await read(join(HERE, 'manifest', `${browser}.json`));
  const { version } = await read(join(ROOT, 'pkg', 'package.json'));
  return { ...base, ...own, version, permissions: [...base.permissions, ...(own.permissions ?? [])] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { browser: { type: 'string' }, out: { type: 'string' } } });
  if (!values.out) throw new Error('--out FOLDER is missing');
  await build(values);
}
