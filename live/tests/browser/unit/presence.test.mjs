import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Presence } from '../../../page/presence.js';

const turns = async () => { for (let n = 0; n < 10; n += 1) await null; };

test('that somebody looks is said every 20 s, also after the clock of the machine was set back', async (t) => {
  let wall = 1_800_000_000_000;
  let passed = 0;
  t.mock.method(Date, 'now', () => wall);
  t.mock.method(performance, 'now', () => passed);
  const said = [];
  let isVisible = true;
  const presence = new Presence({ sayVisible: async (_, seen) => { said.push(seen); } }, () => isVisible);
  presence.opened(1);
  presence.beside(true);
  await turns();
  wall -= 3_600_000;
  passed += 20_000;
  presence.look();
  await turns();
  assert.deepEqual(said, [true, true]);
  isVisible = false;
  presence.look();
  await turns();
  assert.deepEqual(said, [true, true, false], 'the tab beside gave no sign of life');
  presence.stop();
});
