/** Nothing is sent anywhere: every request is recorded, those of the service worker and of other hosts too. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

/** A proxy that answers nothing and writes down who was asked for. */
async function recorder() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(502).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(request.url);
    socket.end('HTTP/1.1 502 no\r\n\r\n');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { asked, address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test('a tour of the page sends nothing', async () => {
  const proxy = await recorder();
  const world = await open({
    doctored: {},
    args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
  });
  try {
    const options = {
      serviceWorkers: 'allow',
      permissions: ['camera', 'clipboard-read', 'clipboard-write'],
      proxy: { server: proxy.address, bypass: '127.0.0.1' },
    };
    const sent = [];
    const page = await world.page(options, async (page, context) => {
      context.on('request', (request) => sent.push(request));
      page.on('websocket', (socket) => assert.fail(`a socket to ${socket.url()}`));
    });
    await page.goto(world.url);
    await page.waitForSelector('#state[data-kept=yes]');
    await resultOf(page, () => page.click('#samples button'));
    await page.focus('#side');
    await page.keyboard.press('End');
    await page.setInputFiles('#file', [await upload(photos[0]), { name: 'secret plan.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('words') }]);
    await rowsOf(page);
    await page.click('#copy-all');
    await page.click('#export-json');
    await page.click('#speak').catch(() => {});
    await page.click('#camera');
    await page.waitForSelector('#viewfinder:not([hidden])');
    await page.waitForSelector('#result[data-state=done]');
    await page.click('#camera');

    // The policy of the page itself forbids other hosts, whatever its code would want.
    const tries = await page.evaluate(() =>
      Promise.all([
        fetch('https://example.org/', { method: 'POST', body: 'x' }).then(() => 'sent', () => 'refused'),
        new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve('sent');
          image.onerror = () => resolve('refused');
          image.src = 'https://example.org/x.png';
        }),
      ]),
    );
    assert.deepEqual(tries, ['refused', 'refused']);
    assert.deepEqual(proxy.asked, [], 'no other host was asked for anything');

    assert.ok(sent.length > 20 && world.asked.length > 20, 'the requests were seen');
    for (const request of sent) {
      const { protocol, origin } = new URL(request.url());
      if (request.url().startsWith('https://example.org/')) continue; // the two tries above
      assert.ok(protocol === 'blob:' || origin === world.origin, `asked ${request.url()}`);
      assert.equal(request.method(), 'GET');
      assert.equal(request.postData(), null);
    }
    for (const { method, url, headers } of world.asked) {
      assert.equal(method, 'GET', url);
      assert.match(url, /^[\w./-]*(\?sha256=[0-9a-f]{64})?$/, 'names files of the page and nothing else');
      assert.equal(Number(headers['content-length'] ?? 0), 0, url);
      assert.equal(headers.cookie, undefined, url);
    }
  } finally {
    await world.close();
    proxy.close();
  }
});
