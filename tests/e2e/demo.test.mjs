/** `demo.mjs`, which `cargo xtask demo` runs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { photos, site } from './helpers.mjs';

const DEMO = fileURLToPath(new URL('demo.mjs', import.meta.url));

function demo(...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [DEMO, ...args], (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, stderr, lines: stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)) }),
    );
  });
}

test('one line a picture; a bad one is an error and the others go on', async () => {
  const server = await site();
  const folder = await mkdtemp(join(tmpdir(), 'soli-demo-'));
  const broken = join(folder, 'broken.jpg');
  await writeFile(broken, 'no picture');
  try {
    const { status, lines, stderr } = await demo('--url', server.url, photos[0], broken, join(folder, 'none.jpg'), photos[1]);
    assert.deepEqual(lines.map(({ file }) => file), [photos[0], broken, join(folder, 'none.jpg'), photos[1]], stderr);
    for (const line of [lines[0], lines[3]]) {
      assert.deepEqual(Object.keys(line), ['file', 'text', 'confidence', 'ms']);
      assert.ok(/^(May show: )?\w.*\.$/.test(line.text) && line.confidence >= 0 && line.confidence <= 1 && line.ms > 0, JSON.stringify(line));
    }
    for (const line of [lines[1], lines[2]]) assert.deepEqual(Object.keys(line), ['file', 'error']);
    assert.equal(status, 1);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
});

test('a page that is not there: status 2 and one line', async () => {
  const { status, stderr, lines } = await demo('--url', 'http://127.0.0.1:9/', photos[0]);
  assert.equal(status, 2);
  assert.deepEqual(lines, []);
  assert.match(stderr, /^demo: /);
});
