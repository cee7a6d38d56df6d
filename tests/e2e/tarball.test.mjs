/** The packed package as its users meet it: installed in a new Vite app, on a plain page, in Node, under strict headers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { packAll, termsOf } from '../../xtask/packages.mjs';
import { launchChromium } from './browser.mjs';
import { serveFolder } from './folder.mjs';
import { PATIENCE } from './helpers.mjs';
import { WITHOUT_VECTORS } from './vectors.mjs';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const npm = (args, cwd) => run('npm', args, { cwd, shell: process.platform === 'win32' });
const tool = (path, args, cwd) => run(process.execPath, [join(here, 'node_modules', path), ...args], { cwd });

const USE = `
  import { Captioner } from 'soli-captioner';
  import 'soli-captioner/element';

  const soli = await Captioner.load({ weights: '/soli.safetensors' });
  const { text } = await soli.caption('/cat.jpg');
  const element = document.createElement('soli-caption');
  element.captioner = soli;
  element.innerHTML = '<img src="/cat.jpg">';
  element.addEventListener('soli-caption', ({ detail }) => {
    document.body.dataset.alt = detail.alt;
    document.body.dataset.thread = soli.thread;
    document.body.dataset.text = text;
  });
  document.body.append(element);
`;

describe('the tarball', () => {
  let folder;
  let app;
  let installed;
  let browser;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soli-tarball-'));
    app = join(folder, 'app');
    await mkdir(join(app, 'public'), { recursive: true });
    const packed = await packAll(folder);
    await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    await npm(['install', '--silent', '--offline', '--no-audit', '--no-fund', packed.code, packed.weights], app);
    installed = join(app, 'node_modules', 'soli-captioner');
    await cp(join(root, 'www/models/soli.safetensors'), join(app, 'public/soli.safetensors'));
    await cp(join(root, 'www/photos/cat.jpg'), join(app, 'public/cat.jpg'));
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  /** What a page says that ran USE. */
  async function visit(url, using = browser) {
    const page = await using.newPage();
    page.setDefaultTimeout(PATIENCE);
    const faults = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(url);
    await page.waitForFunction(() => document.body.dataset.text);
    const said = await page.evaluate(() => ({ ...document.body.dataset }));
    await page.close();
    assert.deepEqual(faults, []);
    return said;
  }

  test('holds what its users need, the licences among it, and nothing else', async () => {
    const files = (await readdir(installed, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(installed.length + 1));
    for (const name of ['README.md', 'index.d.ts', 'element.d.ts', 'worker.js', 'wasm/soli_bg.wasm', 'wasm/soli_plain_bg.wasm']) {
      assert.ok(files.includes(name), name);
    }
    assert.deepEqual(files.filter((name) => !/^(wasm\/)?[\w-]+\.(js|d\.ts|wasm)$|^README\.md$|^LICENSE-\w+$|^package\.json$/.test(name)), []);
    for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
      assert.equal(await readFile(join(installed, name), 'utf8'), await readFile(join(root, name), 'utf8'));
    }
    const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    for (const [path, entry] of Object.entries(exports)) {
      if (typeof entry === 'object') assert.equal(Object.keys(entry)[0], 'types', `${path}: types come first`);
    }
  });

  test('the weights are a package of their own, with their hash, model card and terms', async () => {
    const weights = join(app, 'node_modules', 'soli-captioner-weights');
    const files = await readdir(weights);
    assert.deepEqual(files.sort(), ['README.md', 'TERMS.md', 'index.d.ts', 'index.js', 'package.json', 'soli.json', 'soli.safetensors']);
    const bytes = await readFile(join(weights, 'soli.safetensors'));
    const card = JSON.parse(await readFile(join(weights, 'soli.json'), 'utf8'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    assert.deepEqual(card, { file: 'soli.safetensors', bytes: bytes.length, sha256 });
    assert.match(await readFile(join(weights, 'README.md'), 'utf8'), /# Model card[^]*\*\*Limits\.\*\*/);
    assert.match(await readFile(join(weights, 'TERMS.md'), 'utf8'), /Flickr8k[^]*research use[^]*MS-COCO/);
    assert.throws(() => termsOf('# Model card\n\nnothing'), /Data and terms/);
  });

  test('a new Vite app builds with it and captions in a worker', async () => {
    await writeFile(join(app, 'index.html'), '<!doctype html><title>app</title><script type="module" src="/main.js"></script>');
    await writeFile(join(app, 'main.js'), USE);
    const { stdout, stderr } = await tool('vite/bin/vite.js', ['build', '--target', 'esnext'], app);
    assert.doesNotMatch(stdout + stderr, /warn/i);
    const site = await serveFolder(join(app, 'dist'));
    try {
      const said = await visit(site.url);
      assert.equal(said.thread, 'worker');
      assert.ok(said.text.length > 0 && said.alt.toLowerCase().includes(said.text));
    } finally {
      site.close();
    }
  });

  test('the built app has the module for engines without vectors too', { skip: !WITHOUT_VECTORS }, async () => {
    const modules = (await readdir(join(app, 'dist/assets'))).filter((name) => name.endsWith('.wasm')).map((name) => name.replace(/-.*/, ''));
    assert.deepEqual(modules.sort(), ['soli_bg', 'soli_plain_bg']);
    const [site, old] = [await serveFolder(join(app, 'dist')), await launchChromium({ args: WITHOUT_VECTORS })];
    try {
      const [plain, usual] = [await visit(site.url, old), await visit(site.url)];
      assert.deepEqual([plain.thread, plain.text, plain.alt], ['worker', usual.text, usual.alt]);
    } finally {
      await old.close();
      site.close();
    }
  });

  describe('a plain page', () => {
    const isolation = { 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-opener-policy': 'same-origin' };
    const strict = { 'content-security-policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'" };
    const cases = {
      'without headers': [() => ({}), 'worker'],
      'under the content security policy that the README gives': [() => strict, 'worker'],
      'isolated, with the header on the worker too': [() => isolation, 'worker'],
      'isolated, without it': [(path) => (path.endsWith('worker.js') ? {} : isolation), 'main'],
    };
    before(async () => {
      const plain = USE.replace("'soli-captioner'", "'./node_modules/soli-captioner/index.js'").replace(
        "'soli-captioner/element'",
        "'./node_modules/soli-captioner/element.js'",
      );
      await writeFile(join(app, 'plain.js'), plain);
      await writeFile(join(app, 'plain.html'), '<!doctype html><title>plain</title><body><script type="module" src="./plain.js"></script>');
      for (const name of ['soli.safetensors', 'cat.jpg']) await cp(join(app, 'public', name), join(app, name));
    });
    for (const [name, [headers, thread]] of Object.entries(cases)) {
      test(`${name}: on the thread ${thread}`, async () => {
        const site = await serveFolder(app, headers);
        try {
          const said = await visit(`${site.url}plain.html`);
          assert.equal(said.thread, thread);
          assert.ok(said.text.length > 0);
        } finally {
          site.close();
        }
      });
    }
  });

  test('Node imports it by its name', async () => {
    await writeFile(
      join(app, 'use.mjs'),
      `import { Captioner } from 'soli-captioner';
       import weights from 'soli-captioner-weights';
       import 'soli-captioner/element';
       const soli = await Captioner.load({ weights });
       console.log((await soli.caption({ data: new Uint8Array(64 * 64 * 4), width: 64, height: 64 })).text);`,
    );
    const { stdout } = await run(process.execPath, ['use.mjs'], { cwd: app });
    assert.ok(stdout.trim().length > 0);
  });

  for (const resolution of ['nodenext', 'bundler']) {
    test(`its types are found by ${resolution}`, async () => {
      await cp(join(here, 'types/package.test.ts'), join(app, 'types.ts'));
      const options = {
        compilerOptions: {
          strict: true,
          noEmit: true,
          target: 'es2022',
          module: resolution === 'bundler' ? 'esnext' : resolution,
          moduleResolution: resolution,
          lib: ['es2022', 'dom', 'dom.iterable'],
          types: [],
        },
        files: ['types.ts'],
      };
      await writeFile(join(app, 'tsconfig.json'), JSON.stringify(options));
      await tool('typescript/bin/tsc', ['--project', '.'], app).catch((error) => assert.fail(error.stdout));
    });
  }
});
