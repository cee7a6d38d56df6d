/** Makes captions for every tab, one at a time, with one captioner. */
import { Captioner } from '../pkg/index.js';
import { api, listen } from '../shared/api.js';
import { pixelsOf } from './picture.js';
import { isSaving, readBattery } from './power.js';

/** A captioner that had nothing to do for so long gives its memory back. */
const IDLE = 120_000;

/** @param {{ onIdle?: () => void }} [options] called when there was nothing to do for a while */
export function startEngine({ onIdle = () => {} } = {}) {
  const underWay = new Map();
  let loading = null;
  let timer = null;

  function captioner() {
    loading ??= Captioner.load({ weights: api.runtime.getURL('models/soli.safetensors') }).catch((error) => {
      loading = null;
      throw error;
    });
    return loading;
  }

  function rest() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const idle = loading;
      loading = null;
      (await idle?.catch(() => null))?.dispose();
      if (underWay.size === 0) onIdle();
    }, IDLE);
  }

  listen('engine', {
    /** `explicit`: somebody waits for this very picture. */
    async caption({ id, source, explicit }) {
      clearTimeout(timer);
      const controller = new AbortController();
      underWay.set(id, controller);
      try {
        if (!explicit && isSaving(await readBattery())) {
          throw Object.assign(new Error('the battery is low'), { code: 'saving-power' });
        }
        const { signal } = controller;
        const [soli, pixels] = await Promise.all([captioner(), pixelsOf(source, signal)]);
        return await soli.caption(pixels, { signal });
      } finally {
        underWay.delete(id);
        if (underWay.size === 0) rest();
      }
    },
    cancel: ({ id }) => underWay.get(id)?.abort(),
  });
}
