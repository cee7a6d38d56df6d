/**
 * The service worker: keeps every file of the page, so that it opens without a network. The weights are not its business
 * (weights.js keeps them). A version is complete or not there at all: each file is checked against its hash.
 */
importScripts('./precache.js');

const PREFIX = 'soli-page-';
const CACHE = PREFIX + self.PRECACHE.version;
/** The WebAssembly module that this browser does not use: see offline.js. */
const UNUSED = self.location.search === '?plain' ? '/soli_bg.wasm' : '/soli_plain_bg.wasm';
const FILES = new Map(
  Object.entries(self.PRECACHE.files)
    .filter(([path]) => !path.endsWith(UNUSED))
    .map(([path, integrity]) => [new URL(path, self.location).href, integrity]),
);
const START = new URL('./', self.location).href;

self.addEventListener('install', (event) => event.waitUntil(fill()));
self.addEventListener('activate', (event) => event.waitUntil(takeOver()));
self.addEventListener('message', ({ data }) => {
  if (data === 'take over') self.skipWaiting();
});

async function fill() {
  const cache = await caches.open(CACHE);
  try {
    await Promise.all(
      [...FILES].map(async ([address, integrity]) => {
        const response = await fetch(address, { integrity, cache: 'no-cache' });
        if (!response.ok) throw new Error(`the server answered ${response.status} for ${address}`);
        await cache.put(address, response);
      }),
    );
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
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
