/** The page: brings pictures, the network and the words together. Each part is in a module of its own. */
import { announce } from './announce.js';
import { createCamera } from './camera.js';
import { loadCaptioner } from './captioner.js';
import { editText, focusAgain, leaveEditor } from './editor.js';
import { save, toCsv, toJson, toText } from './export.js';
import { offerInstalling } from './install.js';
import { listenForPictures } from './intake.js';
import { createList } from './list.js';
import { captionLive } from './live.js';
import { keepPage } from './offline.js';
import { sentence } from './pkg/index.js';
import { NoCaptioner, Pictures } from './pictures.js';
import { listSamples } from './samples.js';
import { createSizes } from './sizes.js';
import { createSpeaker } from './speech.js';
import { view } from './view.js';
import { cameraTrouble, captionOf, progress, textOf, trouble } from './wording.js';

const { elements } = view;

// The captioner: loaded once, for everybody.

const captioner = loadCaptioner({
  onProgress: view.loading,
  onLoaded(kept) {
    view.loaded();
    standing.weightsKept = kept;
    tellStanding();
  },
  onFailed(error) {
    view.loadFailed(trouble(error));
    announce(trouble(error));
  },
  onNote: (text) => notify(text),
});

async function captionWith(source, options) {
  const soli = await captioner.get().catch((error) => {
    throw new NoCaptioner(error);
  });
  options.signal.throwIfAborted();
  return soli.caption(source, options);
}

elements.retry.addEventListener('click', async () => {
  if (pictures.selected) view.words(pictures.selected);
  else view.idle();
  await captioner.get().catch(() => {}); // told by onFailed
  pictures.run();
});

// The pictures, and the one that is looked at.

const pictures = new Pictures(captionWith);

pictures.addEventListener('select', () => {
  camera.stop();
  look();
});

pictures.addEventListener('change', ({ detail: picture }) => {
  if (picture !== pictures.selected || live) return;
  // Without a captioner the sentence about that stays.
  if (!(picture.state === 'waiting' && picture.error)) view.words(picture);
  if (picture.state === 'done') announce(captionOf(picture));
  if (picture.state === 'failed') {
    sizes.show(null);
    announce(trouble(picture.error));
  }
});

pictures.addEventListener('idle', ({ detail: worked }) => {
  if (worked > 1) announce(`${progress(pictures.items)}.`);
});

/** Shows what is selected. */
function look() {
  const picture = pictures.selected;
  speaker.stop();
  leaveEditor(elements.caption);
  sizes.show(picture && picture.state !== 'failed' ? picture.blob : null);
  if (!picture) {
    view.hidePicture();
    view.idle();
    return;
  }
  view.show(picture);
  view.words(picture);
  if (picture.state === 'done') announce(captionOf(picture));
}

listenForPictures({
  input: elements.file,
  dropTarget: elements.stage,
  onPictures: (files) => pictures.add(files),
  onNothing: tell,
});

listSamples(elements.samples, {
  onPicture: (file) => pictures.add([file]),
  onTrouble: (error) => tell(trouble(error)),
});

/** Shows a sentence about something that went wrong. */
function tell(message) {
  view.failed(message);
  announce(message);
}

// How small may it be?

const sizes = createSizes(
  { section: elements.sizes, slider: elements.side, output: elements['side-text'], list: elements['side-captions'] },
  { caption: captionWith, onShrunk: view.showShrunk, onCaption: announce, onTrouble: (error) => announce(trouble(error)) },
);

// The list.

createList(
  {
    section: elements.list,
    heading: elements['list-name'],
    count: elements['list-count'],
    rows: elements.rows,
    cancelAll: elements['cancel-all'],
  },
  pictures,
  { onCopy: copy },
);

elements['cancel-all'].addEventListener('click', () => {
  pictures.cancelAll();
  announce('Cancelled.');
});
elements['copy-all'].addEventListener('click', () => copy(toText(pictures.items)));
elements['export-csv'].addEventListener('click', () => save('captions.csv', 'text/csv', toCsv(pictures.items)));
elements['export-json'].addEventListener('click', () => save('captions.json', 'application/json', toJson(pictures.items)));
elements.clear.addEventListener('click', () => {
  pictures.clear();
  elements.file.focus();
});

// What can be done with a caption.

/** What the caption says now: of the picture, or of what the camera sees. */
const words = () => (live || !pictures.selected ? elements.caption.textContent : textOf(pictures.selected));

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify('Copied.', { brief: true });
  } catch {
    notify('The browser did not allow copying. Select the text and copy it by hand, please.');
  }
}

elements.copy.addEventListener('click', () => copy(words()));

elements.edit.addEventListener('click', async () => {
  const picture = pictures.selected;
  const given = await editText(elements.caption, { text: textOf(picture), label: 'Caption' });
  if (given !== null) pictures.edit(picture, given);
  focusAgain(elements.edit);
});

const speaker = createSpeaker({
  onChange(speaking) {
    elements.speak.setAttribute('aria-pressed', String(speaking));
    elements.speak.textContent = speaking ? 'Stop reading' : 'Read aloud';
  },
  onTrouble: () => notify('This device has no voice to read with.'),
});
elements.speak.hidden = !speaker.available;
elements.speak.addEventListener('click', () => (speaker.speaking ? speaker.stop() : speaker.speak(words())));

// The camera.

/** Ends the live captions; null while there are none. */
let live = null;

const camera = createCamera({
  onStart(stream, devices) {
    live?.abort();
    live = new AbortController();
    speaker.stop();
    sizes.show(null);
    view.cameraOn(stream, devices);
    captionLive(elements.viewfinder, {
      caption: captionWith,
      signal: live.signal,
      onCaption(caption) {
        view.live(caption);
        announce(sentence(caption));
      },
      onTrouble(error) {
        if (!(error instanceof NoCaptioner)) view.failed(trouble(error));
      },
    });
  },
  onStop() {
    live?.abort();
    live = null;
    view.cameraOff();
    if (!pictures.selected && pictures.items.length > 0) pictures.select(pictures.items.at(-1));
    else look();
  },
  onDevices: view.devices,
  onHidden: () => notify('The camera was switched off while this page was hidden.'),
  onTrouble: (error) => tell(cameraTrouble(error)),
});

elements.camera.addEventListener('click', () => camera.toggle());
elements.device.addEventListener('change', () => camera.start(elements.device.value));
elements.shoot.addEventListener('click', async () => {
  const { videoWidth: width, videoHeight: height } = elements.viewfinder;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d').drawImage(elements.viewfinder, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
  const name = `camera ${new Date().toLocaleTimeString('sv').replaceAll(':', '-')}.jpg`;
  pictures.add([new File([blob], name, { type: blob.type })], { select: false });
  notify('The picture is in the list.', { brief: true });
});

// Without a network.

const standing = { pageKept: false, weightsKept: false };

function tellStanding() {
  if (!captioner.loaded) view.standing('', false);
  else if (standing.pageKept && standing.weightsKept) view.standing('Works without a network', true);
  else view.standing('Works while you are online', false);
}

/** Milliseconds that a brief notice stays. */
const BRIEF = 6000;
let hiding = 0;

/** Says something that belongs to no picture. `act`: what can be done about it; a `brief` notice goes by itself. */
function notify(text, { act = null, brief = false } = {}) {
  view.notice(text, act);
  announce(text);
  clearTimeout(hiding);
  if (brief) hiding = setTimeout(hideNotice, BRIEF);
}

function hideNotice() {
  const hadFocus = elements.notice.contains(document.activeElement);
  elements.notice.hidden = true;
  // Who works with the keyboard must not be thrown out of the page.
  if (hadFocus) elements.file.focus({ preventScroll: true });
}

elements['notice-close'].addEventListener('click', hideNotice);

keepPage({
  onReady() {
    standing.pageKept = true;
    tellStanding();
  },
  onUnavailable: tellStanding,
  onUpdate: (apply) => notify('A new version of this page is here.', { act: { label: 'Use it', run: apply } }),
});

offerInstalling(elements.install);

view.idle();
captioner.get().catch(() => {}); // told by onFailed
