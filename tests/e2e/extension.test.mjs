/** The extension in Chromium, on a site with every kind of picture. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';
import { pictures, wholeDom } from './extension-snapshot.mjs';
import { PATIENCE } from './helpers.mjs';

/** How long all pictures of the fixture page may take on a busy machine, milliseconds. */
const WHOLE_PAGE = 8 * PATIENCE;

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds in a page; `root` is where to look. */
async function violations(page, root = 'document') {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(`axe.run(${root})`);
  assert.ok(passes.length > 5, 'axe did look');
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`);
}

const panel = (page) => page.locator('[data-soli-panel] section');
const status = (page) => page.locator('[data-soli-panel] [role=status]');
/** Until nothing is in work and nothing waits. */
const finished = (page) =>
  page.waitForFunction(
    () => {
      const root = document.querySelector('[data-soli-panel]')?.shadowRoot;
      return root && root.querySelector('progress').hidden && root.querySelector('[role=status]').textContent !== '';
    },
    null,
    { timeout: WHOLE_PAGE },
  );

let site;
before(async () => {
  site = await fixtureSite();
});
after(() => site.close());

describe('the extension in Chromium', () => {
  let chromium;
  let page;
  const faults = [];
  before(async () => {
    chromium = await openWithExtension({ panel: 'open' });
    chromium.context.on('weberror', (error) => faults.push(String(error.error())));
  });
  after(async () => {
    await chromium.close();
    assert.deepEqual(faults, []);
  });

  // Mozilla's linter reads Firefox's folder; this is what Chromium itself has to say of its own.
  test('Chromium finds no fault with the manifest, and none came up since', async () => {
    const extensions = await chromium.context.newPage();
    await extensions.goto('chrome://extensions');
    const found = await extensions.evaluate(
      (id) => new Promise((resolve) => chrome.developerPrivate.getExtensionInfo(id, resolve)),
      chromium.id,
    );
    await extensions.close();
    assert.match(found.name, /^soli/);
    const faults = [...found.manifestErrors, ...found.runtimeErrors, ...found.runtimeWarnings, ...found.installWarnings ?? []];
    assert.deepEqual(faults.map(({ message }) => message ?? String(faults)), []);
  });

  /** Opens a page of the fixture site as the only one. */
  async function visit(path) {
    await page?.close();
    page = await chromium.context.newPage();
    await page.goto(`${site.origin}/${path}`);
    await page.bringToFront();
    return page;
  }

  describe('on the fixture site', () => {
    let before_;
    let untouched;
    before(async () => {
      await visit('page.html');
      await page.waitForLoadState('load');
      [before_, untouched] = [await page.evaluate(pictures), await page.evaluate(wholeDom)];
      await chromium.press(page);
      await finished(page);
    });

    test('texts are written where the attribute is missing, and marked; nothing else is touched', async () => {
      const now = await page.evaluate(pictures);
      assert.deepEqual(Object.keys(now), Object.keys(before_));
      assert.ok(Object.keys(now).length > 35, 'the fixture has many kinds');
      for (const [id, picture] of Object.entries(now)) {
        if (picture.expect === 'write' && id !== 'lazy') {
          assert.match(picture.alt ?? '', /^(May show: |[A-Z]).+\. \(Automatic description\)$/, id);
          assert.equal(picture.mark, 'alt', id);
        } else {
          assert.deepEqual(picture, before_[id], id);
        }
      }
      assert.equal(now.german.lang, 'en', 'English words on a German page say so');
      assert.equal(now.missing.lang, null);
    });

    test('the toolbar counts them', async () => {
      const written = Object.values(await page.evaluate(pictures)).filter(({ mark }) => mark).length;
      const badge = await chromium.worker.evaluate(async () => {
        const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
        return chrome.action.getBadgeText({ tabId: tab.id });
      });
      assert.equal(badge, String(written));
    });

    test('the panel offers exactly the others, and says what is out of reach', async () => {
      const expected = Object.values(before_).filter(({ expect }) => expect === 'offer').length;
      const notes = await page.locator('[data-soli-panel] .list .note').allTextContents();
      assert.equal(notes.filter((note) => !note.startsWith('Written')).length, expected);
      for (const kind of [/link or button/, /being written/, /still picture of a video/, /Drawn by the page/, /background/]) {
        assert.ok(notes.some((note) => kind.test(note)), String(kind));
      }
      assert.match(await page.locator('[data-soli-panel] .hosts').textContent(), /Pictures from localhost that soli may not fetch: 1\./);
      assert.match(await status(page).textContent(), /^Written: \d+\. Offered: \d+\. Out of reach: 1\.$/);
    });

    test('axe finds nothing in the panel', async () => {
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await violations(page, "document.querySelector('[data-soli-panel]')"), []);
      }
      await page.emulateMedia({ colorScheme: null });
    });

    test('no other host is asked for anything, and none without being one of the page’s', () => {
      const hosts = new Set(site.requests.map(({ host }) => host));
      assert.deepEqual(hosts, new Set([new URL(site.origin).host, new URL(site.other).host]));
      for (const { origin } of site.requests) assert.ok(origin === null || origin === site.origin, `${origin} is the page's`);
    });

    test('a far picture is read from the screen when it is scrolled to, a lazy one when it has come', async () => {
      await page.locator('#far-cross').scrollIntoViewIfNeeded();
      await page.evaluate(() => document.getElementById('far-cross').scrollIntoView({ block: 'center' }));
      await page.waitForSelector('#far-cross[data-soli]');
      await page.waitForSelector('#lazy[data-soli]');
    });

    test('with the keyboard alone: an offer becomes the text, and is undone with all the others', async () => {
      await chromium.press(page);
      assert.equal(await page.evaluate(() => document.querySelector('[data-soli-panel]').shadowRoot.activeElement.localName), 'h2');
      const use = page.locator('[data-soli-panel] .list li', { hasText: 'link or button' }).first().getByRole('button', { name: /^Use as text/ });
      await tabTo(use);
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.querySelector('#link[data-soli], #button[data-soli], #role-button[data-soli], #input[data-soli]'));

      await tabTo(page.locator('[data-soli-panel] footer').getByRole('button', { name: 'Undo' }));
      await page.keyboard.press('Space');
      // The frame hears of it a moment later than the page.
      await page.waitForFunction(`(${wholeDom})() === ${JSON.stringify(untouched)}`).catch(() => {});
      assert.equal(await page.evaluate(wholeDom), untouched, 'every trace is gone');
    });

    test('Escape closes the panel, and nothing of it stays', async () => {
      await panel(page).locator('h2').focus();
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('[data-soli-panel]').count(), 0);
    });
  });

  /** Presses Tab until the button has the focus, as somebody without a mouse does. */
  async function tabTo(button) {
    const wanted = await button.elementHandle();
    for (let i = 0; i < 200; i += 1) {
      await page.keyboard.press('Tab');
      if (await wanted.evaluate((element) => element.getRootNode().activeElement === element)) return;
    }
    assert.fail('the button cannot be reached by Tab');
  }

  describe('pictures that come and change', () => {
    before(async () => {
      await visit('strict.html');
      await chromium.press(page);
      await page.waitForSelector('#missing[data-soli]');
    });

    test('under a policy that allows nothing but pictures, the panel has its looks', async () => {
      assert.equal(await panel(page).evaluate((element) => getComputedStyle(element).display), 'flex');
    });

    test('one that comes later is described', async () => {
      await page.evaluate(() => {
        const image = new Image(300, 200);
        image.id = 'late';
        image.src = '/photos/astronaut.jpg';
        document.body.append(image);
      });
      await page.waitForSelector('#late[data-soli]');
    });

    test('another picture in the same element is described anew', async () => {
      const texts = await page.evaluate(async () => {
        const image = document.getElementById('late');
        const first = image.alt;
        const gone = new Promise((resolve) => new MutationObserver(() => image.alt === '' && resolve()).observe(image, { attributes: true }));
        image.src = '/photos/cat.jpg?anew';
        await gone;
        return first;
      });
      assert.ok(texts.length > 0);
      await page.waitForSelector('#late[data-soli]');
    });

    test('the page’s own text stays, and the mark goes', async () => {
      await page.evaluate(() => document.getElementById('late').setAttribute('alt', 'Coffee, by hand'));
      await page.waitForSelector('#late:not([data-soli])');
      assert.equal(await page.getAttribute('#late', 'alt'), 'Coffee, by hand');
      await panel(page).getByRole('button', { name: 'Undo' }).click();
      await page.waitForSelector('#missing:not([data-soli])');
      assert.equal(await page.getAttribute('#late', 'alt'), 'Coffee, by hand');
    });
  });

  /** The context menu is the browser's own; this is what the extension hears of a choice in it. */
  async function choose(id) {
    const url = await page.evaluate((id) => document.getElementById(id).currentSrc || document.getElementById(id).src, id);
    await chromium.worker.evaluate(async (srcUrl) => {
      const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
      chrome.contextMenus.onClicked.dispatch({ menuItemId: 'describe-picture', srcUrl, frameId: 0, editable: false, pageUrl: tab.url }, tab);
    }, url);
  }

  describe('this picture', () => {
    before(async () => {
      await visit('page.html');
      await chromium.press(page); // activeTab, as a choice in the menu would give it
      // Only to save time: it may have come to its end by itself.
      await panel(page).getByRole('button', { name: 'Stop' }).click({ timeout: 5_000 }).catch(() => {});
      await finished(page);
      await page.keyboard.press('Escape');
    });

    test('with a person’s text: described in the panel, and read by screen readers; the page is unchanged', async () => {
      await choose('person');
      const row = page.locator('[data-soli-panel] .list li', { hasText: 'because you asked' });
      await row.waitFor();
      await finished(page);
      assert.equal(await status(page).textContent(), await row.locator('.text').textContent());
      assert.equal(await page.getAttribute('#person', 'alt'), 'A cat that wants its dinner');
      assert.equal(await row.getByRole('button', { name: /^Use/ }).count(), 0, 'a person’s text cannot be replaced');
    });

    test('copied', async () => {
      await chromium.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: site.origin });
      const row = page.locator('[data-soli-panel] .list li', { hasText: 'because you asked' });
      await row.getByRole('button', { name: /^Copy/ }).click();
      await row.getByRole('button', { name: 'Copied' }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await row.locator('.text').textContent());
    });

    test('read aloud, in English, until somebody stops it', async () => {
      // There are no voices in a container: what would be spoken is written down instead.
      const inScript = await chromium.contentScript(page);
      await inScript(`globalThis.spoken = [];
        Object.defineProperty(window, 'speechSynthesis', { configurable: true, value: {
          speak: (utterance) => void spoken.push(utterance),
          cancel: () => { for (const utterance of spoken.splice(0)) utterance.onend?.(); },
        } }); null`);
      const row = page.locator('[data-soli-panel] .list li', { hasText: 'because you asked' });
      await row.getByRole('button', { name: /^Read aloud/ }).click();
      await row.getByRole('button', { name: 'Stop reading' }).waitFor();
      const spoken = JSON.parse(await inScript('JSON.stringify(spoken.map(({ text, lang }) => ({ text, lang })))'));
      assert.deepEqual(spoken, [{ text: await row.locator('.text').textContent(), lang: 'en' }]);
      await row.getByRole('button', { name: 'Stop reading' }).click();
      await row.getByRole('button', { name: /^Read aloud/ }).waitFor();
      assert.equal(await inScript('spoken.length'), 0);
    });

    test('without a text: written', async () => {
      await choose('figure');
      await page.waitForSelector('#figure[data-soli]');
    });

    test('a picture without anything on it: said in words', async () => {
      await choose('flat');
      await page.locator('[data-soli-panel] .list', { hasText: 'nothing to be seen' }).waitFor();
      assert.equal(await page.getAttribute('#flat', 'alt'), null);
    });
  });

  test('the shortcut does what the toolbar button does', async () => {
    await visit('strict.html');
    await chromium.press(page); // the keys themselves belong to the browser, which gives activeTab with them
    await page.waitForSelector('#missing[data-soli]');
    await panel(page).getByRole('button', { name: 'Undo' }).click();
    await page.keyboard.press('Escape');
    const keys = await chromium.worker.evaluate(async () => {
      const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
      chrome.commands.onCommand.dispatch('describe-page', tab);
      return (await chrome.commands.getAll()).find(({ name }) => name === 'describe-page').shortcut;
    });
    assert.equal(keys, 'Alt+Shift+D');
    await page.waitForSelector('#missing[data-soli]');
  });

  describe('many pictures', () => {
    test('what is in view comes first; Stop ends the rest; nothing is lost by the end of the service worker', async () => {
      await visit('lines.html');
      await page.evaluate(() => {
        window.pictures = [...document.querySelectorAll('img')];
        for (const picture of window.pictures) picture.remove();
      });
      await chromium.press(page);
      await finished(page);
      // The third description hides the tab from the content script: a click on Stop is slower than the captioner.
      const inScript = await chromium.contentScript(page);
      await inScript(`globalThis.look = (state) => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        };
        new MutationObserver(() => {
          if (document.querySelectorAll('img[data-soli]').length === 3) look('hidden');
        }).observe(document, { subtree: true, attributeFilter: ['data-soli'] }); null`);
      await page.evaluate(async () => {
        window.order = [];
        new MutationObserver((records) => {
          for (const { target } of records) if (target.dataset.soli) window.order.push(target.id);
        }).observe(document, { subtree: true, attributeFilter: ['data-soli'] });
        await Promise.all(window.pictures.map((picture) => picture.decode()));
        document.getElementById('many').append(...window.pictures);
        window.scrollTo(0, 4 * 400);
      });
      await page.waitForSelector('img[data-soli]');
      const worker = await chromium.session.send('Target.getTargets').then(({ targetInfos }) => targetInfos.find(({ type, url }) => type === 'service_worker' && url.includes(chromium.id)));
      await chromium.session.send('Target.closeTarget', { targetId: worker.targetId }).catch(() => {});
      await page.waitForFunction(() => window.order.length >= 3);
      await panel(page).getByRole('button', { name: 'Stop' }).click();
      await finished(page);
      const order = await page.evaluate(() => window.order);
      const far = await page.evaluate((ids) => ids.map((id) => {
        const { top, bottom } = document.getElementById(id).getBoundingClientRect();
        return Math.max(0, -bottom, top - innerHeight);
      }), order);
      assert.deepEqual([...far].sort((a, b) => a - b), far, `nearest first: ${order}`);
      await inScript("look('visible'); null");
      await new Promise((resolve) => setTimeout(resolve, 3000));
      assert.equal(await page.locator('img[data-soli]').count(), 3, 'nothing is written after Stop');
    });

    test('nothing is done in a tab that is hidden; it goes on when it is seen again', async () => {
      await visit('lines.html');
      await page.evaluate(() => document.querySelectorAll('img').forEach((image) => image.remove()));
      await chromium.press(page);
      await finished(page);
      // Playwright keeps every page "visible", so the content script is told otherwise.
      const inScript = await chromium.contentScript(page);
      const visibility = (state) =>
        inScript(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
          void document.dispatchEvent(new Event('visibilitychange'));`);
      await visibility('hidden');
      await page.evaluate(() => {
        const image = new Image(300, 200);
        image.id = 'unseen';
        image.src = '/photos/cat.jpg';
        document.body.append(image);
        return image.decode();
      });
      await new Promise((resolve) => setTimeout(resolve, 4000));
      assert.equal(await page.getAttribute('#unseen', 'data-soli'), null);
      await visibility('visible');
      await page.waitForSelector('#unseen[data-soli]');
    });
  });

  describe('on a low battery', () => {
    before(async () => {
      await visit('strict.html');
      await chromium.press(page);
      await page.waitForSelector('#missing[data-soli]');
    });
    after(() => chromium.inOffscreen('delete navigator.getBattery; null').catch(() => {}));

    /** Chromium may replace the offscreen document between the stub and the question; then both are repeated. */
    const paused = async () => {
      for (let tries = 0; tries < 5; tries += 1) {
        await chromium.inOffscreen('navigator.getBattery = async () => ({ charging: false, level: 0.1 }); null');
        await visit('strict.html');
        await chromium.press(page);
        const said = page.getByText('Paused: the battery is low.').waitFor({ timeout: 20_000 });
        if (await said.then(() => true, () => false)) return true;
      }
      return false;
    };

    test('a page waits, and says why; the picture that somebody asks for does not', async () => {
      assert.ok(await paused(), 'the page waits');
      assert.equal(await page.getAttribute('#missing', 'data-soli'), null);
      await choose('missing');
      await page.waitForSelector('#missing[data-soli]');
    });
  });

  describe('the extension’s own pages', () => {
    const settings = () => chromium.worker.evaluate(async () => (await chrome.storage.local.get('settings')).settings);

    test('options: axe finds nothing, light and dark', async () => {
      await page?.close();
      page = await chromium.context.newPage();
      await page.goto(chromium.address('options/options.html'));
      await page.waitForFunction(() => document.title === 'soli: options');
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await violations(page), []);
      }
    });

    test('options and question: nothing scrolls sideways at 320 px', async () => {
      const narrow = await chromium.context.newPage();
      await narrow.setViewportSize({ width: 320, height: 480 });
      for (const path of ['options/options.html', 'ask/ask.html?host=a-rather-long-name.images.example&always']) {
        await narrow.goto(chromium.address(path));
        await narrow.locator('h1', { hasText: /./ }).waitFor();
        const [content, view] = await narrow.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(content <= view, `${path}: ${content} px of content in ${view} px`);
      }
      await narrow.close();
    });

    test('options: what is written begins with guesses, and is the nearest choice to what an earlier version kept', async () => {
      for (const [kept, chosen] of [[{}, 'guesses'], [{ threshold: 0.5 }, 'guesses'], [{ threshold: 0.95 }, 'sure'], [{ threshold: 0 }, 'words']]) {
        await chromium.worker.evaluate((settings) => chrome.storage.local.set({ settings }), kept);
        await page.reload();
        await page.waitForFunction(() => document.title === 'soli: options');
        await page.waitForSelector('#tell :checked');
        assert.deepEqual(await page.locator('#tell :checked').evaluateAll((all) => all.map(({ value }) => value)), [chosen]);
      }
      assert.equal(await page.getByRole('group', { name: 'What soli writes' }).getByRole('radio').count(), 3);
    });

    test('options: changes are kept, by keyboard', async () => {
      await chromium.worker.evaluate(() => chrome.storage.local.remove('settings'));
      await page.reload();
      await page.waitForSelector('#tell-guesses:checked');
      await page.focus('#tell-guesses');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      await page.waitForFunction(async () => (await chrome.storage.local.get('settings')).settings?.fileNames === true);
      const seen = await chromium.context.newPage().then(async (other) => {
        await other.goto(chromium.address('options/options.html'));
        await other.waitForSelector('#tell :checked');
        await other.waitForFunction(() => document.title === 'soli: options');
        const seen = await other.evaluate(() => ({
          tell: document.querySelector('#tell :checked').value,
          announce: document.getElementById('announce').checked,
          fileNames: document.getElementById('file-names').checked,
        }));
        await other.close();
        return seen;
      });
      assert.deepEqual(seen, { tell: 'words', announce: false, fileNames: true });
    });

    test('options: an address that is none is told', async () => {
      assert.match(page.url(), /options/);
      await page.fill('#site', 'not a site');
      await page.keyboard.press('Enter');
      await page.getByText('This is not the address of a site.').waitFor();
    });

    test('options: German, at once, and in the page’s panel too', async () => {
      await page.selectOption('#language', 'de');
      await page.waitForFunction(() => document.documentElement.lang === 'de' && document.title === 'soli: Einstellungen');
      assert.deepEqual(await violations(page), []);
      await visit('strict.html');
      await chromium.press(page);
      await page.locator('[data-soli-panel]').getByText('Bilder in Worten').waitFor();
      await page.waitForSelector('#missing[data-soli]');
      assert.doesNotMatch(await page.getAttribute('#missing', 'alt'), /Automatic/, 'switched off above');
    });

    test('with file names switched on, a text that is one is replaced, and comes back', async () => {
      await visit('page.html');
      await chromium.press(page);
      await page.waitForSelector('#file-name[data-soli]', { timeout: WHOLE_PAGE });
      assert.notEqual(await page.getAttribute('#file-name', 'alt'), 'IMG_1234.jpg');
      assert.equal(await page.getAttribute('#person', 'alt'), 'A cat that wants its dinner');
      await panel(page).getByRole('button', { name: 'Auf dieser Seite rückgängig' }).click();
      await page.waitForSelector('#file-name:not([data-soli])');
      assert.equal(await page.getAttribute('#file-name', 'alt'), 'IMG_1234.jpg');
    });

    test('the question for a host: axe finds nothing; Escape is no', async () => {
      for (const query of ['host=images.example', 'host=images.example&always']) {
        await visit('strict.html');
        await page.goto(chromium.address(`ask/ask.html?${query}`));
        await page.locator('h1', { hasText: 'images.example' }).waitFor();
        assert.deepEqual(await violations(page), []);
      }
      assert.equal((await settings()).sites.length, 0);
    });
  });
});

describe('the extension as it is shipped', () => {
  let chromium;
  before(async () => {
    chromium = await openWithExtension();
  });
  after(() => chromium.close());

  test('asks for no host at first, and its policy allows no code but its own', async () => {
    const manifest = await chromium.worker.evaluate(() => chrome.runtime.getManifest());
    assert.deepEqual(manifest.permissions.sort(), ['activeTab', 'contextMenus', 'offscreen', 'scripting', 'storage']);
    assert.equal(manifest.host_permissions, undefined);
    assert.equal(manifest.content_scripts, undefined);
    assert.equal(manifest.web_accessible_resources, undefined);
    const policy = manifest.content_security_policy.extension_pages;
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval';/);
  });

  test('describes, and the page’s scripts cannot look into its panel', async () => {
    const page = await chromium.context.newPage();
    await page.goto(`${site.origin}/strict.html`);
    await chromium.press(page);
    await page.waitForSelector('#missing[data-soli]');
    assert.equal(await page.evaluate(() => document.querySelector('[data-soli-panel]').shadowRoot), null);
  });
});

describe('with the permission for the other host', () => {
  let chromium;
  before(async () => {
    // The browser's own question cannot be answered by a test; this is the state after a yes.
    chromium = await openWithExtension({ panel: 'open', manifest: (it) => ({ ...it, host_permissions: ['*://localhost/*'] }) });
  });
  after(() => chromium.close());

  test('its pictures are fetched, far ones too, without cookies and without telling who asks', async () => {
    await chromium.context.addCookies([{ name: 'who', value: 'me', url: site.other }]);
    const page = await chromium.context.newPage();
    await page.goto(`${site.origin}/page.html`);
    await page.evaluate(() => document.getElementById('far-cross').decode());
    const before = site.requests.length;
    await chromium.press(page);
    await page.waitForSelector('#far-cross[data-soli]', { timeout: WHOLE_PAGE });
    assert.equal(await page.evaluate(() => window.scrollY), 0, 'without scrolling');
    const fetched = site.requests.slice(before).filter(({ url, host, cookie }) => url.includes('far-cross') && site.other.endsWith(host) && cookie === null);
    assert.ok(fetched.length > 0);
    for (const { origin } of fetched) assert.ok(origin === null || origin === site.origin, `${origin} does not name the extension`);
  });

  test('a site that is described always needs no click', async () => {
    await chromium.worker.evaluate(() => chrome.storage.local.set({ settings: { tell: 'words', sites: ['localhost'] } }));
    const page = await chromium.context.newPage();
    await chromium.worker.evaluate(async () => {
      while ((await chrome.scripting.getRegisteredContentScripts()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    });
    await page.goto(`${site.other}/strict.html`);
    await page.waitForSelector('#missing[data-soli]');
    assert.equal(await page.locator('[data-soli-panel]').count(), 0, 'quietly');
  });
});
