/** Which pictures get a text: the facts read from a page, the verdicts on them, and what `<soli-caption>` does of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { open } from './helpers.mjs';

const PHOTO = 'photos/cat.jpg';
const OTHER = 'photos/astronaut.jpg';
const SPACER = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
const img = (attributes = '') => `<img src="${PHOTO}" ${attributes}>`;

/** What is in a soli-caption -> verdict and reason. */
const PICTURES = {
  // Decorative: role is a list of words in any case, of which the first known one counts.
  [img('role="none presentation"')]: ['leave', 'decorative'],
  [img('role="presentation none"')]: ['leave', 'decorative'],
  [img('role="Presentation"')]: ['leave', 'decorative'],
  [img('role=" NONE "')]: ['leave', 'decorative'],
  [img('role="no-such-role none"')]: ['leave', 'decorative'],
  [img('role="img none"')]: ['write', 'no-alt'],
  [img('role="no-such-role"')]: ['write', 'no-alt'],
  [img('alt')]: ['leave', 'decorative'],
  // Hidden.
  [`<span aria-hidden="TRUE">${img()}</span>`]: ['leave', 'hidden'],
  [`<span aria-hidden="false">${img()}</span>`]: ['write', 'no-alt'],
  [img('hidden')]: ['wait', 'not-shown'],
  [`<div style="display:none">${img()}</div>`]: ['wait', 'not-shown'],
  [`<div style="visibility:hidden">${img()}</div>`]: ['wait', 'not-shown'],
  [`<div inert>${img()}</div>`]: ['wait', 'not-shown'],
  [`<details>${img()}</details>`]: ['wait', 'not-shown'],
  // Labelled.
  [img('aria-label="Chelsea"')]: ['leave', 'person'],
  [img('aria-label=" "')]: ['write', 'no-alt'],
  [`<p id="name">Chelsea</p>${img('aria-labelledby="name"')}`]: ['leave', 'person'],
  [img('aria-labelledby="no-such"')]: ['write', 'no-alt'],
  [img('alt="IMG_1234.jpg"')]: ['leave', 'file-name'],
  [img('data-soli="alt" alt="May show: a cat."')]: ['leave', 'machine'],
  // Part of a whole.
  [`<div role="img" aria-label="Two cats">${img()}</div>`]: ['leave', 'part-of-graphic'],
  [`<div role="Image">${img()}</div>`]: ['leave', 'part-of-graphic'],
  [`<div role="math">${img()}</div>`]: ['leave', 'part-of-graphic'],
  // In a control, of HTML's or of ARIA's.
  [`<details><summary>${img()}</summary></details>`]: ['offer', 'functional'],
  [`<label>${img()}<input type="radio"></label>`]: ['offer', 'functional'],
  [`<a href="#x"><b>${img()}</b></a>`]: ['offer', 'functional'],
  [`<a>${img()}</a>`]: ['write', 'no-alt'],
  [`<a href="#x" aria-label="Home">${img()}</a>`]: ['leave', 'named-control'],
  ...Object.fromEntries(
    ['button', 'link', 'menuitem', 'menuitemcheckbox', 'tab', 'option', 'treeitem', 'switch', 'BUTTON', 'no-such button'].map((role) => [
      `<div role="${role}" tabindex="0">${img()}</div>`,
      ['offer', 'functional'],
    ]),
  ),
  [`<div contenteditable="true">${img()}</div>`]: ['offer', 'draft'],
  // Too small to say something.
  [`<img width="1" height="1" src="${SPACER}">`]: ['leave', 'spacer'],
  [`<img width="300" height="200" src="${SPACER}">`]: ['leave', 'spacer'],
  [img('width="16" height="16"')]: ['wait', 'tiny'],
  [img('width="500" height="50"')]: ['wait', 'strip'],
  '<img width="90" height="90" src="icon.svg">': ['leave', 'drawing'],
  '<img width="90" height="90">': ['wait', 'loading'],
};

describe('which pictures', () => {
  let world;
  let page;
  before(async () => {
    world = await open();
    page = await world.blank();
    await page.evaluate(async () => {
      await import(new URL('pkg/element.js', location.href).href);
      const { factsOf } = await import(new URL('pkg/facts.js', location.href).href);
      const { judge } = await import(new URL('pkg/eligibility.js', location.href).href);
      window.verdictOn = (image) => judge(factsOf(image));
      window.heard = (type, count = 1) =>
        new Promise((resolve) => {
          const heard = [];
          document.addEventListener(type, function listen({ detail }) {
            heard.push({ alt: detail.alt, score: detail.caption?.score, code: detail.error?.code, id: detail.image.id });
            if (heard.length < count) return;
            document.removeEventListener(type, listen);
            resolve(heard);
          });
        });
      window.soli = await soliModule.Captioner.load({ weights });
    });
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'the page threw');
    await world.close();
  });

  test('the facts of each kind of picture give its verdict, and the element writes exactly where that is "write"', async () => {
    const seen = await page.evaluate(async (snippets) => {
      document.body.innerHTML = snippets.map((html) => `<section>${html}</section>`).join('');
      const images = [...document.querySelectorAll('section')].map((section) => section.querySelector('img'));
      await Promise.all(images.map((image) => image.hasAttribute('src') && image.decode().catch(() => {})));
      const verdicts = images.map((image) => window.verdictOn(image));
      const due = verdicts.filter(({ verdict }) => verdict === 'write').length;
      const before = images.map((image) => image.outerHTML);
      const element = document.createElement('soli-caption');
      element.captioner = window.soli;
      const written = window.heard('soli-caption', due);
      element.append(...document.body.childNodes);
      document.body.append(element);
      await written;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return images.map((image, i) => ({ ...verdicts[i], written: image.getAttribute('data-soli') === 'alt' && before[i] !== image.outerHTML }));
    }, Object.keys(PICTURES));
    for (const [i, [html, [verdict, reason]]] of Object.entries(PICTURES).entries()) {
      assert.deepEqual(seen[i], { verdict, reason, written: verdict === 'write' }, html);
    }
  });

  test('a control that a picture is slotted into counts too, and so does a hidden host', async () => {
    const verdicts = await page.evaluate((photo) => {
      document.body.innerHTML = `<div id="card"><img src="${photo}"></div><div id="gone" aria-hidden="true"></div>`;
      document.getElementById('card').attachShadow({ mode: 'open' }).innerHTML = '<a href="#x"><slot></slot></a>';
      const image = Object.assign(new Image(), { src: photo });
      document.getElementById('gone').attachShadow({ mode: 'open' }).append(image);
      const slotted = document.querySelector('#card img');
      return Promise.all([slotted, image].map((it) => it.decode().then(() => window.verdictOn(it).reason)));
    }, PHOTO);
    assert.deepEqual(verdicts, ['functional', 'hidden']);
  });

  /** Puts a soli-caption with the loaded captioner into the page, and gives what it wrote. */
  const put = (html, type = 'soli-caption') =>
    page.evaluate(
      async ([html, type]) => {
        const element = document.createElement('soli-caption');
        element.captioner = window.soli;
        element.innerHTML = html;
        const news = window.heard(type);
        document.body.replaceChildren(element);
        return (await news)[0];
      },
      [html, type],
    );

  for (const [name, change] of Object.entries({
    'its source’s srcset': (image, other) => { document.querySelector('source').srcset = other; },
    'its source’s media': () => { document.querySelector('source').media = 'print'; },
    'its own srcset': (image, other) => { document.querySelector('source').remove(); image.srcset = other; },
    'a source that comes in front': (image, other) => {
      image.before(Object.assign(document.createElement('source'), { srcset: other }));
      document.querySelector('source').remove();
    },
  })) {
    test(`another picture by ${name}: another text`, async () => {
      const first = await put(`<picture><source srcset="${PHOTO}"><img src="${OTHER}"></picture>`);
      const [second, alt] = await page.evaluate(
        `(async () => {
          const news = window.heard('soli-caption');
          const image = document.querySelector('img');
          (${change})(image, ${JSON.stringify(OTHER)});
          const [second] = await news;
          return [second, image.alt];
        })()`,
      );
      assert.notEqual(second.score, first.score);
      assert.equal(alt, second.alt);
    });
  }

  test('a picture that is unfolded, shown, or grows later is described then', async () => {
    const texts = await page.evaluate(async (photo) => {
      const element = document.createElement('soli-caption');
      element.captioner = window.soli;
      element.innerHTML = `<details><summary>More</summary><img id="folded" src="${photo}"></details>
        <div hidden><img id="hidden" src="${photo}"></div><img id="small" width="20" height="20" src="${photo}">`;
      document.body.replaceChildren(element);
      await Promise.all([...element.querySelectorAll('img')].map((image) => image.decode()));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = [...element.querySelectorAll('img')].map((image) => image.hasAttribute('alt'));
      const news = window.heard('soli-caption', 3);
      element.querySelector('details').open = true;
      element.querySelector('div').hidden = false;
      element.querySelector('#small').width = element.querySelector('#small').height = 200;
      await news;
      return [before, [...element.querySelectorAll('img')].map((image) => image.alt.length > 3)];
    }, PHOTO);
    assert.deepEqual(texts, [[false, false, false], [true, true, true]]);
  });

  test('what happens around the element counts too', async () => {
    const alts = await page.evaluate(async (photo) => {
      document.body.innerHTML = `<section aria-hidden="true"><p style="visibility: hidden"></p></section>`;
      const element = document.createElement('soli-caption');
      element.captioner = window.soli;
      element.innerHTML = `<img src="${photo}">`;
      document.querySelector('p').append(element);
      await element.firstChild.decode();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = element.firstChild.hasAttribute('alt');
      const news = window.heard('soli-caption');
      document.querySelector('section').removeAttribute('aria-hidden');
      await new Promise((resolve) => setTimeout(resolve, 100));
      document.querySelector('p').style.visibility = '';
      await news;
      return [before, element.firstChild.alt.length > 3];
    }, PHOTO);
    assert.deepEqual(alts, [false, true]);
  });

  test('other weights are tried for what failed, and the same ones again when they are set again', async () => {
    const codes = await page.evaluate(async (photo) => {
      let news = window.heard('soli-error');
      document.body.innerHTML = `<soli-caption weights="no-such.safetensors"><img src="${photo}"></soli-caption>`;
      const element = document.querySelector('soli-caption');
      const codes = [(await news)[0].code];
      news = window.heard('soli-error');
      element.weights = 'no-such.safetensors';
      codes.push((await news)[0].code);
      news = window.heard('soli-caption');
      element.weights = weights;
      codes.push((await news)[0].alt.length > 3);
      return codes;
    }, PHOTO);
    assert.deepEqual(codes, ['fetch-failed', 'fetch-failed', true]);
  });

  test('a picture that has failed already is told, and another one in its place is described', async () => {
    const [code, alt] = await page.evaluate(async (photo) => {
      const image = Object.assign(new Image(), { src: 'no-such.jpg' });
      document.body.replaceChildren(image);
      await image.decode().catch(() => {});
      const element = document.createElement('soli-caption');
      element.captioner = window.soli;
      image.replaceWith(element);
      let news = window.heard('soli-error');
      element.append(image);
      const [{ code }] = await news;
      news = window.heard('soli-caption');
      image.src = photo;
      return [code, (await news)[0].alt];
    }, PHOTO);
    assert.equal(code, 'decode-failed');
    assert.ok(alt.length > 3);
  });

  test('nothing is invented about a picture of one colour', async () => {
    const alts = await page.evaluate(async (photo) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 300, height: 200 });
      canvas.getContext('2d').fillRect(0, 0, 300, 200);
      const element = document.createElement('soli-caption');
      element.captioner = window.soli;
      element.innerHTML = `<img src="${canvas.toDataURL()}"><img src="${photo}">`;
      const news = window.heard('soli-caption');
      document.body.replaceChildren(element);
      await news;
      return [...element.children].map((image) => image.hasAttribute('alt'));
    }, PHOTO);
    assert.deepEqual(alts, [false, true]);
  });

  test('on a page in another language the text says that it is English; taken back, nothing of it stays', async () => {
    await put(`<p lang="de"><img src="${PHOTO}"></p>`);
    const [written, corrected] = await page.evaluate(async () => {
      const image = document.querySelector('img');
      const written = image.lang;
      image.alt = 'Katze';
      await new Promise((resolve) => setTimeout(resolve, 200));
      return [written, image.outerHTML];
    });
    assert.equal(written, 'en');
    assert.equal(corrected, `<img src="${PHOTO}" alt="Katze">`);
  });

  test('of elements within each other one writes', async () => {
    const heard = await page.evaluate(async (photo) => {
      const heard = [];
      const listen = ({ target }) => heard.push(target.id);
      document.addEventListener('soli-caption', listen);
      document.body.innerHTML = `<soli-caption id="outer"><soli-caption id="inner"><img src="${photo}"></soli-caption></soli-caption>`;
      for (const element of document.querySelectorAll('soli-caption')) element.captioner = window.soli;
      while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 300));
      document.removeEventListener('soli-caption', listen);
      return heard;
    }, PHOTO);
    assert.deepEqual(heard, ['inner']);
  });
});
