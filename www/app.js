/** The page: brings pictures, the network and the words together. Each part is in a module of its own. */
import { announce } from './announce.js';
import { createCamera } from './camera.js';
import { loadCaptioner } from './captioner.js';
import { editText, focusAgain, leaveEditor } from './editor.js';
import { save, toCsv, toJson, toText } from './export.js';
import { createHeat } from './heat.js';
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
import { createView } from './view.js';
import { NOTICES, STANDING, cameraTrouble, captionOf, progress, textOf, trouble } from './wording.js';

const $ = (id) => document.getElementById(id);

const caption = $('caption');
const file = $('file');
const notice = $('notice');
const viewfinder = $('viewfinder');
const buttons = {
  camera: $('camera'),
  edit: $('edit'),
  retry: $('retry'),
  shoot: $('shoot'),
  speak: $('speak'),
};
const device = $('device');

/** Where the words that are seen come from. */
const heat = createHeat(
  {
    section: $('where'),
    toggle: $('show-where'),
    choices: $('where-choices'),
    text: $('where-text'),
    picture: $('picture'),
    map: $('heat'),
  },
  {
    caption: captionWith,
    onTrouble(error) {
      if (!(error instanceof NoCaptioner)) notify(trouble(error));
    },
  },
);

const view = createView({
  ...buttons,
  caption,
  certaintyText: $('certainty'),
  confidenceText: $('confidence'),
  device,
  deviceChoice: $('device-choice'),
  facts: $('facts'),
  heat,
  hint: $('hint'),
  kindFact: $('kind-fact'),
  kindText: $('kind'),
  loading: $('loading'),
  meter: $('meter'),
  notice,
  noticeAct: $('notice-act'),
  noticeText: $('notice-text'),
  picture: $('picture'),
  progress: $('progress'),
  progressName: $('progress-name'),
  result: $('result'),
  resultActions: $('result-actions'),
  seen: $('seen'),
  seenWords: $('seen-words'),
  stage: $('stage'),
  state: $('state'),
  time: $('time'),
  viewfinder,
});

/** What is kept on this device. */
const standing = { pageKept: false, weightsKept: false };
/** Ends the live captions; null while there are none. */
let live = null;

// What is said that belongs to no picture.

/** Milliseconds that a brief notice stays. */
const BRIEF = 6000;
let hiding = 0;

/** `act`: what can be done about it; a `brief` notice goes by itself. */
function notify(text, { act = null, brief = false } = {}) {
  view.notice(text, act);
  announce(text);
  clearTimeout(hiding);
  if (brief) hiding = setTimeout(hideNotice, BRIEF);
}

function hideNotice() {
  const hadFocus = notice.contains(document.activeElement);
  notice.hidden = true;
  // Who works with the keyboard must not be thrown out of the page.
  if (hadFocus) file.focus({ preventScroll: true });
}

$('notice-close').addEventListener('click', hideNotice);

/** Shows a sentence about something that went wrong, in the place of a caption. */
function tell(message) {
  view.failed(message);
  announce(message);
}

function tellStanding() {
  if (!captioner.loaded) view.standing('', false);
  else if (standing.pageKept && standing.weightsKept) view.standing(STANDING.kept, true);
  else view.standing(STANDING.online, false);
}

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

buttons.retry.addEventListener('click', async () => {
  if (pictures.selected) view.words(pictures.selected);
  else view.idle();
  await captioner.get().catch(() => {}); // told by onFailed
  pictures.run();
});

// How small may it be?

const sizes = createSizes(
  { section: $('sizes'), slider: $('side'), output: $('side-text'), list: $('side-captions') },
  { caption: captionWith, onShrunk: view.showShrunk, onCaption: announce, onTrouble: (error) => announce(trouble(error)) },
);

// The camera.

const camera = createCamera({
  onStart(stream, devices) {
    live?.abort();
    live = new AbortController();
    speaker.stop();
    sizes.show(null);
    view.cameraOn(stream, devices);
    captionLive(viewfinder, {
      caption: captionWith,
      signal: live.signal,
      onCaption(made) {
        view.live(made);
        announce(sentence(made));
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
  onHidden: () => notify(NOTICES.cameraHidden),
  onTrouble: (error) => tell(cameraTrouble(error)),
});

buttons.camera.addEventListener('click', () => camera.toggle());
device.addEventListener('change', () => camera.start(device.value));
buttons.shoot.addEventListener('click', async () => {
  try {
    const { videoWidth: width, videoHeight: height } = viewfinder;
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d').drawImage(viewfinder, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
    const name = `camera ${new Date().toLocaleTimeString('sv').replaceAll(':', '-')}.jpg`;
    pictures.add([new File([blob], name, { type: blob.type })], { select: false });
    notify(NOTICES.kept, { brief: true });
  } catch {
    notify(NOTICES.shotFailed);
  }
});

// The pictures, and the one that is looked at.

const pictures = new Pictures((blob, options) => captionWith(blob, { ...options, cells: heat.on }));

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
    announce(trouble(picture.error, picture.name));
  }
});

pictures.addEventListener('idle', ({ detail: worked }) => {
  if (worked > 1) announce(`${progress(pictures.items)}.`);
});

/** Shows what is selected. */
function look() {
  const picture = pictures.selected;
  speaker.stop();
  leaveEditor(caption);
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
  input: file,
  dropTarget: $('stage'),
  onPictures: (files) => pictures.add(files),
  onNothing: tell,
  onNote: (text) => notify(text),
});

listSamples($('samples'), { onPicture: (sample) => pictures.add([sample]), onTrouble: tell });

// The list.

createList(
  { section: $('list'), heading: $('list-name'), count: $('list-count'), rows: $('rows'), cancelAll: $('cancel-all') },
  pictures,
  { onCopy: copy },
);

$('cancel-all').addEventListener('click', () => {
  pictures.cancelAll();
  announce(NOTICES.cancelled);
});
$('copy-all').addEventListener('click', () => copy(toText(pictures.items)));
$('export-csv').addEventListener('click', () => save('captions.csv', 'text/csv', toCsv(pictures.items)));
$('export-json').addEventListener('click', () => save('captions.json', 'application/json', toJson(pictures.items)));
$('clear').addEventListener('click', () => {
  pictures.clear();
  file.focus();
});

// What can be done with a caption.

/** What the caption says now: of the picture, or of what the camera sees. */
const words = () => (live || !pictures.selected ? caption.textContent : textOf(pictures.selected));

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify(NOTICES.copied, { brief: true });
  } catch {
    notify(NOTICES.copyRefused);
  }
}

$('copy').addEventListener('click', () => copy(words()));

buttons.edit.addEventListener('click', async () => {
  const picture = pictures.selected;
  const given = await editText(caption, { text: textOf(picture), label: 'Caption' });
  if (given !== null) pictures.edit(picture, given);
  focusAgain(buttons.edit);
});

const speaker = createSpeaker({
  onChange(speaking) {
    buttons.speak.setAttribute('aria-pressed', String(speaking));
    buttons.speak.textContent = speaking ? 'Stop reading' : 'Read aloud';
  },
  onTrouble: () => notify(NOTICES.noVoice),
});
buttons.speak.hidden = !speaker.available;
/** Read aloud is what stands there, also where it only says that there are no words. */
const spoken = () => (live || !pictures.selected ? caption.textContent : captionOf(pictures.selected));
buttons.speak.addEventListener('click', () => (speaker.speaking ? speaker.stop() : speaker.speak(spoken())));

// The start.

keepPage({
  onReady() {
    standing.pageKept = true;
    tellStanding();
  },
  onUnavailable: tellStanding,
  onUpdate: (apply) => notify(NOTICES.update, { act: { label: 'Use it', run: apply } }),
});

offerInstalling($('install'));

view.idle();
captioner.get().catch(() => {}); // told by onFailed

// index.html looks for this.
document.documentElement.dataset.started = '';
