import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Presence } from '../../../page/presence.js';
import { bytesOf, isFor, isTold, Push } from '../../../page/push.js';

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

const turns = async () => { for (let n = 0; n < 20; n += 1) await null; };

test('the service is told when somebody begins to look and when nobody does, for all tabs of a browser', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: 1_000_000 });
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
  await turns();
  presence.beside(true);
  isShown = false;
  presence.look();
  assert.deepEqual(told.splice(0), [], 'a tab beside it is shown');
  fails = true;
  presence.beside(false);
  assert.deepEqual(told.splice(0), [[7, false]]);
  await turns();
  fails = false;
  presence.look();
  assert.deepEqual(told.splice(0), [[7, false]], 'again, as it did not arrive');
  await turns();
  t.mock.timers.tick(60_000);
  assert.deepEqual(told.splice(0), [], 'that nobody looks is said once');
  isShown = true;
  presence.opened(8);
  assert.deepEqual(told, [[8, true]], 'another stream');
  presence.stop();
});

test('that somebody looks is said again every 20 seconds, one request after the other', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: 1_000_000 });
  t.mock.method(performance, 'now', () => Date.now());
  const told = [];
  let isShown = true;
  let answer = () => {};
  const api = { sayVisible: (stream, visible) => new Promise((resolve) => { told.push(visible); answer = resolve; }) };
  const presence = new Presence(api, () => isShown);
  presence.opened(7);
  answer();
  await turns();
  t.mock.timers.tick(15_000);
  assert.deepEqual(told, [true]);
  t.mock.timers.tick(5_000);
  assert.deepEqual(told.splice(0), [true, true]);
  isShown = false;
  presence.look();
  t.mock.timers.tick(10_000);
  assert.deepEqual(told, [], 'the one before has no answer yet');
  answer();
  await turns();
  assert.deepEqual(told, [false]);
  presence.stop();
});

/** A browser that may notify, as far as push.js asks it; what happens in it is in `seen`. */
function browser(seen, subscription, answers = Promise.resolve()) {
  const worker = { postMessage: ({ push }) => seen.push(push === null ? 'forget' : `keep ${push.user}`) };
  const made = (endpoint) => ({
    endpoint, options: { applicationServerKey: bytesOf('-_8A').buffer }, toJSON: () => ({ endpoint, keys: { auth: 'x' } }),
    unsubscribe: async () => { seen.push(`unsubscribe ${endpoint}`); subscription = null; },
  });
  const pushManager = {
    getSubscription: async () => subscription && made(subscription),
    subscribe: async () => { subscription = 'new'; return made('new'); },
  };
  const serviceWorker = { controller: worker, ready: Promise.resolve({ active: worker, pushManager }) };
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { serviceWorker } });
  Object.assign(globalThis, { PushManager: class {}, Notification: { permission: 'granted' } });
  const kept = new Map();
  const storage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name) };
  const api = {
    storePush: async ({ endpoint }) => { seen.push(`store ${endpoint}`); await answers; },
    dropPush: async (endpoint) => { seen.push(`drop ${endpoint}`); await answers; },
  };
  const told = (userId, endpoint) => storage.setItem('signal_hub.push', JSON.stringify({ userId, endpoint, at: Date.now() }));
  return { api, told, push: new Push(storage, () => ({ push: true, notifySignals: true })), kept };
}

test('who signs out leaves nothing behind: before the key is known, with a lost subscription, with a service that hangs', async () => {
  for (const [subscription, expected] of [
    ['old', ['drop old', 'forget', 'unsubscribe old']], [null, ['drop old', 'forget']],
    ['moved', ['drop old', 'forget', 'unsubscribe moved', 'drop moved']],
  ]) {
    const seen = [];
    const { api, told, push, kept } = browser(seen, subscription, new Promise(() => {}));
    told('a', 'old');
    push.enter('a', api);
    push.leave();
    await turns();
    assert.deepEqual(seen, expected);
    assert.equal(kept.size, 0);
  }
});

test('who signs out while the service is told of the browser is forgotten there as well', async () => {
  let answer;
  const seen = [];
  const { api, push } = browser(seen, null, new Promise((resolve) => { answer = resolve; }));
  push.enter('a', api);
  push.learn('-_8A');
  await turns();
  assert.deepEqual(seen, ['store new']);
  const left = push.leave();
  await turns();
  assert.deepEqual(seen.splice(0), ['store new', 'drop new', 'forget', 'unsubscribe new']);
  answer();
  await left;
  assert.deepEqual(seen, ['drop new'], 'stored after it was taken away');
});

test('the next subscriber of a browser that lost its subscription is not taken for the one before', async () => {
  const seen = [];
  const { api, told, push } = browser(seen, null);
  told('a', 'old');
  push.enter('b', api);
  await push.learn('-_8A');
  await turns();
  await push.sync();
  assert.deepEqual(seen, ['drop old', 'forget', 'store new', 'keep b']);
});
