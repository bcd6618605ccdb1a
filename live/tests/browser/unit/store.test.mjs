import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT, emptyState, lastSignalAt, newestFirst, reduce, unsettled } from '../../../page/store.js';

const signal = (signal_id, more = {}) => ({
  signal_id, symbol: 'BTCUSDT', viewed: false, viewed_at: null, clicked: false, clicked_at: null,
  created_at: new Date(Date.UTC(2026, 10, 22) + signal_id * 1_000).toISOString(), ...more,
});
const received = (row) => ({ type: 'signal', signal: row });
const after = (...actions) => actions.reduce(reduce, emptyState());

test('a duplicate delivery changes nothing, not even the object', () => {
  const once = after(received(signal(1)));
  assert.equal(reduce(once, received(signal(1))), once);
});

test('the newest comes first, also when two ids are in another order than their times', () => {
  const state = after(received(signal(9)), received(signal(10)), received(signal(11, { created_at: signal(1).created_at })));
  assert.deepEqual(newestFirst(state), ['10', '9', '11']);
});

test('whatever the order and number of deliveries, the outcome is the same', () => {
  const actions = [
    received(signal(1)),
    received(signal(1, { viewed: true, viewed_at: 'T1' })),
    { type: 'mark', mark: { signal_id: 1, viewed: true, viewed_at: 'T1', clicked: true, clicked_at: 'T2' } },
    received(signal(2)),
  ];
  const wanted = { 1: signal(1, { viewed: true, viewed_at: 'T1', clicked: true, clicked_at: 'T2' }), 2: signal(2) };
  for (const order of permutations([...actions.keys()])) {
    // A mark that comes before its row is not needed: the row, read later, has it.
    const list = [...order, ...order].map((i) => actions[i]);
    assert.deepEqual(after(...list).signals, wanted, String(order));
  }
});

test('a mark made here shows at once and waits until the server has it', () => {
  const marked = after(received(signal(1)), { type: 'marked', signal_id: 1, viewed: true });
  assert.equal(marked.signals[1].viewed, true);
  assert.deepEqual(marked.unsaved, { 1: { viewed: true } });
  const clicked = reduce(marked, { type: 'marked', signal_id: 1, viewed: true, clicked: true });
  assert.deepEqual(clicked.unsaved, { 1: { viewed: true, clicked: true } });
  const half = reduce(clicked, { type: 'mark', mark: { signal_id: 1, viewed: true, viewed_at: 'T', clicked: false, clicked_at: null } });
  assert.deepEqual(half.unsaved, { 1: { clicked: true } });
  assert.equal(half.signals[1].clicked, true, 'an answer to the first does not take back the second');
  const saved = reduce(half, { type: 'mark', mark: { signal_id: 1, viewed: true, viewed_at: 'T', clicked: true, clicked_at: 'T' } });
  assert.deepEqual(saved.unsaved, {});
});

test('a mark that the row has already is not sent again', () => {
  const state = after(received(signal(1, { viewed: true, viewed_at: 'T' })));
  assert.equal(reduce(state, { type: 'marked', signal_id: 1, viewed: true }), state);
  assert.equal(reduce(state, { type: 'marked', signal_id: 2, viewed: true }), state);
});

test('prices that were withheld come with a mark, and are not lost by one without them', () => {
  const withheld = { ...signal(1), full_details: false, entry_price: null, take_profit: null, stop_loss: null };
  const prices = { full_details: true, entry_price: '26.73', take_profit: ['27.13'], stop_loss: '26.33' };
  const before = reduce(emptyState(), { type: 'signal', signal: withheld });
  const after = reduce(before, { type: 'mark', mark: { signal_id: 1, viewed: false, viewed_at: null, clicked: false, clicked_at: null, ...prices } });
  assert.deepEqual(after.signals[1], { ...before.signals[1], viewed: false, viewed_at: null, clicked: false, clicked_at: null, ...prices });
  const marked = reduce(after, { type: 'mark', mark: { signal_id: 1, viewed: true, viewed_at: 'T' } });
  assert.equal(marked.signals[1].entry_price, '26.73');
});

test('a mark of a row that the server does not have is given up', () => {
  const state = after(received(signal(1)), { type: 'marked', signal_id: 1, viewed: true }, { type: 'unsavable', signal_id: 1 });
  assert.deepEqual(state.unsaved, {});
  assert.equal(state.signals[1].viewed, true);
});

const outcome = (signal_id, more) => ({ type: 'outcome', outcome: { signal_id, state: 'open', best_target: 0, ended: null, superseded_at: null, ...more } });

test('whatever the order and number of reports, what is shown of an outcome is the last of it', () => {
  const reports = [outcome(1), outcome(1, { best_target: 1 }), outcome(1, { best_target: 1, ended: 'stop' }), outcome(1, { state: 'settled', best_target: 1, ended: 'stop' })];
  for (const order of permutations([...reports.keys()])) {
    const state = after(received(signal(1)), ...[...order, ...order].map((i) => reports[i]));
    assert.deepEqual(state.outcomes, { 1: reports[3].outcome }, String(order));
  }
  const known = after(received(signal(1)), reports[1]);
  assert.equal(reduce(known, reports[1]), known);
  assert.equal(reduce(known, reports[0]), known, 'an earlier one changes nothing');
});

test('outcomes are awaited of signals that are known and not settled', () => {
  const state = after(received(signal(1)), received(signal(2)), received(signal(3)), outcome(2, { state: 'void' }), outcome(3), outcome(4, { state: 'settled' }));
  assert.deepEqual(unsettled(state), ['1', '3']);
  assert.deepEqual(Object.keys(state.outcomes), ['2', '3'], 'none of a signal that is not known');
});

test('the outcomes of signals that are not kept are not kept either', () => {
  let state = emptyState();
  for (let id = 1; id <= KEPT * 2; id += 1) state = reduce(reduce(state, received(signal(id))), outcome(id, { state: 'settled' }));
  assert.ok(Object.keys(state.outcomes).every((id) => id in state.signals));
  assert.equal(Object.keys(state.outcomes).length, Object.keys(state.signals).length);
});

test("the leading tab's state is taken over, and nothing received or marked here is lost by that", () => {
  const ours = after(received(signal(1)), received(signal(3)), outcome(3), { type: 'marked', signal_id: 1, viewed: true });
  const theirs = after(received(signal(1)), received(signal(2)), { type: 'watermark', watermark: 'w' });
  const state = reduce(ours, { type: 'state', state: theirs });
  assert.deepEqual(newestFirst(state), ['3', '2', '1']);
  assert.deepEqual(Object.keys(state.outcomes), ['3']);
  assert.equal(state.watermark, 'w');
  assert.deepEqual(state.unsaved, { 1: { viewed: true } });
  assert.ok(state.signals[1].viewed);
  const saved = reduce(theirs, { type: 'mark', mark: { signal_id: 1, viewed: true, viewed_at: signal(1).created_at } });
  assert.deepEqual(reduce(state, { type: 'state', state: saved }).unsaved, {}, 'the leader has saved them');
});

test('a long catch-up keeps the newest and is quick', () => {
  // Processor time of this process alone, in milliseconds.
  const catchUp = (signals) => {
    const began = process.cpuUsage();
    let state = emptyState();
    for (let id = 1; id <= signals; id += 1) state = reduce(state, received(signal(id)));
    return [state, process.cpuUsage(began).user / 1_000];
  };
  const [, few] = catchUp(5_000);
  const [state, many] = catchUp(20_000);
  const ids = newestFirst(state);
  assert.ok(ids.length >= KEPT && ids.length < KEPT * 2, `${ids.length} kept`);
  assert.equal(ids[0], '20000');
  assert.equal(ids[KEPT - 1], String(20_001 - KEPT));
  // Four times as many take about four times as long, on a fast machine and a slow one. To sort all
  // of them each time would take sixteen times as long, and minutes.
  assert.ok(many < few * 8, `${few} ms and ${many} ms`);
});

test('the last signal is the newest of those received and the one the service reports', () => {
  assert.equal(lastSignalAt(emptyState()), null);
  const state = after(received(signal(5)), received(signal(4)));
  assert.equal(lastSignalAt(state), signal(5).created_at);
  assert.equal(lastSignalAt(reduce(state, { type: 'health', health: { last_signal_at: signal(9).created_at } })), signal(9).created_at);
});

function permutations(list) {
  if (list.length <= 1) return [list];
  return list.flatMap((item, i) => permutations(list.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
