import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stepOf, tokenOf } from '../../../page/renewal.js';

test('a token is asked for five minutes before the end, and the reader is told two minutes before', () => {
  const end = 10_000_000;
  assert.deepEqual([301_000, 299_000, 121_000, 119_000, 0, -5_000].map((left) => stepOf(end, end - left)), ['wait', 'ask', 'ask', 'tell', 'tell', 'tell']);
  assert.equal(stepOf(null, end), 'wait', 'nobody is signed in, or the token has no end');
});

test('a token is taken from the window around this one, of an allowed origin, and from nobody else', () => {
  const [parent, other] = [{}, {}];
  const origins = ['https://app.example'];
  const message = { data: { type: 'signal_hub.token', token: 'a.b.c' }, origin: 'https://app.example', source: parent };
  assert.equal(tokenOf(message, origins, parent), 'a.b.c');
  for (const wrong of [
    { ...message, origin: 'https://evil.example' }, { ...message, origin: 'https://app.example.evil.example' }, { ...message, source: other }, { ...message, source: null },
    { ...message, data: null }, { ...message, data: 'a.b.c' }, { ...message, data: { type: 'signal_hub.token', token: 7 } }, { ...message, data: { token: 'a.b.c' } },
  ]) assert.equal(tokenOf(wrong, origins, parent), null, JSON.stringify(wrong));
  assert.equal(tokenOf({ ...message, source: null }, origins, null), null, 'not in a frame');
});
