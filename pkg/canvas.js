import { SoliError, describe } from './errors.js';
import { kindOf } from './kinds.js';

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
 * Draws a picture, shrunk to `most` pixels along its longest side, and reads its pixels back.
 *
 * @returns {{ data: Uint8Array, width: number, height: number }} RGBA, not premultiplied, row by row
 */
export function draw(picture, width, height, most = MAX_SIDE) {
  if (!(width > 0 && height > 0)) {
    throw new SoliError('decode-failed', `this ${kindOf(picture)} has no pixels (${width} x ${height}): was it closed?`);
  }
  const scale = Math.min(1, most / Math.max(width, height));
  const context = contextOf(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  try {
    const { canvas } = context;
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { data: new Uint8Array(data.buffer), width: canvas.width, height: canvas.height };
  } catch (error) {
    if (error?.name === 'SecurityError') {
      throw new SoliError(
        'tainted-canvas',
        'this picture comes from another site that does not allow its pixels to be read: load it with crossorigin="anonymous", or hand over the file itself',
        { cause: error },
      );
    }
    throw new SoliError('decode-failed', `this ${kindOf(picture)} could not be drawn: ${describe(error)}`, { cause: error });
  }
}

/** Whether pictures can be read here at all. Stand-ins for a browser (jsdom) have an `<img>` that never shows anything. */
export function canDraw() {
  try {
    return Boolean(contextOf(1, 1));
  } catch {
    return false;
  }
}

/** Some engines have one kind of canvas only, or one that cannot be drawn on; iOS gives none when its memory is used up. */
function contextOf(width, height) {
  for (const make of [
    () => new OffscreenCanvas(width, height),
    () => Object.assign(document.createElement('canvas'), { width, height }),
  ]) {
    try {
      const context = make().getContext('2d', { willReadFrequently: true });
      if (context) return context;
    } catch {
      // The other kind may do.
    }
  }
  throw new SoliError(
    'unsupported-source',
    'there is no canvas here that pictures could be read with (none at all, or its memory is used up): decode the picture elsewhere and hand over { data, width, height }',
  );
}
