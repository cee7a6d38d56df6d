/**
 * The page in Firefox, driven by geckodriver (Playwright drives only its own build of Firefox).
 *
 * `SOLI_FIREFOX` and `SOLI_GECKODRIVER` name the two programs; without them they are looked for on PATH.
 */
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Builder, By, until } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';
import { open, PATIENCE, photos, resultOf, upload } from './helpers.mjs';

/** The first of these programs that exists. */
function program(variable, ...names) {
  const given = process.env[variable];
  if (given) return given;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not in this folder
      }
    }
  }
  throw new Error(`no ${names[0]} on PATH: install it, or name it in ${variable}`);
}

describe('Firefox', () => {
  let world;
  let driver;

  before(async () => {
    world = await open();
    const options = new firefox.Options()
      .setBinary(program('SOLI_FIREFOX', 'firefox-esr', 'firefox'))
      .addArguments('-headless');
    driver = await new Builder()
      .forBrowser('firefox')
      .setFirefoxOptions(options)
      .setFirefoxService(new firefox.ServiceBuilder(program('SOLI_GECKODRIVER', 'geckodriver')))
      .build();
  });
  after(async () => {
    await driver?.quit();
    await world?.close();
  });

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

  test('an error is told in words', async () => {
    const result = await resultInFirefox(() => driver.findElement(By.id('file')).sendKeys(import.meta.filename));
    assert.equal(result.state, 'error');
    assert.match(await driver.findElement(By.id('caption')).getText(), /not a picture/);
  });
});
