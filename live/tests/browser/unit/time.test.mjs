import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, clockOffset, countdown, duration, expiry, isPast } from '../../../page/time.js';

const THEN = '2026-11-22T01:11:05.5+00:00';
const after = (ms) => Date.parse(THEN) + ms;
const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];

test('an age has at most two units, rounded down', () => {
  const told = [0, 999, 1_000, 59_999, MINUTE, 61 * SECOND, HOUR, HOUR + 5 * MINUTE, DAY, DAY + 3 * HOUR + 59 * MINUTE]
    .map((ms) => age(THEN, after(ms)));
  assert.deepEqual(told, [
    'just now', 'just now', '1 s ago', '59 s ago', '1 min ago', '1 min ago', '1 h ago', '1 h 5 min ago', '1 d ago', '1 d 3 h ago',
  ]);
});

test('a time slightly in the future is just now, not negative', () => {
  assert.equal(age(THEN, after(-3 * SECOND)), 'just now');
  assert.equal(duration(-1), '0 s');
});

test('an expiry counts down to its moment and up after it', () => {
  const told = [-4 * HOUR + 30 * SECOND, -90 * SECOND, -1_001, -1, 0, 1_000, 2 * MINUTE].map((ms) => expiry(THEN, after(ms)));
  assert.deepEqual(told, [
    'expires in 3 h 59 min', 'expires in 1 min 30 s', 'expires in 2 s', 'expires in 1 s', 'expired', 'expired 1 s ago', 'expired 2 min ago',
  ]);
  assert.deepEqual([-1, 0, 1].map((ms) => isPast(THEN, after(ms))), [false, true, true]);
});

test('a countdown shows seconds in the last hour only', () => {
  assert.deepEqual([1, 59_000, 59_001, 90_500, HOUR, DAY].map(countdown), ['1 s', '59 s', '1 min', '1 min 31 s', '1 h', '1 d']);
});

test('a wrong clock of this machine is corrected by the server time', () => {
  const offset = clockOffset(THEN, after(3 * HOUR));
  assert.equal(offset, -3 * HOUR);
  assert.equal(age(THEN, after(3 * HOUR) + 10 * SECOND + offset), '10 s ago');
  assert.equal(clockOffset('nonsense', 0), undefined);
});
