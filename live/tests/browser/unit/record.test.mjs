import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cumulative, scaleOf } from '../../../page/chart.js';
import { count, dayText, gain, gainRange, ratio, share, shareRange } from '../../../page/numbers.js';
import { sampleOf, verdictOf } from '../../../page/record.js';

test('numbers have their signs, units and separators, and a dash stands for what cannot be said', () => {
  assert.equal(count(18851), '18,851');
  assert.deepEqual([-0.203, 0.001, 0, 1.5].map(gain), ['-0.20 %', '0.00 %', '0.00 %', '+1.50 %']);
  assert.equal(share(45.4), '45.4 %');
  assert.equal(shareRange(44.1, 46.7), '44.1 to 46.7 %');
  assert.equal(gainRange(-0.236, -0.17), '-0.24 to -0.17 %');
  assert.equal(ratio(0.748), '0.75');
  assert.deepEqual([count, gain, share, ratio].map((format) => format(null)), ['-', '-', '-', '-']);
  assert.equal(shareRange(null, 46.7), '-');
});

test('returns are summed from day to day, and days without a settled signal add nothing', () => {
  const days = [
    { day: '2026-11-20', settled: 2, mean_percent: 0.5, mirror_percent: -1 },
    { day: '2026-11-21', settled: 0, mean_percent: null, mirror_percent: null },
    { day: '2026-11-22', settled: 4, mean_percent: -1, mirror_percent: 0.25 },
  ];
  assert.deepEqual(cumulative(days).map(({ signals, mirror }) => [signals, mirror]), [[1, -2], [1, -2], [-3, -1]]);
});

test('a scale has round numbers that enclose all values and zero', () => {
  assert.deepEqual(scaleOf([-3, 1]), [1, 0, -1, -2, -3]);
  assert.deepEqual(scaleOf([12, 37.4]), [40, 30, 20, 10, 0]);
  assert.deepEqual(scaleOf([-0.31, -0.02]), [0, -0.1, -0.2, -0.3, -0.4]);
  for (const values of [[0], [], [1e-9], [-4e6, 17]]) {
    const scale = scaleOf(values);
    assert.ok(scale.length >= 2 && scale.length <= 7, `${values}: ${scale}`);
    assert.ok(scale.includes(0) && [0, ...values].every((value) => value <= scale[0] && value >= scale.at(-1)), `${values}: ${scale}`);
  }
});

test('the verdict comes in plain words', () => {
  assert.deepEqual(['too few', 'no edge shown', 'worse than a coin flip', 'edge shown'].map((verdict) => verdictOf({ verdict })[0]),
    ['Too few signals to judge', 'No edge shown', 'Worse than a coin flip', 'Edge shown']);
  assert.deepEqual(verdictOf({ verdict: 'of a later version' }), ['of a later version', '']);
});

test('the sample is told with what it is worth', () => {
  const record = { since: '2026-08-25T00:00:00+00:00', until: '2026-11-22T12:00:00+00:00' };
  const period = `from ${dayText('2026-08-25')} to ${dayText('2026-11-22')}`;
  const total = { signals: 1250, settled: 1238, open: 9, void: 3, days: 83, n_effective: 402.7 };
  assert.equal(sampleOf({ ...record, total }), `1,238 of 1,250 signals ${period} are settled (9 open, 3 void) on 83 days; `
    + 'because signals of one day move together, they say as much as 402 independent ones.');
  assert.equal(sampleOf({ ...record, total: { ...total, signals: 2, settled: 0, open: 2, void: 0, days: 0, n_effective: null } }),
    `0 of 2 signals ${period} are settled (2 open).`);
  assert.equal(sampleOf({ ...record, total: { ...total, signals: 0 } }), 'No signal is on record yet.');
});
