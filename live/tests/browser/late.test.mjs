// Signals that were open before somebody was entitled to them, or to their prices.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, opener, shows, words } from './stage/stage.mjs';
import { isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

test('whoever moves to a tier with prices has those of open signals at once, in every tab', async () => {
  const someone = await stage.subscriber();
  const [id] = await someone.receive({ tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  const [page, other] = [await someone.open(), await someone.openAnother()];
  for (const tab of [page, other]) {
    await shows(tab, [id]);
    assert.match(await words(tab, id), /Prices are withheld/);
  }
  await opener(page, id).click();
  await eventually('open', () => card(page, id).locator('.details').isVisible());
  await stage.sql(`UPDATE user_signals SET full_details = true, entry_price = 26.73, take_profit = '{27.13,27.53,28.07}', stop_loss = 26.33
    WHERE user_id = '${someone.userId}' AND signal_id = ${id}`);
  for (const tab of [page, other]) await eventually('the prices', async () => /26\.73.*27\.13 27\.53 28\.07/s.test(await words(tab, id)));
  assert.ok(await card(page, id).locator('.details').getByRole('img', { name: /Entry 26\.73/ }).isVisible(), 'the details have them, too');
  await page.reload();
  await shows(page, [id]);
  assert.match(await words(page, id), /26\.73/);
  await someone.leave();
});

test('a signal that came late says so, and since when it was open', async () => {
  const someone = await stage.subscriber({ timezoneId: 'UTC' });
  const [id] = await someone.receive({ metadata: `jsonb_build_object('late', true, 'openSince', to_char(now() AT TIME ZONE 'UTC' - interval '125 minutes', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))` });
  const page = await someone.open();
  await shows(page, [id]);
  assert.match(await words(page, id), /late\s+new\s+2 h 5 min ago/);
  await opener(page, id).click();
  await eventually('since when', () => card(page, id).getByText(/^It came late: it had been open since [A-Z][a-z]{2} \d/).isVisible());
  await isUsable(page, 'a late signal');
  await picture(page, 'late');
  await someone.leave();
});
