/**
 * Page, package, element and decoding in WebKit, the engine of every browser on an iPhone. Left out, with a word, where it is
 * not installed.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { By, until } from 'selenium-webdriver';
import { png } from './bad-pictures.mjs';
import { decodingTests } from './decode-shown.mjs';
import { PATIENCE, open, photos, resultOf, upload } from './helpers.mjs';
import { findWebKit, openWebKit } from './webkit.mjs';

const found = await findWebKit();
const options = { skip: found.missing };
const fixture = (name) => readFile(new URL(`../fixtures/${name}`, import.meta.url));

decodingTests('WebKit', () => openWebKit(found), options);

describe('WebKit', options, () => {
  let world;
  let webkit;
  let driver;
  let folder;
  before(async () => {
    // A server of its own, which a test closes.
    world = await open({
      doctored: {
        '/blank.html': () => '<!doctype html><html lang="en"><title>blank</title>',
        '/cat.rgba': () => fixture('cat_96x64.rgba'),
      },
    });
    folder = await mkdtemp(join(tmpdir(), 'soli-webkit-'));
    webkit = await openWebKit(found);
    ({ driver } = webkit);
  });
  after(async () => {
    await webkit?.close();
    await world?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  const see = (css) => driver.wait(until.elementLocated(By.css(css)), PATIENCE);

  async function resultInWebKit(act) {
    await driver.executeScript("document.getElementById('result').dataset.state = 'before'");
    await act();
    await see('#result:is([data-state=done], [data-state=error])');
    return driver.executeScript("return { ...document.getElementById('result').dataset }");
  }

  /** Runs in a page of the same host, with `soli` loaded and the package as `pkg`; gives its value, or the error as text. */
  async function inPackage(script, ...given) {
    await driver.get(`${world.url}blank.html`);
    const source = `
      const done = arguments[arguments.length - 1];
      const given = [...arguments].slice(0, -1);
      (async () => {
        const pkg = await import(new URL('/pkg/index.js', location.href).href);
        const soli = await pkg.Captioner.load({ weights: new URL('/models/soli.safetensors', location.href) });
        try { return await (${script})(pkg, soli, ...given); } finally { soli.dispose(); }
      })().then(done, (error) => done('failed: ' + (error?.code ?? error?.name) + ' ' + error?.message));`;
    return driver.executeAsyncScript(source, ...given);
  }

  test('captions every photograph as Chromium does', async () => {
    const chromium = await world.soli();
    await driver.get(world.url);
    await see('#result[data-ready]');
    for (const photo of photos) {
      const expected = await resultOf(chromium, async () => chromium.setInputFiles('#file', await upload(photo)));
      const result = await resultInWebKit(() => driver.findElement(By.id('file')).sendKeys(photo));
      assert.equal(result.state, 'done');
      assert.equal(result.text, expected.text, photo);
    }
  });

  test('bad files are told in words in their rows, the others are captioned', async () => {
    const files = { 'empty.jpg': Buffer.alloc(0), 'words.png': 'words', 'wide.png': png(20_000, 40), 'good.jpg': await readFile(photos[0]) };
    const paths = [];
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(folder, name), bytes);
      paths.push(join(folder, name));
    }
    await driver.executeScript("document.getElementById('clear').click()");
    await driver.findElement(By.id('file')).sendKeys(paths.join('\n'));
    await see('#rows li:nth-child(4)');
    await driver.wait(
      async () => (await driver.findElements(By.css('#rows li:is([data-state=waiting], [data-state=working])'))).length === 0,
      PATIENCE,
    );
    const states = await driver.executeScript("return [...document.querySelectorAll('#rows li')].map((row) => row.dataset.state)");
    assert.deepEqual(states, ['failed', 'failed', 'done', 'done']);
  });

  test('same pixels give native’s captions, with every beam that was recorded', async () => {
    const records = JSON.parse(await fixture('native_captions.json')).filter(({ picture }) => picture.endsWith('cat_96x64.rgba'));
    assert.ok(records.length > 1);
    const captions = await inPackage(
      `async (pkg, soli, beams) => {
        const data = new Uint8Array(await (await fetch('/cat.rgba')).arrayBuffer());
        const captions = [];
        for (const beam of beams) captions.push(await soli.caption({ data, width: 96, height: 64 }, { beam }));
        return captions;
      }`,
      records.map(({ beam }) => beam),
    );
    for (const [i, { text, tokens, score }] of records.entries()) {
      assert.deepEqual([captions[i].text, captions[i].tokens], [text, tokens]);
      assert.ok(Math.abs(captions[i].score - score) < 1e-3, `${captions[i].score} and ${score}`);
    }
  });

  test('the package: a worker, many pictures, typed errors, the caller’s reason, an end', async () => {
    const said = await inPackage(`async ({ SoliError, Captioner }, soli) => {
      const code = (promise) => promise.then(() => 'ok', (error) => (error instanceof SoliError ? error.code : error.name));
      const file = await (await fetch('/photos/cat.jpg')).blob();
      const all = [];
      for await (const { index, error } of soli.captionAll([file, new Blob(['words']), '/photos/astronaut.jpg'])) all.push([index, error?.code ?? 'ok']);
      const stop = new AbortController();
      const stopped = code(soli.caption(file, { signal: stop.signal }));
      stop.abort();
      const other = await Captioner.load({ weights: new URL('/models/soli.safetensors', location.href) });
      other.dispose();
      return {
        thread: soli.thread,
        all: all.sort(),
        stopped: await stopped,
        beam: await code(soli.caption(file, { beam: 99 })),
        weights: await code(Captioner.load({ weights: new Uint8Array(99) })),
        nothing: await code(soli.caption({})),
        disposed: await code(other.caption(file)),
      };
    }`);
    assert.deepEqual(said, {
      thread: 'worker',
      all: [[0, 'ok'], [1, 'decode-failed'], [2, 'ok']],
      stopped: 'AbortError',
      beam: 'invalid-options',
      weights: 'invalid-weights',
      nothing: 'unsupported-source',
      disposed: 'disposed',
    });
  });

  test('<soli-caption> describes what has no text, and leaves what a person decided', async () => {
    const alts = await inPackage(`async (pkg, soli) => {
      await import('/pkg/element.js');
      document.body.innerHTML = '<soli-caption><img src="/photos/cat.jpg"><img src="/photos/astronaut.jpg" alt=""><img src="/photos/astronaut.jpg" alt="my cup"></soli-caption>';
      const element = document.querySelector('soli-caption');
      const written = new Promise((resolve, reject) => {
        element.addEventListener('soli-caption', resolve);
        element.addEventListener('soli-error', ({ detail }) => reject(detail.error));
      });
      element.captioner = soli;
      await written;
      return [...document.images].map(({ alt }) => alt);
    }`);
    assert.match(alts[0], /^(May show: |[A-Z]).+\.$/);
    assert.deepEqual(alts.slice(1), ['', 'my cup']);
  });

  test('then the page works without a network', async () => {
    await driver.get(world.url);
    await see('#state[data-kept=yes]');
    const online = await resultInWebKit(() => driver.findElement(By.id('file')).sendKeys(photos[0]));
    await world.closeServer();
    await driver.get(world.url);
    await see('#state[data-kept=yes]');
    const offline = await resultInWebKit(() => driver.findElement(By.id('file')).sendKeys(photos[0]));
    assert.deepEqual([offline.state, offline.text], ['done', online.text]);
  });
});
