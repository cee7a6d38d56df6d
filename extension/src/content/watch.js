/** Tells which pictures are there, which come later, and which change. */
import { call } from '../../../pkg/dom.js';
import { CANDIDATES, DECIDING_ATTRIBUTES } from '../../../pkg/facts.js';
import { PANEL_MARK } from './panel-place.js';

/** Changes come in bursts; they are looked at together. Milliseconds. */
const BURST = 150;

/** How long is looked at a stretch, milliseconds: a frame of the page has 16. */
const SLICE = 6;

/** How many times as long as the last look took is waited before the next: a page that changes without end stays usable. */
const REST = 4;

/** So many pictures are put in order, those in view first, before they are looked at: measuring more would take too long. */
const ORDERED = 500;

/** More changed places than this are no longer told apart: then the whole page is looked through once. */
const MANY = 100;

/**
 * @param {(element: Element) => void} onPicture a picture that is new, or may have changed
 * @param {(element: Element) => void} onGone a picture that was removed
 * @param {{ known: () => Iterable<Element>, onRest: () => void }} page the pictures that may be gone; called when
 *   everything has been looked at
 */
export function watch(onPicture, onGone, { known, onRest }) {
  /** Where pictures are to be looked for, and which are to be looked at. */
  const places = new Set();
  const pending = new Set();
  let timer = null;
  let looking = false;
  let looked = false;
  let closed = false;
  let pause = BURST;

  function later(element) {
    pending.add(element);
    soon();
  }

  function seek(place) {
    if (places.has(document)) return;
    if (places.size < MANY) places.add(place);
    else {
      places.clear();
      places.add(document);
      for (const element of known()) pending.add(element);
    }
    soon();
  }

  function soon() {
    if (!looking && !closed) timer ??= setTimeout(flush, pause);
  }

  /** Looks at all that is pending, in slices between which the page has its turn. */
  async function flush() {
    clearTimeout(timer);
    timer = null;
    looking = true;
    let used = 0;
    let ordered = false;
    // What changes meanwhile has its turn the next time, or the first look would never end on a page that always changes.
    const now = [...places];
    places.clear();
    for (;;) {
      const start = performance.now();
      if (now.length > 0) seekUntil(start + SLICE, now);
      else {
        // Work begins with the first that is found fit, while the others are still looked at.
        if (!ordered) nearestFirst();
        ordered = true;
        lookUntil(start + SLICE);
      }
      used += performance.now() - start;
      if (closed || (now.length === 0 && pending.size === 0)) break;
      await new Promise((resolve) => setTimeout(resolve));
      if (closed) break;
    }
    looking = false;
    looked = true;
    pause = Math.max(BURST, REST * used);
    if (closed) return;
    onRest();
    if (places.size > 0 || pending.size > 0) soon();
  }

  function seekUntil(end, now) {
    while (now.length > 0 && performance.now() < end) {
      for (const element of picturesIn(now.pop(), observe)) pending.add(element);
    }
  }

  function nearestFirst() {
    if (pending.size > ORDERED) return;
    const far = (element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return Math.max(0, -bottom, top - innerHeight);
    };
    const measured = [...pending].map((element) => [far(element), element]).sort((a, b) => a[0] - b[0]);
    pending.clear();
    for (const [, element] of measured) pending.add(element);
  }

  function lookUntil(end) {
    for (const element of pending) {
      pending.delete(element);
      try {
        if (element.isConnected) onPicture(element);
        else onGone(element);
      } catch (error) {
        // One that cannot be judged must not keep the others from being.
        console.error('soli', error);
      }
      if (performance.now() > end) return;
    }
  }

  const mutations = new MutationObserver((records) => {
    for (const { type, target, addedNodes, removedNodes } of records) {
      // A `source` decides what the picture beside it shows.
      if (type === 'attributes') seek(target.localName === 'source' ? (target.parentNode ?? target) : target);
      for (const node of addedNodes) if (node instanceof Element) seek(node);
      for (const node of removedNodes) if (node instanceof Element) seek(node);
    }
  });
  /** Fires when a picture gets a size: it was loaded, unfolded, shown. */
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) later(target);
  });
  const sights = new Map();
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting, intersectionRatio } of entries) {
        if (!isIntersecting || intersectionRatio < 0.99) continue;
        sight.unobserve(target);
        const act = sights.get(target);
        sights.delete(target);
        act?.();
      }
    },
    { threshold: 0.99 },
  );

  // `load` does not bubble, but it can be caught on its way down.
  const onLoad = ({ target }) => {
    if (target instanceof Element && call(target, 'matches', CANDIDATES)) later(target);
  };
  const roots = new Set();

  function observe(root) {
    if (roots.has(root)) return;
    roots.add(root);
    mutations.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: DECIDING_ATTRIBUTES });
    root.addEventListener('load', onLoad, true);
    root.addEventListener('error', onLoad, true);
  }
  observe(document);

  return {
    /** Looks at every picture that is there now: at once as far as that is quick. */
    lookAtAll() {
      places.add(document);
      if (!looking) flush();
    },
    /** Whether the page is being looked at for the first time. */
    get looking() {
      return looking && !looked;
    },
    /** Looks at a picture again when it is loaded or its size changes. */
    wait: (element) => sizes.observe(element),
    /** Looks at a picture again after some milliseconds. */
    lookAgain: (element, milliseconds) => setTimeout(() => closed || later(element), milliseconds),
    /** Calls `act` once, when all of a picture is in view; not for what is in view already. */
    waitForSight(element, act) {
      const { top, bottom } = element.getBoundingClientRect();
      if (top >= 0 && bottom <= window.innerHeight) return;
      sights.set(element, act);
      sight.observe(element);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      places.clear();
      pending.clear();
      mutations.disconnect();
      sizes.disconnect();
      sight.disconnect();
      for (const root of roots) {
        root.removeEventListener('load', onLoad, true);
        root.removeEventListener('error', onLoad, true);
      }
    },
  };
}

/** The pictures in a tree, its open shadow trees included; `onRoot` hears of those. */
function picturesIn(root, onRoot) {
  const found = [];
  const element = root instanceof Element;
  if (element && call(root, 'matches', CANDIDATES)) found.push(root);
  // `path` elements of large drawings are many; nothing in an svg is a picture of its own here.
  if (root instanceof SVGElement) return found;
  found.push(...call(root, 'querySelectorAll', CANDIDATES));
  // A form has no shadow tree, but may have a field of that name.
  for (const host of [...(element ? [root] : []), ...call(root, 'querySelectorAll', '*:not(form)')]) {
    if (host instanceof HTMLFormElement || !host.shadowRoot || host.hasAttribute(PANEL_MARK)) continue;
    onRoot(host.shadowRoot);
    found.push(...picturesIn(host.shadowRoot, onRoot));
  }
  return found;
}
