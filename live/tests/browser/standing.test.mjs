// Why signals come or do not, what the subscriber wants, and how the connection holds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, lost, shows } from './stage/stage.mjs';
import { eventually, stays } from './stage/wait.mjs';

const standing = (page, wanted) => eventually(String(wanted), async () => {
  const words = await page.locator('#standing').textContent();
  if (!wanted.test(words)) throw new Error(words);
  return true;
});
const subscribe = (someone, more = '') => stage.sql(`INSERT INTO user_subscriptions (user_id, tier ${more && ', status'}) VALUES ('${someone.userId}', 'MAX' ${more})`);

test('the head says why nothing comes', async () => {
  const [stranger, owing] = [await stage.subscriber(), await stage.subscriber()];
  await subscribe(owing, ", 'past_due'");
  const [theirs, page] = [await stranger.open(), await owing.open()];
  await standing(theirs, /^Your signals: You have no subscription, so no signals come\.$/);
  await standing(page, /^Your signals: Your subscription is past due; signals come while it is active\.$/);
  await stage.sql(`UPDATE user_subscriptions SET status = 'active' WHERE user_id = '${owing.userId}'`);
  await page.reload();
  await standing(page, /^Your signals: The next signal will reach you/);
  await Promise.all([stranger.leave(), owing.leave()]);
});

test('what a subscriber wants is kept in the database, refused in words, and said in the head', async () => {
  const someone = await stage.subscriber({ timezoneId: 'Europe/Berlin' });
  await subscribe(someone);
  const page = await someone.open();
  await page.getByRole('link', { name: 'Settings' }).click();
  const save = page.getByRole('button', { name: 'Save' });
  await eventually('read', () => save.isEnabled());
  await page.getByLabel('Not these symbols').fill('btcusdt, ETHUSDT');
  await page.getByLabel('Most signals a day').fill('0');
  await page.getByLabel('No notifications from').fill('22:00');
  await page.getByLabel('until').fill('07:00');
  await save.click();
  await eventually('saved', () => page.getByText('Saved. This holds').isVisible());
  assert.equal(await stage.sql(`SELECT not_symbols, max_per_day, quiet_from, quiet_until, time_zone FROM user_preferences WHERE user_id = '${someone.userId}'`),
    '{BTCUSDT,ETHUSDT}|0|22:00:00|07:00:00|Europe/Berlin');
  await standing(page, /Your preferences say no signals at all\.$/);
  await page.getByLabel('until').fill('22:00');
  await save.click();
  await eventually('refused', async () => /^Not done: quiet hours need a begin, another end/.test(await page.locator('#want-said').innerText()));
  // Another device shows what is kept.
  const elsewhere = await stage.subscriber();
  elsewhere.userId = someone.userId;
  const other = await elsewhere.open();
  await other.getByRole('link', { name: 'Settings' }).click();
  await eventually('read', async () => (await other.getByLabel('Not these symbols').inputValue()) === 'BTCUSDT, ETHUSDT');
  assert.equal(await other.getByLabel('until').inputValue(), '07:00');
  await other.getByLabel('Most signals a day').fill('');
  await other.getByRole('button', { name: 'Save' }).click();
  await standing(other, /The next signal will reach you/);
  await elsewhere.leave();
  await someone.leave();
});

test('the head says for how long the connection has held and how often it came back, and window has the numbers', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await eventually('a time', async () => /^for \d+ s$/.test(await page.locator('#connection-held').innerText()));
  stage.gateway.cut();
  await lost(page);
  stage.gateway.heal();
  await live(page, 40_000);
  await eventually('once', async () => /^for \d+ s, came back once$/.test(await page.locator('#connection-held').innerText()));
  const numbers = await page.evaluate(() => globalThis.signalHub.connection);
  assert.equal(numbers.phase, 'live');
  assert.equal(numbers.returns, 1);
  assert.ok(numbers.away > 0 && numbers.liveFor < numbers.pageAge && numbers.leads, JSON.stringify(numbers));
  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.equal(await page.evaluate(() => globalThis.signalHub.connection), null);
  await someone.leave();
});

test('in quiet hours signals come and nothing sounds', async () => {
  const someone = await stage.subscriber();
  await subscribe(someone);
  await stage.sql(`INSERT INTO user_preferences (user_id, quiet_from, quiet_until, time_zone)
    SELECT '${someone.userId}', (t - interval '1 hour')::time, (t + interval '1 hour')::time, 'UTC' FROM (SELECT now() AT TIME ZONE 'UTC') x (t)`);
  await someone.context.addInitScript(() => {
    if (location.origin !== 'null') localStorage.setItem('signal_hub.settings', '{"sound":true}');
    globalThis.tones = 0;
    globalThis.AudioContext = class { state = 'running'; resume() {} createOscillator() { globalThis.tones += 1; return null; } };
  });
  const first = await someone.receive({});
  const page = await someone.open();
  await eventually('it is known', async () => /quiet hours/.test(await page.locator('#standing').textContent()) || /next signal/.test(await page.locator('#standing').textContent()));
  const ids = await someone.receive({});
  await shows(page, [...first, ...ids]);
  assert.equal(await page.evaluate(() => globalThis.tones), 0);
  await someone.leave();
});

test('quiet hours end at their minute, though the page has read nothing since, and nothing sounds before it knows of them', async () => {
  const someone = await stage.subscriber();
  await subscribe(someone);
  await someone.context.addInitScript(() => {
    if (location.origin !== 'null') localStorage.setItem('signal_hub.settings', '{"sound":true}');
    globalThis.tones = 0;
    const node = { connect: (next) => next, frequency: {}, gain: { setValueAtTime() {}, linearRampToValueAtTime() {} }, start() { globalThis.tones += 1; }, stop() {} };
    globalThis.AudioContext = class { state = 'running'; currentTime = 0; resume() {} createOscillator() { return node; } createGain() { return node; } };
  });
  stage.gateway.hold(/GET \/api\/status/);
  const page = await someone.open();
  const tones = () => page.evaluate(() => globalThis.tones);
  await someone.receive({});
  await stays('silent', async () => (await tones()) === 0, 1_000);
  await stage.sql(`INSERT INTO user_preferences (user_id, quiet_from, quiet_until, time_zone)
    SELECT '${someone.userId}', (t - interval '1 hour')::time, (t + interval '25 seconds')::time, 'Asia/Kolkata' FROM (SELECT date_trunc('second', now() AT TIME ZONE 'Asia/Kolkata')) x (t)`);
  const until = Date.now() + 25_000;
  stage.gateway.hold(null);
  await live(page, 30_000);
  await eventually('it is known', async () => /your|next signal/i.test(await page.locator('#standing').textContent()));
  stage.gateway.hold(/GET \/api\/status/);
  await someone.receive({});
  assert.equal(await tones(), 0);
  await eventually('the end', () => Date.now() > until, 30_000);
  await someone.receive({});
  await eventually('a tone', async () => (await tones()) > 0);
  await someone.leave();
});
