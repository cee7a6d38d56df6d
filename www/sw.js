/**
 * The service worker: keeps every file of the page, so that it opens without a network. The weights are not its business
 * (weights.js keeps them). A version is complete or not there at all: each file is checked against its hash.
 */
importScripts(trusted('./precache.js'));

const PREFIX = 'soli-page-';
const PLAIN = self.location.search === '?plain';
const CACHE = `${PREFIX}${self.PRECACHE.version}${PLAIN ? '-plain' : ''}`;
/** The WebAssembly module that this browser does not use: see offline.js. */
const UNUSED = PLAIN ? '/soli_bg.wasm' : '/soli_plain_bg.wasm';
const FILES = new Map(
  Object.entries(self.PRECACHE.files)
    .filter(([path]) => !path.endsWith(UNUSED))
    .map(([path, integrity]) => [new URL(path, self.location).href, integrity]),
);
const START = new URL('./', self.location).href;

/** Media types by the end of the name; the first is what a file gets that came with another. */
const TYPES = {
  '/': ['text/html'],
  css: ['text/css'],
  jpg: ['image/jpeg'],
  js: ['text/javascript', 'application/javascript'],
  json: ['application/json'],
  png: ['image/png'],
  svg: ['image/svg+xml'],
  wasm: ['application/wasm'],
  webmanifest: ['application/manifest+json', 'application/json'],
};
/** What describes the way of an answer to here, and not the file. A cache refuses some values of `vary`. */
const OF_THE_WAY = ['content-encoding', 'content-length', 'content-range', 'content-disposition', 'vary', 'refresh'];

self.addEventListener('install', (event) => event.waitUntil(fill()));
self.addEventListener('activate', (event) => event.waitUntil(takeOver()));
self.addEventListener('message', ({ data }) => {
  if (data === 'take over') self.skipWaiting();
});

/** A host with `require-trusted-types-for 'script'` says that of this script too. */
function trusted(address) {
  return self.trustedTypes?.createPolicy('soli-page', { createScriptURL: () => address }).createScriptURL('') ?? address;
}

async function fill() {
  // What a run before this one left. If it died while it wrote, with the process that it lived in, Chromium holds whatever is
  // asked of that cache back for good; a new one of the same name is free.
  await caches.delete(CACHE);
  const cache = await caches.open(CACHE);
  try {
    const kept = await Promise.allSettled(
      [...FILES].map(async ([address, integrity]) => {
        const response = await fetch(address, { integrity, cache: 'no-cache' });
        if (response.status !== 200) throw new Error(`the server answered ${response.status} for ${address}`);
        await cache.put(address, await plain(response, address));
      }),
    );
    // Not before all have ended: what is still written would outlive the cache's end.
    const failed = kept.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

/**
 * The same bytes as an answer that can be used for everything: one that came by a redirection (which is none for a
 * navigation), from another host or with a wrong type has the marks of its way.
 */
async function plain(response, address) {
  const headers = new Headers(response.headers);
  for (const name of OF_THE_WAY) headers.delete(name);
  const types = TYPES[/[^./]*$/.exec(address)[0] || '/'] ?? [];
  const type = headers.get('content-type')?.split(';')[0].trim().toLowerCase();
  if (types.length > 0 && !types.includes(type)) headers.set('content-type', types[0]);
  return new Response(await response.blob(), { headers });
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const address = new URL(request.url);
  address.hash = '';
  // The start page may be asked for with a query; nothing else is.
  if (request.mode === 'navigate') address.search = '';
  if (address.href === `${START}index.html`) address.href = START;
  if (FILES.has(address.href)) event.respondWith(answer(address.href, request));
});

async function answer(address, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}
