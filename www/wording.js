/** Everything that the page says that is more than a label: what happened, and what to do, in the words of who reads it. */
import { sentence, wordsSeen } from './pkg/index.js';
import { percent } from './pkg/wording.js';

export { percent, wordsSeen };

/** What stands for a picture at last: a person's words, or the machine's as a sentence; '' if there are none. */
export function textOf({ text, caption }) {
  if (text !== null) return text;
  return caption ? sentence(caption) : '';
}

/** The same for the page, which never shows nothing. */
export function captionOf(picture) {
  return textOf(picture) || 'No words came to mind for this picture.';
}

/** The words that are seen as a line of text; '' if there are none. */
export function sees(caption) {
  const words = wordsSeen(caption).map(({ word, probability }) => `${word} ${percent(probability)}`);
  return words.length > 0 ? `Sees: ${words.join(', ')}` : '';
}

export function milliseconds(ms) {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes as megabytes, with the total if it is known. */
export function megabytes(loaded, total) {
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  return total ? `${mb(loaded)} of ${mb(total)} MB` : `${mb(loaded)} MB`;
}

/** How far the captioner's file is; `elsewhere`: another tab brings it. */
export function loadingProgress({ loaded, total, elsewhere }) {
  return `${elsewhere ? 'Another tab is loading' : 'Loading'} the captioner: ${megabytes(loaded, total)}`;
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

/** What the page asks for when there is nothing to show. */
export const QUESTION = 'What does your picture show?';

/** How the page stands without a network. */
export const STANDING = { kept: 'Works without a network', online: 'Works while you are online' };

/** By the kinds of LoadError: the page could not bring one of its own files. */
export const LOAD_SENTENCES = {
  unreachable: 'The captioner could not be loaded: there was no answer from this site. Check that you are online, then try again.',
  refused: 'The captioner could not be loaded: this site answered with an error. Try again in a few minutes.',
  'wrong-answer':
    'The captioner could not be loaded: something else came in its place, such as a sign-in or an error page. If your network asks you to sign in, do that first; then try again.',
  'broke-off': 'The captioner could not be loaded to its end: the connection broke off. Try again, and it goes on from there.',
  stalled: 'The captioner could not be loaded: nothing more has come for a minute. Check your connection, then try again.',
  damaged: 'The captioner’s file arrived damaged, twice. Try again; if that does not help, try another network.',
};

/** By the codes of SoliError. */
export const SENTENCES = {
  'fetch-failed': 'The captioner could not be loaded. Check that you are online, then try again.',
  'invalid-weights': 'The captioner’s file is damaged or does not fit this page. Load the page again, please.',
  'wasm-failed':
    'This browser cannot run the captioner: it is too old, or its settings forbid programs in pages (WebAssembly). Try another browser, or a newer version of this one.',
  // The page hands over files, frames and pixels only: that one of them can't be read here is never the picture's fault.
  'unsupported-source':
    'This browser gives the page no means to read pictures: its memory may be used up, or its settings forbid it. Close other tabs, then load the page again, or try another browser.',
  'decode-failed': 'This is not a picture that the browser can read. Try a JPEG, PNG or WebP file.',
  'tainted-canvas': 'This picture belongs to another site, which does not allow it to be read. Save it on your device, then choose the file here.',
  'invalid-image': 'This picture is too large, or has no size at all. Save it smaller, at most 1000 pixels wide, and try again.',
  'invalid-options': 'The page asked the captioner for something that it cannot do. Load the page again, please.',
  crashed: 'The captioner broke down on this picture and was started again. Other pictures will work; this one may too, if you save it smaller.',
  disposed: 'The captioner was switched off. Load the page again, please.',
  internal: 'The captioner made a mistake of its own on this picture. Try again, or try another picture.',
};

/** Pictures that people have and browsers do not read, by the end of the file's name. */
const UNREADABLE = [
  [/\.hei[cf]s?$/i, 'HEIC pictures (an iPhone’s). Share or save it as JPEG'],
  [/\.(jxl|jp2|j2k|jpx)$/i, 'JPEG XL and JPEG 2000 pictures. Save it as JPEG or PNG'],
  [/\.tiff?$/i, 'TIFF pictures. Save it as JPEG or PNG'],
  [/\.(dng|cr2|cr3|nef|arw|raf|orf|rw2)$/i, 'a camera’s raw files. Save it as JPEG'],
  [/\.(psd|xcf|ai|eps|pdf)$/i, 'this kind of document as a picture. Export it as JPEG or PNG'],
  [/\.(mp4|mov|mkv|webm|avi)$/i, 'films as pictures. Choose a JPEG, PNG or WebP file'],
];

/**
 * A sentence for anything that was thrown on the way to a caption.
 *
 * @param {unknown} error
 * @param {string} [name] the picture's file name
 */
export function trouble(error, name = '') {
  if (error?.code === 'decode-failed') {
    const kind = UNREADABLE.find(([ending]) => ending.test(name))?.[1];
    if (kind) return `This is not a picture that the browser can read: it does not know ${kind}, and try that.`;
  }
  return (
    LOAD_SENTENCES[error?.kind] ??
    SENTENCES[error?.code] ??
    `Something went wrong that this page does not know. Load the page again, please; if it stays so, this tells its maker what it was: ${error?.message ?? error}`
  );
}

/** A sentence for a sample photograph that did not come. */
export function sampleTrouble() {
  return 'This photograph could not be loaded. Check that you are online and try again, or choose a picture of your own.';
}

/** What was given and holds no picture. */
export const NOTHING = {
  drop: 'That was not a file. Save the picture first, then drop the file here.',
  paste: 'There is no picture on the clipboard. Copy a picture, not its address, and paste again.',
  folder: 'There is no picture in that folder. Drop one that holds JPEG, PNG or WebP files.',
};

/** How many files of a folder were left out because they are no pictures. */
export function leftOut(count) {
  return count === 1 ? 'One file of the folder is no picture and was left out.' : `${count} files of the folder are no pictures and were left out.`;
}

/** By the names of what `getUserMedia` throws. */
export const CAMERA_SENTENCES = {
  NotAllowedError: 'The camera may not be used here. You can allow it in the browser’s settings for this page.',
  NotFoundError: 'No camera was found. Connect one, or choose a picture instead.',
  OverconstrainedError: 'That camera is not there any more. Choose another one.',
  NotReadableError: 'The camera is gone, or another program uses it. Connect it, or end the other program, and try again.',
  AbortError: 'The camera stopped by itself. Try again.',
  SecurityError: 'Cameras are switched off for this page. Choose a picture instead, or open the page in a window of its own.',
  NotSupportedError: 'Cameras work only on a secure page (https, or this computer itself). Choose a picture instead.',
};

/** A sentence for what `getUserMedia` may throw. */
export function cameraTrouble(error) {
  return CAMERA_SENTENCES[error?.name] ?? `The camera did not start (${error?.message ?? error}). Try again, or choose a picture instead.`;
}

/** By the notes of weights.js; each gets the weights' size in bytes. */
export const NOTES = {
  damaged: () => 'The copy of the captioner on this device was damaged. It was loaded again; there is nothing to do.',
  'no-room': (size) =>
    `There is no room on this device to keep the captioner (${megabytes(size)}). It works now; without a network it will not. Free some space, then load the page again.`,
  'no-store': () =>
    'This browser keeps nothing for this page (a private window, or no secure address): it needs the network each time. In an ordinary window it does not.',
};

/** A sentence for what happened while the weights came. */
export function note(name, size) {
  return NOTES[name](size);
}

/** Everything else that is told in a notice or read out. */
export const NOTICES = {
  cancelled: 'Cancelled.',
  copied: 'Copied.',
  copyRefused: 'The browser did not allow copying. Select the text and copy it by hand, please.',
  noVoice: 'This device has no voice to read with. Its settings may have voices to add.',
  cameraHidden: 'The camera was switched off while this page was hidden. Switch it on again when you like.',
  noWords: 'No words.',
  kept: 'The picture is in the list.',
  shotFailed: 'The picture could not be taken. Try again when the camera shows something.',
  update: 'A new version of this page is here.',
};
