import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Panel } from '../../../page/panel.js';

const turns = async () => { for (let n = 0; n < 20; n += 1) await null; };

test('one read at a time: none is begun while another has no answer, and what was done is read after it', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  globalThis.document = { hidden: false };
  const answers = [];
  const [drawn, elements] = [[], { shown: { replaceChildren: (text) => drawn.push(text) }, problem: { textContent: '' } }];
  const panel = new Panel({
    elements, what: 'the state', every: 5_000, refused: () => {},
    read: () => new Promise((resolve) => { answers.push(resolve); }), draw: (answer) => [answer.text],
  });
  panel.start({});
  t.mock.timers.tick(30_000);
  assert.equal(answers.length, 1);
  const refreshed = panel.refresh();
  assert.equal(answers.length, 1);
  answers.shift()({ text: 'before' });
  await turns();
  assert.equal(answers.length, 1, 'read again, as something was done');
  answers.shift()({ text: 'after' });
  await refreshed;
  assert.deepEqual(drawn, ['before', 'after']);
  t.mock.timers.tick(5_000);
  assert.equal(answers.length, 1);
  panel.stop();
  panel.start({});
  assert.equal(answers.length, 2, 'a panel that is opened again does not wait for what it gave up');
  panel.stop();
  delete globalThis.document;
});
