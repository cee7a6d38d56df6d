/** Everything that the page says that is more than a label. */
import { sentence } from './pkg/index.js';

/** What stands for a picture at last: a person's words, or the machine's as a sentence; '' if there are none. */
export function textOf({ text, caption }) {
  if (text !== null) return text;
  return caption ? sentence(caption) : '';
}

/** The same for the page, which never shows nothing. */
export function captionOf(picture) {
  return textOf(picture) || 'No words came to mind for this picture.';
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

/** How far the list is. */
export function progress(items) {
  const count = (state) => items.filter((item) => item.state === state).length;
  const parts = [`${count('done')} of ${items.length} described`];
  if (count('failed') > 0) parts.push(`${count('failed')} not readable`);
  if (count('cancelled') > 0) parts.push(`${count('cancelled')} cancelled`);
  return parts.join(', ');
}

/** What a row of the list says before there is a caption. */
export const STATES = { waiting: 'Waiting …', working: 'Looking …', cancelled: 'Cancelled.' };

const SENTENCES = {
  'fetch-failed': 'The captioner could not be loaded. Are you online?',
  'invalid-weights': 'The captioner’s file arrived damaged. Try again, please.',
  'wasm-failed': 'This browser cannot run the captioner: it lacks WebAssembly, or a policy forbids it. A newer browser can.',
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
  OverconstrainedError: 'That camera is not there any more.',
  NotReadableError: 'The camera is gone, or another program uses it.',
  NotSupportedError: 'Cameras work only on a secure page (https, or this computer itself).',
};

/** A sentence for what `getUserMedia` may throw. */
export function cameraTrouble(error) {
  return CAMERA_SENTENCES[error?.name] ?? `The camera did not start: ${error?.message ?? error}.`;
}

const NOTES = {
  damaged: () => 'The copy of the captioner on this device was damaged. It was loaded again.',
  'no-room': (size) =>
    `There is no room on this device to keep the captioner (${megabytes(size)}). It works now; without a network it will not. Free some space, then load the page again.`,
  'no-store': () => 'This browser keeps nothing for this page (a private window, or no secure address): it needs the network each time.',
};

/** A sentence for what happened while the weights came. */
export function note(name, size) {
  return NOTES[name](size);
}
