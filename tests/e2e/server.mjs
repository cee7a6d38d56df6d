/** A static server for the tests: `www/` at `/`, `pkg/` at `/pkg/`, as every host has to serve them. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.safetensors': 'application/octet-stream',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/**
 * @param {Record<string, (body: Buffer | null, response: import('node:http').ServerResponse) => Buffer | string | null | Promise<null>>} doctored
 *   paths whose content is changed on the way: gets the file's content (null if there is none), gives what to send,
 *   or null if it answered by itself
 * @returns {Promise<{ url: string, origin: string, close(): Promise<void> }>}
 */
export async function serve(doctored = {}) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    let body = await readFile(locate(path)).catch(() => null);
    const type = TYPES[extname(path)] ?? (path.endsWith('/') ? TYPES['.html'] : 'application/octet-stream');
    response.setHeader('content-type', type);
    response.setHeader('cache-control', 'no-store');
    if (path in doctored) {
      body = await doctored[path](body, response);
      if (body === null) return;
    }
    if (body === null) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
      return;
    }
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    url: `${origin}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** The file behind a path; `normalize` on an absolute path cannot climb out of the folder. */
function locate(path) {
  const clean = normalize(path.endsWith('/') ? `${path}index.html` : path);
  return clean.startsWith('/pkg/') ? join(ROOT, clean) : join(ROOT, 'www', clean);
}
