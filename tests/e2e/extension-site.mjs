/** The fixture site of the extension's tests: one host, and another that shares some pictures and keeps others. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync, crc32 } from 'node:zlib';

const FIXTURES = fileURLToPath(new URL('./fixtures-extension/', import.meta.url));
const WWW = fileURLToPath(new URL('../../www/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.jpg': 'image/jpeg', '.svg': 'image/svg+xml', '.png': 'image/png' };

/** Two servers; `requests` lists everything that either was asked for. */
export async function fixtureSite() {
  const requests = [];
  const other = await listen(answer, 'localhost');
  const own = await listen(answer, '127.0.0.1');

  async function answer(request, response) {
    const { pathname } = new URL(request.url, 'http://x');
    requests.push({ host: request.headers.host, url: request.url, origin: request.headers.origin ?? null, cookie: request.headers.cookie ?? null });
    response.setHeader('content-type', TYPES[extname(pathname)] ?? 'text/plain');
    response.setHeader('cache-control', 'no-store');
    if (pathname === '/strict.html') response.setHeader('content-security-policy', "default-src 'none'; img-src 'self'");
    if (pathname.startsWith('/cors/')) response.setHeader('access-control-allow-origin', '*');
    try {
      response.end(await bodyOf(pathname));
    } catch {
      response.writeHead(404).end('not found');
    }
  }

  async function bodyOf(pathname) {
    if (pathname === '/flat.png') return flatPng(64);
    if (pathname === '/icon.svg') return readFile(`${WWW}icon.svg`);
    const [, photo] = /^\/(?:photos|cors)\/([\w-]+\.jpg)$/.exec(pathname) ?? [];
    if (photo) return readFile(`${WWW}photos/${photo}`);
    const [, name] = /^\/([\w-]+\.(?:html|js))$/.exec(pathname) ?? [];
    const text = await readFile(FIXTURES + name, 'utf8');
    return text.replaceAll('{{OTHER}}', other.origin);
  }

  return {
    origin: own.origin,
    other: other.origin,
    requests,
    async close() {
      await Promise.all([own.close(), other.close()]);
    },
  };
}

async function listen(answer, name) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://${name}:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** A grey square: a spacer with the size of a picture. */
function flatPng(side) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8;
  const rows = Buffer.alloc(side * (side + 1), 200);
  for (let y = 0; y < side; y += 1) rows[y * (side + 1)] = 0;
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}
