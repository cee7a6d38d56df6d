/**
 * Every call into the platform that the package makes, and ways in which each may fail. `faults.js` (below) runs in a page
 * or a worker and breaks one of them.
 */

/** What an asynchronous call, a synchronous one and a constructor may do instead of their work. */
const ASYNC = ['throws', 'rejects', 'hangs', 'null'];
const SYNC = ['throws', 'null'];
const MADE = ['throws'];

/** Where -> how. Those with `Worker` before them are called in the worker. */
export const PLATFORM = {
  fetch: ASYNC,
  'ReadableStream.prototype.getReader': SYNC,
  'ReadableStreamDefaultReader.prototype.read': ASYNC,
  'Blob.prototype.arrayBuffer': ASYNC,
  'Blob.prototype.slice': SYNC,
  'TextDecoder.prototype.decode': SYNC,
  createImageBitmap: ASYNC,
  'ImageBitmap.prototype.close': MADE,
  'HTMLImageElement.prototype.decode': ASYNC,
  'HTMLImageElement.prototype.src=': ['throws', 'hangs'],
  'URL.createObjectURL': SYNC,
  'URL.revokeObjectURL': MADE,
  OffscreenCanvas: MADE,
  'OffscreenCanvas.prototype.getContext': SYNC,
  'OffscreenCanvasRenderingContext2D.prototype.drawImage': MADE,
  'OffscreenCanvasRenderingContext2D.prototype.getImageData': SYNC,
  'document.createElement': SYNC,
  Image: MADE,
  VideoFrame: MADE,
  'VideoFrame.prototype.close': MADE,
  ImageDecoder: MADE,
  'ImageDecoder.prototype.decode': ASYNC,
  'ImageDecoder.prototype.close': MADE,
  Worker: ['throws', 'hangs'],
  'Worker.prototype.postMessage': ['throws', 'hangs'],
  'Worker fetch': ASYNC,
  'Worker Blob.prototype.arrayBuffer': ASYNC,
  'Worker WebAssembly.validate': SYNC,
  'Worker WebAssembly.instantiateStreaming': ASYNC,
  'Worker OffscreenCanvas': MADE,
  'Worker OffscreenCanvas.prototype.getContext': SYNC,
  'Worker VideoFrame.prototype.close': MADE,
  'Worker postMessage': ['throws', 'hangs'],
};

/** The same where the page itself captions. */
export const PLATFORM_WITHOUT_WORKER = {
  fetch: ASYNC,
  'Blob.prototype.arrayBuffer': ASYNC,
  'WebAssembly.validate': SYNC,
  'WebAssembly.instantiateStreaming': ASYNC,
};

/**
 * Runs in a page or a worker: `faults.called` counts the calls of each name; `faults.set(name, how)` breaks one, and
 * `faults.set(null)` none.
 *
 * @param {string[]} names
 */
export function installFaults(names) {
  const called = {};
  let broken = null;
  let way = null;

  const injected = () => new DOMException('injected', 'UnknownError');
  const instead = {
    throws() {
      throw injected();
    },
    rejects: () => Promise.reject(injected()),
    hangs: () => new Promise(() => {}),
    null: () => null,
  };

  for (const name of names) {
    called[name] = 0;
    const setter = name.endsWith('=');
    const path = name.replace(/=$/, '').split('.');
    const last = path.pop();
    const holder = path.reduce((at, step) => at?.[step], globalThis);
    if (!holder) continue;
    if (setter) {
      const { get, set } = Object.getOwnPropertyDescriptor(holder, last);
      Object.defineProperty(holder, last, {
        configurable: true,
        get,
        set(value) {
          called[name] += 1;
          if (broken !== name) set.call(this, value);
          else if (way === 'throws') throw injected();
        },
      });
      continue;
    }
    const original = holder[last];
    if (typeof original !== 'function') continue;
    holder[last] = new Proxy(original, {
      apply(target, self, given) {
        called[name] += 1;
        return broken === name ? instead[way]() : Reflect.apply(target, self === globalThis ? undefined : self, given);
      },
      construct(target, given, made) {
        called[name] += 1;
        if (broken !== name) return Reflect.construct(target, given, made === holder[last] ? target : made);
        if (way === 'throws') throw injected();
        // Something that never says anything.
        return Object.assign(new EventTarget(), { postMessage() {}, terminate() {}, close() {} });
      },
    });
  }
  globalThis.faults = {
    called,
    set(name, how) {
      broken = name;
      way = how;
    },
  };
}
