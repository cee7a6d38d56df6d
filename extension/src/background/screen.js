/** The pixels that are on the screen: for pictures whose file soli may not fetch. */
import { api } from '../shared/api.js';
import { dataUrl } from '../shared/data-url.js';

/** Chromium allows two shots a second, and refuses a third. */
const BETWEEN_SHOTS = 600;
let turns = Promise.resolve();

/**
 * @param {{ id: number, windowId: number }} tab
 * @param {{ x: number, y: number, width: number, height: number }} box the picture's place in the tab, CSS pixels
 * @param {{ width: number }} view the tab's size in the same pixels
 * @returns {Promise<string>} a PNG as data: address
 */
export function cutFromScreen(tab, box, view) {
  const turn = turns.then(() => cut(tab, box, view));
  turns = turn.catch(() => {}).then(() => new Promise((resolve) => setTimeout(resolve, BETWEEN_SHOTS)));
  return turn;
}

async function cut(tab, box, view) {
  await assertInFront(tab);
  const shot = await api.tabs.captureVisibleTab(tab.windowId, { format: 'png' });
  // Another tab may have come to the front in between: its pixels are nobody's business.
  await assertInFront(tab);
  const screen = await createImageBitmap(await (await fetch(shot)).blob());
  const scale = screen.width / view.width;
  const [x, y, width, height] = [box.x, box.y, box.width, box.height].map((length) => Math.round(length * scale));
  const canvas = new OffscreenCanvas(Math.max(1, width), Math.max(1, height));
  canvas.getContext('2d').drawImage(screen, -x, -y);
  screen.close();
  return dataUrl(await canvas.convertToBlob());
}

async function assertInFront({ id }) {
  const { active } = await api.tabs.get(id);
  if (!active) throw Object.assign(new Error('the tab is not in front'), { code: 'not-in-front' });
}
