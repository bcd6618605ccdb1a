// The view of the track record, on a record that is filled by SQL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, shows } from './stage/stage.mjs';
import { fits, isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

/** Two signals on each of 80 days, of which one reached target 1 and the other its stop. What is on record stays, so it is done once. */
async function fill() {
  await stage.sql(`
    INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
        stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent)
    SELECT 1000000 + n, 'momentum', CASE n % 2 WHEN 0 THEN 'BTCUSDT' ELSE 'ETHUSDT' END, CASE n % 2 WHEN 0 THEN 'LONG' ELSE 'SHORT' END, 'entered',
        at, at + interval '4 hours', 100, 98.5, '{101.5,103,105}', 1.5, '{1.5,3,5}', 50, 50, 2, 4
      FROM generate_series(0, 159) n, LATERAL (SELECT now() - interval '1 day' * (n / 2 + 1)) t (at);
    UPDATE signal_outcomes SET state = 'settled', best_target = 1 - signal_id % 2, first_touch = CASE signal_id % 2 WHEN 0 THEN 'target' ELSE 'stop' END,
        ended = 'stop', target_at = CASE signal_id % 2 WHEN 0 THEN ARRAY[signal_at + interval '1 hour'] ELSE '{}' END,
        stop_at = signal_at + interval '2 hours', ended_at = signal_at + interval '2 hours',
        returns_percent = CASE signal_id % 2 WHEN 0 THEN '{1.3,-1.7,-1.7}'::numeric[] ELSE '{-1.7,-1.7,-1.7}' END, ladder_percent = -1, hold_percent = -2,
        mirror_percent = -0.2, mirror_returns_percent = '{-0.2,-0.2,-0.2}', mfe_percent = 1.6, mae_percent = 1.5, fee_percent = 0.1, resolution = '1m',
        ambiguous = false, gap = false
      WHERE signal_id >= 1000000`);
}

const text = (page) => page.locator('#record').innerText().then((words) => words.replace(/\s+/g, ' '));

// The service keeps a record for a minute: one that was made before this test is shown for so long.
test('the record shows its verdict and its intervals first, then the chart, the same for each subscriber', async () => {
  await fill();
  const someone = await stage.subscriber();
  const ids = await someone.receive({});
  const page = await someone.open();
  await shows(page, ids);
  await page.getByRole('link', { name: 'Track record' }).click();
  const settled = async () => Number(/ (\d+) of \d+ signals from .* are settled/.exec(await text(page))?.[1]);
  await eventually('the record', async () => await settled() >= 160, 70_000);
  const words = await text(page);
  assert.match(words, /^Track record (No edge shown|Too few signals to judge|Worse than a coin flip) .* of .* signals from .* are settled/);
  const order = ['What was hit before the expiry', 'Target 1 hit', 'Stop hit first', 'Return of a signal, after fees', 'Opposite signals', 'Edge over a coin flip', 'One unit on each signal', 'By side', 'By symbol', 'Every signal counts, losers too'];
  const places = order.map((part) => words.indexOf(part));
  assert.ok(places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1])), `${places}: ${words}`);
  assert.match(words, /Target 1 hit \d+ \d+\.\d % \d+\.\d to \d+\.\d %/);
  assert.match(words, /Signals -\d\.\d\d % -\d\.\d\d to [-+]\d\.\d\d %/);
  const image = page.locator('#record').getByRole('img');
  assert.match(await image.getAttribute('aria-label'), /^Sum of returns from .*: signals -\d+\.\d\d %, lowest .*; opposite signals -\d+\.\d\d %\.$/);
  assert.ok((await image.boundingBox()).height > 100);
  await page.getByText('The numbers of this chart').click();
  assert.ok((await page.locator('.chart tbody tr').count()) >= 80);
  assert.ok(await page.locator('#list').isHidden());

  // It stays after a reload, and the signals are a link away.
  await page.reload();
  await live(page);
  await eventually('the record', async () => /settled/.test(await text(page)));
  await page.getByRole('link', { name: 'Signals', exact: true }).click();
  await shows(page, ids);
  assert.ok(await page.locator('#record').isHidden());
  await page.goBack();
  await eventually('the record again', () => page.locator('#record').isVisible());
  await someone.leave();
});

for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['small phone', { width: 320, height: 568 }]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`${device} ${colorScheme}: the record fits, and can be read and reached`, async () => {
      const someone = await stage.subscriber({ viewport, colorScheme });
      const page = await someone.open();
      await page.getByRole('link', { name: 'Track record' }).click();
      await eventually('the record', async () => /settled/.test(await text(page)));
      await isUsable(page, 'the record');
      assert.ok(await fits(page), 'it fits');
      await page.getByText('The numbers of this chart').click();
      await isUsable(page, 'with the numbers of the chart');
      await picture(page, `record ${device} ${colorScheme}`);
      await someone.leave();
    });
  }
}

test('a record that cannot be read says so, and comes by itself later', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  stage.gateway.hold(/GET \/api\/track-record/);
  await page.getByRole('link', { name: 'Track record' }).click();
  await eventually('it is being read', async () => (await text(page)) === 'Track record Reading the record.');
  await page.clock.runFor(11_000);
  stage.gateway.cut();
  await eventually('why', async () => {
    await page.clock.runFor(1_000);
    return /The record cannot be read at present: the service cannot be reached\. It is tried again every minute\./.test(await text(page));
  });
  stage.gateway.heal();
  stage.gateway.hold(null);
  await eventually('the record', async () => {
    await page.clock.runFor(61_000);
    const words = await text(page);
    if (!/settled/.test(words)) throw new Error(words);
    return true;
  });
  await someone.leave();
});
