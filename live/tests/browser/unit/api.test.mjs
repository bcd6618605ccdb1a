import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, Refused } from '../../../page/api.js';

/** Answers by token. */
const serve = (t, statuses) => {
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (path, { headers }) => {
    const token = headers.Authorization.slice('Bearer '.length);
    asked.push(`${path} ${token}`);
    return new Response('{}', { status: statuses[token] });
  });
  return asked;
};

test('a request whose token is not accepted is made again with another one, once', async (t) => {
  const asked = serve(t, { old: 401, fresh: 200 });
  const refused = [];
  const api = new Api('old', async (token) => { refused.push(token); return 'fresh'; });
  await Promise.all([api.status(), api.mark(7, { viewed: true })]);
  assert.deepEqual(asked.toSorted(), ['api/signals/7 fresh', 'api/signals/7 old', 'api/status fresh', 'api/status old']);
  assert.deepEqual(refused, ['old', 'old']);
});

test('without another token, or when that is not accepted either, the request is refused; so is one that is not allowed', async (t) => {
  const asked = serve(t, { old: 401, wrong: 401, forbidden: 403 });
  const isRefused = (status) => (error) => error instanceof Refused && error.status === status;
  await assert.rejects(new Api('old').health(), isRefused(401));
  await assert.rejects(new Api('old', async () => 'wrong').health(), isRefused(401));
  await assert.rejects(new Api('forbidden', async () => 'fresh').health(), isRefused(403));
  assert.deepEqual(asked.map((line) => line.split(' ')[1]), ['old', 'old', 'wrong', 'forbidden']);
});
