import { throwIfAborted } from './abortable.js';
import { isBlank } from './blank.js';
import { canDraw, draw } from './canvas.js';
import { SoliError, describe } from './errors.js';
import { bytesOf } from './kinds.js';
import { inTime, outside } from './outside.js';

/** Frames that are looked at for one that is not blank. */
const MOST_FRAMES = 100;

/**
 * The pixels of a picture's file: of whatever an `<img>` would show.
 *
 * `createImageBitmap` is quicker and works in workers, but takes less than `<img>` does: no SVG, no file that is cut off
 * or damaged. So the file that it refuses gets a second try as an `<img>`. An animation gives its first frame that is not
 * blank.
 *
 * @param {Blob} blob
 * @param {string} name for messages
 * @param {{ signal?: AbortSignal, timeout?: number }} options
 */
export async function decodeBlob(blob, name, options) {
  if (blob.size === 0) throw new SoliError('decode-failed', `${name} is empty`);
  const pixels = await decodeStill(blob, name, options);
  if (!isBlank(pixels)) return pixels;
  const shown = await shownAfterAll(blob, options);
  if (shown && !isBlank(shown)) return shown;
  return (await laterFrame(blob, options)) ?? shown ?? pixels;
}

/** WebKit's `createImageBitmap` gives an empty picture for a file that is cut off or damaged, of which an `<img>` shows what is there. */
async function shownAfterAll(blob, options) {
  try {
    return await decodeAsImage(blob, options);
  } catch {
    throwIfAborted(options.signal);
    return null;
  }
}

async function decodeStill(blob, name, options) {
  try {
    return await decodeBitmap(blob, name, options);
  } catch (refusal) {
    throwIfAborted(options.signal);
    const pixels = await decodeAsImage(blob, options).catch((error) => {
      throwIfAborted(options.signal);
      // The first refusal is the one that names the fault, unless the second one says more than "no".
      throw error instanceof SoliError ? error : refusal;
    });
    if (!pixels) throw refusal;
    return pixels;
  }
}

/** Decodes whatever `createImageBitmap` takes. */
export async function decodeBitmap(source, name, { signal, timeout }) {
  if (typeof createImageBitmap !== 'function') {
    throw new SoliError(
      'unsupported-source',
      `${name} cannot be decoded here: there is no browser. Decode it (with sharp, for example) and hand over { data, width, height }`,
    );
  }
  let bitmap;
  try {
    bitmap = await outside(() => createImageBitmap(source), {
      signal,
      timeout,
      late: () => new Error(`it was not decoded ${inTime(timeout)}`),
      drop: closeQuietly,
    });
    if (!bitmap) throw new Error('the browser gave no picture');
  } catch (error) {
    throwIfAborted(signal);
    throw new SoliError('decode-failed', `${name} is not a picture that this browser can read: ${describe(error)}`, {
      cause: error,
    });
  }
  try {
    return draw(bitmap, bitmap.width, bitmap.height);
  } finally {
    closeQuietly(bitmap);
  }
}

/** The file as an `<img>` shows it; null where there are no elements (workers, Node). */
async function decodeAsImage(blob, options) {
  if (typeof Image !== 'function' || typeof URL.createObjectURL !== 'function' || !canDraw()) return null;
  const drawing = await typedDrawing(blob, options);
  const image = await showBlob(drawing ?? blob, options);
  if (!drawing) return draw(image, image.naturalWidth, image.naturalHeight);
  // Firefox gives a drawing without a size of its own none at all.
  if (image.naturalWidth > 0 && image.naturalHeight > 0) return drawDrawing(image, drawing, options);
  const sized = await sizedDrawing(drawing, options);
  return drawDrawing(await showBlob(sized, options), sized, options);
}

/** Chromium lets a drawing with HTML in it (`foreignObject`) be read only if it comes with its address. */
async function drawDrawing(image, drawing, options) {
  try {
    return draw(image, image.naturalWidth, image.naturalHeight);
  } catch (error) {
    if (error.code !== 'tainted-canvas') throw error;
    const text = new TextDecoder().decode(await read(drawing, options));
    const same = await showAddress(`data:image/svg+xml,${encodeURIComponent(text)}`, {}, options);
    return draw(same, same.naturalWidth, same.naturalHeight);
  }
}

async function showBlob(blob, options) {
  const address = URL.createObjectURL(blob);
  try {
    return await showAddress(address, {}, options);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * An `<img>` of its own with this picture, once it is there.
 *
 * @param {string} address
 * @param {{ crossOrigin?: string, referrerPolicy?: string }} attributes
 * @param {{ signal?: AbortSignal, timeout?: number }} options
 */
export function showAddress(address, attributes, options) {
  const image = Object.assign(new Image(), attributes);
  return arrival(image, () => Object.assign(image, { src: address }), options);
}

/**
 * An `<img>` like this one, once it is there: for one with `loading="lazy"`, which does not load before somebody scrolls
 * to it, nor ever outside of the page. Until then it has not even chosen among its sources.
 *
 * @param {HTMLImageElement} image
 * @param {{ signal?: AbortSignal, timeout?: number }} options
 */
export async function showCopy(image, options) {
  const copy = new Image();
  const picture = document.createElement('picture');
  const around = image.parentElement?.localName === 'picture' ? [...image.parentElement.children] : [];
  for (const source of around.slice(0, around.indexOf(image)).filter(({ localName }) => localName === 'source')) {
    picture.append(copyAttributes(source, document.createElement('source'), ['media', 'sizes', 'srcset', 'type']));
  }
  picture.append(copy);
  return arrival(copy, () => copyAttributes(image, copy, ['crossorigin', 'referrerpolicy', 'sizes', 'srcset', 'src']), options);
}

function copyAttributes(from, to, names) {
  for (const name of names) if (from.hasAttribute(name)) to.setAttribute(name, from.getAttribute(name));
  return to;
}

/** Waits for `load` and not for `decode()`, which refuses files that are cut off although they are shown. */
async function arrival(image, start, { signal, timeout }) {
  const arriving = () =>
    new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error('an <img> does not show it'));
      start();
    });
  await outside(arriving, { signal, timeout, late: () => new Error(`an <img> did not show it ${inTime(timeout)}`) });
  return image;
}

/** An SVG file as one that is called so: without its type an `<img>` does not know it. Null if it is none. */
async function typedDrawing(blob, options) {
  const start = new TextDecoder().decode(await read(blob.slice(0, 4096), options));
  if (!/^\s*(?:<\?xml|<!--|<!doctype\s+svg|<svg)/i.test(start.replace(/^\ufeff/, '')) || !/<svg[\s>]/i.test(start)) return null;
  return blob.type.startsWith('image/svg') ? blob : new Blob([blob], { type: 'image/svg+xml' });
}

/** A drawing with the size of its view box, or of 512 pixels square. */
async function sizedDrawing(blob, options) {
  const parsed = new DOMParser().parseFromString(new TextDecoder().decode(await read(blob, options)), 'image/svg+xml');
  const root = parsed.documentElement;
  const [, , width, height] = (root.getAttribute('viewBox') ?? '').trim().split(/[\s,]+/).map(Number);
  const known = width > 0 && height > 0;
  root.setAttribute('width', String(known ? width : 512));
  root.setAttribute('height', String(known ? height : 512));
  return new Blob([new XMLSerializer().serializeToString(parsed)], { type: 'image/svg+xml' });
}

/**
 * The first frame of an animation that is not blank; null if there is none, or where frames cannot be had one by one.
 */
export async function laterFrame(blob, options) {
  if (typeof ImageDecoder !== 'function') return null;
  let decoder;
  const next = (start) => outside(start, { ...options, late: () => new Error('no frame came'), drop: (late) => closeQuietly(late?.image) });
  try {
    const type = animationType(await read(blob.slice(0, 32), options));
    if (!type) return null;
    decoder = new ImageDecoder({ data: await read(blob, options), type });
    await next(() => decoder.tracks.ready);
    for (let frameIndex = 1; frameIndex < MOST_FRAMES; frameIndex += 1) {
      // Beyond the last frame this rejects.
      const { image } = await next(() => decoder.decode({ frameIndex }));
      try {
        const pixels = draw(image, image.displayWidth, image.displayHeight);
        if (!isBlank(pixels)) return pixels;
      } finally {
        closeQuietly(image);
      }
    }
  } catch {
    throwIfAborted(options.signal);
  } finally {
    closeQuietly(decoder);
  }
  return null;
}

/** The type of a file that may move, by its first bytes; null for all others. */
function animationType(bytes) {
  const start = String.fromCharCode(...bytes);
  if (start.startsWith('GIF8')) return 'image/gif';
  if (start.startsWith('RIFF') && start.slice(8, 12) === 'WEBP') return 'image/webp';
  if (start.startsWith('\x89PNG')) return 'image/png';
  if (start.slice(4, 12) === 'ftypavis') return 'image/avif';
  return null;
}

/** Gives memory back; whatever goes wrong with that is no reason to lose the picture. */
export function closeQuietly(thing) {
  try {
    thing?.close?.();
  } catch {
    // The garbage collector closes it.
  }
}

function read(blob, { signal, timeout }) {
  return outside(() => bytesOf(blob), { signal, timeout, late: () => new Error(`the file could not be read ${inTime(timeout)}`) });
}
