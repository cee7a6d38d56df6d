/**
 * The apps of examples/, built with the two packed packages, opened in Chromium where no other host can be reached.
 *
 * Next and Parcel are large (their installation takes minutes), so they are built only with `SOLI_EXAMPLES=all`.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { packAll } from '../../xtask/packages.mjs';
import { launchChromium } from './browser.mjs';
import { serveFolder } from './folder.mjs';
import { PATIENCE, photos } from './helpers.mjs';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const shell = process.platform === 'win32';

/** What each build leaves to be served; `large`: its bundler is not among the packages of these tests. */
const APPS = {
  esbuild: { served: 'public' },
  next: { served: 'out', large: true },
  parcel: { served: 'dist', large: true },
  rollup: { served: 'public' },
  vite: { served: 'dist' },
  webpack: { served: 'public' },
};

describe('the examples', () => {
  let folder;
  let packages;
  let browser;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soli-examples-'));
    packages = await packAll(join(folder, 'packages'));
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('are all known here', async () => {
    const entries = await readdir(examples, { withFileTypes: true });
    // These are Python's: cargo xtask scale tests the one, and docs/finetune.md is measured with the other.
    const others = ['finetune', 'scale'];
    const folders = entries.filter((entry) => entry.isDirectory() && !others.includes(entry.name)).map(({ name }) => name);
    assert.deepEqual(folders.sort(), Object.keys(APPS));
  });

  /** A copy of the example with everything that it depends on: the packages from their tarballs. */
  async function installed(name, large) {
    const app = join(folder, name);
    await cp(join(examples, name), app, { recursive: true, filter: (path) => !/node_modules|[\\/](?:dist|out|\.next)$/.test(path) });
    const card = JSON.parse(await readFile(join(app, 'package.json'), 'utf8'));
    const bundlers = card.devDependencies;
    card.dependencies['soli-captioner'] = `file:${packages.code}`;
    card.dependencies['soli-captioner-weights'] = `file:${packages.weights}`;
    if (!large) delete card.devDependencies;
    await writeFile(join(app, 'package.json'), JSON.stringify(card));
    const args = ['install', '--silent', '--no-audit', '--no-fund', ...(large ? [] : ['--offline'])];
    await run('npm', args, { cwd: app, shell });
    if (large) return app;
    for (const bundler of Object.keys(bundlers)) {
      const link = join(app, 'node_modules', bundler);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(here, 'node_modules', bundler), link, 'junction');
    }
    return app;
  }

  for (const [name, { served, large = false }] of Object.entries(APPS)) {
    const skip = large && process.env.SOLI_EXAMPLES !== 'all' && 'its bundler is large: SOLI_EXAMPLES=all';
    test(`${name}: captions a picture, and needs nobody but its own host`, { skip }, async () => {
      const app = await installed(name, large);
      const path = [join(here, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
      await run('npm', ['run', 'build'], { cwd: app, shell, env: { ...process.env, PATH: path, NEXT_TELEMETRY_DISABLED: '1' } });
      const site = await serveFolder(join(app, served));
      const context = await browser.newContext();
      try {
        const page = await context.newPage();
        page.setDefaultTimeout(PATIENCE);
        const [faults, strange, missing] = [[], [], []];
        page.on('pageerror', (error) => faults.push(String(error)));
        page.on('response', (response) => response.status() >= 400 && missing.push(response.url()));
        await context.route('**/*', (route) => {
          if (route.request().url().startsWith(site.url)) return route.continue();
          strange.push(route.request().url());
          return route.abort();
        });
        await page.goto(site.url);
        await page.locator('input[type=file]:enabled').setInputFiles(photos[0]);
        await page.waitForFunction(() => document.querySelector('output').textContent);
        assert.match(await page.locator('output').textContent(), /^(May show: )?[A-Za-z].*\.$/);
        assert.equal(page.workers().length, 1, 'captions are made in a worker');
        assert.deepEqual(faults, []);
        assert.deepEqual(strange, []);
        assert.deepEqual(missing.filter((url) => !url.endsWith('/favicon.ico')), []);
      } finally {
        await context.close();
        site.close();
      }
    });
  }
});
