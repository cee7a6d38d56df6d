/** Hosts as they are: redirecting, rewriting, answering with error pages, strict about scripts; and pages in frames. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launchChromium } from './browser.mjs';
import { eventually, open, photos, resultOf, upload } from './helpers.mjs';

import { checkPolicy } from '../../xtask/page.mjs';

const INDEX = new URL('../../www/index.html', import.meta.url);
const index = await readFile(INDEX);

let browser;
before(async () => {
  browser = await launchChromium();
});
after(() => browser.close());

let world;
afterEach(() => world?.close());

const describePhoto = (page) => resultOf(page, async () => page.setInputFiles('#file', await upload(photos[0])));
const isReady = (page) => page.waitForSelector('#state[data-kept=yes]');
const pageCaches = (page) => page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith('soli-page-')));

async function visit(doctored, { path = '', headers, ready = true } = {}) {
  world = await open({ browser, doctored, headers });
  const page = await world.page({ serviceWorkers: 'allow' });
  await page.goto(new URL(path, world.url).href);
  if (ready) await isReady(page);
  return page;
}

const redirect = (to, status = 302) => (body, response) => {
  response.writeHead(status, { location: to }).end();
  return null;
};

describe('what is kept can be used for everything', () => {
  const redirected = {
    'the start page to index.html': { '/': redirect('/index.html'), '/index.html': () => index },
    'the start page elsewhere, for good': { '/': redirect('/start', 301), '/start': (body, response) => (response.setHeader('content-type', 'text/html'), index) },
    'a picture': { '/icon.svg': redirect('/moved/icon.svg'), '/moved/icon.svg': () => readFile(new URL('../../www/icon.svg', import.meta.url)) },
  };
  for (const [what, doctored] of Object.entries(redirected)) {
    test(`a host redirects ${what}: the page opens again, with the host and without`, async () => {
      const page = await visit(doctored);
      await page.goto(world.url);
      await isReady(page);
      await world.closeServer();
      for (const address of [world.url, `${world.url}?from=home`, `${world.url}index.html`]) {
        await page.goto(address);
        await isReady(page);
      }
      assert.equal((await describePhoto(page)).state, 'done');
      assert.deepEqual(world.faults, []);
    });
  }

  test('headers that would spoil a navigation or a module are not kept, those that protect are', async () => {
    let kept = false;
    const spoilt = (type) => (body, response, request) => {
      // Only what the service worker gets: with these the page could not have been opened at all.
      if (request.headers['sec-fetch-dest'] === 'empty') {
        response.setHeader('content-type', type);
        response.setHeader('content-disposition', 'attachment');
        response.setHeader('vary', '*');
        kept = true;
      }
      response.setHeader('x-frame-options', 'SAMEORIGIN');
      return body;
    };
    const page = await visit({ '/': spoilt('application/octet-stream'), '/app.js': spoilt('text/plain'), '/style.css': spoilt('text/html') });
    assert.ok(kept);
    await world.closeServer();
    await page.goto(world.url);
    await isReady(page);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).display), 'flex');
    assert.equal(await page.evaluate(async () => (await fetch('./')).headers.get('x-frame-options')), 'SAMEORIGIN');
    assert.deepEqual(world.faults, []);
  });

  const unusable = {
    'an error page with status 200': (body, response) => (response.setHeader('content-type', 'text/html'), '<!doctype html><p>Sorry'),
    'a part': (body, response) => (response.writeHead(206, { 'content-range': `bytes 0-${body.length - 1}/${body.length}` }).end(body), null),
    'nothing, with status 200': () => '',
    'another status, with the right bytes': (body, response) => (response.writeHead(203).end(body), null),
    'the way to another site': redirect('http://localhost:9/'),
  };
  for (const [what, answer] of Object.entries(unusable)) {
    test(`${what} in the place of a file: nothing is kept, the page works`, async () => {
      const page = await visit(
        { '/icon.svg': (body, response, request) => (request.headers['sec-fetch-dest'] === 'empty' ? answer(body, response) : body) },
        { ready: false },
      );
      await page.waitForSelector('#state:not(:empty)');
      await eventually(() => world.asked.filter(({ url, headers }) => url === '/icon.svg' && headers['sec-fetch-dest'] === 'empty').length === 2, 'it is tried twice');
      await eventually(async () => (await pageCaches(page)).length === 0, 'nothing of the version stays');
      assert.equal(await page.textContent('#state'), 'Works while you are online');
      assert.equal((await describePhoto(page)).state, 'done');
    });
  }
});

describe('what comes in the place of the captioner', () => {
  const html = '<!doctype html><title>Sign in</title>';
  const cases = {
    'a page for its card': { '/models/soli.json': [(body, response) => (response.setHeader('content-type', 'text/html'), html), /something else came in its place.*sign in/] },
    'JSON of something else': { '/models/soli.json': [() => '{"error":"no"}', /something else came in its place/] },
    'null for its card': { '/models/soli.json': [() => 'null', /something else came in its place/] },
    'an error for its card': { '/models/soli.json': [(body, response) => (response.writeHead(500).end(), null), /answered with an error/] },
    'a page for the file': { '/models/soli.safetensors': [(body, response) => (response.setHeader('content-type', 'text/html'), html), /something else came in its place/] },
    'a longer file': { '/models/soli.safetensors': [(body, response) => (response.write(body), response.end(Buffer.alloc(99)), null), /something else came in its place/] },
    'half of the file': { '/models/soli.safetensors': [(body, response) => (response.write(body.subarray(0, body.length >> 1)), response.end(), null), /broke off/] },
    'a part that nobody asked for': { '/models/soli.safetensors': [(body, response) => (response.writeHead(206, { 'content-range': `bytes 0-9/${body.length}` }).end(body.subarray(0, 10)), null), /answered with an error/] },
    'no answer': { '/models/soli.safetensors': [(body, response) => (response.destroy(), null), /no answer from this site/] },
  };
  for (const [what, doctored] of Object.entries(cases)) {
    test(`${what}: told in words; “Try again” works when the host does`, async () => {
      let wrong = true;
      const [[path, [answer, sentence]]] = Object.entries(doctored);
      const page = await visit({ [path]: (body, response) => (wrong ? answer(body, response) : body) }, { ready: false });
      await page.waitForSelector('#retry:not([hidden])');
      assert.match(await page.textContent('#caption'), /^The captioner could not be loaded/);
      assert.match(await page.textContent('#caption'), sentence);
      const sizes = await page.evaluate(async () => {
        const cache = await caches.open('soli-weights');
        return Promise.all((await cache.keys()).map(async (key) => (await (await cache.match(key)).blob()).size));
      });
      assert.ok(sizes.every((size) => size === 1 << 20), `only whole pieces are kept: ${sizes}`);
      wrong = false;
      await page.click('#retry');
      await page.waitForSelector('#result[data-ready]');
      assert.equal((await describePhoto(page)).state, 'done');
      assert.deepEqual(world.faults, []);
    });
  }

  test('a sample that is a web page is told in words', async () => {
    const page = await visit({ '/photos/cat.jpg': (body, response) => (response.setHeader('content-type', 'text/html'), html) }, { ready: false });
    const { state, shown } = await resultOf(page, () => page.click('#samples button'));
    assert.equal(state, 'error');
    assert.match(shown, /^This photograph could not be loaded\. .*choose a picture of your own/);
  });
});

describe('the address that the page is opened under', () => {
  /** A host that has the page in /soli/ and gives it for other addresses too; the rest of it is another site. */
  async function host(rewritten) {
    world = await open({ browser, doctored: {} });
    const inner = world.origin;
    const server = createServer(async (request, response) => {
      const { pathname, search } = new URL(request.url, 'http://x');
      let answer;
      if (pathname.startsWith('/soli/')) answer = await fetch(inner + pathname.slice('/soli'.length) + search);
      else if (rewritten.includes(pathname)) answer = await fetch(`${inner}/`);
      if (!answer) {
        // As hosts of single-page sites do.
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>another site');
        return;
      }
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = world.close;
    world.close = async () => {
      await close();
      server.closeAllConnections();
      server.close();
    };
    world.stop = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return `http://127.0.0.1:${server.address().port}`;
  }

  for (const [path, becomes] of [
    ['/soli', '/soli/'],
    ['/soli?from=home#x', '/soli/?from=home#x'],
    ['/soli/', '/soli/'],
    ['/soli/index.html', '/soli/index.html'],
  ]) {
    test(`${path}: the page works, and is kept`, async () => {
      const origin = await host(['/soli']);
      const page = await world.page({ serviceWorkers: 'allow' });
      await page.goto(origin + path);
      await isReady(page);
      assert.equal(page.url(), origin + becomes);
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).display), 'flex', 'it has its styles');
      assert.equal((await describePhoto(page)).state, 'done');
      await world.stop();
      await page.reload();
      await isReady(page);
      assert.equal((await describePhoto(page)).state, 'done');
      assert.deepEqual(world.faults, []);
    });
  }

  test('a file on the disk: says that it needs a web server', async () => {
    world = await open({ browser, doctored: {} });
    const page = await world.page();
    await page.goto(pathToFileURL(new URL(INDEX).pathname).href);
    await page.waitForSelector('#result[data-state=error]');
    assert.match(await page.textContent('#caption'), /does not work as a file on the disk.*web server.*Open it at its address/);
    assert.equal(await page.textContent('#announcer'), await page.textContent('#caption'));
  });

  for (const [what, doctored] of [
    ['one of its scripts is missing', { '/view.js': (body, response) => (response.writeHead(404).end(), null) }],
    ['one of its scripts is a web page', { '/view.js': (body, response) => (response.setHeader('content-type', 'text/html'), '<!doctype html>') }],
    ['one of its scripts is not understood', { '/view.js': () => 'this is no script' }],
    ['one of its scripts throws', { '/view.js': (body) => `${body}\nthrow new Error('no');` }],
  ]) {
    test(`${what}: the page says that it did not start`, async () => {
      const page = await visit(doctored, { ready: false });
      await page.waitForSelector('#result[data-state=error]');
      assert.match(await page.textContent('#caption'), /^This page could not be started\. Load it again/);
      assert.equal(page.url(), world.url);
    });
  }

  test('the policy allows the script of index.html, and a change of it is noticed', () => {
    checkPolicy(index.toString());
    assert.throws(() => checkPolicy(index.toString().replace('<script>', '<script>//')), /write 'sha256-[\w+/]+=' into script-src/);
  });
});

describe('surroundings', () => {
  test('trusted types: the page works and is kept', async () => {
    const page = await visit({}, { headers: { 'content-security-policy': "require-trusted-types-for 'script'" } });
    assert.equal((await describePhoto(page)).state, 'done');
    await world.closeServer();
    await page.goto(world.url);
    await isReady(page);
    assert.equal((await describePhoto(page)).state, 'done');
    assert.deepEqual(world.faults, []);
  });

  test('trusted types with names: those of soli are enough', async () => {
    const page = await visit({}, { headers: { 'content-security-policy': "require-trusted-types-for 'script'; trusted-types soli soli-page" } });
    assert.equal((await describePhoto(page)).state, 'done');
    assert.deepEqual(world.faults, []);
  });

  test('trusted types without a policy for this page: it works, and is not kept', async () => {
    const page = await visit({}, { ready: false, headers: { 'content-security-policy': "require-trusted-types-for 'script'; trusted-types 'none'" } });
    await page.waitForSelector('#state:not(:empty)');
    assert.equal(await page.textContent('#state'), 'Works while you are online');
    assert.equal((await describePhoto(page)).state, 'done');
    assert.deepEqual(world.faults, []);
  });

  for (const sandbox of ['allow-scripts', 'allow-scripts allow-forms allow-downloads', 'allow-scripts allow-same-origin']) {
    test(`a frame with sandbox="${sandbox}": the page works, nothing is thrown`, async () => {
      world = await open({
        browser,
        doctored: { '/frame.html': (body, response) => (response.setHeader('content-type', 'text/html'), `<!doctype html><iframe sandbox="${sandbox}" src="./" width="900" height="700"></iframe>`) },
        headers: { 'access-control-allow-origin': '*' },
      });
      const page = await world.page({ serviceWorkers: 'allow' });
      await page.goto(new URL('frame.html', world.url).href);
      const frame = page.frames()[1];
      await frame.waitForSelector('#result[data-ready]');
      await frame.setInputFiles('#file', await upload(photos[0]));
      await frame.waitForSelector('#result[data-state=done]');
      if (!sandbox.includes('same-origin')) {
        assert.equal(await frame.textContent('#state'), 'Works while you are online');
        await frame.click('#camera');
        await frame.waitForSelector('#result[data-state=error]');
        await frame.click('#copy', { force: true }).catch(() => {});
      }
      assert.deepEqual(world.faults, []);
    });
  }
});
