import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeAtOnce } from '../../../page/lock.js';

/** One lock, as browsers have it. */
function browserLocks() {
  let holder = null;
  return {
    request(name, { ifAvailable }, use) {
      assert.ok(name.includes('someone') && ifAvailable);
      if (holder !== null) return Promise.resolve().then(() => use(null));
      return new Promise((resolve, reject) => {
        holder = reject;
        Promise.resolve().then(() => use({ name })).then(() => {
          holder = null;
          resolve();
        });
      });
    },
    steal: () => holder(Object.assign(new Error('stolen'), { name: 'AbortError' })),
  };
}

test('the lock is had if no other tab has it, until it is released', async () => {
  const locks = browserLocks();
  const held = await takeAtOnce('someone', locks);
  assert.equal(await takeAtOnce('someone', locks), null);
  held.release();
  await held.ended;
  assert.notEqual(await takeAtOnce('someone', locks), null);
});

test('whoever waits for the end of a lock is told that another tab took it', async () => {
  const locks = browserLocks();
  const held = await takeAtOnce('someone', locks);
  locks.steal();
  await assert.rejects(held.ended, { name: 'AbortError' });
});

test('a browser that forbids locks gives none', async () => {
  assert.equal(await takeAtOnce('someone', { request: () => Promise.reject(new Error('forbidden')) }), null);
});
