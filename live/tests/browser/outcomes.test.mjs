// What becomes of a signal, on its card as it comes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, lost, opener, shows, words } from './stage/stage.mjs';
import { eventually } from './stage/wait.mjs';

/** Opens the outcome of a signal that was entered 5 hours ago, by the distances that rules have. */
const open = (id) => stage.sql(`
  INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
      stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent)
  SELECT signal_id, 'momentum', symbol, signal_type, 'entered', now() - interval '5 hours', expires_at, 26.73, 26.33, '{27.13,27.53,28.07}',
      1.5, '{1.5,3,5}', confidence, quality_score, 2.1, 4 FROM user_signals WHERE signal_id = ${id}`);

const update = (id, set) => stage.sql(`UPDATE signal_outcomes SET ${set} WHERE signal_id = ${id}`);
const seen = (id) => update(id, "best_target = 1, first_touch = 'target', target_at = ARRAY[signal_at + interval '130 minutes'], high_seen = 27.2");
/** Settles by candles; the columns given replace those of a signal that touched nothing. */
const settle = (id, columns) => update(id, Object.entries({
  state: "'settled'", best_target: 0, first_touch: "'none'", ended: "'expired'", target_at: "'{}'", stop_at: 'NULL', ended_at: "signal_at + interval '4 hours'",
  returns_percent: "'{0.3,0.3,0.3}'", ladder_percent: 0.3, hold_percent: 0.3, mirror_percent: -0.7, mirror_returns_percent: "'{-0.7,-0.7,-0.7}'",
  mfe_percent: 0.9, mae_percent: 1.2, fee_percent: 0.1, resolution: "'1s'", ambiguous: false, gap: false, ...columns,
}).map(([name, value]) => `${name} = ${value}`).join());
const expired = (id) => settle(id, {});
const hit = (id) => settle(id, {
  best_target: 1, first_touch: "'target'", ended: "'stop'", target_at: "ARRAY[signal_at + interval '130 minutes']", stop_at: "signal_at + interval '3 hours'",
  ended_at: "signal_at + interval '3 hours'", returns_percent: "'{1.3,-1.7,-1.7}'",
});
const stopped = (id) => settle(id, {
  first_touch: "'stop'", ended: "'stop'", stop_at: "signal_at + interval '35 minutes'", ended_at: "signal_at + interval '35 minutes'", returns_percent: "'{-1.7,-1.7,-1.7}'",
});
const voided = (id) => update(id, "state = 'void', void_why = 'no candles for 7 days'");

/** Also of a card that is outside of the window and so was not painted. */
const line = (page, id) => card(page, id).locator('.outcome').textContent().then((text) => text.replace(/\s+/g, ' ').trim());
const says = (page, id, wanted, within) => eventually(wanted, async () => {
  const now = await line(page, id);
  if (now !== wanted) throw new Error(now);
  return true;
}, within);

/** Receives signals whose outcomes are open. */
async function receive(someone, ...rows) {
  const ids = await someone.receive(...rows);
  for (const id of ids) await open(id);
  return ids;
}

test('each card says what became of its signal as it is settled, and while it is open that this is provisional', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await receive(someone, {}, {}, {}, {});
  await shows(page, ids);
  for (const id of ids) await says(page, id, 'Outcome open');
  await seen(ids[0]);
  await says(page, ids[0], 'Outcome open; provisional: target 1 seen after 2 h 10 min');
  await hit(ids[0]);
  await stopped(ids[1]);
  await expired(ids[2]);
  await voided(ids[3]);
  const settled = [
    'Outcome target 1 hit after 2 h 10 min, then stopped +1.30 % after fees', 'Outcome stopped after 35 min -1.70 % after fees',
    'Outcome expired at +0.30 %', 'Outcome void: no candles for 7 days',
  ];
  for (const [i, wanted] of settled.entries()) await says(page, ids[i], wanted);
  // The same after a reload, and in a browser that has nothing of it.
  await page.reload();
  await live(page);
  const another = await stage.subscriber();
  another.userId = someone.userId;
  const elsewhere = await another.open();
  for (const where of [page, elsewhere]) {
    await shows(where, ids);
    for (const [i, wanted] of settled.entries()) await says(where, ids[i], wanted);
  }
  await another.leave();
  await someone.leave();
});

test('what was settled while the page was away, or without a stream, is there when it is back', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await receive(someone, {}, {});
  await shows(page, ids);
  stage.gateway.cut();
  await lost(page);
  await hit(ids[0]);
  stage.gateway.heal();
  await live(page, 40_000);
  await says(page, ids[0], 'Outcome target 1 hit after 2 h 10 min, then stopped +1.30 % after fees');
  stage.gateway.hold(/GET \/api\/stream/);
  await lost(page);
  await stopped(ids[1]);
  await says(page, ids[1], 'Outcome stopped after 35 min -1.70 % after fees');
  stage.gateway.hold(null);
  await live(page, 40_000);
  await someone.leave();
});

test('a subscriber without prices sees the result in percent and no price, and others see nothing', async () => {
  const [someone, other] = [await stage.subscriber(), await stage.subscriber()];
  const [page, others] = [await someone.open(), await other.open()];
  const [id] = await receive(someone, { tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  await shows(page, [id]);
  await opener(page, id).click();
  await hit(id);
  await says(page, id, 'Outcome target 1 hit after 2 h 10 min, then stopped +1.30 % after fees');
  const text = await words(page, id);
  assert.match(text.replace(/\s+/g, ' '), /Left at target 1, 2, 3 \+1\.30 %, -1\.70 %, -1\.70 %/);
  assert.doesNotMatch(text, /26\.73|26\.33|27\.13|27\.2/);
  const [theirs] = await other.receive({});
  await shows(others, [theirs]);
  assert.equal(await others.locator(`li[data-signal-id="${id}"]`).count(), 0);
  assert.doesNotMatch(await others.evaluate(() => JSON.stringify({ ...localStorage })), new RegExp(`"signal_id\\\\*":${id}\\b`));
  await someone.leave();
  await other.leave();
});

test('nothing moves when an outcome comes, on an open card either', async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }, { width: 320, height: 568 }]) {
    const someone = await stage.subscriber({ viewport });
    const ids = await receive(someone, {}, {}, {}, {});
    const page = await someone.open();
    await shows(page, ids);
    // The head has said all that it has to say: its last line comes by a request of its own.
    await eventually('why nothing comes', () => page.getByText('You have no subscription').isVisible());
    await opener(page, ids.at(-1)).click();
    await page.evaluate(() => scrollTo(0, 0));
    const boxes = () => page.locator('#list > li').evaluateAll((cards) => cards.map((one) => {
      const { top, height } = one.getBoundingClientRect();
      return [top, height];
    }));
    // A shift right after a click does not count as one, so a while passes first.
    await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 600); }));
    const before = await boxes();
    await page.evaluate(() => {
      globalThis.shifts = [];
      // Ages grow by a letter now and then, and move to the side; the space behind a text is no shift of anything.
      const moved = ({ node, previousRect, currentRect }) => previousRect.top !== currentRect.top && node?.textContent.trim() !== '';
      const note = ({ sources }) => globalThis.shifts.push(...sources.filter(moved).map(({ node }) => node?.textContent));
      new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type: 'layout-shift' });
    });
    await seen(ids[3]);
    await says(page, ids[3], 'Outcome open; provisional: target 1 seen after 2 h 10 min');
    await hit(ids[3]);
    await stopped(ids[2]);
    await expired(ids[1]);
    await voided(ids[0]);
    await says(page, ids[0], 'Outcome void: no candles for 7 days');
    await says(page, ids[3], 'Outcome target 1 hit after 2 h 10 min, then stopped +1.30 % after fees');
    await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    assert.deepEqual(await boxes(), before, `${viewport.width} px`);
    assert.deepEqual(await page.evaluate(() => globalThis.shifts), [], `${viewport.width} px`);
    await someone.leave();
  }
});

test('beside the list a long outcome stands above the reason, not on it', async () => {
  const someone = await stage.subscriber({ viewport: { width: 1280, height: 800 } });
  const page = await someone.open();
  const [id] = await receive(someone, {});
  await shows(page, [id]);
  await update(id, "best_target = 1, first_touch = 'target', target_at = ARRAY[signal_at + interval '130 minutes'], ended = 'stop', stop_at = signal_at + interval '4 hours 50 minutes'");
  await says(page, id, 'Outcome open; provisional: target 1 seen after 2 h 10 min, stop seen after 4 h 50 min');
  await opener(page, id).click();
  const details = card(page, id).locator('.details');
  assert.ok(await details.evaluate((one) => one.scrollHeight > one.clientHeight), 'there is more than the window has room for');
  const cut = await details.locator('> *').evaluateAll((parts) => parts.filter((part) => part.scrollHeight > part.clientHeight + 1).map((part) => part.textContent));
  assert.deepEqual(cut, []);
  await someone.leave();
});

test('a screen reader hears a settlement once, and nothing of what is provisional', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await receive(someone, {}, {}, {}, {});
  await shows(page, ids);
  await page.evaluate(() => {
    globalThis.heard = [];
    const read = (changes) => globalThis.heard.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.textContent)));
    new MutationObserver(read).observe(document.getElementById('announcer'), { childList: true });
  });
  await seen(ids[0]);
  await says(page, ids[0], 'Outcome open; provisional: target 1 seen after 2 h 10 min');
  await hit(ids[0]);
  await says(page, ids[0], 'Outcome target 1 hit after 2 h 10 min, then stopped +1.30 % after fees');
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['LONG AVAXUSDT: target 1 hit after 2 h 10 min, then stopped, +1.30 % after fees.']);
  stage.gateway.cut();
  await lost(page);
  await stopped(ids[1]);
  await expired(ids[2]);
  await voided(ids[3]);
  stage.gateway.heal();
  await says(page, ids[3], 'Outcome void: no candles for 7 days', 40_000);
  assert.deepEqual((await page.evaluate(() => globalThis.heard)).slice(1), ['3 signals were settled.']);
  await someone.leave();
});
