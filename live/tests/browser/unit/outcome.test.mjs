import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFinal } from '../../../page/final.js';
import { outcomeFacts, outcomeSentence, resultOf } from '../../../page/outcome.js';

const ENTRY = Date.parse('2026-11-22T01:00:00Z');
const at = (minutes) => new Date(ENTRY + minutes * 60_000).toISOString();
const SIGNAL = { signal_type: 'LONG', symbol: 'BTCUSDT', expires_at: at(240), take_profit: ['1.015', '1.03', '1.05'] };
const OPEN = { signal_id: 1, state: 'open', signal_at: at(0), best_target: 0, first_touch: null, ended: null, target_at: [], stop_at: null, superseded_at: null };
const SETTLED = { ...OPEN, state: 'settled', returns_percent: ['1.300000', '-1.70', '-1.70'], ladder_percent: '-0.7', hold_percent: '0.31', mirror_percent: '-1.7',
  mfe_percent: '2.1', mae_percent: '1.5', fee_percent: '0.100', resolution: '1s', ambiguous: false, gap: false };
const HIT = { ...SETTLED, best_target: 1, first_touch: 'target', ended: 'stop', target_at: [at(130)], stop_at: at(185) };
const STOPPED = { ...SETTLED, first_touch: 'stop', ended: 'stop', stop_at: at(35), returns_percent: ['-1.7', '-1.7', '-1.7'] };
const EXPIRED = { ...SETTLED, first_touch: 'none', ended: 'expired', returns_percent: ['0.3', '0.3', '0.3'] };
const VOID = { ...OPEN, state: 'void', best_target: null, target_at: null, void_why: 'no candles for 7 days' };
const line = (outcome, now = at(250), signal = SIGNAL) => {
  const { kind, text, percent } = resultOf(signal, outcome, Date.parse(now));
  return `${kind}: ${text}${percent && ` | ${percent}`}`;
};

test('what is settled is told with how long it took, and what it returned', () => {
  assert.equal(line(HIT), 'target: target 1 hit after 2 h 10 min, then stopped | +1.30 %');
  assert.equal(line({ ...HIT, ended: 'expired' }), 'target: target 1 hit after 2 h 10 min, then expired | +1.30 %');
  assert.equal(line({ ...HIT, ended: 'target', best_target: 3, target_at: [at(10), at(20), at(95)] }), 'target: target 3 hit after 1 h 35 min | +1.30 %');
  assert.equal(line(STOPPED), 'stop: stopped after 35 min | -1.70 %');
  assert.equal(line(EXPIRED), 'expired: expired at +0.30 %');
  assert.equal(line({ ...EXPIRED, returns_percent: ['-0.4'] }), 'expired: expired at -0.40 %');
  assert.equal(line(VOID), 'void: void: no candles for 7 days');
});

test('what the last prices show of an open signal is called provisional', () => {
  assert.equal(line(OPEN, at(10)), 'open: open');
  assert.equal(line(undefined, at(10)), 'open: open');
  assert.equal(line({ ...OPEN, best_target: 2, target_at: [at(20), at(30)], first_touch: 'target' }, at(40)), 'provisional: open; provisional: target 2 seen after 30 min');
  assert.equal(line({ ...OPEN, first_touch: 'stop', ended: 'stop', stop_at: at(35) }, at(40)), 'provisional: open; provisional: stop seen after 35 min');
  assert.equal(line({ ...OPEN, best_target: 1, target_at: [at(20)], ended: 'stop', stop_at: at(35) }, at(240)),
    'provisional: to be settled; provisional: target 1 seen after 20 min, stop seen after 35 min');
  assert.equal(line(OPEN, at(240)), 'open: to be settled');
  assert.equal(line(undefined, at(240)), 'open: not known');
});

test('only what is open can change', () => {
  assert.deepEqual([undefined, OPEN, HIT, VOID].map(isFinal), [false, false, true, true]);
});

test('a screen reader hears the outcome in a sentence', () => {
  assert.equal(outcomeSentence(SIGNAL, STOPPED, ENTRY), 'LONG BTCUSDT: stopped after 35 min, -1.70 % after fees.');
  assert.equal(outcomeSentence(SIGNAL, EXPIRED, ENTRY), 'LONG BTCUSDT: expired at +0.30 %.');
});

test('the details have the same lines before and after the settlement', () => {
  const names = (signal, outcome) => outcomeFacts(signal, outcome).map(({ name }) => name);
  assert.deepEqual(names(SIGNAL, undefined), names(SIGNAL, HIT));
  assert.deepEqual(names({ ...SIGNAL, take_profit: null }, OPEN), names(SIGNAL, VOID));
  const facts = Object.fromEntries(outcomeFacts(SIGNAL, { ...HIT, ambiguous: true, superseded_at: at(60) }).map(({ name, value }) => [name, value]));
  assert.equal(facts['Left at target 1, 2, 3'], '+1.30 %, -1.70 %, -1.70 %');
  assert.equal(facts['Furthest against'], '-1.50 %');
  assert.equal(facts['Settled by'], 'candles of 1s');
  assert.equal(facts.Notes, 'after fees of 0.1 % at entry and exit; one candle held both stop and target, so it counts as stopped; an opposite signal came after 1 h');
  assert.ok(outcomeFacts(SIGNAL, OPEN).every(({ value }) => value === '-'));
});

test('an outcome of any form is shown or left out', () => {
  for (const outcome of [{ state: 'settled' }, { state: 'open' }, { state: 'void' }, { state: 'settled', best_target: 1, target_at: null, returns_percent: null }]) {
    assert.equal(typeof line(outcome), 'string');
    assert.ok(!JSON.stringify([line(outcome), outcomeFacts(SIGNAL, outcome)]).includes('NaN'), JSON.stringify(outcome));
  }
});
