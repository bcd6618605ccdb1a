import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Presence } from '../../../page/presence.js';
import { bytesOf, isFor, isTold } from '../../../page/push.js';

test('a subscription is for one key, and the service is told of it once a day', () => {
  assert.deepEqual([...bytesOf('-_8A')], [251, 255, 0]);
  const subscription = { options: { applicationServerKey: bytesOf('-_8A').buffer } };
  assert.ok(isFor(subscription, '-_8A'));
  assert.ok(!isFor(subscription, '-_8B') && !isFor(subscription, '-_8AAAAA'));
  assert.ok(!isFor({ options: { applicationServerKey: null } }, '-_8A'));
  const kept = { userId: 'a', endpoint: 'e', at: 1_000 };
  assert.ok(isTold(kept, 'a', 'e', 2_000));
  for (const [known, user, endpoint, now] of [[null, 'a', 'e', 2_000], [kept, 'b', 'e', 2_000], [kept, 'a', 'f', 2_000], [kept, 'a', 'e', 999], [kept, 'a', 'e', 86_401_000]]) {
    assert.ok(!isTold(known, user, endpoint, now));
  }
});

test('the service is told when somebody begins to look and when nobody does, for all tabs of a browser', async () => {
  const told = [];
  let [isShown, fails] = [true, false];
  const api = { sayVisible: async (...what) => { told.push(what); if (fails) throw new Error('not reached'); } };
  const presence = new Presence(api, () => isShown);
  presence.look();
  presence.opened(undefined);
  assert.deepEqual(told.splice(0), [], 'nobody wants to know');
  presence.opened(7);
  presence.look();
  assert.deepEqual(told.splice(0), [[7, true]]);
  presence.beside(true);
  isShown = false;
  presence.look();
  assert.deepEqual(told.splice(0), [], 'a tab beside it is shown');
  fails = true;
  presence.beside(false);
  assert.deepEqual(told.splice(0), [[7, false]]);
  await new Promise((resolve) => { setTimeout(resolve); });
  fails = false;
  presence.look();
  assert.deepEqual(told.splice(0), [[7, false]], 'again, as it did not arrive');
  isShown = true;
  presence.opened(8);
  assert.deepEqual(told, [[8, true]], 'another stream');
  presence.stop();
});
