/**
 * The extension in Firefox, as a temporary add-on. Its toolbar button and menu are the browser's own, so geckodriver is
 * started with access to the browser itself; its questions for permissions are answered with yes by a preference.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Builder, By, until } from 'selenium-webdriver';
import firefox from 'selenium-webdriver/firefox.js';
import { Command } from 'selenium-webdriver/lib/command.js';
import { build } from '../../extension/build.mjs';
import { fixtureSite } from './extension-site.mjs';
import { pictures, wholeDom } from './extension-snapshot.mjs';
import { PATIENCE as SHORT } from './helpers.mjs';
import { program } from './programs.mjs';

/** Machines are shared, and every caption here goes through a browser that has just been started. */
const PATIENCE = 3 * SHORT;
const WHOLE_PAGE = 8 * SHORT;
const ADDON = 'soli@soli-captioner';

describe('the extension in Firefox', () => {
  let folder;
  let site;
  let driver;
  let before_;
  let untouched;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soli-extension-'));
    const out = await build({ browser: 'firefox', out: join(folder, 'unpacked'), panel: 'open' });
    site = await fixtureSite();
    const options = new firefox.Options()
      .setBinary(program('SOLI_FIREFOX', 'firefox-esr', 'firefox'))
      .addArguments('-headless', '--width=1280', '--height=800')
      .setPreference('intl.locale.requested', 'en-US')
      .setPreference('extensions.webextOptionalPermissionPrompts', false);
    driver = await new Builder()
      .forBrowser('firefox')
      .setFirefoxOptions(options)
      .setFirefoxService(
        new firefox.ServiceBuilder(program('SOLI_GECKODRIVER', 'geckodriver')).addArguments('--allow-system-access'),
      )
      .build();
    await driver.manage().setTimeouts({ script: WHOLE_PAGE });
    await driver.execute(new Command('install addon').setParameter('path', out).setParameter('temporary', true));
  });
  after(async () => {
    await driver?.quit();
    await site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a function in the browser's own window. */
  async function inBrowser(script, ...values) {
    await driver.setContext('chrome');
    try {
      return await driver.executeScript(script, ...values);
    } finally {
      await driver.setContext('content');
    }
  }

  const press = () =>
    inBrowser((id) => {
      const { ExtensionParent } = ChromeUtils.importESModule('resource://gre/modules/ExtensionParent.sys.mjs');
      const { extension } = WebExtensionPolicy.getByID(id);
      return ExtensionParent.apiManager.global.browserActionFor(extension).triggerAction(window);
    }, ADDON);

  const inPanel = (script) =>
    driver.executeScript(`const root = document.querySelector('[data-soli-panel]')?.shadowRoot; return root && (${script})(root);`);
  const finished = () =>
    driver.wait(() => inPanel((root) => root.querySelector('progress').hidden && root.querySelector('[role=status]').textContent !== ''), WHOLE_PAGE);
  const button = async (name) => {
    const host = await driver.findElement(By.css('[data-soli-panel]'));
    for (const found of await (await host.getShadowRoot()).findElements(By.css('button'))) {
      if ((await found.isDisplayed()) && (await found.getText()).startsWith(name)) return found;
    }
    throw new Error(`the panel has no button "${name}"`);
  };

  /** Of which pictures a network is sure differs with its weights; what is tested here is how texts are written, so all are. */
  test('the options take the choice that everything is written', async () => {
    const host = await inBrowser((id) => WebExtensionPolicy.getByID(id).mozExtensionHostname, ADDON);
    await driver.get(`moz-extension://${host}/options/options.html`);
    await driver.wait(until.elementLocated(By.css('#tell-guesses:checked')), PATIENCE);
    await driver.findElement(By.id('tell-words')).click();
    await driver.navigate().refresh();
    await driver.wait(until.elementLocated(By.css('#tell-words:checked')), PATIENCE);
  });

  test('texts are written where the attribute is missing, and marked; nothing else is touched', async () => {
    await driver.get(`${site.origin}/page.html`);
    [before_, untouched] = [await driver.executeScript(pictures), await driver.executeScript(wholeDom)];
    await press();
    await driver.wait(until.elementLocated(By.css('[data-soli-panel]')), PATIENCE);
    await finished();
    const now = await driver.executeScript(pictures);
    for (const [id, picture] of Object.entries(now)) {
      if (picture.expect === 'write' && id !== 'lazy') {
        assert.match(picture.alt ?? '', /^(May show: |[A-Z]).+\. \(Automatic description\)$/, id);
        assert.equal(picture.mark, 'alt', id);
      } else {
        assert.deepEqual(picture, before_[id], id);
      }
    }
  });

  test('the panel has its looks and offers exactly the others', async () => {
    const { display, notes, status } = await inPanel((root) => ({
      display: getComputedStyle(root.querySelector('section')).display,
      notes: [...root.querySelectorAll('.list .note')].map(({ textContent }) => textContent),
      status: root.querySelector('[role=status]').textContent,
    }));
    assert.equal(display, 'flex');
    const expected = Object.values(before_).filter(({ expect }) => expect === 'offer').length;
    assert.equal(notes.filter((note) => !note.startsWith('Written')).length, expected);
    assert.match(status, /^Written: \d+\. Offered: \d+\. Out of reach: 1\.$/);
  });

  test('a host is allowed in a window of its own: its far pictures are fetched then', async () => {
    const [page] = await driver.getAllWindowHandles();
    await (await button('Allow localhost')).click();
    await driver.wait(async () => (await driver.getAllWindowHandles()).length === 2, PATIENCE);
    const [question] = (await driver.getAllWindowHandles()).filter((handle) => handle !== page);
    await driver.switchTo().window(question);
    const yes = await driver.wait(until.elementLocated(By.id('yes')), PATIENCE);
    await driver.wait(until.elementTextContains(yes, 'localhost'), PATIENCE);
    await yes.click();
    await driver.wait(async () => (await driver.getAllWindowHandles()).length === 1, PATIENCE);
    await driver.switchTo().window(page);
    await driver.wait(until.elementLocated(By.css('#far-cross[data-soli]')), PATIENCE);
    assert.equal(await driver.executeScript('return scrollY'), 0, 'without scrolling');
  });

  test('undo leaves no trace', async () => {
    await (await button('Undo')).click();
    // The frame hears of it a moment later than the page.
    await driver.wait(async () => (await driver.executeScript(wholeDom)) === untouched, PATIENCE).catch(() => {});
    assert.equal(await driver.executeScript(wholeDom), untouched);
  });

  test('the context menu describes a picture that has a person’s text, and leaves the text alone', async () => {
    const picture = await driver.findElement(By.id('person'));
    await driver.executeScript("arguments[0].scrollIntoView({ block: 'center' })", picture);
    await driver.actions().contextClick(picture).perform();
    await driver.wait(
      () =>
        inBrowser(() => {
          const menu = document.getElementById('contentAreaContextMenu');
          const item = menu.state === 'open' && [...menu.querySelectorAll('menuitem')].find(({ label }) => label === 'Describe this picture');
          if (item) menu.activateItem(item);
          return Boolean(item);
        }),
      PATIENCE,
    );
    await driver.wait(() => inPanel((root) => root.querySelector('.list')?.textContent.includes('because you asked')), PATIENCE);
    assert.equal(await picture.getAttribute('alt'), 'A cat that wants its dinner');
  });

  test('under a policy that allows nothing but pictures, it describes and has its looks', async () => {
    await driver.get(`${site.origin}/strict.html`);
    await press();
    await driver.wait(until.elementLocated(By.css('#missing[data-soli]')), PATIENCE);
    assert.equal(await inPanel((root) => getComputedStyle(root.querySelector('section')).display), 'flex');
  });

  test('the shortcut does what the toolbar button does', async () => {
    await driver.get(`${site.origin}/strict.html`);
    const keys = await inBrowser(() => {
      const key = document.querySelector('[id^="ext-keyset-id-"] key');
      key.doCommand();
      return `${key.getAttribute('modifiers')} ${key.getAttribute('key')}`;
    });
    assert.equal(keys.toLowerCase(), 'alt,shift d');
    await driver.wait(until.elementLocated(By.css('#missing[data-soli]')), PATIENCE);
  });

  test('nobody is told who asks', () => {
    for (const { origin } of site.requests) assert.ok(origin === null || origin === site.origin, `${origin} is the page's`);
  });
});
