/** Reads from the page what `judge` needs to know about a picture. */

/** Everything that may be a picture. */
export const CANDIDATES = 'img, input[type="image" i], video[poster], canvas, svg, [role~="img" i], [role~="image" i]';

/** Links, buttons and whatever else does something when it is pressed. */
const CONTROLS =
  'a[href], button, summary, [role~="button"], [role~="link"], [role~="menuitem"], [role~="tab"], [role~="option"], [role~="checkbox"], [role~="radio"], [role~="switch"]';

/** Elements whose content is one picture, or hidden as a whole. */
const GRAPHIC = '[role~="img" i], [role~="image" i]';

/** @returns {import('./eligibility.js').Facts} */
export function factsOf(element) {
  const kind = kindOf(element);
  const box = element.getBoundingClientRect();
  const address = addressOf(element);
  const around = parentOf(element);
  return {
    kind,
    alt: kind === 'img' || kind === 'input' ? element.getAttribute('alt') : null,
    name: nameOf(element),
    role: (element.getAttribute('role') ?? '').trim().toLowerCase().split(/\s+/)[0],
    ariaHidden: closest(element, '[aria-hidden="true"]') !== null,
    inGraphic: around !== null && closest(around, GRAPHIC) !== null,
    control: controlAround(element),
    editable: element.isContentEditable,
    file: fileOf(address),
    drawing: /^data:image\/svg|\.svgz?(?:$|[?#])/i.test(address),
    loading: loadingOf(element, kind, address),
    visible: element.checkVisibility({ visibilityProperty: true }) && !closest(element, '[inert]'),
    drawn: { width: box.width, height: box.height },
    pixels: kind === 'img' ? { width: element.naturalWidth, height: element.naturalHeight } : null,
  };
}

function kindOf(element) {
  const tag = element.localName;
  if (tag === 'img' || tag === 'video' || tag === 'canvas' || tag === 'svg') return tag;
  return tag === 'input' ? 'input' : 'background';
}

/** The address of the picture's file; empty where it has none. */
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

function fileOf(address) {
  if (address.startsWith('data:')) return '';
  try {
    return decodeURIComponent(new URL(address, document.baseURI).pathname.split('/').pop());
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

function controlAround(element) {
  const control = closest(element, CONTROLS);
  if (!control) return 'none';
  return control !== element && control.hasAttribute('aria-label') && control.getAttribute('aria-label').trim() ? 'named' : 'unnamed';
}

/** `closest` that also looks outside of shadow roots. */
function closest(element, selector) {
  for (let at = element; at; at = at.getRootNode().host ?? null) {
    const found = at.closest(selector);
    if (found) return found;
  }
  return null;
}

function parentOf(element) {
  return element.parentElement ?? element.getRootNode().host ?? null;
}
