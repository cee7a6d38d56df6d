/** A static server for the tests: `www/` at `/`, `pkg/` at `/pkg/`, as every host has to serve them. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { precache, weightsCard } from '../../xtask/page.mjs';

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
  '.webmanifest': 'application/manifest+json',
};

/** Files that `cargo xtask page` makes: here they are never older than what they are made of. */
const MADE = { '/precache.js': precache, '/models/soli.json': weightsCard };

/**
 * @param {Record<string, (body: Buffer | null, response: import('node:http').ServerResponse, request: import('node:http').IncomingMessage) => Buffer | string | null | Promise<null>>} doctored
 *   paths whose content is changed on the way: gets the file's content (null if there is none), gives what to send,
 *   or null if it answered by itself
 * @param {{ headers?: Record<string, string> }} [options] headers of every answer
 * @returns {Promise<{ url: string, origin: string, asked: { method: string, url: string, headers: object }[], close(): Promise<void> }>}
 *   `asked`: every request so far
 */
export async function serve(doctored = {}, { headers = {} } = {}) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    let body = path in MADE ? Buffer.from(await MADE[path]()) : await readFile(locate(path)).catch(() => null);
    const type = TYPES[extname(path)] ?? (path.endsWith('/') ? TYPES['.html'] : 'application/octet-stream');
    response.setHeader('content-type', type);
    response.setHeader('cache-control', 'no-store');
    if (path in doctored) {
      body = await doctored[path](body, response, request);
      if (body === null) return;
    }
    if (body === null) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
      return;
    }
    const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    if (from !== undefined && Number(from) < body.length) {
      response.statusCode = 206;
      response.setHeader('content-range', `bytes ${from}-${body.length - 1}/${body.length}`);
      body = body.subarray(Number(from));
    }
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    asked,
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
