/** Colours that differ by less than this, of 255, between all parts of a picture: there is nothing on it. */
const FLAT = 6;
/** Parts that a picture is divided into, along each side. */
const PARTS = 16;

/**
 * Whether there is nothing to be seen on a picture: spacers stretched to the size of one, pictures that are not there
 * yet, empty first frames. What is transparent counts as white, as it does to the network.
 *
 * @param {{ data: Uint8Array, width: number, height: number }} pixels RGBA, not premultiplied
 */
export function isBlank({ data, width, height }) {
  const low = [255, 255, 255];
  const high = [0, 0, 0];
  const columns = Math.min(PARTS, width);
  const rows = Math.min(PARTS, height);
  for (let row = 0; row < rows; row += 1) {
    const [top, bottom] = [Math.floor((row * height) / rows), Math.floor(((row + 1) * height) / rows)];
    for (let column = 0; column < columns; column += 1) {
      const [left, right] = [Math.floor((column * width) / columns), Math.floor(((column + 1) * width) / columns)];
      const sum = [0, 0, 0];
      for (let y = top; y < bottom; y += 1) {
        for (let i = 4 * (y * width + left); i < 4 * (y * width + right); i += 4) {
          const alpha = data[i + 3];
          for (let channel = 0; channel < 3; channel += 1) {
            sum[channel] += (data[i + channel] * alpha + 255 * (255 - alpha)) / 255;
          }
        }
      }
      for (let channel = 0; channel < 3; channel += 1) {
        const mean = sum[channel] / ((bottom - top) * (right - left));
        low[channel] = Math.min(low[channel], mean);
        high[channel] = Math.max(high[channel], mean);
      }
      if (high.some((most, channel) => most - low[channel] >= FLAT)) return false;
    }
  }
  return true;
}
