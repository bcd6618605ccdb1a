import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { begin, describe, grown, touches } from '../../../page/candles.js';

const LONG = { symbol: 'BTCUSDT', signal_type: 'LONG', created_at: '2026-11-22T01:02:30Z', entry_price: '100', stop_loss: '98', take_profit: ['102', '104'] };

test('prices join the candle of their five minutes', () => {
  const time = begin('2026-11-22T01:07:59Z', 300);
  assert.equal(new Date(time * 1_000).toISOString(), '2026-11-22T01:05:00.000Z');
  const first = grown(null, time, 100);
  assert.deepEqual(grown(grown(first, time, 103), time, 99), { time, open: 100, high: 103, low: 99, close: 99 });
  assert.deepEqual(grown(first, time + 300, 101), { time: time + 300, open: 101, high: 101, low: 101, close: 101 });
});

test('the signal and what was touched are marked at candles that there are', () => {
  const times = [0, 5, 10, 30].map((minutes) => begin('2026-11-22T01:00:00Z', 300) + minutes * 60);
  const outcome = { target_at: ['2026-11-22T01:11:00Z'], stop_at: '2026-11-22T01:26:00Z' };
  const marks = touches(LONG, outcome, 300, times).map(({ time, name }) => `${times.indexOf(time)} ${name}`);
  assert.deepEqual(marks, ['0 LONG', '2 Target 1', '3 Stop']);
  assert.deepEqual(touches(LONG, undefined, 300, times).map(({ name }) => name), ['LONG']);
});

test('who does not see the chart is told what it says', () => {
  const candles = [{ low: 99, high: 101, close: 100 }, { low: 99.5, high: 102.5, close: 102 }];
  assert.equal(describe(LONG, candles), 'Price of BTCUSDT since the signal: lowest 99, highest 102.5, last 102; Target 2 104, Target 1 102, Entry 100, Stop 98.');
});

test('the chart library is the one that was published as 5.2.1', () => {
  const bytes = readFileSync(new URL('../../../page/vendor/lightweight-charts.mjs', import.meta.url));
  assert.equal(createHash('sha256').update(bytes).digest('hex'), '1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f');
});
