/**
 * soli's panel on a page: what was described, what is offered, what needs a permission; read, copy, use, undo.
 *
 * It lies in a closed shadow tree that the page's scripts cannot look into, and hears only real clicks.
 */
import { copy } from './copy.js';
import { PANEL_MARK, keepOnTop } from './panel-place.js';
import { applyStyle } from './panel-style.js';
import { canSpeak, hush, speak } from './speech.js';
import { CAPTION_LANGUAGE } from '../../../pkg/mark.js';
import { percent } from '../../../pkg/wording.js';

/** Why a description is offered instead of written; all others are offered because they were asked for. */
const NOTES = new Set(['functional', 'draft', 'poster', 'canvas', 'background']);
/** What is said about a picture that could not be described. */
const FAILURES = {
  'fetch-failed': 'failedFetch',
  'decode-failed': 'failedDecode',
  blank: 'failedBlank',
  'no-words': 'failedWords',
  'wasm-failed': 'failedWasm',
  late: 'failedAnswer',
  'no-answer': 'failedAnswer',
};
/** The most that is listed, of what may be ten thousand: pictures, the latest ones, and hosts. */
const MOST = { rows: 200, hosts: 20 };

/**
 * @param {{
 *   t: (key: string, ...values: unknown[]) => string,
 *   language: string,
 *   act: (action: string, item?: object) => void,
 * }} options
 */
export function createPanel({ t, language, act }) {
  const host = document.createElement('div');
  host.setAttribute(PANEL_MARK, '');
  const root = host.attachShadow({ mode: SOLI_PANEL });
  const rows = new Map();
  let purpose = 'page';
  let said = '';
  let reading = null;
  let before = null;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  /** A button that a page's script cannot press. */
  const button = (name, onPress, properties = {}) => {
    const element = make('button', { type: 'button', textContent: name, ...properties });
    element.addEventListener('click', (event) => {
      if (event.isTrusted) onPress(element);
    });
    return element;
  };

  const title = make('h2', { textContent: t('panelTitle'), tabIndex: -1 });
  const closing = button('×', close, { className: 'close', ariaLabel: t('close') });
  const status = make('p', { className: 'status', role: 'status' });
  const progress = make('progress', { hidden: true, ariaLabel: t('progress') });
  const hosts = make('ul', { className: 'hosts', hidden: true });
  const list = make('ul', { className: 'list', hidden: true });
  const stopping = button(t('stop'), () => act('stop'), { hidden: true });
  const undoing = button(t('undo'), () => act('undo'), { hidden: true });
  const readingAll = button(t('readAll'), () => readAloud(readingAll, written, t('readAll')), { hidden: true });
  const always = button(t('always'), () => act('always'), { hidden: !/^https?:$/.test(location.protocol) });
  const options = button(t('options'), () => act('options'));
  const section = make(
    'section',
    { lang: language },
    // Stays in sight above a long list, and Stop is reached before it.
    make('div', { className: 'top' }, make('header', {}, title, closing), make('div', { className: 'state' }, status, stopping), progress),
    hosts,
    list,
    make('footer', {}, undoing, readingAll, always, options),
  );
  section.setAttribute('aria-label', 'soli');
  const ring = make('div', { className: 'ring', hidden: true });
  root.append(section, ring);
  applyStyle(root);

  const place = keepOnTop(host, {
    /** Moves the focus into the panel; false where the browser does not let it. */
    takeFocus() {
      title.focus({ preventScroll: true });
      return root.activeElement === title;
    },
    /** What has the focus in the panel, if it has it. */
    focused: () => root.activeElement,
  });
  // A page's own shortcuts are not meant by what is typed here, nor does a click here mean to leave a dialog of the
  // page, nor does the focus have to be brought back into it.
  for (const type of ['keydown', 'keyup', 'keypress', 'click', 'mousedown', 'mouseup', 'pointerdown', 'pointerup', 'focusin', 'focusout']) {
    host.addEventListener(type, (event) => {
      event.stopPropagation();
      if (type !== 'keydown' || event.key !== 'Escape' || !event.isTrusted) return;
      // Otherwise it closes the page's dialog too.
      event.preventDefault();
      close();
    });
  }

  let written = [];

  function open(why) {
    purpose = why;
    said = '';
    if (!host.isConnected) {
      before = document.activeElement;
      place.enter();
    }
    title.focus({ preventScroll: true });
  }

  function close() {
    if (reading) endReading();
    const hadFocus = document.activeElement === host;
    place.leave();
    if (hadFocus) before?.focus?.({ preventScroll: true });
  }

  /** Says something to everybody once: a repeat would only interrupt a screen reader. */
  function announce(text) {
    if (text === said) return;
    said = text;
    status.textContent = text;
  }

  /** `items`: what came of pictures; `ahead`: how many more there are; `searching`: or may be. */
  function show(items, { ahead, paused, searching, pictureOf }) {
    const of = (...states) => items.filter(({ state }) => states.includes(state));
    written = of('written').map(({ text }) => text);
    progress.hidden = ahead === 0 && !searching;
    progress.max = Math.max(1, items.length + ahead);
    progress.value = items.length;
    const focused = root.activeElement;
    stopping.hidden = ahead === 0 && !searching;
    undoing.hidden = written.length === 0;
    readingAll.hidden = written.length === 0 || !canSpeak();
    // A button that vanishes under somebody's finger must not throw them back to the start of the page.
    if (focused?.hidden) title.focus({ preventScroll: true });
    showHosts(of('blocked'));
    showRows(of('written', 'offered', 'untold', 'failed'), pictureOf);
    announce(summary(items, { ahead, paused, searching }));
  }

  function summary(items, { ahead, paused, searching }) {
    if (paused && ahead > 0) return t('pausedBattery');
    if (ahead > 0 || searching) return t('working');
    const count = (state) => items.filter((item) => item.state === state).length;
    if (purpose === 'picture') {
      const asked = items.findLast((item) => item.asked);
      if (asked?.text) return asked.text;
      if (asked?.state === 'untold') return noteOf(asked);
    }
    if (items.length === 0) return t('nothing');
    return [
      t('countWritten', count('written')),
      count('offered') ? t('countOffered', count('offered')) : '',
      count('untold') ? t('countUntold', count('untold')) : '',
      count('blocked') ? t('countBlocked', count('blocked')) : '',
      count('failed') ? t('countFailed', count('failed')) : '',
    ]
      .filter(Boolean)
      .join(' ');
  }

  /** One line and one button for each host whose pictures cannot be read. */
  function showHosts(blocked) {
    const byHost = new Map();
    for (const item of blocked) {
      const name = hostName(item.url);
      if (!byHost.has(name)) byHost.set(name, []);
      byHost.get(name).push(item);
    }
    hosts.hidden = byHost.size === 0;
    const shown = [...byHost].slice(0, MOST.hosts).map(([name, items]) => ({ name, count: items.length, first: items[0] }));
    update(hosts, shown, ({ name }) => name, ({ name, count, first }) => [
      make('p', { textContent: name ? t('blockedHost', count, name) : t('blockedScreen', count) }),
      ...(name ? [button(t('allow', name), () => act('allow', first))] : []),
    ]);
  }

  function showRows(items, pictureOf) {
    list.hidden = items.length === 0;
    update(list, items.slice(-MOST.rows), ({ frame, id }) => `${frame}/${id}`, (item) => rowOf(item, pictureOf(item)));
  }

  function rowOf(item, picture) {
    const parts = [];
    if (picture) parts.push(thumbnail(picture));
    const words = make('div', { className: 'words' });
    parts.push(words);
    if (item.state === 'failed') {
      words.append(make('p', { textContent: t(FAILURES[item.code] ?? 'failed', item.code) }));
    } else {
      if (item.text) words.append(make('p', { className: 'text', textContent: item.text, lang: CAPTION_LANGUAGE }));
      words.append(make('p', { className: 'about', textContent: aboutOf(item) }));
      if (item.seen?.length > 0) words.append(seenIn(item.seen));
      words.append(make('p', { className: 'note', textContent: noteOf(item) }));
    }
    const actions = make('div', { className: 'actions' });
    words.append(actions);
    const named = (key) => ({ ariaLabel: item.text ? `${t(key)}: ${item.text}` : t(key) });
    if (item.text) {
      if (canSpeak()) actions.append(button(t('read'), (self) => readAloud(self, [item.text], t('read')), named('read')));
      actions.append(
        button(t('copy'), async (self) => {
          const done = await copy(item.text, root);
          rename(self, t(done ? 'copied' : 'notCopied'));
          announce(t(done ? 'copied' : 'notCopied'));
        }, named('copy')),
      );
      if (['offered', 'untold'].includes(item.state) && item.writable) {
        actions.append(button(t('use'), () => act('use', item), named('use')));
      }
    } else if (item.state === 'failed') {
      actions.append(button(t('retry'), () => act('retry', item)));
    }
    actions.append(button(t('show'), () => act('show', item), named('show')));
    return parts;
  }

  /** The single words that the network sees, which are English whatever the panel speaks. */
  function seenIn(seen) {
    const line = make('p', { className: 'seen', textContent: `${t('seen')} ` });
    const words = seen.map(({ word, probability }) => `${word} ${percent(probability)}`);
    line.append(make('span', { textContent: words.join(', '), lang: CAPTION_LANGUAGE }));
    return line;
  }

  /** What kind of picture it is, as far as the network can tell, and how sure the description is. */
  function aboutOf({ kind, certainty, confidence }) {
    const sure = `${t(`certainty_${certainty}`)} (${t('sureTo', percent(confidence))}).`;
    return kind ? `${t(`kind_${kind}`)}. ${sure}` : sure;
  }

  function noteOf({ state, reason, untold }) {
    if (state === 'written') return t('noteWritten');
    if (state === 'untold') return t(`untold_${untold}`);
    if (NOTES.has(reason)) return t(`note_${reason}`);
    return t('note_asked');
  }

  /** Makes a list fit its items, and leaves the rows alone that say the same as before: focus may be in them. */
  function update(parent, items, keyOf, contentOf) {
    const kept = new Set();
    for (const [index, item] of items.entries()) {
      const key = `${parent.className}/${keyOf(item)}`;
      const sign = JSON.stringify(item);
      kept.add(key);
      let row = rows.get(key);
      if (row?.sign !== sign) {
        const focused = row?.element.contains(root.activeElement);
        const element = row?.element ?? make('li');
        element.replaceChildren(...contentOf(item));
        row = { element, sign, parent };
        rows.set(key, row);
        if (focused) (element.querySelector('button') ?? title).focus({ preventScroll: true });
      }
      if (parent.children[index] !== row.element) parent.insertBefore(row.element, parent.children[index] ?? null);
    }
    for (const [key, { element, parent: owner }] of rows) {
      if (owner !== parent || kept.has(key)) continue;
      if (element.contains(root.activeElement)) title.focus({ preventScroll: true });
      element.remove();
      rows.delete(key);
    }
  }

  /** A canvas may show what it may not read. */
  function thumbnail(picture) {
    const canvas = make('canvas', { width: 96, height: 96, className: 'thumbnail' });
    canvas.setAttribute('aria-hidden', 'true');
    const [width, height] = [picture.naturalWidth || picture.width, picture.naturalHeight || picture.height];
    if ((picture.localName === 'img' || picture.localName === 'canvas') && width > 0 && height > 0) {
      const scale = Math.max(96 / width, 96 / height);
      try {
        canvas.getContext('2d').drawImage(picture, (96 - width * scale) / 2, (96 - height * scale) / 2, width * scale, height * scale);
      } catch {
        // No canvas to be had, or a picture that went to pieces: the row has its words all the same.
      }
    }
    return canvas;
  }

  /** What is heard must begin with what is seen. */
  function rename(self, name, label = null) {
    self.textContent = name;
    self.ariaLabel = label;
  }

  function readAloud(self, texts, name) {
    const again = reading?.button === self;
    if (reading) endReading();
    if (again) return;
    reading = { button: self, name, label: self.ariaLabel };
    rename(self, t('stopReading'));
    const mine = reading;
    speak(texts, CAPTION_LANGUAGE, () => {
      if (reading === mine) endReading();
    });
  }

  function endReading() {
    const { button: self, name, label } = reading;
    reading = null;
    rename(self, name, label);
    hush();
  }

  return {
    open,
    show,
    say: (key) => announce(t(key)),
    /** Puts a ring around a picture for a moment. */
    point(element) {
      const { left, top, width, height } = element.getBoundingClientRect();
      ring.hidden = false;
      Object.assign(ring.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
      setTimeout(() => {
        ring.hidden = true;
      }, 2000);
    },
    /** Gets the panel out of a picture's way; gives what brings it back. */
    async stepAside({ x, y, width, height }) {
      const place = section.getBoundingClientRect();
      const apart = place.right <= x || place.left >= x + width || place.bottom <= y || place.top >= y + height;
      if (!host.isConnected || apart) return () => {};
      const focused = root.activeElement;
      section.style.visibility = 'hidden';
      // Two frames: one to lay the page out without the panel, one to paint it.
      for (let i = 0; i < 2; i += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
      return () => {
        section.style.visibility = '';
        focused?.focus({ preventScroll: true });
      };
    },
  };
}

function hostName(url) {
  try {
    const { protocol, hostname } = new URL(url);
    return /^https?:$/.test(protocol) ? hostname : '';
  } catch {
    return '';
  }
}
