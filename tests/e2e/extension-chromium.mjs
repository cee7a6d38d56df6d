/** Chromium with the extension in it, and what a user does to it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { build } from '../../extension/build.mjs';
import { PATIENCE } from './helpers.mjs';

const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Lets the tests press the toolbar button, with all that follows from it (activeTab).
  '--enable-unsafe-extension-debugging',
];

/**
 * @param {Omit<Parameters<typeof build>[0], 'browser' | 'out'> & { settings?: object | null, captioner?: string }} [variant]
 *   `settings`: those that are kept already; null: none. Most tests ask how texts are written, and not of which pictures a
 *   network is sure, which is another thing with each set of weights: so everything is. `captioner`: the source of a module in
 *   the place of the package's captioner.js.
 */
export async function openWithExtension({ settings = { tell: 'words' }, captioner, ...variant } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'soli-extension-'));
  const out = await build({ browser: 'chromium', out: join(folder, 'unpacked'), ...variant });
  if (captioner) await writeFile(join(out, 'pkg', 'captioner.js'), captioner);
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: process.env.SOLI_CHROMIUM ?? '/usr/bin/chromium',
    headless: false, // its own headless mode has no extensions; --headless=new has
    viewport: { width: 1280, height: 720 },
    args: [...ARGUMENTS, `--disable-extensions-except=${out}`, `--load-extension=${out}`],
  });
  context.setDefaultTimeout(3 * PATIENCE);
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
  const id = new URL(worker.url()).host;
  if (settings) await worker.evaluate((settings) => chrome.storage.local.set({ settings }), settings);
  const session = await context.browser().newBrowserCDPSession();

  /** Presses the toolbar button while this page is in front. */
  async function press(page) {
    const url = page.url();
    const { targetInfos } = await session.send('Target.getTargets', { filter: [{}] });
    const { targetId } = targetInfos.find((target) => target.type === 'tab' && target.url === url);
    await session.send('Extensions.triggerAction', { id, targetId });
  }

  return {
    context,
    id,
    worker,
    session,
    address: (path) => `chrome-extension://${id}/${path}`,
    press,
    /** Presses it until the panel is there: once more where a busy browser swallowed that. */
    async open(page) {
      for (let tries = 1; ; tries += 1) {
        await press(page);
        const there = page.waitForSelector('[data-soli-panel]', { state: 'attached', timeout: tries < 3 ? 15_000 : PATIENCE });
        try {
          return await there;
        } catch (error) {
          if (tries === 3) throw error;
        }
      }
    },
    /** Evaluates in the content script's world of a page, after it has come; gives a function that does so again. */
    async contentScript(page) {
      const own = await context.newCDPSession(page);
      const contexts = [];
      own.on('Runtime.executionContextCreated', (event) => contexts.push(event.context));
      await own.send('Runtime.enable');
      const { frameTree } = await own.send('Page.getFrameTree');
      const { id: contextId } = contexts.find(
        ({ origin, auxData }) => origin === `chrome-extension://${id}` && auxData.frameId === frameTree.frame.id,
      );
      return (expression) => valueOf(own.send('Runtime.evaluate', { contextId, expression, returnByValue: true }));
    },
    /** Evaluates in the offscreen document, which Playwright does not see; it exists once a caption was asked for. */
    async inOffscreen(expression) {
      const { targetInfos } = await session.send('Target.getTargets');
      const { targetId } = targetInfos.find(({ url }) => url.endsWith('/engine/chromium.html'));
      const { sessionId } = await session.send('Target.attachToTarget', { targetId, flatten: false });
      const answer = new Promise((resolve) => {
        session.on('Target.receivedMessageFromTarget', ({ sessionId: from, message }) => {
          if (from === sessionId) resolve(JSON.parse(message).result);
        });
      });
      const message = { id: 1, method: 'Runtime.evaluate', params: { expression, returnByValue: true, awaitPromise: true } };
      await session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify(message) });
      return valueOf(answer);
    },
    async close() {
      await context.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function valueOf(answer) {
  const { result, exceptionDetails } = await answer;
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}
