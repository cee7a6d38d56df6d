/** What the page shows of the picture (or camera) that is looked at. Nothing here knows how a caption is made. */
import { confidence, sentence } from './pkg/index.js';
import { STATES, captionOf, megabytes, milliseconds, percent, trouble } from './wording.js';

const elements = Object.fromEntries([...document.querySelectorAll('[id]')].map((element) => [element.id, element]));
const { caption, facts, hint, loading, notice, picture, progress, result, retry, seen, stage, state, viewfinder } = elements;

/** Shows a sentence in a state; `details` are kept as data attributes for scripts that drive the page. */
function say(state, text, details = {}) {
  result.dataset.state = state;
  for (const key of ['text', 'score', 'confidence', 'ms']) {
    if (key in details) result.dataset[key] = details[key];
    else delete result.dataset[key];
  }
  caption.textContent = text;
  facts.hidden = state !== 'done';
  elements['result-actions'].hidden = state !== 'done';
  retry.hidden = true;
}

function fill(element) {
  for (const candidate of [hint, picture, seen, viewfinder]) candidate.hidden = candidate !== element;
  stage.toggleAttribute('data-filled', element !== hint);
}

function showFacts(given) {
  const share = confidence(given);
  elements.meter.value = share;
  elements.confidence.textContent = percent(share);
  elements.confidence.title = `mean log-probability of a word: ${given.score.toFixed(3)}`;
  elements.time.textContent = milliseconds(given.ms);
}

export const view = {
  elements,

  idle() {
    say('idle', 'What does your picture show?');
    fill(hint);
  },

  loading({ loaded, total }) {
    loading.hidden = false;
    elements['progress-name'].textContent = `Loading the captioner: ${megabytes(loaded, total)}`;
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
    elements['notice-text'].textContent = text;
    const button = elements['notice-act'];
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
    elements.edit.hidden = false;
    if (given.state === 'done') {
      const { text, score, ms } = given.caption;
      say('done', captionOf(given), { text, score, confidence: confidence(given.caption), ms });
      showFacts(given.caption);
      // The machine's confidence says nothing about a person's words.
      facts.hidden = given.text !== null;
    } else if (given.state === 'failed') {
      say('error', trouble(given.error));
    } else if (given.state === 'cancelled') {
      say('idle', STATES.cancelled);
    } else {
      say('busy', STATES.working);
    }
  },

  /** The words for what the camera sees now. */
  live(given) {
    elements.edit.hidden = true;
    say('done', sentence(given) || '…', given);
    showFacts(given);
  },

  cameraOn(stream, devices) {
    viewfinder.srcObject = stream;
    viewfinder.play().catch(() => {}); // a stream that ends at once: the camera's own trouble is told elsewhere
    fill(viewfinder);
    elements.camera.textContent = 'Stop the camera';
    elements.shoot.hidden = false;
    view.devices(devices);
    say('busy', STATES.working);
  },

  devices(devices) {
    elements['device-choice'].hidden = devices.length < 2;
    elements.device.replaceChildren(
      ...devices.map(({ id, name, current }) => Object.assign(new Option(name, id), { selected: current })),
    );
  },

  cameraOff() {
    viewfinder.srcObject = null;
    fill(hint);
    elements.camera.textContent = 'Use the camera';
    elements.shoot.hidden = true;
    elements['device-choice'].hidden = true;
  },

  failed(message) {
    say('error', message);
  },
};
