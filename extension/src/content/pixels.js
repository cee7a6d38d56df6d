/**
 * The pixels of a picture, by the first way that works:
 *
 * 1. read from the page (same site, or a host that allows everybody)
 * 2. fetched by the extension, if the user allowed its host
 * 3. cut from the screen, if the picture lies there uncovered
 */
import { ask } from './ask.js';
import { dataUrl } from '../shared/data-url.js';
import { isBlank } from '../../../pkg/blank.js';
import { showAddress } from '../../../pkg/decode.js';
import { addressOf } from '../../../pkg/facts.js';
import { outside } from '../../../pkg/outside.js';
import { laterFrameAt } from '../../../pkg/source.js';

/** How long a server may take for one picture, in milliseconds: the others wait behind it. */
const TIMEOUT = 20_000;

/** Longest side that is sent to the engine. The network looks at a few hundred pixels. */
const LONGEST = 512;

/** Nothing may be read from this picture now; `url` is the address whose host the user could allow. */
export class Unreadable extends Error {
  constructor(url) {
    super('the picture cannot be read');
    this.name = 'Unreadable';
    this.url = url;
  }
}

/**
 * @param {Element} element
 * @param {{ hidePanel: (box: object) => Promise<() => void> }} page takes soli's own panel away from over that place,
 *   and gives what brings it back
 * @returns {Promise<{ data?: string, url?: string, way: 'page' | 'fetch' | 'screen' }>}
 */
export async function pixelsOf(element, { hidePanel }) {
  const url = addressOf(element);
  const drawable = element.localName === 'img' || element.localName === 'canvas';
  const drawn = (drawable && draw(element)) || (url && (await drawShared(url)));
  if (drawn) return { data: await somethingOf(drawn, url), way: 'page' };
  if (url && (await ask('background', 'may-fetch', { url }))) return { url, way: 'fetch' };
  const shot = await cutFromScreen(element, hidePanel);
  if (shot) return { data: shot, way: 'screen' };
  throw new Unreadable(url);
}

/** What is drawn as data: address; of an animation that begins with nothing, a frame with something on it. */
async function somethingOf(context, url) {
  const { canvas } = context;
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  if (url && isBlank({ data, width: canvas.width, height: canvas.height })) {
    const later = await laterFrameAt(url, { timeout: TIMEOUT }).catch(() => null);
    if (later) return asPng(toCanvas(later));
  }
  return asPng(canvas);
}

/** In the background: to encode a picture at once would take most of a frame. */
async function asPng(canvas) {
  const blob = await outside(() => new Promise((resolve) => canvas.toBlob(resolve, 'image/png')), {
    timeout: TIMEOUT,
    late: () => new Error('the picture was not encoded in time'),
  });
  if (!blob) throw new Error('the picture could not be encoded');
  return outside(() => dataUrl(blob), { timeout: TIMEOUT, late: () => new Error('the picture was not read in time') });
}

function toCanvas({ data, width, height }) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  return canvas;
}

/** The picture on a canvas; null where the browser does not hand out its pixels. */
function draw(picture) {
  const width = picture.naturalWidth ?? picture.width;
  const height = picture.naturalHeight ?? picture.height;
  if (!(width > 0 && height > 0)) return null;
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  try {
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.getImageData(0, 0, 1, 1);
    return context;
  } catch {
    return null;
  }
}

/** Loads the file once more in the page's own name, as one whose pixels may be read if its host agrees. */
async function drawShared(url) {
  try {
    return draw(await showAddress(url, { crossOrigin: 'anonymous', referrerPolicy: 'no-referrer' }, { timeout: TIMEOUT }));
  } catch {
    return null;
  }
}

async function cutFromScreen(element, hidePanel) {
  const box = boxOnScreen(element);
  if (!box) return null;
  const showPanel = await hidePanel(box);
  try {
    if (!isUncovered(element)) return null;
    return await ask('background', 'capture', { box, view: { width: window.innerWidth } });
  } catch {
    return null;
  } finally {
    showPanel();
  }
}

/** The picture's place in the tab; null unless all of it is in view. A frame does not know where it lies in its tab. */
function boxOnScreen(element) {
  if (document.visibilityState !== 'visible' || window !== window.top) return null;
  const { left: x, top: y, width, height } = element.getBoundingClientRect();
  const whole = x >= 0 && y >= 0 && x + width <= window.innerWidth && y + height <= window.innerHeight;
  return whole && width >= 1 && height >= 1 ? { x, y, width, height } : null;
}

/** Whether nothing lies over the picture but what belongs to it, such as a link around it. */
function isUncovered(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  const own = element.closest('a, button, picture, figure') ?? element;
  for (const across of [0.1, 0.5, 0.9]) {
    for (const down of [0.1, 0.5, 0.9]) {
      const above = element.getRootNode().elementFromPoint(left + width * across, top + height * down);
      if (above && !own.contains(above)) return false;
    }
  }
  return true;
}
