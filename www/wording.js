/** Everything that the page says that is more than a label. */

/** Below this confidence a caption is worded as a guess. */
export const UNSURE_BELOW = 0.35;

/** A caption's score as a share between 0 and 1: the (geometric) mean probability of its words. */
export function confidence(score) {
  return Math.min(1, Math.exp(score));
}

/** The caption as a sentence for people. */
export function sentence({ text, score }) {
  if (!text) return 'No words came to mind for this picture.';
  if (confidence(score) < UNSURE_BELOW) return `May show: ${text}.`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

export function milliseconds(ms) {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes as megabytes, with the total if it is known. */
export function megabytes(loaded, total) {
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  return total ? `${mb(loaded)} of ${mb(total)} MB` : `${mb(loaded)} MB`;
}

const SENTENCES = {
  'fetch-failed': 'The captioner could not be loaded. Are you online?',
  'invalid-weights': 'The captioner’s file is damaged. Reload the page, please.',
  'wasm-failed': 'This browser cannot run the captioner: it lacks WebAssembly with SIMD. A newer browser can.',
  'decode-failed': 'This is not a picture that the browser can read. Try a JPEG, PNG or WebP file.',
  'tainted-canvas': 'This picture belongs to another site that does not allow it to be read.',
  'invalid-image': 'This picture has a size that cannot be described.',
  crashed: 'The captioner crashed on this picture and was started again. Other pictures will work.',
};

/** A sentence for anything that was thrown on the way to a caption. */
export function trouble(error) {
  return SENTENCES[error?.code] ?? `Something went wrong: ${error?.message ?? error}.`;
}

const CAMERA_SENTENCES = {
  NotAllowedError: 'The camera may not be used here. You can allow it in the browser’s settings for this page.',
  NotFoundError: 'No camera was found.',
  NotReadableError: 'The camera is gone, or another program uses it.',
  NotSupportedError: 'Cameras work only on a secure page (https, or this computer itself).',
};

/** A sentence for what `getUserMedia` may throw. */
export function cameraTrouble(error) {
  return CAMERA_SENTENCES[error?.name] ?? `The camera did not start: ${error?.message ?? error}.`;
}
