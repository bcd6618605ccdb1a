import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from '../../../page/sse.js';

const TEXT = ': a comment\n\nevent: hello\ndata: {"a":1}\n\nid: 7-1\nevent: signal\ndata: one\ndata: two\n\nid: 7-2\n\ndata:x\n\n';
const EVENTS = [
  { event: 'hello', data: '{"a":1}', id: undefined },
  { event: 'signal', data: 'one\ntwo', id: '7-1' },
  { event: 'message', data: '', id: '7-2' },
  { event: 'message', data: 'x', id: undefined },
];

test('reads events with several lines of data, without data, and without a name', () => {
  assert.deepEqual(new EventParser().feed(TEXT), EVENTS);
});

test('reads the same wherever the stream is cut, and with any line ends', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const text = TEXT.replaceAll('\n', end);
    for (const size of [1, 2, 3, 7, 50]) {
      const parser = new EventParser();
      const events = [];
      for (let i = 0; i < text.length; i += size) events.push(...parser.feed(text.slice(i, i + size)));
      // A lone CR at the very end may be half of a CRLF.
      if (end === '\r') events.push(...parser.feed(':'));
      assert.deepEqual(events, EVENTS, `${JSON.stringify(end)} in pieces of ${size}`);
    }
  }
});

test('returns nothing of an event that is not complete', () => {
  const parser = new EventParser();
  assert.deepEqual(parser.feed('event: signal\ndata: half'), []);
  assert.deepEqual(parser.feed('\n\n'), [{ event: 'signal', data: 'half', id: undefined }]);
});
