/** A host for pages that a test writes, with the photographs, and pictures of 50,000 pixels. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';

const PHOTOS = fileURLToPath(new URL('../../www/photos/', import.meta.url));

export async function hostileSite() {
  const pages = new Map();
  const wide = widePng(50_000, 400);
  const answer = async (request, response) => {
    const { pathname } = new URL(request.url, 'http://x');
    response.setHeader('cache-control', 'max-age=600');
    if (pages.has(pathname)) return response.setHeader('content-type', 'text/html; charset=utf-8').end(pages.get(pathname));
    if (pathname === '/wide.png') return response.setHeader('content-type', 'image/png').end(wide);
    const [, photo] = /^\/photos\/([\w-]+\.jpg)$/.exec(pathname) ?? [];
    const bytes = photo && (await readFile(PHOTOS + photo).catch(() => null));
    if (!bytes) return response.writeHead(404).end();
    return response.setHeader('content-type', 'image/jpeg').end(bytes);
  };
  const servers = [];
  const listen = async (name) => {
    const server = createServer(answer);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `http://${name}:${server.address().port}`;
  };
  const origin = await listen('127.0.0.1');
  return {
    origin,
    other: await listen('localhost'),
    /** The address of a page with this body, whose own script runs before all else. */
    page(body, script = '') {
      const path = `/page-${pages.size}.html`;
      pages.set(path, `<!doctype html><html lang="en"><meta charset="utf-8"><title>page</title><script>${script}</script><body>${body}</body></html>`);
      return origin + path;
    },
    async close() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

/** Black and white stripes, a bit a pixel. */
function widePng(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const line = Buffer.concat([Buffer.alloc(1), Buffer.from(Array.from({ length: Math.ceil(width / 8) }, (_, i) => (i % 1000 < 500 ? 0 : 255)))]);
  const rows = Buffer.concat(Array.from({ length: height }, () => line));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}
