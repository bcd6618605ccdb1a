import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refused } from '../../../page/api.js';
import { Archive, MOST } from '../../../page/archive.js';
import { KEPT } from '../../../page/store.js';

const rows = (from, to) => Object.fromEntries(Array.from({ length: to - from + 1 }, (_, i) => [String(from + i), { signal_id: from + i, viewed: false }]));

/** A subscriber with signals 1 to `last`, of which the newest KEPT are at hand. */
function archive(last, fails = () => null) {
  const asked = [];
  const api = {
    async before(before, limit) {
      asked.push([before, limit]);
      const error = fails(asked.length);
      if (error) throw error;
      const from = Math.max(1, before - limit);
      const signals = Object.values(rows(from, Math.min(before - 1, last))).reverse();
      return { signals, outcomes: [], more: from > 1 };
    },
  };
  const world = { asked, refused: 0, changes: 0, state: { signals: rows(Math.max(1, last - KEPT + 1), last), outcomes: {} } };
  world.archive = new Archive(api, () => world.state, { changed: () => { world.changes += 1; }, refused: () => { world.refused += 1; } });
  return world;
}

test('who has fewer signals than are kept has no older ones, and nothing is read', async () => {
  const { archive: older, asked } = archive(KEPT - 1);
  assert.equal(older.hasMore, false);
  await older.more();
  assert.deepEqual(asked, []);
});

test('pages follow each other to the first signal, each is read once', async () => {
  const { archive: older, asked } = archive(1_500);
  while (older.hasMore) await Promise.all([older.more(), older.more()]);
  assert.deepEqual(asked.map(([before]) => before), [1_301, 801, 301]);
  assert.equal(Object.keys(older.older.signals).length, 1_300);
  assert.equal(older.older.phase, 'whole');
});

test('who has more signals than a tab holds is told so, and not that these are all', async () => {
  const { archive: older, asked } = archive(MOST + 5_000);
  while (older.hasMore) await older.more();
  assert.equal(older.older.phase, 'full');
  assert.equal(asked.length, MOST / 500);
});

test('a page that cannot be read is said, and read when it is asked for again', async () => {
  const world = archive(1_000, (n) => (n === 1 ? new TypeError('no network') : null));
  await world.archive.more();
  assert.deepEqual([world.archive.older.phase, world.archive.older.why], ['failed', 'the service cannot be reached']);
  await world.archive.more();
  assert.equal(Object.keys(world.archive.older.signals).length, 500);
  const refused = archive(1_000, () => new Refused(401, 'the token has expired'));
  await refused.archive.more();
  assert.equal(refused.refused, 1);
});

test('signals that are no longer kept at hand stay known, and those that came and went in between are read', async () => {
  const world = archive(1_000);
  await world.archive.more();
  const before = world.state;
  world.state = { signals: rows(1_201, 1_400), outcomes: {} };
  await world.archive.left(before, world.state);
  const known = Object.keys(world.archive.older.signals).map(Number);
  // 1,001 to 1,200 were never at hand; the service of this test has none of them.
  assert.ok([301, 800, 801, 1_000].every((id) => known.includes(id)));
  assert.equal(world.asked.at(1)[0], 1_201);
});

test('one signal is found by its number, and only for whoever has it', async () => {
  const world = archive(1_000);
  assert.equal(await world.archive.find('42'), true);
  assert.deepEqual(Object.keys(world.archive.older.signals), ['42']);
  assert.equal(await archive(10).archive.find('42'), false);
  world.archive.mark(42, { viewed: true });
  assert.equal(world.archive.older.signals['42'].viewed, true);
});

test('after the end of a session nothing changes', async () => {
  const world = archive(1_000);
  const reading = world.archive.more();
  world.archive.stop();
  const { changes } = world;
  await reading;
  assert.equal(world.changes, changes);
  assert.deepEqual(world.archive.older.signals, {});
});
