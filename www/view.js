/** What the page shows of the picture (or camera) that is looked at. Nothing here knows how a caption is made. */
import { certainty, confidence, sentence } from './pkg/index.js';
import { CERTAINTIES, KINDS } from './pkg/wording.js';
import { QUESTION, STATES, captionOf, loadingProgress, milliseconds, percent, sees, trouble } from './wording.js';

/**
 * @param {{
 *   state: HTMLElement,
 *   notice: HTMLElement, noticeText: HTMLElement, noticeAct: HTMLButtonElement,
 *   stage: HTMLElement, hint: HTMLElement, picture: HTMLImageElement, seen: HTMLCanvasElement, viewfinder: HTMLVideoElement,
 *   result: HTMLElement, caption: HTMLElement, seenWords: HTMLElement,
 *   facts: HTMLElement, kindFact: HTMLElement, kindText: HTMLElement, meter: HTMLMeterElement, confidenceText: HTMLElement,
 *   certaintyText: HTMLElement, time: HTMLElement,
 *   resultActions: HTMLElement, edit: HTMLButtonElement, retry: HTMLButtonElement,
 *   loading: HTMLElement, progress: HTMLProgressElement, progressName: HTMLElement,
 *   camera: HTMLButtonElement, shoot: HTMLButtonElement, device: HTMLSelectElement, deviceChoice: HTMLElement,
 *   heat: { show(picture: import('./pictures.js').Picture): void, hide(): void },
 * }} elements `heat`: goes with the words that are seen
 */
export function createView({
  state,
  notice,
  noticeText,
  noticeAct,
  stage,
  hint,
  picture,
  seen,
  viewfinder,
  result,
  caption,
  seenWords,
  facts,
  kindFact,
  kindText,
  meter,
  confidenceText,
  certaintyText,
  time,
  resultActions,
  edit,
  retry,
  loading,
  progress,
  progressName,
  camera,
  shoot,
  device,
  deviceChoice,
  heat,
}) {
  /** Shows a sentence in a state; `details` are kept as data attributes for scripts that drive the page. */
  function say(kind, text, details = {}) {
    result.dataset.state = kind;
    for (const key of ['text', 'score', 'confidence', 'ms']) {
      if (key in details) result.dataset[key] = details[key];
      else delete result.dataset[key];
    }
    caption.textContent = text;
    facts.hidden = kind !== 'done';
    seenWords.hidden = true;
    heat.hide();
    resultActions.hidden = kind !== 'done';
    retry.hidden = true;
  }

  function fill(element) {
    for (const candidate of [hint, picture, seen, viewfinder]) candidate.hidden = candidate !== element;
    stage.toggleAttribute('data-filled', element !== hint);
  }

  /** What is told of a caption beside its sentence. */
  function showFacts(given) {
    seenWords.textContent = sees(given);
    seenWords.hidden = seenWords.textContent === '';
    kindText.textContent = KINDS[given.kind] ?? '';
    kindFact.hidden = !given.kind;
    certaintyText.textContent = `(${CERTAINTIES[certainty(given)].toLowerCase()})`;
    const share = confidence(given);
    meter.value = share;
    confidenceText.textContent = percent(share);
    confidenceText.title = `mean log-probability of a word: ${given.score.toFixed(3)}`;
    time.textContent = milliseconds(given.ms);
  }

  const view = {
    idle() {
      say('idle', QUESTION);
      fill(hint);
    },

    loading({ loaded, total, elsewhere }) {
      loading.hidden = false;
      progressName.textContent = loadingProgress({ loaded, total, elsewhere });
      // Without a total the bar stays indeterminate, which is what leaving out `value` means.
      if (total) {
        progress.max = total;
        progress.value = loaded;
      } else {
        progress.removeAttribute('value');
      }
    },

    loaded() {
      loading.hidden = true;
      retry.hidden = true;
      result.dataset.ready = '';
    },

    loadFailed(message) {
      loading.hidden = true;
      say('error', message);
      retry.hidden = false;
    },

    /** Says in the masthead how the page stands; `kept`: it works without a network. */
    standing(text, kept) {
      state.textContent = text;
      state.dataset.kept = kept ? 'yes' : 'no';
    },

    notice(text, act = null) {
      notice.hidden = false;
      noticeText.textContent = text;
      const button = noticeAct;
      button.hidden = !act;
      button.textContent = act?.label ?? '';
      button.onclick = act?.run ?? null;
    },

    /** Shows a picture file; one that cannot be shown leaves the stage empty. */
    async show(given) {
      if (picture.src === given.url) return fill(picture.naturalWidth > 0 ? picture : hint);
      picture.src = given.url;
      const shown = await picture.decode().then(
        () => true,
        () => false,
      );
      // Another picture, or the camera, may have come while this one was decoded.
      if (picture.src === given.url && viewfinder.hidden) fill(shown ? picture : hint);
    },

    hidePicture() {
      picture.removeAttribute('src');
    },

    /** The picture as the captioner sees it, or, without one, the picture itself. */
    showShrunk(shrunk, ratio) {
      if (!shrunk) return fill(picture);
      seen.width = shrunk.width;
      seen.height = shrunk.height;
      seen.style.setProperty('--ratio', ratio);
      seen.getContext('2d').putImageData(new ImageData(shrunk.data, shrunk.width, shrunk.height), 0, 0);
      fill(seen);
    },

    /** The words for a picture of the list, in whatever state it is. */
    words(given) {
      edit.hidden = false;
      if (given.state === 'done') {
        const { text, score, ms } = given.caption;
        say('done', captionOf(given), { text, score, confidence: confidence(given.caption), ms });
        showFacts(given.caption);
        // The machine's confidence says nothing about a person's words.
        facts.hidden = given.text !== null;
        heat.show(given);
      } else if (given.state === 'failed') {
        say('error', trouble(given.error, given.name));
      } else if (given.state === 'cancelled') {
        say('idle', STATES.cancelled);
      } else {
        say('busy', STATES.working);
      }
    },

    /** The words for what the camera sees now. */
    live(given) {
      edit.hidden = true;
      say('done', sentence(given) || '…', given);
      showFacts(given);
    },

    cameraOn(stream, devices) {
      viewfinder.srcObject = stream;
      viewfinder.play().catch(() => {}); // a stream that ends at once: the camera's own trouble is told elsewhere
      fill(viewfinder);
      camera.textContent = 'Stop the camera';
      shoot.hidden = false;
      view.devices(devices);
      say('busy', STATES.working);
    },

    devices(devices) {
      deviceChoice.hidden = devices.length < 2;
      device.replaceChildren(
        ...devices.map(({ id, name, current }) => Object.assign(new Option(name, id), { selected: current })),
      );
    },

    cameraOff() {
      viewfinder.srcObject = null;
      fill(hint);
      camera.textContent = 'Use the camera';
      shoot.hidden = true;
      deviceChoice.hidden = true;
    },

    failed(message) {
      say('error', message);
    },
  };

  return view;
}
