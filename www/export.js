/** The captions as files and texts. */
import { certainty, confidence } from './pkg/index.js';
import { textOf, wordsSeen } from './wording.js';

/** What is told of a picture, by the names of the columns. */
function record(picture) {
  const { caption, text, error, name, state } = picture;
  return {
    file: name,
    caption: textOf(picture),
    machine_caption: caption?.text ?? '',
    edited: text !== null,
    score: caption?.score ?? null,
    confidence: caption ? confidence(caption) : null,
    certainty: caption ? certainty(caption) : null,
    kind: caption?.kind ?? null,
    state,
    error: error?.code ?? error?.message ?? '',
    words: wordsSeen(caption),
  };
}

export function toJson(pictures) {
  return `${JSON.stringify(pictures.map(record), null, 2)}\n`;
}

/** RFC 4180. */
export function toCsv(pictures) {
  const rows = pictures.map(record);
  const names = Object.keys(record({ name: '', text: null }));
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('');
}

function cell(value) {
  if (value === null) return '';
  if (Array.isArray(value)) return cell(value.map(({ word, probability }) => `${word} ${probability.toFixed(2)}`).join('; '));
  if (typeof value !== 'string') return String(value);
  // A spreadsheet would run a file name such as `=HYPERLINK(...)` as a formula.
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** One line a picture that has a caption. */
export function toText(pictures) {
  return pictures
    .filter((picture) => textOf(picture))
    .map((picture) => `${picture.name}: ${textOf(picture)}`)
    .join('\n');
}

/** Gives the browser a file to save. */
export function save(name, type, text) {
  // The mark tells Excel that a CSV is UTF-8.
  const url = URL.createObjectURL(new Blob(type === 'text/csv' ? ['\ufeff', text] : [text], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
