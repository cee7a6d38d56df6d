/**
 * WebKit as Debian has it (`webkit2gtk-driver`: WebKitWebDriver and MiniBrowser), on a screen of its own (`xvfb`).
 *
 * `SOLI_WEBKIT_DRIVER` and `SOLI_MINIBROWSER` name the two programs; without them they are looked for where Debian puts them.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Capabilities, WebDriver } from 'selenium-webdriver';
import { Executor, HttpClient } from 'selenium-webdriver/http/index.js';
import { PATIENCE } from './helpers.mjs';
import { program } from './programs.mjs';

/** The programs, or why they cannot be used. */
export async function findWebKit() {
  try {
    const driver = program('SOLI_WEBKIT_DRIVER', 'WebKitWebDriver');
    const screen = process.env.DISPLAY ? null : program('SOLI_XVFB', 'Xvfb');
    return { driver, screen, browser: process.env.SOLI_MINIBROWSER ?? (await miniBrowser()) };
  } catch (error) {
    return { missing: `WebKit is not here (apt-get install webkit2gtk-driver xvfb): ${error.message}` };
  }
}

async function miniBrowser() {
  for (const base of ['/usr/lib', ...(await readdir('/usr/lib')).map((name) => `/usr/lib/${name}`)]) {
    for (const folder of ['webkit2gtk-4.1', 'webkitgtk-6.0', 'webkit2gtk-4.0']) {
      const path = join(base, folder, 'MiniBrowser');
      if (existsSync(path)) return path;
    }
  }
  throw new Error('no MiniBrowser below /usr/lib');
}

/**
 * Starts WebKit with an empty profile.
 *
 * @param {{ driver: string, screen: string | null, browser: string }} programs
 */
export async function openWebKit({ driver: path, screen, browser }) {
  const home = await mkdtemp(join(tmpdir(), 'soli-webkit-'));
  const children = [];
  const end = async () => {
    for (const child of children.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill()) await ended;
    }
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const display = screen ? await startScreen(screen, children) : process.env.DISPLAY;
    const port = await freePort();
    const places = { HOME: home, XDG_DATA_HOME: join(home, 'data'), XDG_CACHE_HOME: join(home, 'cache'), XDG_CONFIG_HOME: join(home, 'config') };
    children.push(spawn(path, [`--port=${port}`], { env: { ...process.env, ...places, DISPLAY: display }, stdio: 'ignore' }));
    const client = new HttpClient(`http://127.0.0.1:${port}`);
    const capabilities = new Capabilities({ 'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] } });
    await answers(port);
    const driver = WebDriver.createSession(new Executor(client), capabilities);
    await driver.getSession();
    await driver.manage().setTimeouts({ script: PATIENCE, pageLoad: PATIENCE });
    return {
      driver,
      async close() {
        await driver.quit().catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** An X server on a number that it chooses. */
async function startScreen(path, children) {
  const child = spawn(path, ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  children.push(child);
  const number = await new Promise((resolve, reject) => {
    let text = '';
    child.stdio[3].on('data', (data) => {
      text += data;
      if (text.includes('\n')) resolve(text.trim());
    });
    child.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    child.once('error', reject);
  });
  return `:${number}`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(port) {
  for (const end = Date.now() + PATIENCE; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      await fetch(`http://127.0.0.1:${port}/status`);
      return;
    } catch (error) {
      if (Date.now() > end) throw new Error('WebKitWebDriver does not answer', { cause: error });
    }
  }
}
