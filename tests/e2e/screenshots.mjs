/**
 * Takes the pictures of the page that the documentation shows: docs/page.jpg, docs/page-list.jpg, docs/page-narrow.jpg, and
 * docs/page-states.jpg, a sheet of all states at 320 pixels, light and dark.
 *
 *   node tests/e2e/screenshots.mjs   (after a build; again when the weights or the looks change)
 */
import { fileURLToPath } from 'node:url';
import { holdable, open, photos, resultOf, rowsOf, upload } from './helpers.mjs';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const NARROW = { width: 320, height: 620 };
const [cat, astronaut, coffee] = photos;
const words = { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') };

const world = await open({ args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=device-count=2'] });
try {
  const wide = await visit({ viewport: { width: 1100, height: 800 } });
  await atFiftyPixels(wide, astronaut);
  await take(wide, 'page');

  await wide.setInputFiles('#file', [await upload(cat), await upload(coffee), words]);
  await rowsOf(wide);
  await wide.getByRole('button', { name: 'Edit the caption of cat.jpg' }).click();
  await wide.keyboard.type('Chelsea the cat looks to the right.');
  await wide.keyboard.press('Enter');
  await take(wide, 'page-list');

  const narrow = await visit({ viewport: { width: 390, height: 800 }, colorScheme: 'dark' });
  await atFiftyPixels(narrow, coffee);
  await take(narrow, 'page-narrow');

  await takeSheet('page-states', await states());
} finally {
  await world.close();
}

async function visit(options, from = world, prepare) {
  const page = await from.page({ serviceWorkers: 'allow', permissions: ['camera'], ...options }, prepare);
  await page.goto(from.url);
  await page.waitForSelector('#state[data-kept=yes]');
  return page;
}

/** A picture at 50 pixels, with the captions of all sizes. */
async function atFiftyPixels(page, photo) {
  await resultOf(page, async () => page.setInputFiles('#file', await upload(photo)));
  await page.focus('#side');
  for (let step = 0; step < 5; step += 1) await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => [...document.querySelectorAll('#side-captions span')].every(({ textContent }) => textContent !== '…'));
}

async function take(page, name) {
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: `${DOCS}${name}.jpg`, type: 'jpeg', quality: 70, fullPage: true });
}

/** One picture of the narrow page in each state. */
async function states() {
  const shots = [];
  const shoot = async (page, name) => {
    await page.evaluate(() => document.activeElement.blur());
    shots.push({ name, bytes: await page.screenshot({ type: 'png' }) });
    await page.context().close();
  };
  const small = (colorScheme, prepare, from) => visit({ viewport: NARROW, colorScheme }, from, prepare);

  let release;
  const held = new Promise((resolve) => (release = resolve));
  const slow = await open({
    doctored: {
      '/models/soli.safetensors': async (body, response) => {
        response.setHeader('content-length', body.length);
        response.write(body.subarray(0, body.length >> 1));
        await held;
        response.destroy();
        return null;
      },
    },
  });
  const loading = await slow.page({ viewport: NARROW });
  await loading.goto(slow.url);
  await loading.waitForFunction(() => document.getElementById('progress').value > 0);
  await shoot(loading, 'loading');
  const failing = await slow.page({ viewport: NARROW, colorScheme: 'dark' });
  release();
  await failing.goto(slow.url);
  await failing.waitForSelector('#retry:not([hidden])');
  await shoot(failing, 'not loaded');
  await slow.close();

  const captioned = await small('light');
  await resultOf(captioned, async () => captioned.setInputFiles('#file', await upload(astronaut)));
  await shoot(captioned, 'a caption');

  const sizes = await small('dark');
  await atFiftyPixels(sizes, coffee);
  await sizes.evaluate(() => document.getElementById('sizes').scrollIntoView({ block: 'end' }));
  await shoot(sizes, 'sizes');

  const list = await small('light', (page) => page.addInitScript(holdable));
  await list.setInputFiles('#file', [await upload(cat), words]);
  await rowsOf(list);
  await list.evaluate(() => window.captions.hold());
  await list.setInputFiles('#file', [await upload(astronaut), await upload(coffee), await upload(cat)]);
  await list.locator('#rows li:last-child').getByText('Cancel').click();
  await list.evaluate(() => document.getElementById('list').scrollIntoView());
  await shoot(list, 'a list at work');

  const error = await small('dark');
  await resultOf(error, () => error.setInputFiles('#file', words));
  await shoot(error, 'not a picture');

  const camera = await small('light');
  await camera.click('#camera');
  await camera.waitForSelector('#result[data-state=done]');
  await shoot(camera, 'camera');

  const denied = await small('dark', (page) =>
    page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    }),
  );
  await resultOf(denied, () => denied.click('#camera'));
  await shoot(denied, 'camera refused');

  const served = await open({ doctored: {} });
  const offline = await small('light', undefined, served);
  await served.closeServer();
  await offline.goto(served.url);
  await offline.waitForSelector('#state[data-kept=yes]');
  await resultOf(offline, () => offline.click('#samples button'));
  await shoot(offline, 'network off');
  await served.browser.close();

  const update = await small('dark');
  await update.evaluate(() => {
    document.getElementById('notice-text').textContent = 'A new version of this page is here.';
    Object.assign(document.getElementById('notice-act'), { textContent: 'Use it', hidden: false });
    document.getElementById('notice').hidden = false;
    window.dispatchEvent(new Event('beforeinstallprompt'));
  });
  await shoot(update, 'an update, and installing');
  return shots;
}

async function takeSheet(name, shots) {
  const page = await world.page({ viewport: { width: 1240, height: 800 } });
  const tile = ({ name, bytes }) =>
    `<figure><img src="data:image/png;base64,${bytes.toString('base64')}" alt=""><figcaption>${name}</figcaption></figure>`;
  await page.setContent(`<!doctype html><style>
    body { margin: 20px; display: grid; grid-template-columns: repeat(5, 1fr); gap: 20px; background: #fff; font: 15px system-ui, sans-serif; color: #5c564c; }
    figure { margin: 0; } figcaption { margin-top: 6px; text-align: center; }
    img { display: block; width: 100%; border: 1px solid #d5cfc3; border-radius: 8px; }
  </style>${shots.map(tile).join('')}`);
  await take(page, name);
}
