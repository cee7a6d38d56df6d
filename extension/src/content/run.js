/** What happens in one frame: pictures are found, judged, described, and taken back. */
import { api, ask, listen, RemoteError } from '../shared/api.js';
import { translator } from '../shared/words.js';
import { judge } from '../../../pkg/eligibility.js';
import { addressOf, factsOf } from '../../../pkg/facts.js';
import { createPanel } from './panel.js';
import { pixelsOf, Unreadable } from './pixels.js';
import { NearestFirst } from './queue.js';
import { watch } from './watch.js';
import { description } from './wording.js';
import { Writer } from '../../../pkg/mark.js';
import { wordsSeen } from '../../../pkg/wording.js';

/** How long a page waits before it asks again whether the battery allows work. */
const BATTERY_PAUSE = 60_000;

const isTop = window === window.top;
/** Names this frame to the panel, which lives in the top frame. */
const FRAME = Math.random().toString(36).slice(2);

export function start() {
  const writer = new Writer();
  /** element -> what is known about it; only elements that soli has something to say about */
  const items = new Map();
  let settings;
  let panel = null;
  let watcher = null;
  let counter = 0;
  /** Resolves when settings and words are here. */
  const ready = greet();

  async function greet() {
    const hello = await ask('background', 'hello');
    ({ settings } = hello);
    if (isTop) panel = createPanel({ t: translator(hello.messages), language: hello.language, act });
    if (hello.auto) begin();
  }

  const queue = new NearestFirst({ work, distance, gate });

  /** Looks at the whole page, and from now on at what is added to it. */
  function begin() {
    watcher ??= watch(consider, gone);
    for (const element of watcher.all()) consider(element);
    tell();
  }

  function consider(element) {
    const item = items.get(element);
    if (writer.has(element)) {
      if (writer.wasOverwritten(element)) {
        writer.undo(element);
        drop(element);
      } else if (item && item.address !== addressOf(element)) {
        // A carousel that shows another picture in the same element.
        writer.undo(element);
        drop(element);
      } else return;
    }
    const { verdict, reason } = judge(factsOf(element), settings);
    if (verdict === 'leave' || verdict === 'wait') {
      if (item && !item.asked) drop(element);
      if (verdict === 'wait') watcher?.wait(element);
      return;
    }
    if (item && item.address === addressOf(element)) return;
    if (item) drop(element);
    enqueue(element, { verdict, reason });
  }

  function enqueue(element, { verdict, reason, asked = false }) {
    counter += 1;
    const item = { id: counter, element, address: addressOf(element), verdict, reason, asked, state: 'waiting' };
    items.set(element, item);
    if (asked) hurry();
    queue.add(item);
    tell();
  }

  function drop(element) {
    const item = items.get(element);
    if (!item) return;
    items.delete(element);
    queue.remove(item);
    tell();
  }

  /** Elements that left the page take their place in the list along. */
  function gone(element) {
    if (!element.isConnected) drop(element);
  }

  async function work(item, signal) {
    const id = `${FRAME}-${item.id}-${Math.random()}`;
    const cancel = () => ask('engine', 'cancel', { id }).catch(() => {});
    signal.addEventListener('abort', cancel);
    item.state = 'working';
    tell();
    try {
      const source = await pixelsOf(item.element, { hidePanel });
      signal.throwIfAborted();
      const caption = await describe(id, source, item.asked);
      signal.throwIfAborted();
      item.way = source.way;
      settle(item, caption);
    } catch (error) {
      if (!signal.aborted) return trouble(item, error);
    } finally {
      signal.removeEventListener('abort', cancel);
      tell();
    }
    return false;
  }

  async function describe(id, { data, url }, explicit) {
    const question = { id, source: { data, url }, explicit };
    await ask('background', 'ready');
    try {
      return await ask('engine', 'caption', question);
    } catch (error) {
      // The offscreen document may close itself between the two questions; an answer of its own is final.
      if (error instanceof RemoteError && error.code !== 'no-answer') throw error;
      await ask('background', 'ready');
      return ask('engine', 'caption', question);
    }
  }

  function settle(item, caption) {
    if (!caption.text) {
      item.state = 'failed';
      item.code = 'no-words';
      return;
    }
    item.text = description(caption, { ...settings, announce: false });
    item.written = description(caption, settings);
    item.seen = wordsSeen(caption);
    item.state = item.verdict === 'write' ? 'written' : 'offered';
    if (item.state === 'written') writer.write(item.element, item.written);
  }

  /** Whether the item should have another turn. */
  function trouble(item, error) {
    if (error.code === 'saving-power') {
      item.state = 'waiting';
      pausedUntil = Date.now() + BATTERY_PAUSE;
      return true;
    }
    if (error instanceof Unreadable) {
      item.state = 'blocked';
      item.url = error.url;
      // It may be read from the screen as soon as it lies there.
      watcher?.waitForSight(item.element, () => retry(item));
    } else if (error.code === 'blank' && !item.asked) {
      items.delete(item.element);
    } else {
      item.state = 'failed';
      item.code = error.code ?? 'internal';
    }
    return false;
  }

  function retry(item) {
    if (items.get(item.element) !== item || !['blocked', 'failed'].includes(item.state)) return;
    item.state = 'waiting';
    queue.add(item);
    tell();
  }

  let pausedUntil = 0;
  let wake = () => {};
  /** Lets work go on only while somebody can see the page, and while the battery allows. */
  async function gate() {
    for (;;) {
      const rest = pausedUntil - Date.now();
      if (rest > 0) {
        tell();
        await new Promise((resolve) => {
          wake = resolve;
          setTimeout(resolve, rest);
        });
      } else if (document.visibilityState !== 'visible') {
        await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
      } else return;
    }
  }

  /** Somebody waits for a picture: no battery is saved on that one. */
  function hurry() {
    pausedUntil = 0;
    wake();
  }

  /** Pixels between a picture and what is seen now; what somebody asked for comes first. */
  function distance({ element, asked }) {
    if (asked) return -1;
    const { top, bottom, left, right } = element.getBoundingClientRect();
    const beside = Math.max(0, -right, left - window.innerWidth);
    return beside + Math.max(0, -bottom, top - window.innerHeight);
  }

  async function hidePanel(box) {
    return panel ? panel.stepAside(box) : () => {};
  }

  /** What the panel shows of this frame. */
  function tell() {
    const list = [...items.values()]
      .map(({ id, state, reason, text, seen, code, url, asked }) => ({ id, state, reason, text, seen, code, url, asked }));
    const paused = pausedUntil > Date.now() ? 'battery' : null;
    if (isTop) show(FRAME, list, paused);
    else ask('background', 'relay', { message: { type: 'items', frame: FRAME, list, paused } }).catch(() => {});
  }

  const frames = new Map();
  function show(frame, list, paused) {
    if (!panel) return;
    frames.set(frame, list);
    const all = [...frames].flatMap(([name, items]) => items.map((item) => ({ ...item, frame: name })));
    panel.show(all, { paused, pictureOf: (item) => (item.frame === FRAME ? elementOf(item.id) : null) });
    const count = all.filter(({ state }) => state === 'written').length;
    ask('background', 'count', { count }).catch(() => {});
  }

  function elementOf(id) {
    for (const item of items.values()) if (item.id === id) return item.element;
    return null;
  }

  /** The panel's buttons. Those that belong to a picture are for the frame that has it. */
  function act(action, item) {
    if (action === 'allow') return ask('background', 'ask-for', { url: item.url }).catch(() => {});
    if (action === 'always') return ask('background', 'ask-for', { url: location.href, always: true }).catch(() => {});
    if (action === 'options') return ask('background', 'options').catch(() => {});
    if (!item || item.frame === FRAME) perform(action, item?.id);
    if (!item || item.frame !== FRAME) {
      ask('background', 'relay', { message: { type: 'act', action, frame: item?.frame, id: item?.id, from: FRAME } }).catch(() => {});
    }
    return undefined;
  }

  function perform(action, id) {
    if (action === 'stop') stop();
    else if (action === 'undo') undo();
    const item = id !== undefined && items.get(elementOf(id));
    if (!item) return;
    if (action === 'show') {
      item.element.scrollIntoView({ block: 'center', behavior: 'instant' });
      panel?.point(item.element);
    } else if (action === 'use') {
      writer.write(item.element, item.written);
      item.state = 'written';
      tell();
    } else if (action === 'retry') {
      item.asked = true;
      hurry();
      retry(item);
    }
  }

  /** Ends all work; what is written stays. */
  function stop() {
    watcher?.close();
    watcher = null;
    queue.clear();
    for (const [element, { state }] of items) if (state === 'waiting' || state === 'working') items.delete(element);
    tell();
    panel?.say('stopped');
  }

  function undo() {
    stop();
    writer.undoAll();
    items.clear();
    tell();
    panel?.say('undone');
  }

  /** The picture that the menu was opened on: by its address, as browsers do not tell which element it was. */
  function describePicture(url) {
    const found = [...document.querySelectorAll('img, input[type="image" i]')].filter((element) => addressOf(element) === url);
    const element = found.sort((a, b) => distance({ element: a }) - distance({ element: b }))[0];
    if (!element) return panel?.say('notFound');
    const before = items.get(element);
    if (before?.text) return tell();
    if (before) drop(element);
    const { verdict, reason } = judge(factsOf(element), settings);
    // Whatever soli would leave alone by itself is described on request, in the panel only.
    enqueue(element, { verdict: verdict === 'write' ? 'write' : 'offer', reason: verdict === 'leave' || verdict === 'wait' ? `asked-${reason}` : reason, asked: true });
    return undefined;
  }

  listen('page', {
    async 'describe-page'() {
      await ready;
      panel?.open('page');
      begin();
    },
    async 'describe-picture'({ url }) {
      await ready;
      if (isTop) panel.open('picture');
      else await ask('background', 'relay', { message: { type: 'open' } });
      describePicture(url);
    },
    async open() {
      await ready;
      panel?.open('picture');
    },
    async items({ frame, list, paused }) {
      await ready;
      if (isTop) show(frame, list, paused);
    },
    act({ action, frame, id, from }) {
      if (from !== FRAME && (frame === undefined || frame === FRAME)) perform(action, id);
    },
    /** The user allowed a host: what was out of reach may be within it now. */
    access() {
      for (const item of [...items.values()]) if (item.state === 'blocked') retry(item);
    },
  });
  return true;
}
