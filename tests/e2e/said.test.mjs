/** The same caption is told in the same words by the page, by `<soli-caption>`, by the extension, to screen readers and aloud. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openWithExtension } from './extension-chromium.mjs';
import { fixtureSite } from './extension-site.mjs';
import { listen, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';
import { CAPTIONER, CAPTIONS, TOLD, faked, namesOf, voiceless, widthOf } from './said.mjs';

const percent = ({ confidence }) => `${Math.round(confidence * 100)} %`;
const written = (name) => `${CAPTIONS[name].sentence} (Automatic description)`;

describe('the page', () => {
  const NOTHING = 'No words came to mind for this picture.';
  let world;
  let page;
  let announced;
  before(async () => {
    world = await open();
    page = await world.soli({}, async (page) => {
      await page.addInitScript(faked);
      await page.addInitScript(voiceless);
    });
    announced = await listen(page);
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  for (const [name, { caption, sentence, kind, certainty }] of Object.entries(CAPTIONS)) {
    test(`${name}: shown, in the accessibility tree, announced, and read aloud`, async () => {
      const words = sentence || NOTHING;
      await page.evaluate((caption) => {
        document.getElementById('clear').click(); // a list of those before would say their words too
        Object.assign(window, { caption, said: [], spoken: [] });
      }, caption);
      const { shown } = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
      assert.equal(shown, words);
      assert.deepEqual(await announced(), [words]);

      const texts = await namesOf(page, 'StaticText');
      for (const text of [words, kind, percent(caption), `(${certainty.toLowerCase()})`]) assert.ok(texts.includes(text), `${text} in ${texts}`);
      assert.equal(texts.includes('Sees: dog 62 %, grass 40 %'), caption.words.length > 0);

      await page.click('#speak');
      assert.deepEqual(await page.evaluate(() => window.spoken), [{ text: words, lang: 'en' }]);
      await page.click('#speak');
    });
  }

  test('in the list too, but not beside a person’s words', async () => {
    await page.evaluate(() => document.getElementById('clear').click());
    await page.evaluate((caption) => (window.caption = caption), CAPTIONS.guess.caption);
    await page.setInputFiles('#file', [await upload(photos[0]), await upload(photos[1])]);
    const [row] = await rowsOf(page);
    assert.equal(row.caption, CAPTIONS.guess.sentence);
    const facts = page.locator('#rows .row-facts');
    assert.deepEqual(await facts.allTextContents(), Array(2).fill('Photograph. A guess (31 % sure).'));
    await page.getByRole('button', { name: 'Edit the caption of cat.jpg' }).click();
    await page.keyboard.type('Chelsea');
    await page.keyboard.press('Enter');
    await facts.first().waitFor({ state: 'hidden' });
    assert.ok(await facts.last().isVisible());
  });
});

describe('<soli-caption>', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    page = await world.blank((page) => page.addInitScript(faked));
    await page.evaluate(() => import(new URL('pkg/element.js', location.href).href));
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  const put = (name, tell) =>
    page.evaluate(
      ([caption, tell]) => {
        window.caption = caption;
        const heard = new Promise((resolve) => {
          for (const type of ['soli-caption', 'soli-untold', 'soli-error']) {
            document.addEventListener(type, ({ detail }) => resolve({ type, text: detail.text ?? detail.alt ?? String(detail.error) }), { once: true });
          }
        });
        document.body.innerHTML = `<soli-caption weights="${window.weights}" ${tell ? `tell="${tell}"` : ''}><img src="photos/cat.jpg"></soli-caption>`;
        return heard;
      },
      [CAPTIONS[name].caption, tell],
    );

  for (const [tell, told] of Object.entries({ ...TOLD, '': TOLD.guesses, all: TOLD.guesses })) {
    test(`${tell || 'no choice'}: the accessibility tree has what is told, and the page hears of the rest`, async () => {
      for (const [name, { sentence }] of Object.entries(CAPTIONS)) {
        const isTold = told.includes(name);
        assert.deepEqual(await put(name, tell), { type: isTold ? 'soli-caption' : 'soli-untold', text: sentence }, name);
        assert.deepEqual((await namesOf(page, 'image')).filter(Boolean), isTold ? [sentence] : [], name);
        assert.equal(await page.getAttribute('img', 'data-soli'), isTold ? 'alt' : null, name);
      }
    });
  }
});

describe('the extension', () => {
  const names = Object.keys(CAPTIONS);
  let site;
  let chromium;
  let page;
  let pictures;
  let visits = 0;
  before(async () => {
    site = await fixtureSite();
    chromium = await openWithExtension({ panel: 'open', settings: null, captioner: CAPTIONER });
    const drawn = await chromium.context.newPage();
    pictures = await drawn.evaluate(async (widths) => {
      const draw = async (width) => {
        const context = new OffscreenCanvas(width, 90).getContext('2d');
        for (let x = 0; x < width; x += 10) context.fillRect(x, 0, 5, x);
        return Array.from(new Uint8Array(await (await context.canvas.convertToBlob()).arrayBuffer()));
      };
      return Promise.all(widths.map(draw));
    }, names.map(widthOf));
    await drawn.close();
  });
  after(async () => {
    await chromium.close();
    await site.close();
  });

  const keep = (settings) => chromium.worker.evaluate((settings) => chrome.storage.local.set({ settings }), settings);
  const status = () => page.locator('[data-soli-panel] [role=status]').textContent();
  const row = (name) => page.locator('[data-soli-panel] .list li').nth(names.indexOf(name));
  const finished = () =>
    page.waitForFunction(() => {
      const root = document.querySelector('[data-soli-panel]')?.shadowRoot;
      return root && root.querySelector('progress').hidden && root.querySelector('[role=status]').textContent !== '';
    });

  /** A page with a picture for each caption and no more. */
  async function visit() {
    await page?.close();
    page = await chromium.context.newPage();
    await page.route('**/said-*.png', (route) =>
      route.fulfill({ contentType: 'image/png', body: Buffer.from(pictures[names.indexOf(/said-(\w+)\.png/.exec(route.request().url())[1])]) }),
    );
    // Each has an address of its own: the toolbar button is pressed in the tab with that address, and the one before may still close.
    visits += 1;
    await page.goto(`${site.origin}/strict.html?${visits}`);
    await page.evaluate(async (names) => {
      document.body.replaceChildren(...names.map((name) => Object.assign(new Image(), { id: name, src: `/said-${name}.png` })));
      await Promise.all([...document.images].map((image) => image.decode()));
    }, names);
    await page.bringToFront();
  }

  async function describePage() {
    await visit();
    await chromium.press(page);
    await finished();
  }

  const NOTES = {
    guess: 'Not written: it is a guess, and you chose only what is probably right.',
    drawing: 'Not written: it is a guess, and you chose only what is probably right.',
    words: 'Not written: soli is too unsure for a sentence, and you did not choose single words.',
    nothing: 'Not written: soli cannot tell what this picture shows.',
  };

  for (const [tell, told] of Object.entries({ '': TOLD.guesses, ...TOLD })) {
    test(`${tell || 'as installed'}: the accessibility tree has what is told, the panel why the rest is not`, async () => {
      await keep(tell ? { tell } : {});
      await describePage();
      assert.deepEqual((await namesOf(page, 'image')).filter(Boolean), told.map(written));
      assert.equal(await status(), `Written: ${told.length}. Not written: ${names.length - told.length}.`);
      for (const [name, { caption, sentence, kind, certainty }] of Object.entries(CAPTIONS)) {
        assert.deepEqual(await row(name).locator('.text').allTextContents(), sentence ? [sentence] : [], name);
        assert.equal(await row(name).locator('.about').textContent(), `${kind}. ${certainty} (${percent(caption)} sure).`, name);
        assert.equal(await row(name).locator('.note').textContent(), told.includes(name) ? 'Written by soli where there was no text.' : NOTES[name], name);
        // Offered by hand where there is a text, and it is not there yet.
        assert.equal(await row(name).getByRole('button', { name: /^Use as text/ }).count(), sentence && !told.includes(name) ? 1 : 0, name);
        assert.equal(await row(name).getByRole('button', { name: 'Try again' }).count(), 0, name);
      }
    });
  }

  test('what is read aloud is what stands there, of one and of all', async () => {
    await keep({});
    await describePage();
    const inScript = await chromium.contentScript(page);
    await inScript(`(${voiceless})(); null`);
    const spoken = async () => JSON.parse(await inScript('JSON.stringify(spoken.splice(0))'));
    const inEnglish = (names) => names.map((name) => ({ text: CAPTIONS[name].sentence, lang: 'en' }));
    for (const name of TOLD.words) {
      await row(name).getByRole('button', { name: /^Read aloud/ }).click();
      assert.deepEqual(await spoken(), inEnglish([name]));
      await row(name).getByRole('button', { name: 'Stop reading' }).click();
    }
    assert.equal(await row('nothing').getByRole('button', { name: /^Read aloud/ }).count(), 0);
    await page.getByRole('button', { name: 'Read all aloud' }).click();
    assert.deepEqual(await spoken(), inEnglish(TOLD.guesses), 'what is written');
  });

  test('what was not written can be used by hand, and is undone like the rest', async () => {
    await keep({ tell: 'sure' });
    await describePage();
    const use = row('words').getByRole('button', { name: 'Use as text: Perhaps: dog, grass.' });
    await use.click();
    await page.waitForSelector('#words[data-soli]');
    assert.deepEqual((await namesOf(page, 'image')).filter(Boolean), ['sure', 'words', 'page'].map(written));
    assert.equal(await status(), 'Written: 3. Not written: 3.');
    await page.locator('[data-soli-panel] footer').getByRole('button', { name: 'Undo' }).click();
    await page.waitForSelector('#words:not([data-soli])');
    assert.equal(await page.getAttribute('#words', 'alt'), null);
  });

  test('of a picture that somebody points at, the panel’s status says what it knows, or that it knows nothing', async () => {
    await keep({});
    for (const [name, said] of [['words', CAPTIONS.words.sentence], ['nothing', NOTES.nothing]]) {
      await visit();
      const url = await page.evaluate((name) => document.getElementById(name).src, name);
      await chromium.press(page); // activeTab, as a choice in the menu would give it
      await finished();
      await page.locator('[data-soli-panel] footer').getByRole('button', { name: 'Undo' }).click();
      await chromium.worker.evaluate(async (srcUrl) => {
        const [tab] = await chrome.tabs.query({ active: true, lastFocusedWindow: true });
        chrome.contextMenus.onClicked.dispatch({ menuItemId: 'describe-picture', srcUrl, frameId: 0, editable: false, pageUrl: tab.url }, tab);
      }, url);
      await page.locator('[data-soli-panel] [role=status]', { hasText: said }).waitFor();
      assert.equal(await page.getAttribute(`#${name}`, 'alt'), null, 'the choice holds for it too');
    }
  });

  test('in German the panel explains in German, and the description stays English', async () => {
    await keep({ language: 'de' });
    await describePage();
    assert.equal(await status(), 'Geschrieben: 4. Nicht geschrieben: 2.');
    assert.equal(await row('words').locator('.about').textContent(), 'Foto. Sehr unsicher (zu 12 % sicher).');
    assert.match(await row('words').locator('.note').textContent(), /^Nicht geschrieben: Für einen Satz ist soli zu unsicher/);
    assert.equal(await row('words').locator('.text').getAttribute('lang'), 'en');
    assert.equal(await row('words').locator('.text').textContent(), CAPTIONS.words.sentence);
  });
});
