import { abortable } from './abortable.js';
import { SoliError, describe } from './errors.js';

/**
 * The longest side, in pixels, that is read back. The network looks at a few hundred pixels: a 100 megapixel picture
 * is shrunk by the browser first (its high-quality filter, which averages) instead of moving 400 MB through memory.
 */
export const MAX_SIDE = 1024;

/**
 * The same for what moves: frames come many times a second, and reading them back holds up the page. Still
 * about twice what the network looks at.
 */
export const MAX_FRAME_SIDE = 512;

/**
 * The pixels of anything that shows a picture, upright (EXIF orientation applied by the browser).
 *
 * What changes with time (video, canvas) is read before this function first waits, so that the caption belongs to the
 * moment of the call.
 *
 * @param {unknown} source see `PictureSource` in index.d.ts
 * @param {{ signal?: AbortSignal, frame?: boolean }} [options] `frame`: a video may come as a `VideoFrame`, for a worker to
 *   read; whoever gets one closes it
 * @returns {Promise<{ data: Uint8Array, width: number, height: number } | VideoFrame>} RGBA, not premultiplied, row by row
 */
export async function readPixels(source, { signal, frame = false } = {}) {
  const kind = kindOf(source);
  const read = readers[kind];
  if (!read) throw new SoliError('unsupported-source', unsupportedMessage(kind));
  const pixels = await read(source, signal, frame);
  if (signal?.aborted) pixels.close?.();
  signal?.throwIfAborted();
  return pixels;
}

/** Works across frames, where `instanceof` does not. */
function kindOf(source) {
  return Object.prototype.toString.call(source).slice('[object '.length, -1);
}

const readers = {
  HTMLImageElement: async (image, signal) => {
    if (!image.complete) await abortable(image.decode().catch(() => {}), signal);
    if (!image.complete || image.naturalWidth === 0) {
      throw new SoliError('decode-failed', `this <img> shows no picture (${image.currentSrc || image.src || 'no src'})`);
    }
    return draw(image, image.naturalWidth, image.naturalHeight);
  },
  HTMLVideoElement: (video, signal, frame) => {
    if (video.readyState < 2) {
      throw new SoliError('decode-failed', 'this <video> has no picture yet: wait for its "loadeddata" event');
    }
    return (frame && takeFrame(video)) || draw(video, video.videoWidth, video.videoHeight, MAX_FRAME_SIDE);
  },
  HTMLCanvasElement: (canvas) => draw(canvas, canvas.width, canvas.height),
  OffscreenCanvas: (canvas) => draw(canvas, canvas.width, canvas.height),
  ImageBitmap: (bitmap) => draw(bitmap, bitmap.width, bitmap.height),
  VideoFrame: (frame) => draw(frame, frame.displayWidth, frame.displayHeight, MAX_FRAME_SIDE),
  ImageData: (image, signal) => {
    const large = Math.max(image.width, image.height) > MAX_SIDE;
    if (typeof createImageBitmap === 'function' && (large || !(image.data instanceof Uint8ClampedArray))) {
      return drawBitmap(image, 'this ImageData', signal);
    }
    return copyPixels(image);
  },
  Object: copyPixels,
  Blob: (blob, signal) => readBlob(blob, 'this file', signal),
  File: (file, signal) => readBlob(file, file.name || 'this file', signal),
  String: (url, signal) => readAddress(url, signal),
  URL: (url, signal) => readAddress(url, signal),
};

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
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
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

async function readAddress(url, signal) {
  const name = String(url).startsWith('data:') ? 'this data: address' : String(url);
  let blob;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
    blob = await response.blob();
  } catch (error) {
    signal?.throwIfAborted();
    throw new SoliError('fetch-failed', `${name} could not be fetched: ${describe(error)}`, { cause: error });
  }
  return readBlob(blob, name, signal);
}

async function readBlob(blob, name, signal) {
  if (blob.size === 0) throw new SoliError('decode-failed', `${name} is empty`);
  return drawBitmap(blob, name, signal);
}

async function drawBitmap(source, name, signal) {
  if (typeof createImageBitmap !== 'function') {
    throw new SoliError(
      'unsupported-source',
      `${name} cannot be decoded here: there is no browser. Decode it (with sharp, for example) and hand over { data, width, height }`,
    );
  }
  let bitmap;
  try {
    bitmap = await abortable(createImageBitmap(source), signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new SoliError('decode-failed', `${name} is not a picture that this browser can read: ${describe(error)}`, {
      cause: error,
    });
  }
  try {
    return draw(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** Draws a picture, shrunk to `most` pixels along its longest side, and reads its pixels back. */
function draw(picture, width, height, most = MAX_SIDE) {
  if (!(width > 0 && height > 0)) {
    throw new SoliError('decode-failed', `this ${kindOf(picture)} has no pixels (${width} x ${height}): was it closed?`);
  }
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = makeCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  try {
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { data: new Uint8Array(data.buffer), width: canvas.width, height: canvas.height };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'SecurityError') {
      throw new SoliError(
        'tainted-canvas',
        'this picture comes from another site that does not allow its pixels to be read: load it with crossorigin="anonymous", or hand over the file itself',
        { cause: error },
      );
    }
    throw new SoliError('decode-failed', `this ${kindOf(picture)} could not be drawn: ${describe(error)}`, { cause: error });
  }
}

function makeCanvas(width, height) {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}

function unsupportedMessage(kind) {
  return `a caption needs a picture (img, video, canvas, OffscreenCanvas, ImageBitmap, ImageData, VideoFrame, Blob, File, URL or { data, width, height }), not ${kind}`;
}
