import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionLog } from '../../../page/connection_log.js';
import { fieldsOf, preferencesOf } from '../../../page/preferences.js';
import { standingText } from '../../../page/standing.js';
import { activityText } from '../../../page/status.js';

test('the head says why nothing comes, and nothing where signals come', () => {
  const status = (reason, more) => ({ reason, message: 'In words', quiet: false, ...more });
  assert.equal(standingText(null, true), '');
  assert.equal(standingText(status('ok'), true), '');
  assert.equal(standingText(status('ok'), false), 'In words.', 'who has no signal yet wants to know that one will come');
  assert.equal(standingText(status('ok', { quiet: true }), true), 'your quiet hours keep notifications back.');
  for (const reason of ['quota_used', 'filtered', 'no_subscription', 'no_signal']) assert.equal(standingText(status(reason), true), 'In words.');
});

test('at the time of a run the page says that the market is looked at, unless all is not well', () => {
  const now = Date.parse('2026-11-22T01:11:05Z');
  const health = (more) => ({ healthy: true, next_run: new Date(now - 100).toISOString(), ...more });
  assert.equal(activityText(health(), now), 'looking at the market');
  assert.equal(activityText(health({ healthy: false }), now), 'due');
  assert.equal(activityText(health(), now - 12_000), 'in 12 s');
  assert.deepEqual([now, now - 12_000].map((time) => activityText(health(), time, false)), ['not known', 'in 12 s'], 'without a connection');
});

test('the connection is told as a time and a number of returns', () => {
  const log = new ConnectionLog(0);
  log.note({ phase: 'connecting' }, 0);
  assert.equal(log.words(10), '');
  log.note({ phase: 'live' }, 1_000);
  assert.equal(log.words(61_000), 'for 1 min');
  log.note({ phase: 'waiting', reason: 'the network changed' }, 61_000);
  log.note({ phase: 'connecting' }, 62_000);
  assert.deepEqual([log.words(63_000), log.numbers(63_000).away], ['', 2_000]);
  log.note({ phase: 'live' }, 64_000);
  assert.equal(log.words(74_000), 'for 10 s, came back once');
  assert.deepEqual(log.numbers(74_000), { phase: 'live', pageAge: 74_000, liveFor: 10_000, returns: 1, away: 3_000, lastReason: 'the network changed' });
});

test('preferences go into fields and back', () => {
  const kept = {
    only_symbols: ['BTCUSDT', 'ETHUSDT'], not_symbols: null, sides: ['LONG'], strategies: ['momentum'], min_confidence: 20.5, min_quality: null,
    max_per_day: 0, quiet_from: '22:00:00', quiet_until: '07:30:00', time_zone: 'Europe/Berlin',
  };
  const fields = fieldsOf(kept, 'UTC');
  assert.deepEqual(preferencesOf(fields), { ...kept, quiet_from: '22:00', quiet_until: '07:30' });
  assert.equal(fields['want-most'], '0', 'none at all is not the same as no limit');
  assert.deepEqual(preferencesOf({ ...fields, 'want-only': ' btcusdt,  sol-usdt; ' }).only_symbols, ['BTCUSDT', 'SOL-USDT']);
  const nothing = preferencesOf(fieldsOf({}, 'UTC'));
  assert.ok(Object.values(nothing).every((value) => value === null), JSON.stringify(nothing));
});
