/**
 * Captions files through the real page in headless Chromium, as a person would: by its file input.
 *
 *   node demo.mjs --url http://127.0.0.1:8080/ [--browser /usr/bin/chromium] IMAGE...
 *
 * Prints one JSON object a line: {"file","text","confidence","ms"}, or {"file","error"}. The exit status is 1 if any file had
 * an error, 2 if the command line or the page itself could not be used.
 */
import { access } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { launchChromium } from './browser.mjs';

/** The first caption on a busy machine compiles the module too. */
const PATIENCE = 120_000;

async function main() {
  const { values, positionals } = parseArgs({
    options: { url: { type: 'string' }, browser: { type: 'string' } },
    allowPositionals: true,
  });
  if (!values.url || positionals.length === 0) {
    throw new Error('usage: node demo.mjs --url URL [--browser PATH] IMAGE...');
  }
  const browser = await launchChromium({ executablePath: values.browser });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    const answer = await page.goto(values.url);
    if (!answer.ok()) throw new Error(`${values.url} answers ${answer.status()}`);
    await page.waitForSelector('#result:is([data-ready], [data-state=error])');
    if ((await page.getAttribute('#result', 'data-state')) === 'error') {
      throw new Error(`the page says: ${await page.textContent('#caption')}`);
    }
    let failed = false;
    for (const file of positionals) {
      const line = await caption(page, file);
      failed ||= 'error' in line;
      console.log(JSON.stringify(line));
    }
    return failed ? 1 : 0;
  } finally {
    await browser.close();
  }
}

async function caption(page, file) {
  try {
    await access(file);
  } catch (error) {
    return { file, error: error.message };
  }
  await page.evaluate(() => {
    document.getElementById('result').dataset.state = 'waiting';
  });
  await page.setInputFiles('#file', file);
  await page.waitForSelector('#result:is([data-state=done], [data-state=error])');
  const { state, confidence, ms } = await page.evaluate(() => ({ ...document.getElementById('result').dataset }));
  // What people read, "May show: ..." and all.
  const text = await page.textContent('#caption');
  return state === 'error' ? { file, error: text } : { file, text, confidence: Number(confidence), ms: Number(ms) };
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = 2;
}
