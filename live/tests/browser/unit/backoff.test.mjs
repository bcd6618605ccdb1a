import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../../page/backoff.js';

const series = (backoff, count) => Array.from({ length: count }, () => backoff.next());

test('waits 1, 2, 4 ... 30 s, and from the beginning after a success', () => {
  const backoff = new Backoff(() => 0);
  assert.deepEqual(series(backoff, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  backoff.reset();
  assert.equal(backoff.next(), 1_000);
});

test('jitter shortens a wait by up to half', () => {
  assert.deepEqual(series(new Backoff(() => 1), 3), [500, 1_000, 2_000]);
  const waits = Array.from({ length: 200 }, () => new Backoff().next());
  assert.ok(waits.every((wait) => wait > 500 && wait <= 1_000));
  assert.ok(Math.max(...waits) - Math.min(...waits) > 300, 'clients do not come back together');
});
