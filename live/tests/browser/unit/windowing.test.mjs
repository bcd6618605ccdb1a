import assert from 'node:assert/strict';
import { test } from 'node:test';
import { offsetOf, windowOf } from '../../../page/windowing.js';

const at = (top, more = {}) => ({ top, height: 800, row: 40, ...more });

test('a short list is built whole, and takes no space beside its rows', () => {
  assert.deepEqual(windowOf(10, at(-100)), { from: 0, to: 10, before: 0, after: 0 });
  assert.deepEqual(windowOf(0, at(0)), { from: 0, to: 0, before: 0, after: 0 });
});

test('of a long list only the rows near the view are built, wherever it is, and its height stays the same', () => {
  for (let top = -200; top < 5_000 * 40; top += 997) {
    const { from, to, before, after } = windowOf(5_000, at(top));
    assert.ok(from <= Math.max(0, top / 40) && to >= Math.min(5_000, (top + 800) / 40), `${top}: ${from} to ${to}`);
    assert.ok(to - from <= 96, `${top}: ${to - from} rows`);
    assert.equal(before + (to - from) * 40 + after, 5_000 * 40);
  }
});

test('a few pixels change nothing', () => {
  const ends = Array.from({ length: 300 }, (_, i) => windowOf(5_000, at(40_000 + i)).from);
  assert.ok(new Set(ends).size <= 3);
});

test('an open row is higher, and rows below it are further down', () => {
  const open = at(0, { open: 100, extra: 500 });
  assert.deepEqual([99, 100, 101, 102].map((index) => offsetOf(index, open)), [3_960, 4_000, 4_540, 4_580]);
  // Within the open row, at its end, and far below it.
  for (const [top, first] of [[4_100, 100], [4_539, 100], [4_540, 101], [44_540, 1_101]]) {
    const { from, to, before, after } = windowOf(5_000, { ...open, top });
    assert.ok(from <= first && first < to, `${top}: ${from} to ${to}`);
    assert.equal(before, offsetOf(from, open));
    assert.equal(after, offsetOf(5_000, open) - offsetOf(to, open));
  }
});

test('a view beyond the end, as after a filter left few rows, shows the last ones', () => {
  const { from, to } = windowOf(30, at(100_000));
  assert.ok(from <= to && to === 30);
});
