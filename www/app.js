/** The page: brings a picture, the network and the words together. Each part is in a module of its own. */
import { Captioner } from './pkg/index.js';
import { createCamera } from './camera.js';
import { listenForPictures } from './intake.js';
import { listSamples } from './samples.js';
import { view } from './view.js';
import { cameraTrouble, trouble } from './wording.js';

const WEIGHTS = new URL('./models/soli.safetensors', import.meta.url);

/** The captioner, or the promise of it; null after a failure, until somebody tries again. */
let loading = null;
/** Aborts the caption under way when another picture comes. */
let current = new AbortController();

function captioner() {
  if (!loading) {
    loading = Captioner.load({ weights: WEIGHTS, onProgress: view.loading });
    loading.then(view.loaded, (error) => {
      loading = null;
      view.loadFailed(trouble(error));
    });
  }
  return loading;
}

/** Captions `source` and shows the result; a newer picture always wins. */
async function describe(source) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  view.busy();
  const soli = await captioner().catch(() => null); // what went wrong is told where the loading is watched
  if (!soli || signal.aborted) return;
  try {
    view.caption(await soli.caption(source, { signal }));
  } catch (error) {
    if (!signal.aborted) view.failed(trouble(error));
  }
}

function describeFile(file) {
  camera.stop();
  view.picture(file);
  return describe(file);
}

const camera = createCamera({
  onStart: (stream) => {
    current.abort();
    view.cameraOn(stream);
  },
  onStop: view.cameraOff,
  onTrouble: (error) => view.failed(cameraTrouble(error)),
});

listenForPictures({
  input: view.elements.file,
  dropTarget: view.elements.stage,
  onPicture: describeFile,
  onNothing: (message) => view.failed(message),
});

listSamples(view.elements.samples, {
  onPicture: describeFile,
  onTrouble: (error) => view.failed(trouble(error)),
});

view.elements.camera.addEventListener('click', () => camera.toggle());
view.elements.shoot.addEventListener('click', () => describe(view.elements.viewfinder));
view.elements.retry.addEventListener('click', () => {
  view.idle();
  captioner();
});

view.idle();
captioner();
