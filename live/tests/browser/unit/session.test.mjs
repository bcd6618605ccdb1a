import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session, readToken, takeTokenFromAddress } from '../../../page/session.js';

const encode = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
const token = (payload) => `${encode({ alg: 'HS256' })}.${encode(payload)}.c2lnbmF0dXJl`;

test('a token names its subscriber and its end', () => {
  assert.deepEqual(readToken(token({ sub: 'u-1', exp: 1_800_000_000 })), { userId: 'u-1', name: 'u-1', expiresAt: 1_800_000_000_000 });
  assert.deepEqual(readToken(`  ${token({ sub: 'u-\u00e9' })}\n`), { userId: 'u-\u00e9', name: 'u-\u00e9', expiresAt: null });
});

test('a subscriber is shown by the address in the token, else by the id', () => {
  assert.equal(readToken(token({ sub: 'u-1', email: 'a@example.com' })).name, 'a@example.com');
  assert.equal(readToken(token({ sub: 'u-1', email: '' })).name, 'u-1');
  assert.equal(readToken(token({ sub: 'u-1', email: 7 })).name, 'u-1');
});

test('anything but the token of a subscriber is refused', () => {
  for (const text of ['', 'nonsense', 'a.b.c', token({}), token({ sub: '' }), token({ sub: 7 }), token(null)]) assert.equal(readToken(text), null, text);
});

test('the token leaves the address at once, and the rest of the address stays', () => {
  const changes = [];
  const history = { replaceState: (...args) => changes.push(args) };
  assert.equal(takeTokenFromAddress({ hash: '#token=a.b-_.c', pathname: '/live/', search: '?x=1' }, history), 'a.b-_.c');
  assert.deepEqual(changes, [[null, '', '/live/?x=1']]);
  assert.equal(takeTokenFromAddress({ hash: '#signal=3', pathname: '/', search: '' }, history), null);
  assert.equal(changes.length, 1);
});

test('where storage is forbidden a session lasts as long as the page', () => {
  const forbidden = new Proxy({}, { get: () => { throw new Error('denied'); } });
  const session = new Session(forbidden);
  session.set(token({ sub: 'u' }));
  assert.equal(session.userId, 'u');
  session.forget();
  assert.equal(session.userId, null);
});

test('where storage is full an earlier subscriber is not signed in again', () => {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null,
    removeItem: (key) => kept.delete(key),
    setItem: (key, value) => {
      if (value.length > 60) throw new Error('full');
      kept.set(key, value);
    },
  };
  new Session(storage).set(token({ sub: 'a' }));
  assert.equal(new Session(storage).userId, 'a');
  const session = new Session(storage);
  session.set(token({ sub: 'another, with a longer token' }));
  assert.equal(session.userId, 'another, with a longer token');
  assert.equal(new Session(storage).userId, null);
});
