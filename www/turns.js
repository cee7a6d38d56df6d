/**
 * Has one tab at a time do a work that all tabs need once; the others wait and are told how far it is.
 *
 * The turn saves work, and nothing may depend on it: there are browsers without Web Locks, and who has heard nothing for
 * `patience` goes to work beside the tab whose turn it is (which may be frozen).
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
  let timer = setTimeout(stopWaiting, patience);
  let atWork = false;
  let latest = null;

  const tell = (progress) => {
    latest = progress;
    channel?.postMessage({ progress });
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (atWork) {
        // A tab that has just come wants to know how far this one is.
        if (data.ask && latest) channel.postMessage({ progress: latest });
      } else if (data.progress) {
        clearTimeout(timer);
        timer = setTimeout(stopWaiting, patience);
        onElsewhere?.(data.progress);
      }
    };
    channel.postMessage({ ask: true });
  }
  signal?.addEventListener('abort', stopWaiting);

  const begin = () => {
    atWork = true;
    clearTimeout(timer);
    signal?.removeEventListener('abort', stopWaiting);
    return work(tell);
  };
  try {
    return await navigator.locks.request(name, { signal: waiting.signal }, begin);
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

/** Does a small work if it is nobody's turn now; else not at all. */
export async function whenNobodyWorks(name, work) {
  if (!navigator.locks) return work();
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? work() : undefined)).catch(() => {});
}

function openChannel(name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}
