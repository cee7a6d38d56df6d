import { Captioner } from './captioner.js';

/** One captioner for every address of weights, shared by all who ask for it. */
const shared = new Map();

/**
 * @param {string} address absolute address of the weights
 * @returns {{ captioner: Promise<Captioner>, release(): void }} the last one to release ends the captioner
 */
export function sharedCaptioner(address) {
  let entry = shared.get(address);
  if (!entry) {
    entry = { users: 0, stop: new AbortController(), captioner: null };
    entry.captioner = Captioner.load({ weights: address, signal: entry.stop.signal });
    // A failure is not kept: the next one to ask tries again.
    entry.captioner.catch(() => forget(address, entry));
    shared.set(address, entry);
  }
  entry.users += 1;
  let held = true;
  return {
    captioner: entry.captioner,
    release() {
      if (!held) return;
      held = false;
      entry.users -= 1;
      // Later, because an element that is moved within the page leaves it for a moment.
      setTimeout(() => {
        if (entry.users > 0 || shared.get(address) !== entry) return;
        forget(address, entry);
        entry.stop.abort();
        entry.captioner.then((captioner) => captioner.dispose(), () => {});
      });
    },
  };
}

function forget(address, entry) {
  if (shared.get(address) === entry) shared.delete(address);
}
