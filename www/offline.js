import { hasVectors } from './pkg/instructions.js';
import { trustedScript } from './trusted.js';

/**
 * Has the service worker keep the page, so that it opens without a network.
 *
 * @param {{ onReady(): void, onUnavailable(): void, onUpdate(apply: () => void): void }} listener
 *   `onUpdate`: another version is here; `apply` switches to it and loads the page anew
 */
export async function keepPage({ onReady, onUnavailable, onUpdate }) {
  // Part of the worker's address, so that it knows from its first moment which of the two modules to keep.
  const worker = new URL(hasVectors() ? './sw.js' : './sw.js?plain', import.meta.url);
  try {
    // In a sandboxed frame even looking for it throws.
    const container = navigator.serviceWorker;
    if (!container) return onUnavailable();
    const registration = await keep(container, worker);
    let applying = false;
    const offer = (worker) => {
      if (!container.controller) return; // the first version: nothing to switch from
      onUpdate(() => {
        applying = true;
        container.addEventListener('controllerchange', () => location.reload(), { once: true });
        worker.postMessage('take over');
      });
    };
    if (registration.waiting) offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker.addEventListener('statechange', () => {
        if (worker.state === 'installed') offer(worker);
      });
    });
    let wasControlled = container.controller !== null;
    container.addEventListener('controllerchange', () => {
      // Another tab switched to the new version: what this one has not loaded yet would be of that one.
      if (wasControlled && !applying) onUpdate(() => location.reload());
      wasControlled = true;
    });
    onReady();
  } catch {
    onUnavailable();
  }
}

/** Registers the worker, again if its first run failed: it may live in the process of another tab, and die with it. */
async function keep(container, worker) {
  const register = async () => {
    const registration = await container.register(trustedScript(worker), { updateViaCache: 'none' });
    await activated(registration);
    return registration;
  };
  return register().catch(register);
}

/**
 * Resolves when a version of the page is kept whole; rejects when that failed. Not `navigator.serviceWorker.ready`, which
 * never resolves for a page that was opened under an address outside of its folder (see index.html).
 */
function activated(registration) {
  if (registration.active) return undefined;
  const worker = registration.installing ?? registration.waiting;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === 'activated') resolve();
      if (worker.state === 'redundant') reject(new Error('the service worker could not keep the page'));
    };
    worker.addEventListener('statechange', look);
    look();
  });
}
