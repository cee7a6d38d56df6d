/**
 * The extension on pages that mean it ill, or that merely happen to have names which browsers give a meaning: nothing of it is
 * reachable from the page, no text of the page is executed, and its work goes on.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openWithExtension } from './extension-chromium.mjs';
import { PATIENCE, eventually } from './helpers.mjs';
import { hostileSite } from './hostile-site.mjs';

const PANEL = '[data-soli-panel]';
const WHOLE = 8 * PATIENCE;

describe('the extension on hostile pages', () => {
  let site;
  let chromium;
  before(async () => {
    site = await hostileSite();
    chromium = await openWithExtension();
  });
  after(async () => {
    await chromium?.close();
    await site?.close();
  });

  /** Opens a page, its button pressed; `script` is the page's own, before anything else of it. */
  async function opened(body, script = '') {
    const page = await chromium.context.newPage();
    await page.goto(site.page(body, script));
    await page.bringToFront();
    await chromium.press(page);
    return page;
  }
  const described = (page, selector) => page.waitForSelector(`${selector}[data-soli]`, { state: 'attached', timeout: WHOLE });

  test('elements with the names of what it uses do not come in its way', async () => {
    const page = await opened(`
      <a id="browser"></a><div id="chrome"></div><a id="soliStarted"></a><a id="api"></a>
      <img name="querySelectorAll" alt=""><img name="createElement" alt=""><img name="visibilityState" alt="">
      <form aria-hidden="false">
        ${['getAttribute', 'hasAttribute', 'matches', 'parentElement', 'assignedSlot', 'getRootNode', 'localName', 'querySelectorAll', 'append', 'lang']
          .map((name) => `<input name="${name}">`)
          .join('')}
        <img id="inform" src="/photos/cat.jpg" width="200" height="150">
      </form>
      <form aria-hidden="true"><input name="getAttribute"><img id="hidden" src="/photos/cat.jpg" width="200" height="150"></form>
      <form role="img"><input name="getBoundingClientRect"><input name="localName"></form>
      <fieldset form="loop" name="shadowRoot"><form id="loop"><img id="looped" src="/photos/astronaut.jpg" width="200" height="150"></form></fieldset>`);
    // Playwright's own selectors do not end on this page.
    const marked = (id) => page.waitForFunction((id) => document.getElementById(id)?.hasAttribute('data-soli'), id, { timeout: WHOLE });
    await marked('inform');
    await marked('looped');
    // Added and changed later, in a form that answers for its methods.
    await page.evaluate(() => {
      const form = document.forms[0];
      form.setAttribute('class', 'changed');
      form.insertAdjacentHTML('beforeend', '<img id="later" src="/photos/astronaut.jpg" width="200" height="150">');
    });
    await marked('later');
    assert.equal(await page.evaluate(() => document.getElementById('hidden').hasAttribute('alt')), false);
    await page.close();
  });

  test('what a page puts in the place of the platform’s own functions, none of it hears or sees', async () => {
    const page = await opened(
      '<img id="photo" src="/photos/cat.jpg" width="200" height="150">',
      `window.heard = new Set();
       const spy = (holder, name) => {
         const original = holder[name];
         holder[name] = function (...given) {
           if (window.armed) window.heard.add(name);
           return Reflect.apply(original, this, given);
         };
       };
       for (const name of ['map', 'push', 'filter', 'join', 'flatMap', 'forEach']) spy(Array.prototype, name);
       for (const name of ['getAttribute', 'setAttribute', 'attachShadow', 'append', 'getBoundingClientRect', 'closest', 'matches', 'hasAttribute']) spy(Element.prototype, name);
       for (const name of ['stringify', 'parse']) spy(JSON, name);
       for (const name of ['then', 'finally', 'catch']) spy(Promise.prototype, name);
       for (const name of ['createElement', 'querySelectorAll']) spy(Document.prototype, name);
       for (const name of ['toDataURL', 'getContext']) spy(HTMLCanvasElement.prototype, name);
       for (const name of ['getImageData', 'drawImage']) spy(CanvasRenderingContext2D.prototype, name);
       spy(window, 'setTimeout'); spy(window, 'fetch'); spy(EventTarget.prototype, 'addEventListener');
       for (const name of ['verdict', 'to', 'type', 'error', 'text', 'alt', 'asked', 'panel', 'mode'])
         Object.defineProperty(Object.prototype, name, { configurable: true, get: () => (window.armed && window.heard.add('Object.' + name), undefined), set(value) {
           Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
         } });
       new MutationObserver((records, observer) => {
         if (!document.querySelector('#photo[data-soli]')) return;
         window.armed = false;
         observer.disconnect();
         document.title = 'described';
       }).observe(document, { subtree: true, attributeFilter: ['data-soli'] });
       window.armed = true;`,
    );
    // Playwright evaluates in the page's own world, where its calls would be heard too: the browser is asked instead.
    await eventually(async () => {
      const { targetInfos } = await chromium.session.send('Target.getTargets');
      return targetInfos.some(({ title }) => title === 'described');
    }, 'the picture is described');
    const heard = await page.evaluate(() => [...window.heard]);
    const own = ['then', 'finally', 'catch', 'push', 'map', 'setTimeout', 'stringify', 'parse', 'querySelectorAll', 'Object.'];
    assert.deepEqual(heard.filter((name) => !own.some((start) => name.startsWith(start))), []);
    await page.close();
  });

  test('a page cannot look into the panel, not as its element’s definition either', async () => {
    const page = await opened(
      '<img id="photo" src="/photos/cat.jpg" width="200" height="150">',
      `window.got = [];
       const define = customElements.define.bind(customElements);
       for (const name of ['soli-panel', 'soli-caption-panel']) define(name, class extends HTMLElement {
         constructor() { super(); window.inside = this.attachInternals(); }
         connectedCallback() { window.got.push('defined', Boolean(window.inside.shadowRoot)); }
       });
       new MutationObserver((records) => {
         for (const { addedNodes } of records) for (const node of addedNodes) if (node.nodeType === 1 && node.hasAttribute('data-soli-panel')) {
           window.host = node;
           if (node.shadowRoot) window.got.push('open');
           try { node.attachShadow({ mode: 'open' }); window.got.push('attached'); } catch {}
           try { if (node.attachInternals().shadowRoot) window.got.push('internals'); } catch {}
         }
       }).observe(document, { childList: true, subtree: true });`,
    );
    await described(page, '#photo');
    const seen = await page.evaluate(() => {
      const found = [...window.got, window.host.textContent, window.host.innerHTML];
      // Neither what is dispatched by a script nor a selection gets anything of it.
      window.host.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, composed: true }));
      window.host.click();
      getSelection().selectAllChildren(window.host);
      found.push(String(getSelection()), window.host.isConnected ? 'there' : 'closed by a script');
      const { x, y, width, height } = window.host.getBoundingClientRect();
      found.push(document.elementFromPoint(x + width / 2, y + height / 2) === window.host ? 'host' : 'another');
      return found;
    });
    assert.deepEqual(seen, ['', '', '', 'there', 'host']);
    await page.close();
  });

  test('a page that takes the panel away, hides it or makes it inert does not get rid of it, nor does it hang', async () => {
    const page = await opened('<img id="photo" src="/photos/cat.jpg" width="200" height="150">');
    await page.waitForSelector(PANEL, { state: 'attached', timeout: WHOLE });
    await page.evaluate((selector) => {
      const host = document.querySelector(selector);
      document.head.insertAdjacentHTML('beforeend', `<style>${selector}, div { display: none !important; opacity: 0 !important; pointer-events: none !important }</style>`);
      host.style.setProperty('display', 'none', 'important');
      host.setAttribute('inert', '');
      host.innerHTML = '<p>Give me your password</p>';
      host.remove();
    }, PANEL);
    await eventually(() => page.evaluate((selector) => document.querySelector(selector)?.inert === false, PANEL), 'it comes back');
    const shown = await page.evaluate((selector) => {
      const { display, opacity, pointerEvents } = getComputedStyle(document.querySelector(selector));
      const text = document.querySelector(`${selector} p`);
      return { display: display !== 'none', opacity, pointerEvents, text: text.checkVisibility() && text.getClientRects().length > 0 };
    }, PANEL);
    assert.deepEqual(shown, { display: true, opacity: '1', pointerEvents: 'auto', text: false });

    // Both want to have the last word: the page's own thread must stay alive, and the descriptions go on.
    await page.evaluate((selector) => {
      new MutationObserver(() => document.querySelector(selector)?.remove()).observe(document, { childList: true, subtree: true });
      document.querySelector(selector)?.remove();
      document.body.insertAdjacentHTML('beforeend', '<img id="after" src="/photos/astronaut.jpg" width="200" height="150">');
    }, PANEL);
    await described(page, '#after');
    assert.equal(await page.evaluate(() => 1 + 1), 2);
    await page.close();
  });

  test('a page that empties itself, its root element included, throws nothing', async () => {
    const page = await opened('<img id="photo" src="/photos/cat.jpg" width="200" height="150">');
    await page.waitForSelector(PANEL, { state: 'attached', timeout: WHOLE });
    const errors = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.evaluate(async () => {
      document.documentElement.remove();
      await new Promise((resolve) => setTimeout(resolve, 500));
      document.append(document.createElement('html'));
      document.documentElement.append(document.createElement('body'));
      document.body.innerHTML = '<img id="anew" src="/photos/astronaut.jpg" width="200" height="150">';
    });
    await described(page, '#anew');
    assert.deepEqual(errors, []);
    await page.close();
  });

  test('forged messages reach nobody, and no file of it can be opened or fetched', async () => {
    const page = await opened('<img id="photo" alt="a person’s" src="/photos/cat.jpg" width="200" height="150">');
    await page.waitForSelector(PANEL, { state: 'attached', timeout: WHOLE });
    const before = await page.evaluate(() => document.body.innerHTML);
    const got = await page.evaluate(async (id) => {
      const found = [];
      for (const message of [
        { to: 'page', type: 'describe-picture', url: document.images[0].src },
        { to: 'page', type: 'act', action: 'undo', from: 'x' },
        { to: 'background', type: 'capture', box: { x: 0, y: 0, width: 9, height: 9 }, view: { width: 9 } },
      ]) {
        window.postMessage(message, '*');
        window.dispatchEvent(new MessageEvent('message', { data: message }));
        document.dispatchEvent(new CustomEvent('soli', { detail: message }));
        if (window.chrome?.runtime?.sendMessage) found.push('chrome.runtime');
      }
      for (const path of ['content.js', 'pkg/index.js', 'models/soli.safetensors', 'options/options.html', 'manifest.json']) {
        const address = `chrome-extension://${id}/${path}`;
        await fetch(address).then(() => found.push(`fetched ${path}`), () => {});
        await import(address).then(() => found.push(`imported ${path}`), () => {});
        const image = Object.assign(new Image(), { src: address.replace('content.js', 'icons/16.png') });
        await image.decode().then(() => found.push(`shown ${path}`), () => {});
      }
      const frame = Object.assign(document.createElement('iframe'), { src: `chrome-extension://${id}/ask/ask.html?host=evil.example&always`, hidden: true });
      document.body.append(frame);
      await new Promise((resolve) => {
        frame.onload = resolve;
        setTimeout(resolve, 2000);
      });
      return found;
    }, chromium.id);
    assert.deepEqual(got, []);
    assert.deepEqual(page.frames().map((frame) => frame.url()).filter((url) => url.includes('ask.html')), []);
    await page.evaluate(() => document.querySelector('iframe').remove());
    assert.equal(await page.evaluate(() => document.body.innerHTML), before);
    assert.equal(await page.locator('#photo').getAttribute('data-soli'), null);
    await page.close();
  });

  test('a question that somebody else sends is not answered', async () => {
    // As a page could send it that is `externally_connectable`: the manifest names none.
    const { externally_connectable: connectable } = await chromium.worker.evaluate(() => chrome.runtime.getManifest());
    assert.equal(connectable, undefined);
    assert.equal(await chromium.worker.evaluate(() => chrome.runtime.onMessageExternal?.hasListeners() ?? false), false);
  });

  test('texts and addresses of the page stay texts', async () => {
    const evil = '"><img src=x onerror="document.documentElement.dataset.executed=1"><script>document.documentElement.dataset.executed=1</script>';
    const page = await opened(
      `<title></title>
       <a href="/" title='${evil.replaceAll("'", '')}'><img id="linked" src="/photos/cat.jpg?${encodeURIComponent(evil)}" width="200" height="150"></a>
       <img id="far" src="${site.other}/photos/cat.jpg?x=${encodeURIComponent(evil)}" style="position: absolute; top: 9000px" width="200" height="150">
       <img id="photo" src="/photos/astronaut.jpg?javascript:document.documentElement.dataset.executed=1" width="200" height="150">
       <div id="drawn" role="img" style="width: 200px; height: 150px; background: url('/photos/cat.jpg?\\27 \\22 onerror')"></div>`,
    );
    await described(page, '#photo');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.executed), undefined);
    assert.match(await page.locator('#photo').getAttribute('alt'), /\(Automatic description\)$/);
    await page.close();
  });

  test('a picture that changes all the time does not keep the others waiting, nor gets another one’s text', async () => {
    const page = await opened(
      `<img id="restless" src="/photos/cat.jpg?0" width="300" height="200">
       <div style="height: 3000px"></div>
       <img id="calm" src="/photos/astronaut.jpg" width="300" height="200">`,
      `let n = 0; window.changing = setInterval(() => { document.getElementById('restless').src = '/photos/' + (n % 2 ? 'cat' : 'astronaut') + '.jpg?' + (n += 1); }, 40);`,
    );
    await described(page, '#calm');
    await page.evaluate(() => clearInterval(window.changing));
    await described(page, '#restless');
    await page.close();
  });

  test('a text that a person writes while the picture is in work stays', async () => {
    const page = await opened('<p>nothing yet</p>');
    await page.waitForSelector(PANEL, { state: 'attached', timeout: WHOLE });
    const inside = await chromium.contentScript(page);
    // The answer is held back until the page has changed.
    await inside(`{
      const send = chrome.runtime.sendMessage.bind(chrome.runtime);
      globalThis.held = [];
      chrome.runtime.sendMessage = async (message, ...rest) => {
        const answer = await send(message, ...rest);
        if (message.to === 'engine' && message.type === 'caption') await new Promise((resolve) => held.push(resolve));
        return answer;
      };
    }`);
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<img id="photo" src="/photos/cat.jpg" width="200" height="150">'));
    await eventually(() => inside('held.length > 0'), 'it is in work');
    // In the same task the person's text comes and the answer is let go: no observer can be quicker.
    await inside(`{ document.getElementById('photo').alt = 'my cat'; held.shift()(); }`);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 800)));
    assert.deepEqual(await page.evaluate(() => [document.getElementById('photo').alt, document.getElementById('photo').hasAttribute('data-soli')]), ['my cat', false]);
    await page.close();
  });

  test('ten thousand pictures, and some of 50,000 px: those in view are described, and whatever comes after', async () => {
    const flood = Array.from({ length: 10_000 }, (_, i) => `<img id="p${i}" src="/photos/cat.jpg?${i % 50}" width="120" height="90">`).join('');
    const wide = [0, 1, 2].map((i) => `<img id="wide${i}" src="/wide.png?${i}" width="300" height="200">`).join('');
    const page = await opened(`${wide}${flood}`);
    for (const id of ['#p0', '#p7']) await described(page, id);
    // The wide ones have lines on them; nothing hangs on them.
    await eventually(() => page.evaluate(() => document.querySelectorAll('[data-soli]').length >= 12), 'it goes on');
    // The page changes as a whole, all the time.
    await page.evaluate(() => {
      let n = 0;
      window.churn = setInterval(() => {
        for (let i = 0; i < 200; i += 1) document.body.className = `c${(n += 1)}`;
        for (const image of document.querySelectorAll('img')) if (Math.random() < 0.05) image.title = '';
      }, 30);
    });
    const before = await page.evaluate(() => document.querySelectorAll('[data-soli]').length);
    await eventually(() => page.evaluate((n) => document.querySelectorAll('[data-soli]').length > n + 3, before), 'it goes on while the page churns');
    await page.evaluate(() => {
      clearInterval(window.churn);
      document.body.replaceChildren();
    });
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<img id="last" src="/photos/astronaut.jpg" width="200" height="150">'));
    await described(page, '#last');
    await page.close();
  });
});
