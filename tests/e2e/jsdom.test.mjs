/** The package in Jest's surroundings: a realm of its own, jsdom's stand-ins for a browser, Node underneath. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

test('every form of weights loads, pictures are refused with a code, the element does no harm', async () => {
  const script = fileURLToPath(new URL('jsdom-realm.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--experimental-vm-modules', '--no-warnings', script]);
  assert.deepEqual(JSON.parse(stdout), {
    buffer: true,
    bytes: true,
    arrayBuffer: true,
    blob: true,
    nodeBlob: true,
    fileAddress: true,
    image: 'decode-failed',
    picture: 'unsupported-source',
    element: '/x',
  });
});
