// Where the price is, while somebody looks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, opener, shows } from './stage/stage.mjs';
import { eventually } from './stage/wait.mjs';

const price = (symbol, last) => stage.sql(`
  INSERT INTO signal_prices AS p VALUES ('${symbol}', ${last}, 1.5, clock_timestamp(), clock_timestamp())
      ON CONFLICT (symbol) DO UPDATE SET last_price = excluded.last_price, priced_at = excluded.priced_at, updated_at = excluded.updated_at`);
const now = (page, id) => card(page, id).locator('.outcome .now').textContent();
const says = (page, id, wanted) => eventually(wanted, async () => {
  const text = await now(page, id);
  if (text !== wanted) throw new Error(text);
  return true;
});
/** In the details, once they are open. */
const facts = (page, id) => card(page, id).locator('.facts.now div').allTextContents();

test('an open signal shows the price, what it has gained and how far stop and targets are, in every tab', async () => {
  const [someone, plain] = [await stage.subscriber(), await stage.subscriber()];
  const [page, theirs] = [await someone.open(), await plain.open()];
  const [long, short] = await someone.receive({ symbol: "'BTCUSDT'", entry_price: '100', stop_loss: '98', take_profit: "'{102,104}'" },
    { symbol: "'ETHUSDT'", signal_type: "'SHORT'", entry_price: '10', stop_loss: '10.2', take_profit: "'{9.8}'" });
  const [withheld] = await plain.receive({ symbol: "'BTCUSDT'", tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  await shows(page, [long, short]);
  await shows(theirs, [withheld]);
  assert.equal(await now(page, long), '', 'no price is known yet');
  assert.ok(await card(page, long).locator('.strip .now').isHidden());
  await opener(page, long).click();
  const top = (one) => one.locator('#list').evaluate((list) => list.getBoundingClientRect().height);
  const before = await top(page);
  await price('BTCUSDT', '101.5');
  await price('ETHUSDT', '10.1');
  await says(page, long, '101.5, +1.50 % now;');
  await says(page, short, '10.1, -1.00 % now;');
  await says(theirs, withheld, '101.5 now;');
  assert.equal(await top(page), before, 'nothing moved');
  assert.ok(await card(page, long).locator('.strip .now').isVisible());
  assert.equal(await card(page, long).locator('.strip .now').getAttribute('x'), '57.3');
  const [latest, ...rest] = await facts(page, long);
  assert.match(latest, /^Price now101\.5 \(\d+ s ago\)$|^Price now101\.5 \(just now\)$/);
  assert.deepEqual(rest, ['Since the entry+1.50 %', 'To the stop3.45 %', 'To the targets0.49 %, 2.46 %']);
  // Nothing of what is withheld can be worked out.
  await opener(theirs, withheld).click();
  assert.equal((await facts(theirs, withheld)).length, 1);
  assert.doesNotMatch(await card(theirs, withheld).locator('.row').textContent(), /%/);

  const second = await someone.openAnother();
  await shows(second, [long, short]);
  await price('BTCUSDT', '97');
  await says(page, long, '97, -3.00 % now;');
  await says(second, long, '97, -3.00 % now;');
  assert.deepEqual((await facts(page, long)).slice(1), ['Since the entry-3.00 %', 'To the stopreached', 'To the targets5.15 %, 7.22 %']);
  await stage.sql('DELETE FROM signal_prices');
  await someone.leave();
  await plain.leave();
});
