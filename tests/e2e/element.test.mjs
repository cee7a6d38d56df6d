/** `<soli-caption>`: which pictures get a text, and which never do. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, holdable, open } from './helpers.mjs';

const PHOTO = 'photos/cat.jpg';
const OTHER = 'photos/astronaut.jpg';

describe('<soli-caption>', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    page = await world.blank((page) => page.addInitScript(holdable));
    await page.evaluate(async () => {
      window.fetched = [];
      const { fetch } = window;
      window.fetch = (...given) => {
        window.fetched.push(String(given[0]));
        return fetch(...given);
      };
      await import(new URL('pkg/element.js', location.href).href);
      /** Puts elements into the page and waits until `count` events came of them. */
      window.put = (html, count, type = 'soli-caption') => {
        document.body.innerHTML = html;
        return window.heard(count, type);
      };
      window.heard = (count, type = 'soli-caption') =>
        new Promise((resolve) => {
          const heard = [];
          document.addEventListener(type, function listen({ detail }) {
            heard.push(detail);
            if (heard.length < count) return;
            document.removeEventListener(type, listen);
            resolve(heard.map(({ caption, alt, error }) => ({ caption, alt, code: error?.code })));
          });
        });
    });
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  test('loads nothing while no picture needs a text', async () => {
    const fetched = await page.evaluate(async (photo) => {
      document.body.innerHTML = `<soli-caption weights="${weights}"><img src="${photo}" alt=""></soli-caption>`;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return window.fetched;
    }, PHOTO);
    assert.deepEqual(fetched, []);
  });

  test('writes a missing text, and nothing else in the page changes', async () => {
    const untouched = {
      decorative: `<img src="${PHOTO}" alt="">`,
      described: `<img src="${PHOTO}" alt="Chelsea, looking up">`,
      named: `<img src="${PHOTO}" aria-label="Chelsea">`,
      titled: `<img src="${PHOTO}" title="Chelsea">`,
      presentation: `<img src="${PHOTO}" role="presentation">`,
      hidden: `<span aria-hidden="true"><img src="${PHOTO}"></span>`,
      link: `<a href="#cat"><img src="${PHOTO}"></a>`,
      button: `<button type="button"><img src="${PHOTO}"></button>`,
    };
    const { before, heard, alt, mark, after } = await page.evaluate(
      async ([photo, untouched]) => {
        const done = window.put(
          `<soli-caption weights="${weights}"><p>${untouched.join('')}</p><img id="mine" src="${photo}"></soli-caption>`,
          1,
        );
        const before = document.querySelector('p').innerHTML;
        const heard = await done;
        await new Promise((resolve) => setTimeout(resolve, 200));
        const mine = document.getElementById('mine');
        return {
          before,
          heard,
          alt: mine.getAttribute('alt'),
          mark: mine.dataset.soli,
          after: document.querySelector('p').innerHTML,
        };
      },
      [PHOTO, Object.values(untouched)],
    );
    assert.equal(heard[0].alt, alt);
    assert.equal(mark, 'alt');
    assert.ok(alt.toLowerCase().includes(heard[0].caption.text), alt);
    assert.equal(after, before);
  });

  test('words a doubtful caption as a guess, by the threshold given', async () => {
    const [sure, unsure] = await page.evaluate(async (photo) => {
      const put = (threshold) =>
        window.put(`<soli-caption weights="${weights}" threshold="${threshold}"><img src="${photo}"></soli-caption>`, 1);
      return [(await put(0))[0].alt, (await put(1))[0].alt];
    }, PHOTO);
    assert.equal(unsure.startsWith('May show: '), true);
    assert.equal(sure.startsWith('May show: '), false);
    assert.equal(sure.toLowerCase(), unsure.slice('May show: '.length).toLowerCase());
  });

  test('follows a picture that changes and one that comes later; a correction is the person’s', async () => {
    const seen = await page.evaluate(
      async ([photo, other]) => {
        const [first] = await window.put(`<soli-caption weights="${weights}"><img src="${photo}"></soli-caption>`, 1);
        const image = document.querySelector('img');
        let news = window.heard(1);
        image.src = other;
        const [second] = await news;
        const followed = image.alt === second.alt;

        news = window.heard(1);
        const late = Object.assign(new Image(), { src: photo });
        image.parentElement.append(late);
        await news;

        image.alt = 'A cup of coffee';
        image.src = photo;
        await new Promise((resolve) => setTimeout(resolve, 500));
        return { first, second, followed, late: late.alt, corrected: image.alt, marked: image.hasAttribute('data-soli') };
      },
      [PHOTO, OTHER],
    );
    // Two pictures may have the same caption, but not the same score too.
    assert.notEqual(seen.second.caption.score, seen.first.caption.score);
    assert.ok(seen.followed);
    assert.equal(seen.late, seen.first.alt);
    assert.deepEqual([seen.corrected, seen.marked], ['A cup of coffee', false]);
  });

  test('a text that a person writes while the machine works stays', async () => {
    const alt = await page.evaluate(async (photo) => {
      captions.hold();
      document.body.innerHTML = `<soli-caption weights="${weights}"><img src="${photo}"></soli-caption>`;
      while (captions.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const image = document.querySelector('img');
      image.alt = 'Chelsea';
      captions.release();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return image.alt;
    }, PHOTO);
    assert.equal(alt, 'Chelsea');
  });

  test('elements share one captioner, which ends with the last of them', async () => {
    const workers = page.workers().length;
    await page.evaluate(async (photo) => {
      const element = `<soli-caption weights="${weights}"><img src="${photo}"></soli-caption>`;
      await window.put(element.repeat(3), 3);
    }, PHOTO);
    assert.ok(page.workers().length <= Math.max(1, workers), `${page.workers().length} workers`);
    await page.evaluate(() => document.body.replaceChildren());
    await eventually(() => page.workers().length === 0, 'the captioner did not end');
  });

  test('a captioner of the page’s own is used, and not disposed', async () => {
    const [alt, disposed] = await page.evaluate(async (photo) => {
      const soli = await soliModule.Captioner.load({ weights });
      const element = document.createElement('soli-caption');
      element.captioner = soli;
      element.innerHTML = `<img src="${photo}">`;
      const news = window.heard(1);
      document.body.replaceChildren(element);
      const [{ alt }] = await news;
      element.remove();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const { disposed } = soli;
      soli.dispose();
      return [alt, disposed];
    }, PHOTO);
    assert.ok(alt.length > 3);
    assert.equal(disposed, false);
  });

  test('what goes wrong is an event', async () => {
    const codes = await page.evaluate(async (photo) => {
      const codes = [];
      for (const html of [
        `<soli-caption weights="${weights}"><img src="no-such.jpg"></soli-caption>`,
        `<soli-caption weights="no-such.safetensors"><img src="${photo}"></soli-caption>`,
      ]) {
        const [{ code }] = await window.put(html, 1, 'soli-error');
        codes.push(code);
        if (document.querySelector('img').hasAttribute('alt')) codes.push('wrote an alt');
      }
      return codes;
    }, PHOTO);
    assert.deepEqual(codes, ['decode-failed', 'fetch-failed']);
  });
});
