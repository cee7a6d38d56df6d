/** Reads from the page what `judge` (eligibility.js) needs to know about a picture. */
import { call, get } from './dom.js';
import { MARK } from './mark.js';
import { roleOf } from './roles.js';

/** Everything that may be a picture. A form never is. */
export const CANDIDATES = 'img, input[type="image" i], video[poster], canvas, svg, :is([role~="img" i], [role~="image" i]):not(form)';

/** Attributes that can change the verdict on a picture, or on the pictures in an element. */
export const DECIDING_ATTRIBUTES = Object.freeze([
  'alt', 'aria-hidden', 'aria-label', 'aria-labelledby', 'class', 'contenteditable', 'for', 'hidden', 'href', 'inert',
  'media', 'open', 'poster', 'role', 'sizes', 'src', 'srcset', 'style', 'title', 'type',
]);

/** Links, buttons and whatever else does something when it is pressed; a label does what its field does. */
const CONTROLS = 'a[href], area[href], button, summary, label, option, select';
const CONTROL_ROLES = new Set([
  'button', 'checkbox', 'combobox', 'link', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'radio', 'slider',
  'spinbutton', 'switch', 'tab', 'treeitem',
]);

/** Roles whose content is one thing as a whole to assistive technology: nobody gets to a picture inside. */
const WHOLE_ROLES = new Set([
  'graphics-symbol', 'image', 'img', 'math', 'meter', 'progressbar', 'scrollbar', 'separator',
]);

/** @returns {import('./eligibility.js').Facts} */
export function factsOf(element) {
  const kind = kindOf(element);
  const box = element.getBoundingClientRect();
  const address = addressOf(element);
  const surroundings = around(element);
  return {
    kind,
    alt: kind === 'img' || kind === 'input' ? element.getAttribute('alt') : null,
    machine: element.hasAttribute(MARK) && (element.getAttribute(element.getAttribute(MARK)) ?? '').trim() !== '',
    name: nameOf(element),
    role: roleOf(element),
    ...surroundings,
    editable: element.isContentEditable === true,
    file: fileOf(address, element.baseURI),
    drawing: /^data:image\/svg|\.svgz?(?:$|[?#])/i.test(address),
    loading: loadingOf(element, kind, address),
    visible: isVisible(element) && !surroundings.inert,
    drawn: { width: box.width, height: box.height },
    pixels: kind === 'img' ? { width: element.naturalWidth, height: element.naturalHeight } : null,
  };
}

/** What the elements say that a picture lies in, shadow trees and the slots that it is shown in included. */
function around(element) {
  const found = { ariaHidden: false, inGraphic: false, control: 'none', inert: false };
  for (let at = element; at; at = parentOf(at)) {
    if (call(at, 'getAttribute', 'aria-hidden')?.trim().toLowerCase() === 'true') found.ariaHidden = true;
    if (call(at, 'hasAttribute', 'inert')) found.inert = true;
    const role = roleOf(at);
    if (at !== element && WHOLE_ROLES.has(role)) found.inGraphic = true;
    if (found.control !== 'named' && (call(at, 'matches', CONTROLS) || CONTROL_ROLES.has(role))) {
      found.control = at !== element && call(at, 'getAttribute', 'aria-label')?.trim() ? 'named' : 'unnamed';
    }
  }
  return found;
}

function kindOf(element) {
  const tag = element.localName;
  if (tag === 'img' || tag === 'video' || tag === 'canvas' || tag === 'svg') return tag;
  return tag === 'input' ? 'input' : 'background';
}

/** The address of the file that is shown now; empty where there is none. */
export function addressOf(element) {
  switch (element.localName) {
    case 'img':
      return element.currentSrc || element.src;
    case 'input':
      return element.src;
    case 'video':
      return element.poster;
    case 'canvas':
    case 'svg':
      return '';
    default: {
      const [, address = ''] = /url\("((?:[^"\\]|\\.)*)"\)/.exec(getComputedStyle(element).backgroundImage) ?? [];
      return address.replaceAll(/\\(.)/g, '$1');
    }
  }
}

function loadingOf(element, kind, address) {
  if (kind === 'img') {
    // An image without an address never loads; lazy ones say `complete` only when they are there.
    if (!element.complete) return 'pending';
    if (element.naturalWidth > 0) return 'done';
    return address ? 'broken' : 'pending';
  }
  // A graphic made of text or of other elements has no file that could be described.
  return kind === 'canvas' || kind === 'svg' || address ? 'done' : 'broken';
}

/** Engines from before 2024 do not all have `checkVisibility`. */
function isVisible(element) {
  if (element.checkVisibility) return element.checkVisibility({ visibilityProperty: true });
  return element.getClientRects().length > 0 && getComputedStyle(element).visibility === 'visible';
}

function fileOf(address, base) {
  if (address.startsWith('data:')) return '';
  try {
    return decodeURIComponent(new URL(address, base).pathname.split('/').pop());
  } catch {
    return '';
  }
}

/** What a person wrote about an element, other than `alt`. */
function nameOf(element) {
  const labels = (element.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean);
  const labelled = labels.map((id) => element.getRootNode().getElementById?.(id)?.textContent ?? '').join(' ');
  const title = element.localName === 'svg' ? (element.querySelector(':scope > title')?.textContent ?? '') : '';
  return [labelled, element.getAttribute('aria-label'), element.getAttribute('title'), title].find((text) => text?.trim()) ?? '';
}

/** What an element lies in as it is shown: the slot before the parent, and the host of a shadow tree. */
export function parentOf(element) {
  return get(element, 'assignedSlot') ?? get(element, 'parentElement') ?? call(element, 'getRootNode').host ?? null;
}
