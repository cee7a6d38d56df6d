/**
 * The page in Firefox, driven by geckodriver (Playwright drives only its own build of Firefox).
 *
 * `SOLI_FIREFOX` and `SOLI_GECKODRIVER` name the two programs; without them they are looked for on PATH.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Builder, By, until } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';
import { gif, png } from './bad-pictures.mjs';
import { open, PATIENCE, photos, resultOf, upload } from './helpers.mjs';
import { program } from './programs.mjs';

describe('Firefox', () => {
  let world;
  let driver;
  let folder;

  before(async () => {
    // A server of its own, which a test closes.
    world = await open({ doctored: {} });
    folder = await mkdtemp(join(tmpdir(), 'soli-firefox-'));
    const options = new firefox.Options()
      .setBinary(program('SOLI_FIREFOX', 'firefox-esr', 'firefox'))
      .addArguments('-headless')
      // A webcam that shows colours, and nobody to ask for it.
      .setPreference('media.navigator.streams.fake', true)
      .setPreference('media.navigator.permission.disabled', true);
    driver = await new Builder()
      .forBrowser('firefox')
      .setFirefoxOptions(options)
      .setFirefoxService(new firefox.ServiceBuilder(program('SOLI_GECKODRIVER', 'geckodriver')))
      .build();
  });
  after(async () => {
    await driver?.quit();
    await world?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  const see = (css) => driver.wait(until.elementLocated(By.css(css)), PATIENCE);

  /** Files on the disk, as WebDriver wants them. */
  async function onDisk(files) {
    const paths = [];
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(folder, name), bytes);
      paths.push(join(folder, name));
    }
    return paths;
  }

  async function resultInFirefox(act) {
    await driver.executeScript("document.getElementById('result').dataset.state = 'before'");
    await act();
    await driver.wait(until.elementLocated(By.css('#result:is([data-state=done], [data-state=error])')), PATIENCE);
    return driver.executeScript("return { ...document.getElementById('result').dataset }");
  }

  test('captions every photograph as Chromium does', async () => {
    const chromium = await world.soli();
    await driver.get(world.url);
    await driver.wait(until.elementLocated(By.css('#result[data-ready]')), PATIENCE);
    for (const photo of photos) {
      const expected = await resultOf(chromium, async () => chromium.setInputFiles('#file', await upload(photo)));
      const result = await resultInFirefox(() => driver.findElement(By.id('file')).sendKeys(photo));
      assert.equal(result.state, 'done');
      assert.equal(result.text, expected.text, photo);
    }
  });

  test('works in a worker, and replaces nothing it need not', async () => {
    const [thread, text, again] = await driver.executeAsyncScript(async (done) => {
      const { Captioner } = await import(new URL('pkg/index.js', document.baseURI).href);
      const soli = await Captioner.load({ weights: new URL('models/soli.safetensors', document.baseURI) });
      const picture = document.getElementById('picture');
      const first = await soli.caption(picture);
      const second = await soli.caption(picture);
      const { thread } = soli;
      soli.dispose();
      done([thread, first.text, second.text]);
    });
    assert.equal(thread, 'worker');
    assert.ok(text.length > 0);
    assert.equal(again, text);
  });

  test('bad files are told in words in their rows, the others are captioned', async () => {
    const photo = await readFile(photos[0]);
    const files = await onDisk({
      'empty.jpg': Buffer.alloc(0),
      'words.png': 'words',
      'animated.gif': gif(0, 1),
      'wide.png': png(20_000, 40),
      'good.jpg': photo,
    });
    await driver.executeScript("document.getElementById('clear').click()");
    await driver.findElement(By.id('file')).sendKeys(files.join('\n'));
    await see('#rows li:nth-child(5)');
    await driver.wait(
      async () => (await driver.findElements(By.css('#rows li:is([data-state=waiting], [data-state=working])'))).length === 0,
      PATIENCE,
    );
    const states = await driver.executeScript("return [...document.querySelectorAll('#rows li')].map((row) => row.dataset.state)");
    assert.deepEqual(states, ['failed', 'failed', 'done', 'done', 'done']);
    assert.match(await driver.findElement(By.css('#rows li .row-caption')).getText(), /not a picture/);
  });

  test('the slider shows the small picture and its captions', async () => {
    await resultInFirefox(() => driver.findElement(By.id('file')).sendKeys(photos[1]));
    await driver.executeScript(
      "const side = document.getElementById('side'); side.value = side.max; side.dispatchEvent(new Event('input'))",
    );
    await see('#seen[width="25"]:not([hidden])');
    await driver.wait(
      async () =>
        driver.executeScript("return [...document.querySelectorAll('#side-captions span')].every((span) => span.textContent !== '…')"),
      PATIENCE,
    );
  });

  test('the camera is described, and stopped', async () => {
    await resultInFirefox(() => driver.findElement(By.id('camera')).click());
    assert.equal(await driver.findElement(By.id('viewfinder')).isDisplayed(), true);
    await driver.findElement(By.id('camera')).click();
    assert.equal(await driver.findElement(By.id('viewfinder')).isDisplayed(), false);
  });

  test('weights that are kept damaged are loaded again; then the page works without a network', async () => {
    await see('#state[data-kept=yes]');
    await driver.executeAsyncScript(async (done) => {
      const cache = await caches.open('soli-weights');
      const [, second] = await cache.keys();
      const { size } = await (await cache.match(second)).blob();
      await cache.put(second, new Response(new Uint8Array(size)));
      done();
    });
    await driver.navigate().refresh();
    await see('#state[data-kept=yes]');
    assert.match(await driver.findElement(By.id('notice-text')).getText(), /was damaged/);
    const online = await resultInFirefox(() => driver.findElement(By.id('file')).sendKeys(photos[0]));

    await world.close();
    // Not `refresh`: geckodriver's leaves out the service worker, as a reload with Shift does.
    await driver.get(world.url);
    await see('#state[data-kept=yes]');
    const offline = await resultInFirefox(() => driver.findElement(By.id('file')).sendKeys(photos[0]));
    assert.deepEqual([offline.state, offline.text], ['done', online.text]);
  });
});
