// What a reader chooses for this browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, opener, shows } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { fits, isUsable, picture } from './stage/usable.mjs';
import { eventually, stays } from './stage/wait.mjs';

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const openSettings = async (page) => {
  await page.getByRole('link', { name: 'Settings' }).click();
  await eventually('the settings', () => page.getByRole('heading', { name: 'Settings' }).isVisible());
};

test('the theme is light, dark or that of the system, in every tab and at the next visit', async () => {
  const someone = await stage.subscriber({ colorScheme: 'light' });
  const [page, other] = [await someone.open(), await someone.openAnother()];
  await live(other);
  const light = await ground(page);
  await openSettings(page);
  await page.getByLabel('Theme').selectOption('Dark');
  const dark = await ground(page);
  assert.notEqual(dark, light);
  await eventually('the other tab, too', async () => (await ground(other)) === dark);
  await page.reload();
  await live(page);
  assert.equal(await ground(page), dark);
  assert.equal(await page.getByLabel('Theme').inputValue(), 'dark', 'the address holds the view');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.getByLabel('Theme').selectOption('Light');
  assert.equal(await ground(page), light);
  await page.getByLabel('Theme').selectOption('As the system');
  assert.equal(await ground(page), dark);
  await someone.leave();
});

test('numbers and times are in the language and time zone that are chosen, else in those of the browser', async () => {
  const row = { symbol: "'BNBUSDT'", entry_price: '592.02', stop_loss: '583.14', take_profit: "'{600.90,609.78,621.62}'" };
  const german = await stage.subscriber({ locale: 'de-DE', timezoneId: 'Europe/Berlin' });
  const [id] = await german.receive(row);
  const page = await german.open();
  await shows(page, [id]);
  const words = async (of) => (await card(of, id).innerText()).replace(/\s+/g, ' ');
  assert.match(await words(page), /Entry 592,02 Stop 583,14 Targets 600,90 609,78 621,62/);
  await opener(page, id).click();
  assert.match(await words(page), /Target 3 621,62 \+5,00 %/);
  await openSettings(page);
  await page.getByLabel('Numbers and dates').selectOption('en-US');
  await page.getByLabel('Time zone', { exact: true }).selectOption('Asia/Tokyo');
  assert.match(await page.locator('#settings-sample').innerText(), /592\.02, .*GMT\+9/);
  await page.getByRole('link', { name: 'Signals', exact: true }).click();
  assert.match(await words(page), /Entry 592\.02 /);
  const [created] = (await german.row(id, "to_char(created_at AT TIME ZONE 'Asia/Tokyo', 'FMHH12:MI:SS AM')")).split('\n');
  assert.ok((await words(page)).includes(`${created} Expires`), `${created} is not in ${await words(page)}`);
  assert.ok(await card(page, id).locator('.details').isVisible(), 'what was open stays open');
  await german.leave();
});

test('a link to one signal and its levels are copied, and the link opens it', async () => {
  const someone = await stage.subscriber({ locale: 'de-DE', permissions: ['clipboard-read', 'clipboard-write'] });
  const [id] = await someone.receive({}, {});
  const page = await someone.open();
  await opener(page, id).click();
  const copied = async (name) => {
    // It is said for a second and a half, so the page itself looks.
    await page.evaluate((of) => {
      const isSaid = () => [...document.querySelectorAll(`li[data-signal-id="${of}"] button`)].some(({ textContent }) => textContent === 'Copied');
      globalThis.said = new Promise((resolve) => {
        new MutationObserver(() => isSaid() && resolve()).observe(document.getElementById('list'), { childList: true, characterData: true, subtree: true });
      });
    }, id);
    await card(page, id).getByRole('button', { name }).click();
    await page.evaluate(() => globalThis.said);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  assert.equal(await copied('Copy levels'), 'LONG AVAXUSDT\nTarget 3 28.07\nTarget 2 27.53\nTarget 1 27.13\nEntry 26.73\nStop 26.33');
  await eventually('its name again', () => card(page, id).getByRole('button', { name: 'Copy levels' }).isVisible());
  const link = await copied('Copy link');
  assert.equal(link, `${stage.gateway.url}/#signal=${id}`);
  const another = await someone.context.newPage();
  await another.goto(link);
  await eventually('open', () => card(another, id).locator('.details').isVisible());
  await someone.leave();
});

test('a tone sounds for new signals, for those who want it', async () => {
  const someone = await stage.subscriber();
  await someone.context.addInitScript(() => {
    globalThis.tones = 0;
    const node = { connect: (next) => next, frequency: {}, gain: { setValueAtTime() {}, linearRampToValueAtTime() {} }, start() { globalThis.tones += 1; }, stop() {} };
    globalThis.AudioContext = class { state = 'running'; currentTime = 0; resume() {} createOscillator() { return node; } createGain() { return node; } };
  });
  const page = await someone.open();
  const ids = await someone.receive({});
  await shows(page, ids);
  assert.equal(await page.evaluate(() => globalThis.tones), 0, 'not unless it is asked for');
  await openSettings(page);
  await page.getByLabel('A tone for each new signal').check();
  await someone.receive({});
  await eventually('a tone', () => page.evaluate(() => globalThis.tones > 0));
  await someone.leave();
});

test('notifications come of the kinds that are chosen', async () => {
  const someone = await stage.subscriber();
  const tab = await Tab.open(stage.browser, `${stage.gateway.url}/#token=${someone.token}`, ['notifications']);
  await eventually('live', () => tab.evaluate("document.getElementById('connection').dataset.phase === 'live'"));
  await tab.evaluate('navigator.serviceWorker.ready.then(() => 1)');
  const choose = (id) => tab.evaluate(`location.hash = 'view=settings'; setTimeout(() => document.getElementById('${id}').click()); new Promise((resolve) => setTimeout(resolve, 50))`);
  await choose('set-signals');
  await choose('set-outcomes');
  await tab.hide(true);
  const notifications = async () => JSON.parse(await tab.evaluate(`navigator.serviceWorker.ready.then((registration) => navigator.locks.request('signal_hub.notifications', () => registration.getNotifications()))
    .then((all) => JSON.stringify(all.map(({ title, body }) => [title, body])))`));
  const [id] = await someone.receive({});
  await eventually('the signal', () => tab.evaluate(`JSON.stringify({ ...localStorage }).includes('AVAXUSDT')`));
  await stays('no notification', async () => (await notifications()).length === 0, 500);
  await stage.sql(`INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, take_profit,
      stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, range_percent)
    SELECT signal_id, 'momentum', symbol, signal_type, 'entered', now() - interval '5 hours', expires_at, 26.73, 26.33, '{27.13}', 1.5, '{1.5}', 50, 50, 2, 4
      FROM user_signals WHERE signal_id = ${id}`);
  await stage.sql(`UPDATE signal_outcomes SET state = 'void', void_why = 'no candles for 7 days' WHERE signal_id = ${id}`);
  await eventually('the outcome', async () => (await notifications()).length === 1);
  assert.deepEqual(await notifications(), [['Settled', 'LONG AVAXUSDT: void: no candles for 7 days.']]);
  await tab.close();
});

for (const [device, viewport, colorScheme] of [
  ['desktop', { width: 1440, height: 900 }, 'light'], ['phone', { width: 390, height: 844 }, 'dark'], ['small phone', { width: 320, height: 568 }, 'light'],
]) {
  test(`${device}, ${colorScheme}: the settings fit, and can be read and reached`, async () => {
    const someone = await stage.subscriber({ viewport, colorScheme });
    const page = await someone.open();
    await openSettings(page);
    await isUsable(page, colorScheme);
    assert.ok(await fits(page));
    await picture(page, `${device} ${colorScheme} settings`);
    await someone.leave();
  });
}
