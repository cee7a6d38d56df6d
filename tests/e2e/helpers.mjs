/** What the tests share: the served page, one browser, and short words for what people do on the page. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchChromium } from './browser.mjs';
import { serve } from './server.mjs';

const PHOTOS = fileURLToPath(new URL('../../www/photos/', import.meta.url));

/** The bundled photographs. */
export const photos = ['cat.jpg', 'astronaut.jpg', 'coffee.jpg'].map((name) => PHOTOS + name);

/** How long anything may take before a test fails; generous, because machines are shared. */
export const PATIENCE = 120_000;

/** The page as `SOLI_URL` serves it, or served from the checkout. */
export async function site(doctored, headers) {
  const given = process.env.SOLI_URL;
  if (given && !doctored && !headers) return { url: given, origin: new URL(given).origin, close: async () => {} };
  return serve(doctored, { headers });
}

/**
 * A browser (or the one that is given, which stays open), a server, and pages that fail the test when the page throws.
 */
export async function open({ doctored, headers, args, browser: given } = {}) {
  const [server, browser] = await Promise.all([site(doctored, headers), given ?? launchChromium({ args })]);
  const faults = [];
  const contexts = [];
  return {
    ...server,
    closeServer: server.close,
    browser,
    faults,
    /** Without the service worker unless asked for: it would answer in the place of a doctored server. */
    async page(options = {}, prepare = async () => {}) {
      const context = await browser.newContext({ serviceWorkers: 'block', ...options });
      contexts.push(context);
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      page.on('pageerror', (error) => faults.push(String(error)));
      await prepare(page, context);
      return page;
    },
    /** The page of soli itself, with the network loaded. */
    async soli(options, prepare) {
      const page = await this.page(options, prepare);
      await page.goto(server.url);
      await page.waitForSelector('#result[data-ready]');
      return page;
    },
    /** An empty page of the same host, where `soliModule` is the package and `weights` its usual address. */
    async blank(prepare) {
      const page = await this.page({}, prepare);
      await page.route(new URL('blank.html', server.url).href, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>blank</title>' }),
      );
      await page.goto(new URL('blank.html', server.url).href);
      await page.evaluate(async () => {
        window.soliModule = await import(new URL('pkg/index.js', location.href).href);
        window.weights = new URL('models/soli.safetensors', location.href).href;
        /** A promise's failure as something that crosses to the test: `code` is SoliError's, or an abort's name. */
        window.failure = (promise) =>
          promise.then(
            () => null,
            (error) => ({
              code: error instanceof window.soliModule.SoliError ? error.code : error.name,
              message: error.message,
            }),
          );
      });
      return page;
    },
    async close() {
      if (given) await Promise.all(contexts.map((context) => context.close()));
      else await browser.close();
      await server.close();
    },
  };
}

/** Waits for the caption (or the error) that follows `act`, and gives what the page says about it. */
export async function resultOf(page, act) {
  await page.evaluate(() => {
    document.getElementById('result').dataset.state = 'before';
  });
  await act();
  await page.waitForSelector('#result:is([data-state=done], [data-state=error])');
  return page.evaluate(() => {
    const { state, text, score, confidence, ms } = document.getElementById('result').dataset;
    const numbers = { score: Number(score), confidence: Number(confidence), ms: Number(ms) };
    return { state, text, ...numbers, shown: document.getElementById('caption').textContent };
  });
}

/**
 * Runs in the page before its code: lets a test hold captions back, because one can be faster than the way from the test
 * to the page. `captions.hold()`: what is asked of a worker from now on waits; `captions.release()`: it goes there.
 */
export function holdable() {
  const { postMessage } = Worker.prototype;
  const waiting = [];
  let held = false;
  Worker.prototype.postMessage = function (message, transfer) {
    const send = () => postMessage.call(this, message, transfer);
    if (held && message.type === 'caption') waiting.push(send);
    else send();
  };
  window.captions = {
    get waiting() {
      return waiting.length;
    },
    hold() {
      held = true;
    },
    release() {
      held = false;
      for (const send of waiting.splice(0)) send();
    },
  };
}

/** Waits until something is so, however busy the machine is; fails with the sentence when it never comes to be. */
export async function eventually(isSo, sentence) {
  for (const end = Date.now() + PATIENCE; !(await isSo()); await new Promise((resolve) => setTimeout(resolve, 20))) {
    if (Date.now() > end) assert.fail(sentence);
  }
}

/** Waits until no picture of the list waits or is in work, and gives what its rows say. */
export async function rowsOf(page, timeout = PATIENCE) {
  await page.waitForFunction(
    () =>
      document.querySelectorAll('#rows li').length > 0 &&
      document.querySelectorAll('#rows li:is([data-state=waiting], [data-state=working])').length === 0,
    null,
    { timeout },
  );
  return page.evaluate(() =>
    [...document.querySelectorAll('#rows li')].map((row) => ({
      state: row.dataset.state,
      name: row.querySelector('.row-name').textContent,
      caption: row.querySelector('.row-caption').textContent,
    })),
  );
}

/** What the live region says from now on, every change of it: call the result to get the list. */
export async function listen(page) {
  await page.evaluate(() => {
    window.said = [];
    const region = document.getElementById('announcer');
    new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
  });
  return () => page.evaluate(() => window.said);
}

/** A file's bytes and type in the form that Playwright's file inputs take. */
export async function upload(path, mimeType = 'image/jpeg') {
  return { name: basename(path), mimeType, buffer: await readFile(path) };
}
