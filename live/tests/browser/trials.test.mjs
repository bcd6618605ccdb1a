// What people do to a page that is open all day.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, phase, shows } from './stage/stage.mjs';
import { isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

test('ten hard reloads, with a signal during each: all are there, each once', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const session = await someone.context.newCDPSession(page);
  // Neither what the browser nor what the service worker keeps is used.
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await session.send('Network.setBypassServiceWorker', { bypass: true });
  const ids = [];
  for (let i = 0; i < 10; i += 1) {
    const coming = someone.receive({});
    // Chromium refuses it while it puts the page of the last reload in its place.
    await eventually('reloaded', () => page.reload({ waitUntil: 'domcontentloaded' }));
    ids.push(...await coming);
  }
  await live(page);
  await shows(page, ids);
  ids.push(...await someone.receive({}));
  await shows(page, ids);
  await eventually('one connection', async () => /clients(?:\{[^}]*\})? 1\n/.test(await (await fetch(`${stage.service.url}/metrics`)).text()));
  await someone.leave();
});

test('a tab that was hidden for an hour has everything at once when it is looked at', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  const ids = await someone.receive({});
  await shows(page, ids);
  const show = (isHidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (value ? 'hidden' : 'visible') });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
  await show(true);
  // Browsers run the timers of such a tab seldom.
  for (let part = 0; part < 6; part += 1) {
    if (part % 2 === 0) ids.push(...await someone.receive({}));
    await page.clock.fastForward('10:00');
  }
  ids.push(...await someone.receive({}));
  await show(false);
  await shows(page, ids);
  await live(page);
  await someone.leave();
});

test('all tabs closed and opened again: what came meanwhile is there, and what was viewed stays so', async () => {
  const someone = await stage.subscriber();
  const tabs = [await someone.open(), await someone.openAnother()];
  const ids = await someone.receive({}, {});
  for (const tab of tabs) await shows(tab, ids);
  await eventually('viewed', async () => (await someone.row(ids[0], 'viewed')) === 't' && (await someone.row(ids[1], 'viewed')) === 't');
  for (const tab of tabs) await tab.close();
  ids.push(...await someone.receive({}, {}));
  const again = [await someone.openAnother(), await someone.openAnother()];
  for (const tab of again) {
    await live(tab);
    await shows(tab, ids);
    assert.equal(await phase(tab), 'live');
    assert.ok(await tab.locator(`li[data-signal-id="${ids[0]}"] .new`).isHidden());
  }
  await someone.leave();
});

test('axe finds nothing: filters unfolded, no match, another sign-in offered, the end of the session near', async () => {
  const [someone, other] = [await stage.subscriber({ viewport: { width: 390, height: 844 } }), await stage.subscriber()];
  const page = await someone.context.newPage();
  const sign = (token) => page.goto(`${stage.gateway.url}/#token=${token}`);
  await sign(stage.service.token(someone.userId, 100));
  await live(page);
  await shows(page, await someone.receive({}, { symbol: "'BTCUSDT'" }));
  await eventually('the end is near', () => page.getByText('Your sign-in ends in').isVisible());
  await isUsable(page, 'the end of the session');
  await page.getByRole('button', { name: 'Filter' }).click();
  await page.getByLabel('Symbol', { exact: true }).selectOption('BTCUSDT');
  await isUsable(page, 'filters');
  await picture(page, 'phone filters');
  await page.getByRole('searchbox').fill('nothing');
  await eventually('no match', () => page.getByText('No signal matches').isVisible());
  await isUsable(page, 'no match');
  await sign(other.token);
  await eventually('asked', () => page.getByRole('button', { name: 'Sign in as the other' }).isVisible());
  await isUsable(page, 'another sign-in');
  await picture(page, 'phone asked');
  await someone.leave();
  await other.leave();
});
