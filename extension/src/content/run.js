/** What happens in one frame: pictures are found, judged, described, and taken back. */
import { api, listen } from '../shared/api.js';
import { translator } from '../shared/words.js';
import { judge } from '../../../pkg/eligibility.js';
import { addressOf, factsOf } from '../../../pkg/facts.js';
import { ask } from './ask.js';
import { createPanel } from './panel.js';
import { pixelsOf, Unreadable } from './pixels.js';
import { NearestFirst } from './queue.js';
import { watch } from './watch.js';
import { description } from './wording.js';
import { Writer } from '../../../pkg/mark.js';

/** How long a page waits before it asks again whether the battery allows work. */
const BATTERY_PAUSE = 60_000;

/** How long a page with many pictures waits before it tells again how they stand, milliseconds; and what is many. */
const TELLING = { many: 200, pause: 250 };

/** How often a picture may become another one before it was described; from then on it rests, longer every time. */
const PATIENT = 3;
const LONGEST_REST = 15_000;

const isTop = window === window.top;
/** Names this frame to the panel, which lives in the top frame. */
const FRAME = Math.random().toString(36).slice(2);

export function start() {
  const writer = new Writer();
  /** element -> what is known about it; only elements that soli has something to say about */
  const items = new Map();
  const byId = new Map();
  /** element -> how often it changed too soon, and until when it is left alone */
  const restless = new WeakMap();
  let settings;
  let panel = null;
  let watcher = null;
  let counter = 0;
  let greeting = null;
  /** Resolves when settings and words are here. A background that is just starting may lose the question: then it is asked again. */
  function ready() {
    greeting ??= greet().catch((error) => {
      greeting = null;
      throw error;
    });
    return greeting;
  }
  ready().catch(() => {});

  async function greet() {
    const hello = await ask('background', 'hello');
    ({ settings } = hello);
    if (isTop) panel = createPanel({ t: translator(hello.messages), language: hello.language, act });
    if (hello.auto) begin();
  }

  const queue = new NearestFirst({ work, distance, gate });

  /** Looks at the whole page, and from now on at what is added to it. */
  function begin() {
    watcher ??= watch(consider, gone, { known: () => items.keys(), onRest: tellSoon });
    watcher.lookAtAll();
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
    if (restless.get(element)?.until > Date.now()) return;
    const { verdict, reason } = judge(factsOf(element), settings);
    if (verdict === 'leave' || verdict === 'wait') {
      if (item && !item.asked) drop(element);
      if (verdict === 'wait') watcher?.wait(element);
      return;
    }
    if (item && item.address === addressOf(element)) return;
    if (item) {
      drop(element);
      if ((item.state === 'waiting' || item.state === 'working') && rest(element)) return;
    }
    enqueue(element, { verdict, reason });
  }

  /** Whether a picture that became another one before it was described is left alone for a while. */
  function rest(element) {
    const changes = (restless.get(element)?.changes ?? 0) + 1;
    const pause = changes > PATIENT ? Math.min(LONGEST_REST, 1000 * 2 ** (changes - PATIENT)) : 0;
    restless.set(element, { changes, until: Date.now() + pause });
    if (pause > 0) watcher?.lookAgain(element, pause);
    return pause > 0;
  }

  /** `writable`: its description may become the element's text. */
  function enqueue(element, { verdict, reason, asked = false, writable = true }) {
    counter += 1;
    const item = { id: counter, element, address: addressOf(element), verdict, reason, asked, writable: writable && reason !== 'poster', state: 'waiting' };
    items.set(element, item);
    byId.set(item.id, item);
    if (asked) hurry();
    queue.add(item);
    tellSoon();
  }

  function drop(element) {
    const item = items.get(element);
    if (!item) return;
    forget(item);
    queue.remove(item);
    tellSoon();
  }

  function forget({ id, element }) {
    items.delete(element);
    byId.delete(id);
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
    tellSoon();
    try {
      const source = await pixelsOf(item.element, { hidePanel });
      signal.throwIfAborted();
      const caption = await describe(id, source, item.asked);
      signal.throwIfAborted();
      item.way = source.way;
      settle(item, caption);
    } catch (error) {
      // Whatever it waits for no more should not go on.
      if (error.code === 'late') cancel();
      if (!signal.aborted) return trouble(item, error);
    } finally {
      signal.removeEventListener('abort', cancel);
      tellSoon();
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
      if (error.code !== 'no-answer') throw error;
      await ask('background', 'ready');
      return ask('engine', 'caption', question);
    }
  }

  function settle(item, caption) {
    const stale = isStale(item);
    if (stale && !item.asked) {
      // The page has changed it, or has written a text of its own, a moment ago.
      const { element } = item;
      drop(element);
      consider(element);
      return;
    }
    if (!caption.text) {
      item.state = 'failed';
      item.code = 'no-words';
      return;
    }
    Object.assign(item, description(caption, settings));
    restless.delete(item.element);
    if (item.verdict !== 'write' || stale) item.state = item.text ? 'offered' : 'untold';
    else item.state = item.untold ? 'untold' : 'written';
    if (item.state === 'written') writer.write(item.element, item.written);
  }

  /** Whether what was described is no longer what is there. */
  function isStale({ element, address, verdict, asked }) {
    if (addressOf(element) !== address) return true;
    // What somebody asked for is said whatever it is, but never written over a person's text.
    const now = judge(factsOf(element), settings).verdict;
    return asked ? verdict === 'write' && now !== 'write' : now !== verdict;
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
      forget(item);
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
    tellSoon();
  }

  let pausedUntil = 0;
  let wake = () => {};
  /** Lets work go on only while somebody can see the page, and while the battery allows. */
  async function gate() {
    for (;;) {
      const rest = pausedUntil - Date.now();
      if (rest > 0) {
        tellSoon();
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

  let telling = null;
  /** Tells what changed, once for changes that come together. */
  function tellSoon() {
    telling ??= setTimeout(tell, items.size > TELLING.many ? TELLING.pause : 0);
  }

  /** What the panel shows of this frame. */
  function tell() {
    clearTimeout(telling);
    telling = null;
    // Of those that wait, which may be very many, only the number; and no addresses, which may be whole pictures.
    const list = [];
    let ahead = 0;
    for (const { element, address, verdict, written, ...item } of items.values()) {
      if (item.state === 'waiting' || item.state === 'working') ahead += 1;
      else list.push({ ...item, frame: FRAME });
    }
    const searching = watcher?.looking === true;
    const paused = pausedUntil > Date.now() ? 'battery' : null;
    const news = { list, ahead, paused, searching };
    if (isTop) show(FRAME, news);
    else ask('background', 'relay', { message: { type: 'items', frame: FRAME, news } }).catch(() => {});
  }

  const frames = new Map();
  let counted = 0;
  function show(frame, news) {
    if (!panel) return;
    frames.set(frame, news);
    const each = [...frames.values()];
    const all = each.flatMap(({ list }) => list);
    const ahead = each.reduce((sum, { ahead }) => sum + ahead, 0);
    const searching = each.some(({ searching }) => searching);
    panel.show(all, { ahead, paused: news.paused, searching, pictureOf: (item) => (item.frame === FRAME ? elementOf(item.id) : null) });
    const count = all.filter(({ state }) => state === 'written').length;
    if (count === counted) return;
    counted = count;
    ask('background', 'count', { count }).catch(() => {});
  }

  function elementOf(id) {
    return byId.get(id)?.element ?? null;
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
    const item = id !== undefined && byId.get(id);
    if (!item) return;
    if (action === 'show') {
      item.element.scrollIntoView({ block: 'center', behavior: 'instant' });
      panel?.point(item.element);
    } else if (action === 'use') {
      if (addressOf(item.element) !== item.address) return consider(item.element);
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
    for (const item of [...items.values()]) if (item.state === 'waiting' || item.state === 'working') forget(item);
    tell();
    panel?.say('stopped');
  }

  function undo() {
    stop();
    writer.undoAll();
    items.clear();
    byId.clear();
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
    const writable = verdict === 'write' || verdict === 'offer';
    enqueue(element, { verdict: verdict === 'write' ? 'write' : 'offer', reason: writable ? reason : 'asked', asked: true, writable });
    return undefined;
  }

  listen('page', {
    async 'describe-page'() {
      await ready();
      panel?.open('page');
      begin();
    },
    async 'describe-picture'({ url }) {
      await ready();
      if (isTop) panel.open('picture');
      else await ask('background', 'relay', { message: { type: 'open' } });
      describePicture(url);
    },
    async open() {
      await ready();
      panel?.open('picture');
    },
    async items({ frame, news }) {
      await ready();
      if (isTop) show(frame, news);
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
