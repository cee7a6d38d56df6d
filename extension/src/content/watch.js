/** Tells which pictures are there, which come later, and which change. */
import { CANDIDATES, DECIDING_ATTRIBUTES } from '../../../pkg/facts.js';

/** Changes come in bursts; they are looked at together. Milliseconds. */
const BURST = 150;

/**
 * @param {(element: Element) => void} onPicture a picture that is new, or may have changed
 * @param {(element: Element) => void} onGone a picture that was removed
 */
export function watch(onPicture, onGone) {
  const pending = new Set();
  let timer = null;

  function later(element) {
    pending.add(element);
    timer ??= setTimeout(flush, BURST);
  }

  function flush() {
    timer = null;
    const elements = [...pending];
    pending.clear();
    for (const element of elements) {
      if (element.isConnected) onPicture(element);
      else onGone(element);
    }
  }

  const mutations = new MutationObserver((records) => {
    for (const { type, target, addedNodes, removedNodes } of records) {
      // A `source` decides what the picture beside it shows.
      if (type === 'attributes') for (const element of picturesIn(target.localName === 'source' ? target.parentNode ?? target : target, observe)) later(element);
      for (const node of addedNodes) if (node instanceof Element) for (const element of picturesIn(node, observe)) later(element);
      for (const node of removedNodes) if (node instanceof Element) for (const element of picturesIn(node)) later(element);
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
    if (target instanceof Element && target.matches(CANDIDATES)) later(target);
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
    /** Every picture that is there now. */
    all: () => picturesIn(document, observe),
    /** Looks at a picture again when it is loaded or its size changes. */
    wait: (element) => sizes.observe(element),
    /** Calls `act` once, when all of a picture is in view; not for what is in view already. */
    waitForSight(element, act) {
      const { top, bottom } = element.getBoundingClientRect();
      if (top >= 0 && bottom <= window.innerHeight) return;
      sights.set(element, act);
      sight.observe(element);
    },
    close() {
      clearTimeout(timer);
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
function picturesIn(root, onRoot = () => {}) {
  const found = [];
  if (root instanceof Element && root.matches(CANDIDATES)) found.push(root);
  // `path` elements of large drawings are many; nothing in an svg is a picture of its own here.
  if (root instanceof SVGElement) return found;
  found.push(...root.querySelectorAll(CANDIDATES));
  const hosts = root instanceof Element && root.shadowRoot ? [root] : [];
  for (const element of [...hosts, ...root.querySelectorAll('*')]) {
    if (!element.shadowRoot || element.localName === 'soli-panel') continue;
    onRoot(element.shadowRoot);
    found.push(...picturesIn(element.shadowRoot, onRoot));
  }
  return found;
}
