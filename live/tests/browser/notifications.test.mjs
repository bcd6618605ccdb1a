import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, shows } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { eventually, stays } from './stage/wait.mjs';

const phase = (tab) => tab.evaluate('document.getElementById("connection").dataset.phase');
const cards = (tab) => tab.evaluate('document.querySelectorAll("#list > li").length');
const notifications = async (tab) => JSON.parse(await tab.evaluate(`
  navigator.serviceWorker.ready.then((registration) => navigator.locks.request('signal_hub.notifications', () => registration.getNotifications()))
    .then((all) => JSON.stringify(all.map(({ title, body, tag }) => ({ title, body, tag }))))`));

async function open(someone, permissions) {
  const tab = await Tab.open(stage.browser, `${stage.gateway.url}/#token=${someone.token}`, permissions);
  await eventually('live', async () => (await phase(tab)) === 'live');
  await tab.evaluate('navigator.serviceWorker.ready.then(() => 1)');
  return tab;
}

test('a new signal is notified when no tab is in view, and only then', async () => {
  const someone = await stage.subscriber();
  const tab = await open(someone, ['notifications']);
  await someone.receive({});
  await eventually('a card', async () => (await cards(tab)) === 1);
  await stays('no notification', async () => (await notifications(tab)).length === 0, 1_000);

  await tab.hide(true);
  const [id] = await someone.receive({ symbol: "'SOLUSDT'" });
  await eventually('a notification', async () => (await notifications(tab)).length > 0);
  assert.deepEqual(await notifications(tab), [{
    title: 'LONG SOLUSDT', tag: `signal-${id}`,
    body: 'Entry 26.73, stop 26.33, targets 27.13, 27.53, 28.07. Strength of the move 21 of 100.',
  }]);
  await stays('not viewed, as nobody looked', async () => (await someone.row(id, 'viewed')) === 'f', 1_500);

  stage.gateway.cut();
  await eventually('lost', async () => (await phase(tab)) !== 'live');
  const last = (await someone.receive(...Array.from({ length: 5 }, () => ({})))).at(-1);
  stage.gateway.heal();
  await eventually('one for all', async () => (await notifications(tab)).some(({ title }) => title === '5 new signals'), 60_000);
  assert.equal((await notifications(tab)).length, 2);

  await tab.hide(false);
  await eventually('viewed', async () => (await someone.row(last, 'viewed')) === 't');
  await tab.evaluate('document.getElementById("sign-out").click()');
  await eventually('taken away', async () => (await notifications(tab)).length === 0);
  await tab.close();
});

test('notifications of one subscriber are removed when another signs in', async () => {
  const [first, second] = [await stage.subscriber(), await stage.subscriber()];
  const tab = await open(first, ['notifications']);
  await tab.hide(true);
  await first.receive({});
  await eventually('a notification', async () => (await notifications(tab)).length === 1);
  await eventually('the first is known', () => tab.evaluate(`JSON.stringify({ ...localStorage }).includes('AVAXUSDT')`));
  await tab.evaluate(`location.hash = 'token=${second.token}'`);
  await eventually('the question', () => tab.evaluate(`!document.getElementById('change').hidden && !document.getElementById('other-sign-in').hidden`));
  await tab.evaluate(`document.getElementById('change').click()`);
  await eventually('taken away', async () => (await notifications(tab)).length === 0);
  await tab.close();
});

test('without permission there are no notifications; only a button asks for it', async () => {
  const someone = await stage.subscriber();
  const tab = await open(someone, []);
  assert.equal(await tab.evaluate('Notification.permission'), 'denied');
  await tab.hide(true);
  await someone.receive({});
  await eventually('a card', async () => (await cards(tab)) === 1);
  await stays('no notification', async () => (await notifications(tab)).length === 0, 1_000);
  await tab.close();

  await someone.context.addInitScript(() => {
    Object.defineProperty(Notification, 'permission', { get: () => 'default' });
    Notification.requestPermission = () => { document.documentElement.dataset.asked = 'yes'; };
  });
  const page = await someone.open();
  const isAsked = () => page.evaluate(() => document.documentElement.dataset.asked === 'yes');
  assert.ok(!(await isAsked()));
  await page.getByRole('button', { name: 'Notify me' }).click();
  assert.ok(await isAsked());
  await someone.leave();
});

test('a hidden tab goes on receiving, and reading when there is no stream', async () => {
  const someone = await stage.subscriber();
  const tab = await open(someone, []);
  await tab.hide(true);
  await someone.receive({});
  await eventually('a card', async () => (await cards(tab)) === 1);
  stage.gateway.hold(/GET \/api\/stream/);
  try {
    await someone.receive({});
    await eventually('a second card', async () => (await cards(tab)) === 2, 30_000);
  } finally {
    stage.gateway.hold(null);
  }
  await tab.hide(false);
  await eventually('live', async () => (await phase(tab)) === 'live');
  await tab.close();
});

test('while the service is down the page opens with its last state, in a new tab too', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await someone.receive({}, {});
  await shows(page, ids);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await eventually('they are kept', () => page.evaluate((id) => Object.values(localStorage).some((text) => text.includes(`"signal_id":${id}`)), ids.at(-1)));
  await stage.service.end();
  let another;
  try {
    await page.close();
    another = await someone.openAnother();
    await shows(another, ids);
    const kept = await another.evaluate(async () => (await (await caches.open((await caches.keys())[0])).keys()).map(({ url }) => new URL(url).pathname));
    assert.ok(kept.includes('/app.js') && kept.every((path) => !path.startsWith('/api/')), String(kept));
  } finally {
    await stage.service.begin();
  }
  await live(another, 40_000);
  await someone.leave();
});

test('a page of an older version offers the new one, and loads it', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await page.evaluate(() => navigator.serviceWorker.ready);
  // What the first page looks for must not come between.
  stage.gateway.hold(/^GET \/$/);
  await page.evaluate(async () => {
    const cache = await caches.open((await caches.keys())[0]);
    const [url, kept] = ['./', await cache.match('./')];
    await cache.put(url, new Response((await kept.text()).replace('<h1>Signals', '<h1>Older signals'), { headers: kept.headers }));
  });
  await page.reload();
  await live(page);
  assert.equal(await page.locator('h1').textContent(), 'Older signals', 'it is served from what is kept');
  stage.gateway.hold(null);
  await eventually('the offer', () => page.getByText('There is a new version').isVisible());
  await page.getByRole('button', { name: 'Load it' }).click();
  await eventually('the new one', async () => (await page.locator('h1').textContent()) === 'Signals');
  await live(page);
  assert.ok(await page.getByText('There is a new version').isHidden());
  await someone.leave();
});
