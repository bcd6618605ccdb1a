import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL, arrange, filterOf, hashOf, leavesOut } from '../../../page/filter.js';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const iso = (minutes) => new Date(NOW + minutes * 60_000).toISOString();
const row = (signal_id, more) => ({
  signal_id, symbol: 'BTCUSDT', signal_type: 'LONG', tier: 'MAX', confidence: '20', quality_score: '50',
  created_at: iso(signal_id - 100), expires_at: iso(60), metadata: { why: 'the change is large' }, ...more,
});
const settled = (best_target, ended, percent) => ({ state: 'settled', best_target, ended, returns_percent: [percent] });
const signals = {
  1: row(1, { symbol: 'ETHUSDT', confidence: '90' }),
  2: row(2, { signal_type: 'SHORT', expires_at: iso(-10) }),
  3: row(3, { quality_score: '80' }),
  4: row(4, { symbol: 'SOLUSDT', metadata: { why: { toString: 1 } } }),
  5: row(5, { symbol: 'ETHUSDT', signal_type: 'SHORT' }),
};
const outcomes = { 1: settled(1, 'stop', '1.3'), 3: settled(0, 'stop', '-1.7'), 4: { state: 'void', best_target: 0, ended: null }, 5: settled(0, 'expired', '0.3') };
const listed = (filter) => arrange(Object.keys(signals), (id) => signals[id], (id) => outcomes[id], { ...ALL, ...filter }, NOW).join('');

test('all are listed, the newest first, unless something is asked for', () => {
  assert.equal(listed({}), '54321');
  assert.equal(leavesOut(ALL), false);
});

test('a filter by symbol, side, state and outcome keeps what matches all of it', () => {
  assert.equal(listed({ symbol: 'ETHUSDT' }), '51');
  assert.equal(listed({ side: 'SHORT' }), '52');
  assert.equal(listed({ symbol: 'ETHUSDT', side: 'SHORT' }), '5');
  assert.equal(listed({ state: 'closed' }), '54321', 'settled, void or past its time');
  assert.equal(arrange(['2'], (id) => signals[id], () => undefined, { ...ALL, state: 'open' }, NOW - 3_600_000).join(), '2');
  assert.deepEqual(['target', 'stop', 'expired', 'void', 'none'].map((outcome) => listed({ outcome })), ['1', '3', '5', '4', '2']);
});

test('a search is in symbol, side, number, tier and reason, for all words in any case', () => {
  assert.equal(listed({ q: 'eth short' }), '5');
  assert.equal(listed({ q: 'LARGE' }), '5321', 'a reason that is no text is no match and no error');
  assert.equal(listed({ q: 'nothing' }), '');
});

test('orders: ties go by time, and what is not settled comes last by result', () => {
  assert.equal(listed({ sort: 'oldest' }), '12345');
  assert.equal(listed({ sort: 'strength' }), '15432');
  assert.equal(listed({ sort: 'quality' }), '35421');
  assert.equal(listed({ sort: 'symbol' }), '32514');
  assert.equal(listed({ sort: 'result' }), '15342');
});

test('the address holds a filter, and nothing for what is not asked for', () => {
  assert.equal(hashOf(ALL), '');
  const filter = { ...ALL, q: 'a&b #c', symbol: 'BTCUSDT', state: 'open', sort: 'result' };
  assert.deepEqual(filterOf(`#${hashOf(filter)}`), filter);
  assert.equal(hashOf(ALL, '7'), 'signal=7');
  assert.deepEqual(filterOf('#side=UP&state=x&sort=constructor&outcome=__proto__&view=record'), ALL, 'what is not known counts as none');
  assert.equal(filterOf(`#q=${'x'.repeat(1_000)}`).q.length, 100);
});

test('five thousand are arranged within a frame or two', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [String(i + 1), row(i + 1)]));
  const ids = Object.keys(many);
  arrange(ids, (id) => many[id], () => undefined, ALL, NOW);
  const began = process.cpuUsage();
  for (let i = 0; i < 10; i += 1) arrange(ids, (id) => many[id], () => undefined, { ...ALL, q: 'btc', state: 'open' }, NOW);
  assert.ok(process.cpuUsage(began).user / 10_000 < 100, `${process.cpuUsage(began).user / 10_000} ms`);
});
