// All that a subscriber ever received: read back page by page, filtered, sorted, searched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, opener, shown, shows } from './stage/stage.mjs';
import { eventually } from './stage/wait.mjs';

/** Inserts so many signals, a minute apart; returns the first and the last number. */
async function fill(someone, count) {
  const first = 1 + Number(await stage.sql('SELECT coalesce(max(signal_id), 0) FROM user_signals'));
  await stage.sql(`INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score, entry_price, take_profit, stop_loss,
      expires_at, full_details, metadata, created_at)
    SELECT '${someone.userId}', ${first - 1} + n, 'MAX', (ARRAY['BTCUSDT','ETHUSDT','SOLUSDT','XRPUSDT'])[1 + n % 4], CASE n % 3 WHEN 0 THEN 'SHORT' ELSE 'LONG' END,
      20 + n % 70, 50 + n % 50, 26.73, '{27.13,27.53,28.07}', 26.33, now() - (${count} - n) * interval '1 minute' + interval '4 hours', true, '{"why": "number"}',
      now() - (${count} - n) * interval '1 minute' FROM generate_series(1, ${count}) n`);
  return [first, first + count - 1];
}

const settle = (ids, columns) => stage.sql(`
  INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
      stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent)
  SELECT signal_id, 'momentum', symbol, signal_type, 'entered', created_at, expires_at, 26.73, 26.33, '{27.13,27.53,28.07}',
      1.5, '{1.5,3,5}', confidence, quality_score, 2.1, 4 FROM user_signals WHERE signal_id IN (${ids});
  UPDATE signal_outcomes SET state = 'settled', best_target = 0, first_touch = 'stop', ended = 'stop', target_at = '{}', stop_at = signal_at + interval '1 hour',
      ended_at = signal_at + interval '1 hour', returns_percent = '{-1.7,-1.7,-1.7}', ladder_percent = -1.7, hold_percent = -1, mirror_percent = 0.2,
      mirror_returns_percent = '{0.2,0.2,0.2}', mfe_percent = 0.4, mae_percent = 1.6, fee_percent = 0.1, resolution = '1s', ambiguous = false, gap = false${columns ?? ''}
   WHERE signal_id IN (${ids})`);

const count = (page, wanted) => eventually(wanted, async () => {
  const words = await page.locator('#count').innerText();
  if (words !== wanted) throw new Error(words);
  return true;
});
const scrollToEnd = (page) => page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));

test('5,000 signals: scrolled to the first one, with few nodes, little memory and steady frames', async () => {
  const someone = await stage.subscriber({ viewport: { width: 1440, height: 900 } });
  const [first, last] = await fill(someone, 5_000);
  const page = await someone.open();
  await eventually('the newest', async () => (await shown(page))[0] === last);
  await eventually('the first', async () => {
    await scrollToEnd(page);
    return (await shown(page)).at(-1) === first;
  }, 30_000);
  await count(page, '5000 signals');
  assert.match(await page.locator('#older-words').innerText(), /all signals/);
  // As fast as a wheel or a finger goes: about three windows a second.
  const session = await page.context().newCDPSession(page);
  // In processor time of the page's thread, whatever else the machine has to do.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
  let nodes = 0;
  const scroll = () => page.evaluate(() => new Promise((resolve) => {
    scrollTo(0, 0);
    const times = [];
    let most = 0;
    const step = (now) => {
      times.push(now);
      most = Math.max(most, document.querySelectorAll('#list *').length);
      if (times.length > 300) resolve({ frames: times.slice(1).map((time, i) => time - times[i]), most });
      else {
        scrollBy(0, 45);
        requestAnimationFrame(step);
      }
    };
    requestAnimationFrame(step);
  }));
  // Once in a few times the machine has nothing else to do. A page that is slow is so each time.
  await eventually('steady frames', async () => {
    const before = await worked();
    const { frames, most } = await scroll();
    nodes = Math.max(nodes, most);
    const each = ((await worked()) - before) / 300;
    const [median] = frames.toSorted((a, b) => a - b).slice(150);
    assert.ok(median < 17.5, `the median frame took ${median} ms`);
    assert.ok(each < 0.0125, `a frame took ${each * 1_000} ms of the processor`);
    return true;
  }, 60_000);
  assert.ok(nodes < 100 * 45, `${nodes} nodes`);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  assert.ok(usedSize < 60e6, `${usedSize} bytes`);
  await someone.leave();
});

test('a filter by symbol, side and outcome reaches signals of any age, and the address holds it', async () => {
  const someone = await stage.subscriber();
  const [first] = await fill(someone, 1_200);
  const old = [first + 3, first + 7];
  await settle(old);
  const page = await someone.open();
  await page.getByLabel('Outcome', { exact: true }).selectOption('Stopped');
  await shows(page, old);
  await count(page, '2 of 1200');
  assert.equal(new URL(page.url()).hash, '#outcome=stop');
  await page.getByLabel('Symbol', { exact: true }).selectOption('BTCUSDT');
  await page.getByLabel('Side', { exact: true }).selectOption('SHORT');
  const both = old.filter((id) => (id - first + 1) % 4 === 0 && (id - first + 1) % 3 === 0);
  await shows(page, both);
  // Whoever opens the address sees the same; so does a reload.
  const another = await someone.context.newPage();
  await another.goto(page.url());
  await page.reload();
  for (const tab of [page, another]) {
    await shows(tab, both);
    assert.equal(await tab.getByLabel('Outcome', { exact: true }).inputValue(), 'stop');
  }
  await page.getByRole('button', { name: 'Show all' }).click();
  await eventually('all again', async () => (await shown(page))[0] === first + 1_199);
  assert.equal(new URL(page.url()).hash, '');
  await someone.leave();
});

test('a search and an order: what comes in the meantime takes its place, or is left out', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({ symbol: "'ETHUSDT'", confidence: '50' }, { symbol: "'SOLUSDT'" }, { symbol: "'ETHUSDT'", confidence: '90' });
  const page = await someone.open();
  await shows(page, ids);
  await page.getByLabel('Search', { exact: true }).fill('eth');
  await shows(page, [ids[0], ids[2]]);
  await page.getByLabel('Order', { exact: true }).selectOption('Strongest first');
  const [middle] = await someone.receive({ symbol: "'ETHUSDT'", confidence: '70' });
  await someone.receive({ symbol: "'BTCUSDT'" });
  await eventually('in its place', async () => (await shown(page)).join() === [ids[2], middle, ids[0]].join());
  await count(page, '3 of 5');
  await page.getByLabel('Search', { exact: true }).fill('nothing like it');
  await eventually('said', () => page.getByText('No signal matches').isVisible());
  await someone.leave();
});

test('open and closed: a signal that expires leaves the open ones', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, { expires_at: "now() + interval '3 seconds'" });
  const page = await someone.open();
  await page.getByRole('combobox', { name: 'State' }).selectOption('Open');
  await shows(page, [ids[0]]);
  await page.getByRole('combobox', { name: 'State' }).selectOption('Closed');
  await shows(page, [ids[1]]);
  await someone.leave();
});

test('a link opens one signal however old it is, and its mark is saved', async () => {
  const someone = await stage.subscriber();
  const [first] = await fill(someone, 900);
  const page = await someone.open();
  await page.goto(`${stage.gateway.url}/#signal=${first + 10}`);
  await eventually('open', () => card(page, first + 10).locator('.details').isVisible());
  await eventually('saved', async () => (await someone.row(first + 10, 'clicked')) === 't');
  await opener(page, first + 10).click();
  await eventually('the address is plain again', () => new URL(page.url()).hash === '');
  await someone.leave();
});

test('older signals that cannot be read are said to be missing, and come when it is tried again', async () => {
  const someone = await stage.subscriber();
  const [first] = await fill(someone, 400);
  const page = await someone.open();
  await live(page);
  await page.route(/before=/, (route) => route.abort());
  await scrollToEnd(page);
  await eventually('said', async () => /cannot be read at present: the service cannot be reached/.test(await page.locator('#older').innerText()));
  await page.unroute(/before=/);
  await page.getByRole('button', { name: 'Try again' }).click();
  await count(page, '400 signals');
  await scrollToEnd(page);
  await eventually('the first', async () => (await shown(page)).at(-1) === first);
  await someone.leave();
});
