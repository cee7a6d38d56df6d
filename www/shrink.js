/** Pictures made small, as the trainer's measurements do it (`soli eval --px`): a square, anti-aliased. */

/** Sides to try, in pixels; those of the model card's measurements are among them. */
export const SIDES = [224, 160, 100, 70, 50, 35, 25];

/** The longest side that is read: what the package reads too. */
const MAX_SIDE = 1024;

/**
 * The pixels of a picture file over white.
 *
 * @param {Blob} blob
 * @returns {Promise<{ data: Uint8ClampedArray, width: number, height: number }>} RGBA
 */
export async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/**
 * Resamples to a square of `side` pixels with a triangle filter as wide as the scale (Pillow's BILINEAR).
 *
 * @param {{ data: Uint8ClampedArray | Uint8Array, width: number, height: number }} picture RGBA, opaque
 * @param {number} side
 * @returns {{ data: Uint8ClampedArray, width: number, height: number }}
 */
export function shrink({ data, width, height }, side) {
  const across = resample(data, height, width, side, width * 4, 4, side * 4, 4);
  const both = resample(across, side, height, side, 4, side * 4, 4, side * 4);
  return { data: both, width: side, height: side };
}

/**
 * Resamples `lines` lines from `from` to `to` pixels. `lineIn`, `stepIn`: distances in the source from line to line and
 * from pixel to pixel; `lineOut`, `stepOut`: those in the result.
 */
function resample(source, lines, from, to, lineIn, stepIn, lineOut, stepOut) {
  const out = new Uint8ClampedArray(lines * to * 4); // rounds when it is written to
  for (const [place, { start, weights }] of taps(from, to).entries()) {
    for (let line = 0; line < lines; line += 1) {
      const at = line * lineOut + place * stepOut;
      for (let channel = 0; channel < 4; channel += 1) {
        let sum = 0;
        let from = line * lineIn + start * stepIn + channel;
        for (const weight of weights) {
          sum += weight * source[from];
          from += stepIn;
        }
        out[at + channel] = sum;
      }
    }
  }
  return out;
}

/** For each place of the result: the first pixel of the source that counts, and the weights from there on. */
function taps(from, to) {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    const weights = [];
    for (let i = start; i < end; i += 1) weights.push(Math.max(0, 1 - Math.abs((i + 0.5 - centre) / reach)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { start, weights: weights.map((weight) => weight / total) };
  });
}
