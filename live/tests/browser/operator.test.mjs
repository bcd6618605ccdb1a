// The operator's view, a page of its own.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Market } from './stage/programs.mjs';
import { stage } from './stage/shared.mjs';
import { fits, isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

const address = (role) => `${stage.gateway.url}/operator.html#token=${stage.service.token(randomUUID(), 3_600, role)}`;
const reads = (page, id, wanted) => eventually(`${wanted}`, async () => {
  const text = await page.locator(`#${id}`).innerText();
  if (!wanted.test(text)) throw new Error(text);
  return true;
});

test('an operator sees health and runs, runs, pauses with a reason, resumes, and learns why each symbol does not signal', async () => {
  await stage.sql(`DO $$ BEGIN CREATE ROLE desk; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT pg_monitor TO desk; GRANT desk TO signal_hub_live;
    GRANT EXECUTE ON FUNCTION generate_signals_now(), preview_signals(), pause_signals(text), resume_signals() TO desk`);
  const market = await Market.start();
  const someone = await stage.subscriber({ viewport: { width: 1440, height: 900 } });
  try {
    // Runs that signal nothing: what they signalled would stay, and other tests wait for signals of these symbols.
    await stage.sql('UPDATE signal_rules SET enter_change_percent = enter_change_percent + 1000');
    await stage.sql(`ALTER SYSTEM SET signal_hub.exchange_url = '${market.url}'`);
    await stage.sql('SELECT pg_reload_conf()');
    const page = await someone.context.newPage();
    await page.goto(address('desk'));
    await reads(page, 'health', /disabled/);
    assert.equal(await page.evaluate(() => location.hash), '', 'the token is not in the address');
    await isUsable(page, 'at first');
    await page.getByRole('button', { name: 'Run now' }).click();
    await reads(page, 'done', /^Done: /);
    await reads(page, 'runs', /ok, by hand/);
    assert.ok(await page.getByRole('img', { name: /^\d+ runs, 0 of them failed/ }).isVisible());
    await reads(page, 'runs', /Fetch\s+Judge\s+Record\s+Deliver[\s\S]*\d ms\s+\d\S* ms/);
    await reads(page, 'uptime', /The last 30 days[\s\S]*\d{4}-\d\d-\d\d/);
    await reads(page, 'record-shown', /Too few signals|No edge|coin flip|Edge shown/);
    await reads(page, 'progress', /No fan-out is under way/);
    await page.getByRole('button', { name: 'Why does each not signal?' }).click();
    await reads(page, 'preview-said', /As of now/);
    await reads(page, 'symbols', /First gate that is closed/);
    // A fan-out that is under way: a real one would be over before it is looked at.
    await page.route('**/api/operator', async (route) => {
      const response = await route.fetch();
      const at = new Date().toISOString();
      const progress = [{ signal_id: 7, symbol: 'BTCUSDT', started_at: at, delivered: 1_200_000, expected: 3_000_000, rows_per_second: 81_234.5, estimated_end: at }];
      const deliveries = [{ started_at: at, run_id: 12, signals_generated: 1, deliveries: 1_200_000, delivery_failures: 3, finished_at: null, deliver_ms: null }];
      await route.fulfill({ response, json: { ...await response.json(), progress, deliveries } });
    });
    await reads(page, 'progress', /7\s+BTCUSDT\s[\s\S]*\s1,200,000\s+3,000,000\s+81,23[45]\s/);
    await reads(page, 'deliveries', /12\s+1\s+1,200,000\s+3\s+under way/);
    await isUsable(page, 'amid a fan-out');
    await page.unroute('**/api/operator');
    await page.getByLabel('Reason').fill('a <b>new</b> rule');
    await page.getByRole('button', { name: 'Pause' }).click();
    await reads(page, 'done', /^Paused/);
    assert.equal(await stage.sql('SELECT reason FROM signal_pause'), 'a <b>new</b> rule');
    await page.getByRole('button', { name: 'Run now' }).click();
    await reads(page, 'done', /^Nothing was run: /);
    for (const [device, viewport] of [['desktop', { width: 1440, height: 900 }], ['phone', { width: 390, height: 844 }]]) {
      for (const colorScheme of ['light', 'dark']) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        assert.ok(await fits(page), `${device} ${colorScheme}`);
        await isUsable(page, `${device} ${colorScheme}`);
        await picture(page, `operator ${device} ${colorScheme}`);
      }
    }
    await page.getByRole('button', { name: 'Resume' }).click();
    await reads(page, 'done', /^Runs go on/);
    assert.equal(await stage.sql('SELECT count(*) FROM signal_pause'), '0');
    await page.reload();
    await reads(page, 'runs', /ok, by hand/);
    // A link replaces nobody who was not asked.
    const other = address('other');
    await page.goto(other);
    await reads(page, 'other-words', /^The link signs in as \S+ \(other\)\. You are signed in as \S+ \(desk\)\.$/);
    await page.getByRole('button', { name: 'Stay' }).click();
    await reads(page, 'who', /^desk$/);
    await page.goto(other);
    await page.getByRole('button', { name: 'Sign in as the other' }).click();
    await eventually('refused', async () => /may not do that/.test(await page.locator('#seen-problem').innerText()) && (await page.locator('#who').innerText()) === 'other');
    assert.ok(await page.locator('#other-sign-in').isHidden());
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.reload();
    assert.ok(await page.getByLabel('Token whose role').isVisible());
    assert.equal(await page.locator('#runs').textContent(), '');
  } finally {
    await stage.sql('ALTER SYSTEM RESET signal_hub.exchange_url');
    await stage.sql('SELECT resume_signals(), pg_reload_conf()');
    await stage.sql('UPDATE signal_rules SET enter_change_percent = enter_change_percent - 1000');
    await stage.sql('DELETE FROM signal_prices');
    await market.stop();
  }
  await someone.leave();
});

test('whoever is no operator sees nothing there, and the page for signals loads nothing of it', async () => {
  const someone = await stage.subscriber();
  const page = await someone.context.newPage();
  await page.goto(address('authenticated'));
  await reads(page, 'seen-problem', /the role of this token may not do that/);
  assert.equal(await page.locator('#runs').textContent(), '');
  const loaded = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.goto(`${stage.gateway.url}/`);
  await page.goto(`${stage.gateway.url}/#token=${someone.token}`);
  await eventually('live', async () => (await page.locator('#connection').getAttribute('data-phase')) === 'live');
  assert.deepEqual(loaded.filter((path) => path.includes('operator')), []);
  await someone.leave();
});
