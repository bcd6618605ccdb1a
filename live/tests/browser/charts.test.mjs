// A signal on the way of its price.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, opener, shows } from './stage/stage.mjs';
import { isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

const way = (symbol) => stage.sql(`INSERT INTO signal_price_path
  SELECT '${symbol}', date_bin('5 minutes', now(), '2000-01-01') - interval '5 minutes' * (4 - n), 100 + n * 0.3, 100.6 + n * 0.3, 99.4 + n * 0.3, 100.3 + n * 0.3 FROM generate_series(0, 4) n ON CONFLICT DO NOTHING`);
const LEVELS = { entry_price: '100.00', stop_loss: '98.00', take_profit: "'{101.00,104.00}'" };

test('the chart of a signal has its levels, and is loaded when it is asked for', async () => {
  await way('DOTUSDT');
  const someone = await stage.subscriber({ viewport: { width: 1440, height: 900 } });
  const page = await someone.open();
  const loaded = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  const [without, id] = await someone.receive({ symbol: "'XLMUSDT'", ...LEVELS }, { symbol: "'DOTUSDT'", ...LEVELS });
  await shows(page, [without, id]);
  await opener(page, id).click();
  const button = card(page, id).getByRole('button', { name: 'Chart' });
  assert.deepEqual(loaded.filter((path) => /charts|path/.test(path)), []);
  await button.click();
  const chart = card(page, id).getByRole('img', { name: /^Price of DOTUSDT since the signal: lowest 99\.4, highest 101\.8, last 101\.5; Target 2 104\.00/ });
  await eventually('the chart', () => chart.isVisible());
  assert.ok(await chart.locator('canvas').first().isVisible());
  assert.deepEqual(loaded.filter((path) => /charts|path/.test(path)), [`/api/signals/${id}/path`, '/lightweight-charts.mjs']);
  assert.ok(await card(page, id).getByRole('link', { name: 'TradingView' }).isVisible());
  // Closed and opened twice while its way is read: one chart, and the others are removed.
  await button.evaluate((one) => {
    const { remove } = Element.prototype;
    globalThis.removed = 0;
    Element.prototype.remove = function counted() {
      if (this.matches('.candles')) globalThis.removed += 1;
      return remove.call(this);
    };
    for (let clicks = 0; clicks < 4; clicks += 1) one.click();
  });
  await eventually('the others are removed', async () => (await page.evaluate(() => globalThis.removed)) === 2);
  await eventually('the chart', () => chart.isVisible());
  assert.equal(await chart.count(), 1);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await button.click();
    await button.click();
    await eventually('the chart', () => chart.isVisible());
    await isUsable(page, colorScheme);
    await picture(page, `chart ${colorScheme}`);
  }
  await page.setViewportSize({ width: 320, height: 700 });
  await eventually('it fits', () => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth
    && document.querySelector('.candles canvas').getBoundingClientRect().right <= innerWidth));
  await picture(page, 'chart small phone');
  await button.click();
  assert.equal(await chart.count(), 0);
  await opener(page, without).click();
  await card(page, without).getByRole('button', { name: 'Chart' }).click();
  await eventually('nothing to show', () => card(page, without).getByText('No price was kept').isVisible());
  await stage.sql('DELETE FROM signal_price_path');
  await someone.leave();
});

test('the way of the price is read by those who have the prices of the signal, and by nobody else', async () => {
  await way('DOTUSDT');
  const [someone, other] = [await stage.subscriber(), await stage.subscriber()];
  const page = await someone.open();
  const [full, withheld] = await someone.receive({ symbol: "'DOTUSDT'", ...LEVELS },
    { symbol: "'DOTUSDT'", tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  await shows(page, [full, withheld]);
  await opener(page, withheld).click();
  assert.equal(await card(page, withheld).getByRole('button', { name: 'Chart' }).count(), 0);
  const status = async (who, id) => (await fetch(`${stage.service.url}/api/signals/${id}/path`, { headers: { Authorization: `Bearer ${who.token}` } })).status;
  assert.deepEqual([await status(someone, full), await status(someone, withheld), await status(other, full), await status(someone, 999_999)], [200, 404, 404, 404]);
  await stage.sql('DELETE FROM signal_price_path');
  await someone.leave();
});
