/** Chromium with the extension in it, and what a user does to it. */
import { mkdtemp, rm } from 'node:fs/promises';
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

/** @param {Omit<Parameters<typeof build>[0], 'browser' | 'out'>} [variant] */
export async function openWithExtension(variant = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'soli-extension-'));
  const out = await build({ browser: 'chromium', out: join(folder, 'unpacked'), ...variant });
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: process.env.SOLI_CHROMIUM ?? '/usr/bin/chromium',
    headless: false, // its own headless mode has no extensions; --headless=new has
    viewport: { width: 1280, height: 720 },
    args: [...ARGUMENTS, `--disable-extensions-except=${out}`, `--load-extension=${out}`],
  });
  context.setDefaultTimeout(PATIENCE);
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
  const id = new URL(worker.url()).host;
  const session = await context.browser().newBrowserCDPSession();

  return {
    context,
    id,
    worker,
    session,
    address: (path) => `chrome-extension://${id}/${path}`,
    /** Presses the toolbar button while this page is in front. */
    async press(page) {
      const url = page.url();
      const { targetInfos } = await session.send('Target.getTargets', { filter: [{}] });
      const { targetId } = targetInfos.find((target) => target.type === 'tab' && target.url === url);
      await session.send('Extensions.triggerAction', { id, targetId });
    },
    /**
     * A switch for what the content script is told about the page's visibility: Playwright keeps every page "visible".
     * To be called after the content script has come.
     */
    async visibility(page) {
      const session = await context.newCDPSession(page);
      const contexts = [];
      session.on('Runtime.executionContextCreated', (event) => contexts.push(event.context));
      await session.send('Runtime.enable');
      const own = contexts.find(({ origin }) => origin === `chrome-extension://${id}`);
      return (state) =>
        session.send('Runtime.evaluate', {
          contextId: own.id,
          expression: `Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));`,
        });
    },
    async close() {
      await context.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
