/** The page, used as people use it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { listen, open, photos, resultOf, upload } from './helpers.mjs';

describe('the page', () => {
  let world;
  let page;

  before(async () => {
    world = await open();
    page = await world.soli();
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  /** The package's own answer for a file, without the page's code. */
  async function direct(file) {
    const blank = await world.blank();
    const bytes = [...(await readFile(file))];
    return blank.evaluate(async (bytes) => {
      const soli = await soliModule.Captioner.load({ weights });
      const caption = await soli.caption(new Blob([new Uint8Array(bytes)]));
      soli.dispose();
      return caption;
    }, bytes);
  }

  for (const [place, photo] of photos.entries()) {
    test(`a chosen file and the sample agree with the package: ${photo.split('/').at(-1)}`, async () => {
      const chosen = await resultOf(page, async () => page.setInputFiles('#file', await upload(photo)));
      assert.equal(chosen.state, 'done');
      assert.ok(chosen.text.length > 0, 'there is a caption');
      assert.ok(chosen.score <= 0, `a log-probability: ${chosen.score}`);
      assert.ok(chosen.ms > 0, `a duration: ${chosen.ms}`);
      assert.ok(await page.isVisible('#picture'), 'the picture is shown');

      const sample = await resultOf(page, () => page.click(`#samples li:nth-child(${place + 1}) button`));
      assert.equal(sample.text, chosen.text);

      const caption = await direct(photo);
      assert.equal(chosen.text, caption.text);
      assert.ok(Math.abs(chosen.score - caption.score) < 1e-6);
    });
  }

  test('the caption is a sentence, and confidence and time are shown', async () => {
    const { text, shown, confidence } = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
    assert.match(shown, /^(May show: )?.+\.$/);
    assert.ok(shown.toLowerCase().includes(text.toLowerCase()));
    assert.equal(shown.startsWith('May show: '), confidence < 0.5);
    assert.equal(await page.textContent('#confidence'), `${Math.round(confidence * 100)} %`);
    assert.match(await page.getAttribute('#confidence', 'title'), /log-probability/);
    assert.match(await page.textContent('#time'), /^[\d.]+ m?s$/);
  });

  test('a pasted picture', async () => {
    const pasting = await world.soli({ permissions: ['clipboard-read', 'clipboard-write'] });
    const chosen = await resultOf(pasting, async () => pasting.setInputFiles('#file', await upload(photos[1])));
    const pasted = await resultOf(pasting, async () => {
      await pasting.evaluate(async () => {
        const picture = document.getElementById('picture');
        const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
        canvas.getContext('2d').drawImage(picture, 0, 0);
        await navigator.clipboard.write([new ClipboardItem({ 'image/png': canvas.convertToBlob() })]);
      });
      await pasting.keyboard.press('Control+V');
    });
    assert.deepEqual([pasted.state, pasted.text], ['done', chosen.text]);

    const words = await resultOf(pasting, async () => {
      await pasting.evaluate(() => navigator.clipboard.writeText('no picture'));
      await pasting.keyboard.press('Control+V');
    });
    assert.equal(words.state, 'error');
    assert.match(words.shown, /^There is no picture on the clipboard\./);
  });

  test('a dropped picture, and a dropped word', async () => {
    const chosen = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[2])));
    const bytes = [...(await readFile(photos[2]))];
    const transfer = await page.evaluateHandle((bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], 'coffee.jpg', { type: 'image/jpeg' }));
      return transfer;
    }, bytes);
    await page.dispatchEvent('#stage', 'dragover', { dataTransfer: transfer });
    assert.equal(await page.getAttribute('#stage', 'data-over'), '', 'the stage shows that it takes the file');
    const dropped = await resultOf(page, () => page.dispatchEvent('#stage', 'drop', { dataTransfer: transfer }));
    assert.deepEqual([dropped.state, dropped.text], ['done', chosen.text]);
    assert.equal(await page.getAttribute('#stage', 'data-over'), null);

    const word = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.setData('text/plain', 'word');
      return transfer;
    });
    const refused = await resultOf(page, () => page.dispatchEvent('body', 'drop', { dataTransfer: word }));
    assert.equal(refused.state, 'error');
    assert.match(refused.shown, /not a file/);
  });

  const broken = [
    ['a text file with a picture name', Buffer.from('these are words, not pixels')],
    ['an empty file', Buffer.alloc(0)],
  ];
  for (const [name, buffer] of broken) {
    test(`${name} is explained, and the page goes on`, async () => {
      const result = await resultOf(page, () =>
        page.setInputFiles('#file', { name: 'holiday.jpg', mimeType: 'image/jpeg', buffer }),
      );
      assert.equal(result.state, 'error');
      assert.match(result.shown, /not a picture that the browser can read/);
      assert.ok(await page.isHidden('#facts'), 'no score of an earlier picture');
      assert.ok(await page.isHidden('#picture'), 'no earlier picture');
      const next = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
      assert.equal(next.state, 'done');
    });
  }

  test('a browser that gives no canvas is explained, and the picture is not blamed', async () => {
    const page = await world.soli({}, (page) =>
      page.addInitScript(() => {
        OffscreenCanvas.prototype.getContext = () => null;
        HTMLCanvasElement.prototype.getContext = () => null;
      }),
    );
    const result = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
    assert.equal(result.state, 'error');
    assert.match(result.shown, /^This browser gives the page no means to read pictures/);
  });

  test('a newer picture wins over the one under way', async () => {
    const expected = await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[1])));
    const files = await Promise.all(photos.slice(0, 2).map(async (photo) => [...(await readFile(photo))]));
    await page.evaluate(() => {
      window.seen = [];
      new MutationObserver(() => window.seen.push(document.getElementById('result').dataset.text)).observe(
        document.getElementById('result'),
        { attributeFilter: ['data-text'] },
      );
    });
    // In one task of the page: a caption can be faster than the way from here to there.
    await resultOf(page, () =>
      page.evaluate((files) => {
        const input = document.getElementById('file');
        for (const bytes of files) {
          const chosen = new DataTransfer();
          chosen.items.add(new File([new Uint8Array(bytes)], 'photo.jpg', { type: 'image/jpeg' }));
          input.files = chosen.files;
          input.dispatchEvent(new Event('change', { bubbles: true }));
        }
      }, files),
    );
    // Captions come in the order of the calls, so the first one's would have been shown by now.
    assert.deepEqual([...new Set(await page.evaluate(() => window.seen))].filter(Boolean), [expected.text]);
  });

  test('keyboard only: file button, camera button and samples are reached and work', async () => {
    const keyboard = await world.soli();
    const reached = [];
    for (let step = 0; step < 5; step += 1) {
      await keyboard.keyboard.press('Tab');
      reached.push(
        await keyboard.evaluate(() => {
          const { activeElement } = document;
          const shown = activeElement.id === 'file' ? activeElement.nextElementSibling : activeElement;
          return [activeElement.id || activeElement.querySelector('img')?.alt, getComputedStyle(shown).outlineStyle];
        }),
      );
    }
    assert.deepEqual(reached, [
      ['file', 'solid'],
      ['camera', 'solid'],
      ['Sample: a cat', 'solid'],
      ['Sample: an astronaut', 'solid'],
      ['Sample: a cup of coffee', 'solid'],
    ]);
    const result = await resultOf(keyboard, () => keyboard.keyboard.press('Enter'));
    assert.equal(result.state, 'done');

    await keyboard.focus('#file');
    const chooser = keyboard.waitForEvent('filechooser');
    const chosen = await resultOf(keyboard, async () => {
      await keyboard.keyboard.press('Enter');
      await (await chooser).setFiles(await upload(photos[0]));
    });
    assert.equal(chosen.state, 'done');
  });

  test('one polite live region: the caption, and nothing twice', async () => {
    const page = await world.soli();
    assert.equal(await page.locator('[aria-live], [role=status], [role=alert], [role=log]').count(), 1);
    assert.equal(await page.getAttribute('#announcer', 'role'), 'status');
    const said = await listen(page);
    const file = await upload(photos[1]);
    const first = await resultOf(page, () => page.setInputFiles('#file', file));
    await resultOf(page, () => page.setInputFiles('#file', file));
    assert.deepEqual(await said(), [first.shown], 'the same sentence is not said again');
    const error = await resultOf(page, () =>
      page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') }),
    );
    assert.deepEqual(await said(), [first.shown, error.shown]);
  });

  test('the caption is read aloud, and stopped', async () => {
    const speaking = await world.soli({}, (page) =>
      page.addInitScript(() => {
        window.spoken = [];
        const voice = {
          speak: (utterance) => window.spoken.push(utterance),
          cancel: () => window.spoken.splice(0).forEach((utterance) => utterance.dispatchEvent(new Event('end'))),
        };
        Object.defineProperty(window, 'speechSynthesis', { value: voice });
      }),
    );
    const { shown } = await resultOf(speaking, async () => speaking.setInputFiles('#file', await upload(photos[0])));
    const spoken = () => speaking.evaluate(() => window.spoken.map(({ text, lang }) => [text, lang]));
    await speaking.click('#speak');
    assert.deepEqual(await spoken(), [[shown, 'en']]);
    assert.equal(await speaking.getAttribute('#speak', 'aria-pressed'), 'true');
    await speaking.click('#speak');
    assert.deepEqual(await spoken(), []);
    assert.equal(await speaking.getAttribute('#speak', 'aria-pressed'), 'false');
    // A new picture ends the reading of the old one.
    await speaking.click('#speak');
    await resultOf(speaking, async () => speaking.setInputFiles('#file', await upload(photos[1])));
    assert.deepEqual(await spoken(), []);
  });

  test('the one picture’s caption is edited and copied', async () => {
    const editing = await world.soli({ permissions: ['clipboard-read', 'clipboard-write'] });
    const { shown } = await resultOf(editing, async () => editing.setInputFiles('#file', await upload(photos[0])));
    const clipboard = () => editing.evaluate(() => navigator.clipboard.readText());
    await editing.click('#copy');
    assert.equal(await clipboard(), shown);
    await editing.focus('#edit');
    await editing.keyboard.press('Enter');
    await editing.keyboard.type('Chelsea, looking up');
    await editing.keyboard.press('Escape');
    assert.equal(await editing.textContent('#caption'), shown, 'Escape leaves the text');
    await editing.keyboard.press('Enter');
    await editing.keyboard.type('Chelsea, looking up');
    await editing.keyboard.press('Enter');
    assert.equal(await editing.textContent('#caption'), 'Chelsea, looking up');
    assert.equal(await editing.evaluate(() => document.activeElement.id), 'edit', 'the focus comes back');
    assert.ok(await editing.isHidden('#facts'), 'the machine’s confidence is not the person’s');
    await editing.click('#copy');
    assert.equal(await clipboard(), 'Chelsea, looking up');
  });

  test('installing is offered when the browser lets the page ask, once each time', async () => {
    const page = await world.soli();
    assert.ok(await page.isHidden('#install'));
    const offer = () =>
      page.evaluate(() => {
        const event = Object.assign(new Event('beforeinstallprompt', { cancelable: true }), {
          prompt: () => {
            window.prompted = (window.prompted ?? 0) + 1;
          },
        });
        return window.dispatchEvent(event);
      });
    assert.equal(await offer(), false, 'the browser’s own bar stays away');
    await page.focus('#install');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => window.prompted), 1);
    assert.ok(await page.isHidden('#install'));
    assert.equal(await page.evaluate(() => document.activeElement.id), 'file');
    await offer();
    assert.ok(await page.isVisible('#install'), 'after a no the browser offers again');
    await page.evaluate(() => window.dispatchEvent(new Event('appinstalled')));
    assert.ok(await page.isHidden('#install'));
  });

  test('the notice hides nothing that has the focus, however narrow the page is', async () => {
    const page = await world.soli({ viewport: { width: 320, height: 480 }, permissions: ['clipboard-write'] });
    await resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
    await page.click('#copy');
    await page.waitForSelector('#notice:not([hidden])');
    await page.focus('#notice-close');
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press('Tab');
      const covered = await page.evaluate(() => {
        const { activeElement } = document;
        const notice = document.getElementById('notice');
        if (notice.hidden || notice.contains(activeElement) || activeElement === document.body) return null;
        const bottom = activeElement.getBoundingClientRect().bottom;
        return bottom > notice.getBoundingClientRect().top ? activeElement.outerHTML : null;
      });
      assert.equal(covered, null);
    }
  });

  for (const width of [320, 640, 1600]) {
    test(`nothing scrolls sideways at ${width} px`, async () => {
      const narrow = await world.soli({ viewport: { width, height: 640 } });
      await resultOf(narrow, async () => narrow.setInputFiles('#file', await upload(photos[0])));
      const [content, view] = await narrow.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= view, `${content} px of content in ${view} px`);
    });
  }
});

describe('the page while the network loads', () => {
  test('bytes are counted, a picture may come first, and a failure can be tried again', async () => {
    let mode = 'fail';
    let release;
    const world = await open({
      doctored: {
        '/models/soli.safetensors': async (body, response) => {
          if (mode === 'fail') {
            response.writeHead(503).end();
            return null;
          }
          response.setHeader('content-length', body.length);
          response.write(body.subarray(0, body.length >> 1));
          await new Promise((resolve) => (release = resolve));
          response.end(body.subarray(body.length >> 1));
          return null;
        },
      },
    });
    try {
      const page = await world.page();
      await page.goto(world.url);
      await page.waitForSelector('#result[data-state=error]');
      assert.match(await page.textContent('#caption'), /could not be loaded/);
      // A picture makes the page try again by itself; when that fails too, the button is still there.
      const early = await resultOf(page, () => page.click('#samples button'));
      assert.deepEqual([early.state, await page.isVisible('#retry')], ['error', true]);

      mode = 'slow';
      await page.click('#retry');
      // Half of the file is sent, in as many pieces as it takes.
      await page.waitForFunction(() => {
        const { value, max } = document.getElementById('progress');
        return max > 1 && value / max > 0.1;
      });
      assert.match(await page.textContent('#progress-name'), /^Loading the captioner: [\d.]+ of [\d.]+ MB$/);
      const share = await page.evaluate(() => {
        const { value, max } = document.getElementById('progress');
        return value / max;
      });
      assert.ok(share > 0.1 && share < 0.9, `about half is here: ${share}`);

      const result = await resultOf(page, async () => {
        await page.setInputFiles('#file', await upload(photos[0]));
        await page.waitForSelector('#result[data-state=busy]');
        release();
      });
      assert.equal(result.state, 'done');
      assert.ok(await page.isHidden('#loading'));
      assert.deepEqual(world.faults, []);
    } finally {
      release?.();
      await world.close();
    }
  });
});
