/** The packed package through bundlers that do not follow `new URL`, the way that its README says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build as esbuild } from 'esbuild';
import { rollup } from 'rollup';
import { packAll } from '../../xtask/packages.mjs';
import { launchChromium } from './browser.mjs';
import { serveFolder } from './folder.mjs';
import { PATIENCE } from './helpers.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const npm = (args, cwd) => run('npm', args, { cwd, shell: process.platform === 'win32' });

/** `options` are those that the README gives; without them the package looks for its files beside the bundle. */
const app = (options, imported = false) => `
  import { Captioner } from 'soli-captioner';
  ${imported ? "import weights from 'soli-captioner-weights';" : "const weights = '/soli.safetensors';"}
  import 'soli-captioner/element';

  async function main() {
    const soli = await Captioner.load({ weights, ${options} });
    const { text } = await soli.caption('/cat.jpg');
    const element = document.createElement('soli-caption');
    element.captioner = soli;
    element.innerHTML = '<img src="/cat.jpg">';
    const alt = await new Promise((resolve) => {
      element.addEventListener('soli-caption', ({ detail }) => resolve(detail.alt));
      document.body.append(element);
    });
    return { thread: soli.thread, text, alt };
  }
  main().then((said) => said, ({ code, message }) => ({ code, message })).then((said) => {
    document.body.dataset.said = JSON.stringify(said);
  });
`;
const OPTIONS = "workerUrl: '/soli/worker.js', wasmUrl: '/soli/wasm/'";

const BUNDLERS = {
  'esbuild, modules': (input, outfile) => esbuild({ entryPoints: [input], outfile, bundle: true, format: 'esm', logLevel: 'silent' }),
  'esbuild, a classic script': (input, outfile) => esbuild({ entryPoints: [input], outfile, bundle: true, format: 'iife', logLevel: 'silent' }),
  'esbuild, minified': (input, outfile) => esbuild({ entryPoints: [input], outfile, bundle: true, format: 'esm', minify: true, logLevel: 'silent' }),
  'Rollup, modules': (input, file) => withRollup(input, { file, format: 'es', inlineDynamicImports: true }),
  'Rollup, a classic script': (input, file) => withRollup(input, { file, format: 'iife', inlineDynamicImports: true }),
};

async function withRollup(input, output) {
  const bundle = await rollup({ input, plugins: [nodeResolve({ browser: true })], onwarn: () => {} });
  await bundle.write(output);
  await bundle.close();
}

describe('bundlers that leave the package’s files behind', () => {
  let folder;
  let dist;
  let server;
  let browser;
  let url;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soli-bundlers-'));
    dist = join(folder, 'dist');
    await mkdir(dist);
    const packed = await packAll(folder);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    await npm(['install', '--silent', '--offline', '--no-audit', '--no-fund', packed.code, packed.weights], folder);
    // What the README says: the package's folder among the files that are served.
    await cp(join(folder, 'node_modules', 'soli-captioner'), join(dist, 'soli'), { recursive: true });
    await cp(join(root, 'www/models/soli.safetensors'), join(dist, 'soli.safetensors'));
    await cp(join(root, 'www/photos/cat.jpg'), join(dist, 'cat.jpg'));
    server = await serveFolder(dist);
    url = server.url;
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function opened(name, options, { imported = false } = {}) {
    const slug = `${name.replaceAll(/\W+/g, '-')}-${options ? 'options' : 'bare'}-${imported ? 'imported' : 'own'}`;
    // Each bundle in a folder of its own, without the weights.
    await mkdir(join(dist, slug));
    await writeFile(join(folder, `${slug}.js`), app(options, imported));
    await BUNDLERS[name](join(folder, `${slug}.js`), join(dist, slug, 'main.js'));
    const type = /classic/.test(name) ? '' : 'type="module"';
    await writeFile(join(dist, slug, 'index.html'), `<!doctype html><title>app</title><body><script ${type} src="main.js"></script>`);
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    const faults = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${url}${slug}/`);
    await page.waitForFunction(() => document.body.dataset.said);
    const said = JSON.parse(await page.evaluate(() => document.body.dataset.said));
    await page.close();
    assert.deepEqual(faults, []);
    return said;
  }

  for (const name of Object.keys(BUNDLERS)) {
    test(`${name}: with the addresses, in a worker`, async () => {
      const said = await opened(name, OPTIONS);
      assert.equal(said.thread, 'worker', JSON.stringify(said));
      assert.ok(said.text.length > 0 && said.alt.toLowerCase().includes(said.text.split(' ').at(-1)));
    });

    test(`${name}: without them, a message that names them`, async () => {
      const said = await opened(name, '');
      assert.equal(said.code, 'wasm-failed', JSON.stringify(said));
      assert.match(said.message, /`workerUrl` and `wasmUrl`/);
    });

    test(`${name}: weights that stayed behind are told with what to do`, async () => {
      const said = await opened(name, OPTIONS, { imported: true });
      assert.equal(said.code, 'fetch-failed', JSON.stringify(said));
      assert.match(said.message, /404 .*among those that are served.*Bundlers/);
    });
  }

  test('two entries of esbuild: the worker bundled too', async () => {
    const worker = join(folder, 'node_modules', 'soli-captioner', 'worker.js');
    await writeFile(join(folder, 'two.js'), app("workerUrl: '/two/soli-worker.js', wasmUrl: '/soli/wasm/'"));
    await esbuild({
      entryPoints: { two: join(folder, 'two.js'), 'soli-worker': worker },
      outdir: join(dist, 'two'),
      bundle: true,
      format: 'esm',
      logLevel: 'silent',
    });
    await writeFile(join(dist, 'two.html'), '<!doctype html><title>app</title><body><script type="module" src="two/two.js"></script>');
    const page = await browser.newPage();
    await page.goto(`${url}two.html`);
    await page.waitForFunction(() => document.body.dataset.said, null, { timeout: PATIENCE });
    const said = JSON.parse(await page.evaluate(() => document.body.dataset.said));
    await page.close();
    assert.equal(said.thread, 'worker', JSON.stringify(said));
  });
});
