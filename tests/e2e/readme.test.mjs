/** The examples of the package's README, run as they are written. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { layOutWeights } from '../../xtask/packages.mjs';
import { launchChromium } from './browser.mjs';
import { PATIENCE } from './helpers.mjs';
import { serve } from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = await readFile(join(root, 'pkg/README.md'), 'utf8');
const blocks = [...readme.matchAll(/^( *)```(\w+)\n([^]*?)^ *```/gm)].map(([, , language, code]) => ({ language, code }));
const example = (pattern) => {
  const found = blocks.filter(({ code }) => pattern.test(code));
  assert.equal(found.length, 1, `one example has ${pattern}`);
  return found[0].code;
};

/** The package of weights as a server has it. */
const weights = {
  '/weights/index.js': () => readFile(join(root, 'weights/index.js')),
  '/weights/soli.safetensors': () => readFile(join(root, 'www/models/soli.safetensors')),
};

describe('the README’s examples', () => {
  let browser;
  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser.close());

  /** Runs `script` as a module of a page; gives what it logs, or what it has thrown. */
  async function run(script, body = '', moved = {}) {
    const site = await serve({
      '/app.html': () => `<!doctype html><title>app</title>
        <script type="importmap">{"imports":{"soli-captioner":"/pkg/index.js","soli-captioner/element":"/pkg/element.js","soli-captioner-weights":"/weights/index.js"}}</script>
        <body>${body}<script type="module" src="/app.js"></script>`,
      ...weights,
      '/app.js': () => `${script}\nconsole.log('the end');`,
      ...moved,
    });
    const page = await browser.newPage();
    try {
      const said = [];
      const ended = new Promise((resolve, reject) => {
        page.on('console', (message) => {
          if (message.text() === 'the end') resolve();
          else if (message.type() === 'log') said.push(message.text());
        });
        page.on('pageerror', reject);
        setTimeout(reject, PATIENCE, new Error('it did not end')).unref();
      });
      await page.goto(`${site.url}app.html`);
      await ended;
      return said;
    } finally {
      await page.close();
      await site.close();
    }
  }

  test('first', async () => {
    const [said] = await run(example(/confidence\(caption\)/), '<img src="/photos/cat.jpg">');
    assert.match(said, /^(May show: |[A-Z]).+\. 0\.\d+ \d[\d.]* ms$/);
  });

  test('many pictures', async () => {
    const script = `
      import { Captioner } from 'soli-captioner';
      const soli = await Captioner.load({ weights: '/models/soli.safetensors' });
      const { signal } = new AbortController();
      const input = { files: [new File([await (await fetch('/photos/cat.jpg')).blob()], 'cat.jpg'), new File(['words'], 'words.txt')] };
      ${example(/captionAll\(input\.files/)}`;
    const said = (await run(script)).sort();
    assert.match(said[0], /^0 cat\.jpg \w+/);
    assert.match(said[1], /^1 words\.txt words\.txt is not a picture/);
  });

  test('the element', async () => {
    const html = example(/<soli-caption weights/).replace('cat.jpg', '/photos/cat.jpg');
    const script = "await new Promise((resolve) => document.addEventListener('soli-caption', ({ detail }) => resolve(console.log(detail.alt))));";
    assert.match((await run(script, html))[0], /^(May show: |[A-Z]).+\.$/);
  });

  test('addresses', async () => {
    const script = `import { Captioner } from 'soli-captioner'; import 'soli-captioner/element';
      ${example(/workerUrl: '\/soli\/worker\.js'/)}
      console.log(soli.thread, document.querySelector('soli-caption').captioner === soli);`;
    const files = await readdir(join(root, 'pkg'), { recursive: true });
    const moved = Object.fromEntries(
      files.filter((path) => /\.(js|wasm)$/.test(path) && !path.includes('node_modules')).map((path) => [
        `/soli/${path}`,
        async (_, response) => {
          response.setHeader('content-type', path.endsWith('.js') ? 'text/javascript' : 'application/wasm');
          response.end(await readFile(join(root, 'pkg', path)));
          return null;
        },
      ]),
    );
    assert.deepEqual(await run(script, '<soli-caption></soli-caption>', moved), ['worker true']);
  });

  test('Node', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soli-readme-'));
    try {
      await mkdir(join(folder, 'node_modules/sharp'), { recursive: true });
      await symlink(join(root, 'pkg'), join(folder, 'node_modules/soli-captioner'), 'dir');
      // Stands in for the decoder, with the fixture's pixels.
      await writeFile(
        join(folder, 'node_modules/sharp/index.mjs'),
        `import { readFileSync } from 'node:fs';
         const info = { width: 96, height: 64 };
         const self = { ensureAlpha: () => self, raw: () => self, toBuffer: async () => ({ data: readFileSync('cat.rgba'), info }) };
         export default () => self;`,
      );
      await writeFile(join(folder, 'node_modules/sharp/package.json'), '{"name":"sharp","exports":"./index.mjs"}');
      await cp(join(root, 'tests/fixtures/cat_96x64.rgba'), join(folder, 'cat.rgba'));
      await layOutWeights(join(folder, 'node_modules/soli-captioner-weights'));
      await writeFile(join(folder, 'app.mjs'), example(/import sharp/));
      const { stdout } = await promisify(execFile)(process.execPath, ['app.mjs'], { cwd: folder });
      assert.ok(stdout.trim().split(' ').length > 2, stdout);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test('one version of Node, wherever it is named', async () => {
  const engines = [];
  for (const path of ['pkg', 'weights', 'extension', 'tests/e2e', 'tests/bench']) {
    engines.push(JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8')).engines.node);
  }
  assert.equal(new Set(engines).size, 1, engines.join(' '));
  const [version] = engines[0].match(/\d+\.\d+/);
  assert.ok(readme.includes(`From version ${version} on`));
});
