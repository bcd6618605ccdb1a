import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionLog } from '../../../page/connection_log.js';
import { fieldsOf, preferencesOf } from '../../../page/preferences.js';
import { Standing, isQuiet, standingText } from '../../../page/standing.js';
import { activityText } from '../../../page/status.js';

test('the head says why nothing comes, and nothing where signals come', () => {
  const status = (reason, more) => ({ reason, message: 'In words', quiet: false, ...more });
  assert.equal(standingText(null, true), '');
  assert.equal(standingText(status('ok'), true), '');
  assert.equal(standingText(status('ok'), false), 'In words.', 'who has no signal yet wants to know that one will come');
  assert.equal(standingText(status('ok', { quiet: true }), true), 'your quiet hours keep notifications back.');
  for (const reason of ['quota_used', 'filtered', 'no_subscription', 'no_signal']) assert.equal(standingText(status(reason), true), 'In words.');
});

test('quiet hours begin and end at their minute, between two readings of the status', () => {
  const quiet_hours = { from: '22:00:00', until: '07:30:00', time_zone: 'Europe/Berlin' };
  const at = (time, more) => isQuiet({ quiet: false, quiet_hours, ...more }, Date.parse(time));
  // Berlin is two hours ahead in summer, one in winter.
  assert.deepEqual(['2026-07-01T19:59:59Z', '2026-07-01T20:00:00Z', '2026-07-02T05:29:59Z', '2026-07-02T05:30:00Z'].map((time) => at(time)), [false, true, true, false]);
  assert.deepEqual(['2026-12-01T20:59:59Z', '2026-12-01T21:00:00Z', '2026-12-01T23:00:00Z', '2026-12-02T06:30:00Z'].map((time) => at(time)), [false, true, true, false]);
  const noon = { from: '12:00:00', until: '13:00:00', time_zone: 'UTC' };
  assert.deepEqual(['11:59:59', '12:00:00', '12:59:59', '13:00:00', '00:00:00'].map((time) => at(`2026-07-01T${time}Z`, { quiet: true, quiet_hours: noon })), [false, true, true, false, false]);
  assert.equal(isQuiet({ quiet: true, quiet_hours: { ...noon, time_zone: 'posix/Nowhere' } }, 0), true, 'a zone that the browser does not know');
  assert.equal(isQuiet({ quiet: false, quiet_hours: null }, 0), false);
  assert.equal(standingText({ reason: 'ok', message: '', quiet: false, quiet_hours: noon }, true, Date.parse('2026-07-01T12:30:00Z')), 'your quiet hours keep notifications back.');
});

test('until the first status is read it is asked for again, as nothing is announced before', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const answers = [() => { throw new TypeError('not reached'); }, () => ({ reason: 'ok', quiet: false, quiet_hours: null })];
  const standing = new Standing({ status: async () => answers.shift()() }, { changed: () => {}, refused: () => {}, isNeeded: () => true });
  let isKnown = false;
  standing.known.then(() => { isKnown = true; });
  await standing.read();
  assert.equal(isKnown, false);
  t.mock.timers.tick(5_000);
  await standing.known;
  assert.equal(standing.status.reason, 'ok');
  standing.stop();
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
