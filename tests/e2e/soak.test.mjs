/** A short run of `soak.mjs`, which has the long one. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFlat, soakExtension, soakNode, soakPage } from './soak.mjs';

const folder = fileURLToPath(new URL('../../www/photos/', import.meta.url));
const pictures = readdirSync(folder).filter((name) => name.endsWith('.jpg')).map((name) => folder + name);

/** Whether memory is level shows in a long run only: in a short one a browser that still warms up looks like one that leaks. */
const other = (failures) => failures.filter((failure) => !failure.startsWith('memory'));

describe('over and over again', () => {
  test('what counts as flat', () => {
    const [ten, mega] = [Array.from({ length: 12 }), 2 ** 20];
    assert.ok(isFlat(ten.map((_, i) => (100 + (i % 3)) * mega)));
    assert.ok(isFlat(ten.map((_, i) => (i < 4 ? 50 * i : 200) * mega)), 'what is built up in the beginning counts for nothing');
    assert.ok(!isFlat(ten.map((_, i) => (100 + 20 * i) * mega)));
  });

  test('in a page: captions, captioners, crashes', async () => {
    const { failures } = await soakPage({ captions: 60, loads: 6, crashes: 5, pictures });
    assert.deepEqual(other(failures), []);
  });

  test('in Node', async () => {
    const { failures } = await soakNode({ captions: 60, loads: 6 });
    assert.deepEqual(other(failures), []);
  });

  test('in the extension', async () => {
    const { failures } = await soakExtension({ captions: 30, pictures });
    assert.deepEqual(other(failures), []);
  });
});
