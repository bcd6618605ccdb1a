import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptText, generatorText, nextRunText, phaseText } from '../../../page/status.js';

const NOW = Date.parse('2026-11-22T01:11:05Z');
const iso = (ms) => new Date(NOW + ms).toISOString();
const health = (more) => ({ state: 'running', healthy: true, server_time: iso(0), next_run: iso(12_000), ...more });

test('the text of the connection that is read aloud has no countdown', () => {
  assert.equal(phaseText({ phase: 'live' }), 'Live');
  assert.equal(phaseText({ phase: 'waiting', polling: false, retryAt: NOW + 3_000 }), 'No connection');
  assert.equal(phaseText({ phase: 'waiting', polling: true }), 'No live connection, reading every 5 s');
});

test('a lost connection has a reason and the time of the next attempt', () => {
  const connection = { phase: 'waiting', reason: 'the service cannot be reached', retryAt: NOW + 2_500 };
  assert.equal(attemptText(connection, NOW), 'Connection: the service cannot be reached; next attempt in 3 s');
  assert.equal(attemptText(connection, NOW + 3_000), 'Connection: the service cannot be reached; trying again');
  assert.equal(attemptText({ phase: 'live' }, NOW), '');
});

test('an old report on the generator is not shown as the present', () => {
  assert.deepEqual(generatorText(health(), NOW), { text: 'running', mood: 'good' });
  assert.deepEqual(generatorText(health({ state: 'failing', healthy: false }), NOW), { text: 'failing', mood: 'bad' });
  assert.deepEqual(generatorText(health({ server_time: iso(-120_000) }), NOW), { text: 'running (2 min ago)', mood: 'unknown' });
  assert.deepEqual(generatorText(health(), NOW + 3_000, false), { text: 'running (3 s ago)', mood: 'unknown' });
  assert.deepEqual(generatorText(null, NOW), { text: 'not known yet', mood: 'unknown' });
});

test('the next run counts down, then is due', () => {
  assert.deepEqual([0, 11_500, 12_000].map((ms) => nextRunText(health(), NOW + ms)), ['in 12 s', 'in 1 s', 'due']);
  assert.equal(nextRunText(health({ next_run: null }), NOW), 'none planned');
});
