/**
 * Keeps the panel on top of the page, and usable, whatever the page opens.
 *
 * It lies in the browser's top layer, as a popover. A modal dialog makes all that is not in it inert, the top layer too, and
 * so does an element that is fullscreen: while there is one, the panel lies in it.
 */

import { call } from '../../../pkg/dom.js';

/**
 * Marks the panel's element. It is a plain `div`: an element with a name of its own could be defined by the page, whose
 * code would then get to its shadow tree (`attachInternals`).
 */
export const PANEL_MARK = 'data-soli-panel';

/** How often within a second the panel comes back to a page that takes it away: both would never end. */
const MOST_RETURNS = 10;

/** Attributes by which a page can take the panel out of somebody's reach. */
const TAKING = ['aria-hidden', 'hidden', 'inert'];

/** What shows nothing of what is put into it. */
const CLOSED = new Set(['audio', 'canvas', 'embed', 'iframe', 'img', 'input', 'object', 'svg', 'video']);

/**
 * @param {HTMLElement} host
 * @param {{ takeFocus: () => boolean, focused: () => HTMLElement | null }} panel
 */
export function keepOnTop(host, { takeFocus, focused }) {
  host.popover = 'manual';
  let active = false;
  const changes = new MutationObserver((records) => {
    const opened = records.some(({ type, target }) => type === 'attributes' && target.localName === 'dialog');
    const taken = records.some(({ type, target }) => type === 'attributes' && target === host);
    if (!opened && !taken && host.isConnected) return;
    if ((taken || !host.isConnected) && !mayReturn()) return leave();
    for (const name of TAKING) host.removeAttribute(name);
    settle();
  });
  const returns = [];

  function mayReturn() {
    const now = Date.now();
    returns.push(now);
    while (returns[0] < now - 1000) returns.shift();
    return returns.length <= MOST_RETURNS;
  }

  function enter() {
    active = true;
    settle();
    watch(document);
    changes.observe(host, { attributes: true, attributeFilter: TAKING });
    document.addEventListener('focusin', onFocus, true);
    document.addEventListener('fullscreenchange', settle, true);
  }

  function leave() {
    active = false;
    changes.disconnect();
    document.removeEventListener('focusin', onFocus, true);
    document.removeEventListener('fullscreenchange', settle, true);
    host.remove();
  }

  function watch(root) {
    changes.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ['open'] });
  }

  /** A dialog in a shadow tree is not seen to open, but it takes the focus; and the focus is in none but the topmost. */
  function onFocus(event) {
    const modal = event.composedPath().find((node) => node.localName === 'dialog' && node.matches(':modal'));
    if (modal) move(modal);
  }

  /** Goes to where the panel can be used now. */
  function settle() {
    if (!active) return;
    const modals = modalDialogs(document);
    if (modals.length < 2) move(modals[0] ?? fullscreenElement() ?? document.documentElement);
    else moveToTopmost(modals);
  }

  function move(parent) {
    if (host.parentNode === parent && host.isConnected) return;
    const had = focused();
    put(parent);
    had?.focus({ preventScroll: true });
  }

  /** Which of several modal dialogs is on top, browsers do not tell; but only there can anything have the focus. */
  function moveToTopmost(modals) {
    const had = focused() ?? document.activeElement;
    for (const modal of modals.reverse()) {
      put(modal);
      if (takeFocus()) break;
    }
    had?.focus({ preventScroll: true });
  }

  function put(parent) {
    if (!parent) return;
    call(parent, 'append', host);
    // What happens in a shadow tree is not heard outside of it.
    const root = call(parent, 'getRootNode');
    if (root !== document) watch(root);
    raise();
  }

  function raise() {
    try {
      if (host.matches(':popover-open')) host.hidePopover();
      host.showPopover();
    } catch {
      // Without a top layer it lies above all that has no place there, as its style says.
    }
  }

  return { enter, leave };
}

function fullscreenElement() {
  let element = document.fullscreenElement;
  while (element?.shadowRoot?.fullscreenElement) element = element.shadowRoot.fullscreenElement;
  return element && !CLOSED.has(element.localName) ? element : null;
}

/** Open modal dialogs, those in open shadow trees included, in the order of the document. */
function modalDialogs(root) {
  const found = [];
  // A form has no shadow tree, but may have a field of that name.
  for (const element of root.querySelectorAll('*:not(form)')) {
    if (element.localName === 'dialog' && element.matches(':modal')) found.push(element);
    if (element.shadowRoot && !element.hasAttribute(PANEL_MARK)) found.push(...modalDialogs(element.shadowRoot));
  }
  return found;
}
