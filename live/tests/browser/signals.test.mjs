import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Market } from './stage/programs.mjs';
import { stage } from './stage/shared.mjs';
import { card, live, opener, shown, shows, words } from './stage/stage.mjs';
import { eventually, SOON } from './stage/wait.mjs';

test('a card shows everything in a signal, and opens to a plot of its levels', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  assert.ok(await page.getByText('No signal yet').isVisible());
  const [id] = await someone.receive({ symbol: "'BNBUSDT'", signal_type: "'SHORT'", entry_price: '502.42', stop_loss: '509.96', take_profit: "'{494.88,487.35,477.30}'", confidence: '76.20' });
  await shows(page, [id]);
  await opener(page, id).click();
  const text = (await words(page, id)).replace(/\s+/g, ' ');
  for (const words of [
    'SHORT', 'BNBUSDT', 'Entry 502.42', 'Stop 509.96', 'Targets 494.88 487.35 477.30', 'Strength of the move not a chance of profit 76.2 of 100',
    'Quality', '71.4 of 100', 'the change of 2.062 % is above 2 %', 'expires in ',
  ]) assert.ok(text.includes(words), `${words} is not in: ${text}`);
  const plot = card(page, id).getByRole('img');
  assert.equal(await plot.getAttribute('aria-label'),
    'Price levels from high to low: Stop 509.96, +1.50 %; Entry 502.42; Target 1 494.88, -1.50 %; Target 2 487.35, -3.00 %; Target 3 477.30, -5.00 %');
  assert.ok((await plot.boundingBox()).height > 100);
  assert.ok(await page.getByText('No signal yet').isHidden());
  await someone.leave();
});

test('the newest signal is on top, and later ones go above it', async () => {
  const someone = await stage.subscriber();
  const early = await someone.receive({}, {}, {});
  const page = await someone.open();
  await shows(page, early);
  const late = await someone.receive({}, {});
  await shows(page, [...early, ...late]);
  await someone.leave();
});

test('a signal without prices says that they are withheld', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const [id] = await someone.receive({ tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  await shows(page, [id]);
  assert.match(await words(page, id), /Prices are withheld: signals of tier FREE come without/);
  await opener(page, id).click();
  assert.equal(await card(page, id).getByRole('img').count(), 0);
  await someone.leave();
});

test('age and expiry are updated, and an expired signal is marked as expired', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  const [id] = await someone.receive({ expires_at: "now() + interval '30 minutes'" });
  await shows(page, [id]);
  const times = () => card(page, id).locator('.times').innerText();
  // The service would send the true time.
  await stage.gateway.swallow();
  // In minutes: the seconds that this machine takes count, too.
  await page.clock.fastForward('05:20');
  assert.match(await times(), /^5 min ago\s*expires in 2[45] min/);
  await page.clock.fastForward('28:00');
  assert.match(await times(), /^33 min ago\s*expired 3 min ago/);
  assert.ok(await card(page, id).locator('article.expired').isVisible());
  await someone.leave();
});

test('markup in the text of a signal is shown as text', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  const [id] = await someone.receive({ why: evil, symbol: "'<b>X</b>'" });
  await shows(page, [id]);
  await opener(page, id).click();
  assert.equal(await card(page, id).locator('.why').textContent(), evil);
  assert.equal(await card(page, id).locator('.symbol').textContent(), '<b>X</b>');
  assert.match(await page.title(), /Signals/);
  await someone.leave();
});

test('a thousand signals at once: the page has the newest 200 to 250, builds those near the window, and stays quick', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await stage.sql(`INSERT INTO user_signals SELECT '${someone.userId}', (SELECT max(signal_id) FROM user_signals) + n, tier, symbol, signal_type, confidence,
    quality_score, entry_price, take_profit, stop_loss, now() + interval '1 hour', full_details, metadata FROM (SELECT * FROM user_signals WHERE full_details LIMIT 1) s, generate_series(1, 1000) n`);
  const last = Number(await stage.sql('SELECT max(signal_id) FROM user_signals'));
  await eventually('the newest', async () => {
    const ids = await shown(page);
    return ids[0] === last && ids.length < 100;
  });
  const known = await eventually('all are kept', () => page.evaluate(() => {
    const key = Object.keys(localStorage).find((name) => name.includes('.state.'));
    const kept = key ? Object.keys(JSON.parse(localStorage[key]).signals).length : 0;
    // While they come, the first of them are kept.
    return kept >= 200 && kept;
  }));
  assert.ok(known <= 250, `${known} are known`);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await eventually('the oldest of them', async () => {
    const ids = await shown(page);
    // Then older ones are read, too.
    return ids.at(-1) <= last - known + 1 && ids.length < 100;
  });
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
  const before = await worked();
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); }));
  const took = (await worked()) - before;
  assert.ok(took < 1, `a frame took ${took} s of the processor`);
  await someone.leave();
});

test('a market moves: signals come by themselves, and generator, next run and last signal are in view', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await eventually('disabled', async () => (await page.locator('#generator').innerText()).includes('disabled'));
  assert.match(await page.locator('#generator-message').innerText(), /Signals are switched off/);
  const market = await Market.start();
  try {
    await stage.sql(`INSERT INTO user_subscriptions (user_id, tier) VALUES ('${someone.userId}', 'MAX')`);
    // The service asks every 2 s: it must find a run that is still to come.
    for (const setting of [`exchange_url = '${market.url}'`, "interval = '5s'", 'enabled = on']) await stage.sql(`ALTER SYSTEM SET signal_hub.${setting}`);
    await stage.sql('SELECT pg_reload_conf()');
    await eventually('a signal', async () => (await shown(page)).length > 0, 30_000);
    await eventually('running', async () => (await page.locator('#generator-state').innerText()) === 'running');
    await eventually('a countdown', async () => /^in [1-5] s$/.test(await page.locator('#next-run').innerText()));
    await eventually('a run', async () => (await page.locator('#next-run').innerText()) === 'looking at the market');
    assert.match(await page.locator('#last-signal').innerText(), /just now|s ago/);
    await stage.sql("SELECT pause_signals('maintenance')");
    await eventually('paused', async () => /paused/.test(await page.locator('#generator').innerText()), SOON);
    assert.match(await page.locator('#generator-message').innerText(), /^Generator: Signals are paused\.$/);
    // The page that goes may ask, too, and after the reload its answer cannot be read.
    const standing = page.waitForResponse(async (response) => /api\/status/.test(response.url())
      && (await response.json().catch(() => ({}))).reason === 'paused');
    await page.reload();
    await standing;
    await eventually('it is said once', async () => await page.locator('#generator-message').isVisible() && await page.locator('#standing').isHidden());
  } finally {
    for (const setting of ['enabled', 'interval', 'exchange_url']) await stage.sql(`ALTER SYSTEM RESET signal_hub.${setting}`);
    await stage.sql('SELECT resume_signals()');
    await stage.sql('SELECT pg_reload_conf()');
    await market.stop();
  }
  await eventually('disabled again', async () => (await page.locator('#generator-state').innerText()) === 'disabled');
  await stage.sql('DELETE FROM signal_prices');
  await someone.leave();
});

test('state and sign-out stay in view while the list is scrolled', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 700 } });
  await someone.receive(...Array.from({ length: 40 }, () => ({})));
  const page = await someone.open();
  await page.mouse.wheel(0, 2_000);
  await eventually('scrolled', () => page.evaluate(() => scrollY > 500));
  for (const id of ['connection', 'generator', 'next-run', 'last-signal', 'sign-out']) {
    const box = await page.locator(`#${id}`).boundingBox();
    assert.ok(box.y >= 0 && box.y + box.height <= 200, `${id} at ${JSON.stringify(box)}`);
  }
  await live(page);
  await someone.leave();
});
