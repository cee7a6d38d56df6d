/** The packed package through bundlers that do not follow `new URL`, the way that its README says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { build as esbuild } from 'esbuild';
import { rollup } from 'rollup';
import { launchChromium } from './browser.mjs';
import { PATIENCE } from './helpers.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const npm = (args, cwd) => run('npm', args, { cwd, shell: process.platform === 'win32' });

/** `options` are those that the README gives; without them the package looks for its files beside the bundle. */
const app = (options) => `
  import { Captioner } from 'soli-captioner';
  import 'soli-captioner/element';

  async function main() {
    const soli = await Captioner.load({ weights: '/soli.safetensors', ${options} });
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
    await npm(['pack', '--silent', '--pack-destination', folder], join(root, 'pkg'));
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    await npm(['install', '--silent', '--offline', '--no-audit', '--no-fund', join(folder, tarball)], folder);
    // What the README says: the package's folder among the files that are served.
    await cp(join(folder, 'node_modules', 'soli-captioner'), join(dist, 'soli'), { recursive: true });
    await cp(join(root, 'www/models/soli.safetensors'), join(dist, 'soli.safetensors'));
    await cp(join(root, 'www/photos/cat.jpg'), join(dist, 'cat.jpg'));
    const types = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.jpg': 'image/jpeg' };
    server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url, 'http://localhost');
      const body = await readFile(join(dist, pathname)).catch(() => null);
      if (!body) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': types[extname(pathname)] ?? 'application/octet-stream' }).end(body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${server.address().port}/`;
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function opened(name, options) {
    const slug = `${name.replaceAll(/\W+/g, '-')}-${options ? 'options' : 'bare'}`;
    await writeFile(join(folder, `${slug}.js`), app(options));
    await BUNDLERS[name](join(folder, `${slug}.js`), join(dist, `${slug}.js`));
    const type = /classic/.test(name) ? '' : 'type="module"';
    await writeFile(join(dist, `${slug}.html`), `<!doctype html><title>app</title><body><script ${type} src="${slug}.js"></script>`);
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    const faults = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${url}${slug}.html`);
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
