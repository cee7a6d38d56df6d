import { checkSignal, throwIfAborted } from './abortable.js';
import { isBlank } from './blank.js';
import { MAX_FRAME_SIDE, MAX_SIDE, draw } from './canvas.js';
import { closeQuietly, decodeBitmap, decodeBlob, laterFrame, showCopy } from './decode.js';
import { readBody, request } from './download.js';
import { SoliError, describe } from './errors.js';
import { kindOf } from './kinds.js';
import { inTime, outside } from './outside.js';

/**
 * The pixels of anything that shows a picture, upright (EXIF orientation applied by the browser).
 *
 * What changes with time (video, canvas) is read before this function first waits, so that the caption belongs to the
 * moment of the call.
 *
 * @param {unknown} source see `PictureSource` in index.d.ts
 * @param {{ signal?: AbortSignal, timeout?: number, frame?: boolean }} [options] `timeout`: milliseconds that a server or
 *   a decoder may take without a sign of life; `frame`: a video may come as a `VideoFrame`, for a worker to read;
 *   whoever gets one closes it
 * @returns {Promise<{ data: Uint8Array, width: number, height: number } | VideoFrame>} RGBA, not premultiplied, row by row
 */
export async function readPixels(source, { signal, timeout, frame = false } = {}) {
  checkSignal(signal);
  const kind = kindOf(source);
  const read = Object.hasOwn(readers, kind) ? readers[kind] : null;
  if (!read) throw new SoliError('unsupported-source', unsupportedMessage(kind));
  const pixels = await read(source, { signal, timeout, frame });
  if (signal?.aborted) closeQuietly(pixels);
  throwIfAborted(signal);
  return pixels;
}

const readers = {
  HTMLImageElement: readImage,
  HTMLVideoElement: (video, { frame }) => {
    if (video.readyState < 2) {
      throw new SoliError('decode-failed', 'this <video> has no picture yet: wait for its "loadeddata" event');
    }
    return (frame && takeFrame(video)) || draw(video, video.videoWidth, video.videoHeight, MAX_FRAME_SIDE);
  },
  HTMLCanvasElement: (canvas) => draw(canvas, canvas.width, canvas.height),
  OffscreenCanvas: (canvas) => draw(canvas, canvas.width, canvas.height),
  ImageBitmap: (bitmap) => draw(bitmap, bitmap.width, bitmap.height),
  VideoFrame: (frame) => draw(frame, frame.displayWidth, frame.displayHeight, MAX_FRAME_SIDE),
  ImageData: (image, options) => {
    const large = Math.max(image.width, image.height) > MAX_SIDE;
    if (typeof createImageBitmap === 'function' && (large || kindOf(image.data) !== 'Uint8ClampedArray')) {
      return decodeBitmap(image, 'this ImageData', options);
    }
    return copyPixels(image);
  },
  Object: copyPixels,
  Blob: (blob, options) => decodeBlob(blob, 'this file', options),
  File: (file, options) => decodeBlob(file, file.name || 'this file', options),
  String: readAddress,
  URL: readAddress,
};

async function readImage(image, options) {
  const shown = image.complete ? image : await arrived(image, options);
  const address = shown.currentSrc || shown.src;
  const drawing = /^data:image\/svg|^blob:|\.svg(?:$|[?#])/i.test(address);
  if (shown.complete && shown.naturalWidth > 0) {
    try {
      const pixels = draw(shown, shown.naturalWidth, shown.naturalHeight);
      return isBlank(pixels) ? ((await laterFrameAt(address, options)) ?? pixels) : pixels;
    } catch (error) {
      if (error.code !== 'tainted-canvas' || !drawing) throw error;
      // A drawing with HTML in it: its file can be read in another way, unless it is another site's.
      return readAddress(address, options).catch(() => {
        throwIfAborted(options.signal);
        throw error;
      });
    }
  }
  // Firefox shows drawings without a size of their own, and says that they have none.
  if (shown.complete && drawing) return readAddress(address, options);
  throw new SoliError('decode-failed', `this <img> shows no picture (${address || 'no src'})`);
}

/** An `<img>` whose picture is on its way, once it has come; or, where it waits to be scrolled to, one like it. */
async function arrived(image, options) {
  const address = image.currentSrc || image.src;
  if (image.loading === 'lazy') {
    return showCopy(image, options).catch((error) => {
      throwIfAborted(options.signal);
      throw new SoliError('decode-failed', `this <img> shows no picture (${address}): ${describe(error)}`, { cause: error });
    });
  }
  // Rejects for pictures that are cut off, which can be drawn nevertheless.
  const decoding = () => (image.decode ? image.decode().catch(() => {}) : loaded(image));
  await outside(decoding, {
    ...options,
    late: () => new SoliError('decode-failed', `this <img> did not load ${inTime(options.timeout)} (${address || 'no src'})`),
  });
  return image;
}

function loaded(image) {
  return new Promise((resolve) => {
    image.addEventListener('load', resolve, { once: true });
    image.addEventListener('error', resolve, { once: true });
  });
}

/** A frame with something on it, of an animation whose first frame is blank; null wherever it cannot be had. */
export async function laterFrameAt(address, options) {
  if (typeof ImageDecoder !== 'function' || !/^(?:https?|blob|data):/.test(address)) return null;
  try {
    return await laterFrame(await download(address, options), options);
  } catch {
    throwIfAborted(options.signal);
    return null;
  }
}

/** What a video shows now, without reading it back; null where that cannot be had, and drawing tells why. */
function takeFrame(video) {
  try {
    return new VideoFrame(video);
  } catch {
    return null;
  }
}

/** Pixels that somebody else decoded, as they are: the network's own filter shrinks them. */
function copyPixels({ data, width, height }) {
  if (!ArrayBuffer.isView(data) || !/^Uint8(?:Clamped)?Array$/.test(kindOf(data))) {
    throw new SoliError('unsupported-source', unsupportedMessage('an object without `data` (a Uint8Array), `width` and `height`'));
  }
  const expected = width * height * 4;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || data.length !== expected) {
    throw new SoliError(
      'invalid-image',
      `${width} x ${height} pixels need ${expected} bytes (red, green, blue and alpha of each pixel), but there are ${data.length}`,
    );
  }
  // A copy, because a worker takes the bytes away.
  return { data: new Uint8Array(data), width, height };
}

async function readAddress(url, options) {
  const name = String(url).startsWith('data:') ? 'this data: address' : String(url);
  let blob;
  try {
    blob = await download(url, options);
  } catch (error) {
    throwIfAborted(options.signal);
    throw new SoliError('fetch-failed', `${name} could not be fetched: ${describe(error)}`, { cause: error });
  }
  return decodeBlob(blob, name, options);
}

async function download(url, options) {
  const response = await request(url, options);
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
  return new Blob(await readBody(response, options), { type: response.headers?.get('content-type') ?? '' });
}

function unsupportedMessage(kind) {
  return `a caption needs a picture (img, video, canvas, OffscreenCanvas, ImageBitmap, ImageData, VideoFrame, Blob, File, URL or { data, width, height }), not ${kind}`;
}
