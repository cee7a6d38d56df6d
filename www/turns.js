/** Milliseconds in which a tab at work answers one that has just come; who says nothing is frozen, or is not there. */
const ANSWER = 10_000;

/**
 * Has one tab at a time do a work that all tabs need once; the others wait and are told how far it is.
 *
 * The turn saves work, and nothing may depend on it: there are browsers without Web Locks, and who hears nothing from the tab
 * whose turn it is (which may be frozen) goes to work beside it: after 10 s if it never answered, else after `patience`.
 *
 * @template T
 * @param {string} name of the work
 * @param {(tell: (progress: object) => void) => Promise<T>} work
 * @param {{ onElsewhere?(progress: object): void, signal?: AbortSignal, patience: number }} options `onElsewhere` gets what
 *   the tab at work tells; `patience` is in milliseconds
 * @returns {Promise<T>}
 */
export async function takeTurns(name, work, { onElsewhere, signal, patience }) {
  signal?.throwIfAborted();
  const channel = openChannel(name);
  const waiting = new AbortController();
  const stopWaiting = () => waiting.abort();
  let timer = setTimeout(stopWaiting, Math.min(patience, ANSWER));
  let atWork = false;
  let latest = null;

  const say = (message) => {
    try {
      channel?.postMessage(message);
    } catch {
      // Nobody hears of it, and then the others load for themselves.
    }
  };
  const tell = (progress) => {
    latest = progress;
    say({ progress });
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (atWork) {
        // A tab that has just come wants to know how far this one is.
        if (data.ask && latest) say({ progress: latest });
      } else if (data.progress) {
        clearTimeout(timer);
        timer = setTimeout(stopWaiting, patience);
        onElsewhere?.(data.progress);
      }
    };
    say({ ask: true });
  }
  signal?.addEventListener('abort', stopWaiting);

  const begin = async () => {
    // Its turn may still come when it has long gone to work without.
    if (atWork) return undefined;
    atWork = true;
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopWaiting);
    return work(tell);
  };
  try {
    // A lock that never comes, whatever its signal says, is waited for no longer.
    const outOfPatience = new Promise((_, reject) => {
      waiting.signal.addEventListener('abort', () => atWork || reject(waiting.signal.reason));
    });
    const done = await Promise.race([navigator.locks.request(name, { signal: waiting.signal }, begin), outOfPatience]);
    return atWork ? done : await begin();
  } catch (error) {
    if (atWork) throw error;
    signal?.throwIfAborted();
    // No locks here (an older browser, a sandboxed frame), or no patience left.
    return await begin();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopWaiting);
    channel?.close();
  }
}

/** Does a small work if it is nobody's turn now; else not at all. Never rejects. */
export async function whenNobodyWorks(name, work) {
  try {
    if (navigator.locks) await navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? work() : undefined));
    else await work();
  } catch {
    // It is done the next time.
  }
}

function openChannel(name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}
