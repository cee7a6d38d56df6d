/** Brings the picture of a request here. */

/** Colours that differ by less than this, of 255, in a tiny version of the picture: there is nothing on it. */
const FLAT = 6;

/**
 * @param {{ data?: string, url?: string }} source pixels as data: address, or the address of a file
 * @returns {Promise<ImageBitmap>}
 */
export async function bitmapOf({ data, url }, signal) {
  const blob = await fetchBlob(data ?? url, signal);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch (error) {
    throw failure('decode-failed', error.message);
  }
  if (isFlat(bitmap)) {
    bitmap.close();
    throw failure('blank', 'the picture has one colour');
  }
  return bitmap;
}

async function fetchBlob(address, signal) {
  if (!/^(data:image\/|https?:)/.test(address ?? '')) throw failure('fetch-failed', 'not an address that soli fetches');
  try {
    // No cookies and no referrer: the host learns no more than that somebody wants a picture that it shows to everybody.
    const response = await fetch(address, { signal, credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'force-cache' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.blob();
  } catch (error) {
    signal.throwIfAborted();
    throw failure('fetch-failed', error.message);
  }
}

/** Spacers stretched to the size of a picture, and pictures that are not there yet. */
function isFlat(bitmap) {
  const side = 16;
  const context = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  for (let channel = 0; channel < 4; channel += 1) {
    let [low, high] = [255, 0];
    for (let i = channel; i < data.length; i += 4) {
      low = Math.min(low, data[i]);
      high = Math.max(high, data[i]);
    }
    if (high - low >= FLAT) return false;
  }
  return true;
}

function failure(code, message) {
  return Object.assign(new Error(message), { code });
}
