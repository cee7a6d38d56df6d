import { hasVectors } from './pkg/instructions.js';

/**
 * Has the service worker keep the page, so that it opens without a network.
 *
 * @param {{ onReady(): void, onUnavailable(): void, onUpdate(apply: () => void): void }} listener
 *   `onUpdate`: another version is here and waits; `apply` switches to it and loads the page anew
 */
export async function keepPage({ onReady, onUnavailable, onUpdate }) {
  const container = navigator.serviceWorker;
  if (!container) return onUnavailable();
  // Part of the worker's address, so that it knows from its first moment which of the two modules to keep.
  const worker = new URL(hasVectors() ? './sw.js' : './sw.js?plain', import.meta.url);
  try {
    const registration = await container.register(worker, { updateViaCache: 'none' });
    const offer = (worker) => {
      if (!container.controller) return; // the first version: nothing to switch from
      onUpdate(() => {
        container.addEventListener('controllerchange', () => location.reload(), { once: true });
        worker.postMessage('take over');
      });
    };
    if (registration.waiting) offer(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker.addEventListener('statechange', () => {
        if (worker.state === 'installed') offer(worker);
        if (worker.state === 'redundant' && !registration.active) onUnavailable();
      });
    });
    await container.ready;
    onReady();
  } catch {
    onUnavailable();
  }
}
