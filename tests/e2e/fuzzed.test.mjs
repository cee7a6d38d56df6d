/** The damaged pictures that the native decoder took in the fuzz test, beside Chromium's pixels. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { FUZZED, compare, tally } from './fuzzed.mjs';

describe('damaged pictures that are taken', () => {
  // `cargo xtask test` runs the native tests before.
  const missing = !existsSync(FUZZED) && '`cargo test --package soli-trainer --test fuzz` makes them';

  test('have the pixels that Chromium shows', { skip: missing }, async () => {
    const formats = tally(await compare());
    assert.deepEqual(Object.keys(formats).sort(), ['bmp', 'gif', 'jpg', 'png', 'webp']);
    for (const [format, { compared, same, others }] of Object.entries(formats)) {
      assert.ok(compared > 0 && same > 0, `${format}: ${same} of ${compared}`);
      // Damaged JPEGs and lossy WebPs may hold values beyond those of any picture, which each decoder clips in its own way, in the
      // stripes that are damaged (README, limits). So many at most.
      const most = format === 'jpg' || format === 'webp' ? compared / 4 : 0;
      assert.ok(others.length <= most, `${format}: ${others.length} of ${compared}: ${others.join(', ')}`);
    }
  });
});
