/** What the page shows in each of its states. Nothing here knows how a caption is made. */
import { confidence, megabytes, milliseconds, percent, sentence } from './wording.js';

const ids = [
  'camera', 'caption', 'confidence', 'facts', 'file', 'hint', 'loading', 'meter', 'picture', 'progress',
  'progress-name', 'result', 'retry', 'samples', 'shoot', 'stage', 'time', 'viewfinder',
];
const elements = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]));
const { caption, facts, hint, loading, picture, progress, result, retry, stage, viewfinder } = elements;

/** Shows a sentence in a state; `details` are kept as data attributes for scripts that drive the page. */
function say(state, text, details = {}) {
  result.dataset.state = state;
  for (const key of ['text', 'score', 'ms']) {
    if (key in details) result.dataset[key] = details[key];
    else delete result.dataset[key];
  }
  caption.textContent = text;
  facts.hidden = state !== 'done';
  retry.hidden = true;
}

function fill(element) {
  for (const candidate of [hint, picture, viewfinder]) candidate.hidden = candidate !== element;
  stage.toggleAttribute('data-filled', element !== hint);
}

function forgetPicture() {
  if (picture.src) URL.revokeObjectURL(picture.src);
  picture.removeAttribute('src');
}

export const view = {
  elements,

  idle() {
    say('idle', 'What does your picture show?');
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
    result.dataset.ready = '';
  },

  loadFailed(message) {
    loading.hidden = true;
    say('error', message);
    retry.hidden = false;
  },

  /** Shows a picture file; one that cannot be shown leaves the stage empty. */
  async picture(file) {
    forgetPicture();
    picture.src = URL.createObjectURL(file);
    const { src } = picture;
    const shown = await picture.decode().then(
      () => true,
      () => false,
    );
    // Another picture may have come while this one was decoded.
    if (picture.src === src) fill(shown ? picture : hint);
  },

  cameraOn(stream) {
    forgetPicture();
    viewfinder.srcObject = stream;
    viewfinder.play().catch(() => {}); // a stream that ends at once: the camera's own trouble is told elsewhere
    fill(viewfinder);
    elements.camera.textContent = 'Stop the camera';
    elements.shoot.hidden = false;
    view.idle();
  },

  cameraOff() {
    viewfinder.srcObject = null;
    fill(hint);
    elements.camera.textContent = 'Use the camera';
    elements.shoot.hidden = true;
  },

  busy() {
    say('busy', 'Looking …');
  },

  caption(given) {
    const share = confidence(given.score);
    say('done', sentence(given), { text: given.text, score: given.score, ms: given.ms });
    elements.meter.value = share;
    elements.confidence.textContent = percent(share);
    elements.confidence.title = `mean log-probability of a word: ${given.score.toFixed(3)}`;
    elements.time.textContent = milliseconds(given.ms);
  },

  failed(message) {
    say('error', message);
  },
};
