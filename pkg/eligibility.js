/**
 * Which pictures get a description, and why the others do not: for `<soli-caption>` and for the browser extension alike.
 * Facts in (facts.js reads them from a page), verdict out: nothing here touches a page.
 *
 * - `write`: it gets a description without being asked
 * - `offer`: a description is shown to the user, and written only if they say so (`<soli-caption>`, which has nobody to
 *   ask, leaves it alone)
 * - `wait`:  not yet; it is looked at again when it changes
 * - `leave`: it is none of soli's business
 */

/** Pictures with a shorter side than this, in CSS pixels, are icons, bullets and avatars. */
export const LEAST_SIDE = 40;
/** Files with a side of so few pixels are spacers and counters, however large they are drawn. */
export const LEAST_PIXELS = 4;
/** Pictures so many times longer than high are rules and ornaments. */
export const LONGEST_RATIO = 8;

/**
 * @typedef {object} Facts
 * @property {'img' | 'input' | 'video' | 'canvas' | 'background' | 'svg'} kind `background`: any other element that says
 *   it is a picture (role="img")
 * @property {string | null} alt the attribute, null where it is missing
 * @property {string} name what a person wrote elsewhere: aria-label, aria-labelledby, title
 * @property {boolean} machine its text was written by soli: by the page's `<soli-caption>`, or by the extension
 * @property {string} role its role, '' where it says none that there is
 * @property {boolean} ariaHidden it, or something around it, is hidden from assistive technology
 * @property {boolean} inGraphic something around it is one thing as a whole, such as a graphic (role="img")
 * @property {'none' | 'unnamed' | 'named'} control whether a link or button is around it, with a name of its own or not
 * @property {boolean} editable inside of what somebody is writing
 * @property {string} file the file name in its address
 * @property {boolean} drawing its file is an SVG
 * @property {'done' | 'pending' | 'broken'} loading
 * @property {boolean} visible it is drawn, wherever on the page
 * @property {{ width: number, height: number }} drawn its size on the page, CSS pixels
 * @property {{ width: number, height: number } | null} pixels the size of its file, if known
 */

/**
 * @param {Facts} facts
 * @param {{ fileNames?: boolean }} [settings]
 * @returns {{ verdict: 'write' | 'offer' | 'wait' | 'leave', reason: string }}
 */
export function judge(facts, { fileNames = false } = {}) {
  const left = leaveAtOnce(facts, fileNames);
  if (left) return { verdict: 'leave', reason: left };
  if (facts.loading === 'pending') return { verdict: 'wait', reason: 'loading' };
  if (facts.loading === 'broken') return { verdict: 'leave', reason: 'broken' };
  if (!facts.visible) return { verdict: 'wait', reason: 'not-shown' };
  const small = tooSmall(facts);
  // A picture can grow: it is looked at again when its size changes.
  if (small) return { verdict: small === 'spacer' ? 'leave' : 'wait', reason: small };
  if (facts.drawing) return { verdict: 'leave', reason: 'drawing' };
  const offered = offerOnly(facts);
  if (offered) return { verdict: 'offer', reason: offered };
  return { verdict: 'write', reason: facts.alt === null ? 'no-alt' : 'file-name' };
}

/** What a person decided, and what soli never describes by itself. */
function leaveAtOnce(facts, fileNames) {
  const { kind, alt, name, role, file } = facts;
  if (facts.machine) return 'machine';
  if (role === 'none' || role === 'presentation') return 'decorative';
  if (alt !== null && alt.trim() === '') return 'decorative';
  if (facts.ariaHidden) return 'hidden';
  if (facts.inGraphic) return 'part-of-graphic';
  if (name.trim() !== '') return 'person';
  if (alt !== null && !(fileNames && isFileName(alt, file))) return isFileName(alt, file) ? 'file-name' : 'person';
  if (kind === 'svg') return 'drawing';
  if (kind === 'canvas' && role !== 'img' && role !== 'image') return 'live';
  if (facts.control === 'named') return 'named-control';
  return null;
}

function tooSmall({ drawn, pixels }) {
  if (pixels && Math.min(pixels.width, pixels.height) <= LEAST_PIXELS) return 'spacer';
  const [short, long] = [Math.min(drawn.width, drawn.height), Math.max(drawn.width, drawn.height)];
  if (short < LEAST_SIDE) return 'tiny';
  return long > LONGEST_RATIO * short ? 'strip' : null;
}

function offerOnly({ kind, control, editable }) {
  // The text of a link's or a button's picture has to say what it does, which its pixels do not tell.
  if (control !== 'none' || kind === 'input') return 'functional';
  if (editable) return 'draft';
  return { video: 'poster', canvas: 'canvas', background: 'background' }[kind] ?? null;
}

const EXTENSION = /\.(jpe?g|jfif|png|gif|webp|avif|bmp|tiff?|hei[cf]|svg)$/i;
/** What cameras and telephones call their pictures. */
const SERIAL = /^(img|dscn?|dscf|pict?|pxl|mvi|vid|gopr|p|image|photo|picture|screenshot|screen shot|whatsapp image)[-_ ]?\d[\d\-_ .:]*(at[\d\-_ .:]+)?$/i;

/** Whether an alternative text is only a file name. */
export function isFileName(alt, file = '') {
  const text = alt.trim();
  if (text === '') return false;
  // A sentence may end in a file name; a file name has no words between spaces and punctuation.
  if (EXTENSION.test(text) && text.split(/\s+/).length <= 2) return true;
  if (SERIAL.test(text.replace(EXTENSION, ''))) return true;
  const stem = file.replace(EXTENSION, '');
  // `rose` of rose.jpg may be what a person would say; `team-2019_final2` is not.
  return text === file || (text === stem && /[\d_]/.test(stem));
}
