import { Captioner } from './pkg/index.js';
import { bringWeights } from './weights.js';
import { note } from './wording.js';

const CARD = new URL('./models/soli.json', import.meta.url);

/**
 * The page's one captioner. It is loaded when somebody asks for it, and again after a failure.
 *
 * @param {{
 *   onProgress(progress: { loaded: number, total: number, elsewhere: boolean }): void,
 *   onLoaded(kept: boolean): void,
 *   onFailed(error: unknown): void,
 *   onNote(text: string): void,
 * }} listener `kept`: its weights are on this device
 */
export function loadCaptioner({ onProgress, onLoaded, onFailed, onNote }) {
  let loading = null;

  async function load() {
    let failure = null;
    const bringing = bringWeights(CARD, { onProgress });
    bringing.catch((error) => {
      failure = error;
    });
    // The captioner's worker starts in the meantime.
    const captioner = await Captioner.load({ weights: bringing.then(({ blob }) => blob) }).catch((error) => {
      // What kept the weights away says more than that they did not come.
      throw failure ?? error;
    });
    const { blob, kept, notes } = await bringing;
    holder.loaded = true;
    onLoaded(kept);
    for (const name of notes) onNote(note(name, blob.size));
    return captioner;
  }

  const holder = {
    loaded: false,
    get() {
      if (!loading) {
        loading = load();
        loading.catch((error) => {
          loading = null;
          onFailed(error);
        });
      }
      return loading;
    },
  };
  return holder;
}
