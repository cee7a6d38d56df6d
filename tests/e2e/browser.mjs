/** Starts Chromium the way that works in containers and as root too. */
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * @param {{ executablePath?: string, args?: string[] }} [options] the path is `SOLI_CHROMIUM` or Debian's by default
 */
export function launchChromium({ executablePath, args = [] } = {}) {
  return chromium.launch({
    executablePath: executablePath ?? process.env.SOLI_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...ARGUMENTS, ...args],
  });
}
