/** A short run of `soak.mjs`, which has the long one. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFlat, soakExtension, soakNode, soakPage } from './soak.mjs';

const folder = fileURLToPath(new URL('../../www/photos/', import.meta.url));
const pictures = readdirSync(folder).filter((name) => name.endsWith('.jpg')).map((name) => folder + name);

describe('over and over again', () => {
  test('what counts as flat', () => {
    const [ten, mega] = [Array.from({ length: 12 }), 2 ** 20];
    assert.ok(isFlat(ten.map((_, i) => (100 + (i % 3)) * mega)));
    assert.ok(isFlat(ten.map((_, i) => (i < 4 ? 50 * i : 200) * mega)), 'what is built up in the beginning counts for nothing');
    assert.ok(!isFlat(ten.map((_, i) => (100 + 20 * i) * mega)));
  });

  test('in a page: captions, captioners, crashes', async () => {
    const { failures } = await soakPage({ captions: 200, loads: 20, crashes: 10, pictures });
    assert.deepEqual(failures, []);
  });

  test('in Node', async () => {
    const { failures } = await soakNode({ captions: 100, loads: 10 });
    assert.deepEqual(failures, []);
  });

  test('in the extension', async () => {
    const { failures } = await soakExtension({ captions: 60, pictures });
    assert.deepEqual(failures, []);
  });
});
