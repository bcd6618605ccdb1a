// Notifications while every page is closed, with a push service on loopback in the place of the browser's.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PushService } from './stage/push_service.mjs';
import { stage } from './stage/shared.mjs';
import { live, opener, shown } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { eventually, stays } from './stage/wait.mjs';

let service;

/** A subscriber whose browser gets its subscriptions from the push service on loopback. */
async function someoneWithPush() {
  const someone = await stage.subscriber({ permissions: ['notifications'] });
  await someone.context.exposeFunction('subscribeThere', (key) => service.subscribe(key));
  await someone.context.addInitScript(() => {
    const KEY = 'test.subscription';
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)).buffer;
    const made = ({ endpoint, keys, key }) => ({
      endpoint, options: { applicationServerKey: bytes(key) }, toJSON: () => ({ endpoint, expirationTime: null, keys }),
      unsubscribe: async () => localStorage.removeItem(KEY),
    });
    PushManager.prototype.getSubscription = async () => {
      const kept = localStorage.getItem(KEY);
      return kept === null ? null : made(JSON.parse(kept));
    };
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
      if (!userVisibleOnly) throw new Error('browsers demand it');
      const key = btoa(String.fromCharCode(...applicationServerKey)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
      const subscription = await globalThis.subscribeThere(key);
      localStorage.setItem(KEY, JSON.stringify(subscription));
      return made(subscription);
    };
  });
  return someone;
}

const endpoints = async (someone) => (await stage.sql(`SELECT endpoint FROM user_push_subscriptions WHERE user_id = '${someone.userId}' ORDER BY created_at`)).split('\n').filter(Boolean);
const subscribed = (someone) => eventually('subscribed', async () => (await endpoints(someone))[0]);
/** Until the service knows whether somebody looks. */
const inView = (someone, wanted) => eventually(`in view: ${wanted}`, async () => (await stage.sql(
  `SELECT coalesce(bool_or(in_view), false) FROM signal_watchers WHERE user_id = '${someone.userId}'`)) === (wanted ? 't' : 'f'));
const messages = (endpoint) => service.messages.filter(({ path }) => endpoint.endsWith(path)).map(({ text }) => text);
const settings = async (page) => {
  await page.getByRole('link', { name: 'Settings' }).click();
  return page.getByLabel('Notify of new signals also while this page is closed');
};

/** Hands messages to the page's service worker as the browser does, with every page closed. */
async function receiver(someone) {
  const page = await someone.context.newPage();
  const session = await someone.context.newCDPSession(page);
  const registrations = [];
  session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: known }) => registrations.push(...known));
  await session.send('ServiceWorker.enable');
  const origin = stage.gateway.url;
  const { registrationId } = await eventually('the registration', () => registrations.find(({ scopeURL }) => scopeURL === `${origin}/`));
  const worker = () => eventually('the worker', () => someone.context.serviceWorkers()[0]);
  return {
    push: (data) => session.send('ServiceWorker.deliverPushMessage', { origin, registrationId, data }),
    sync: () => session.send('ServiceWorker.dispatchPeriodicSyncEvent', { origin, registrationId, tag: 'signal_hub' }),
    within: async (work, argument) => (await worker()).evaluate(work, argument),
    // The worker hears of a page's end some time after it.
    closed: async (page) => {
      await page.close();
      await eventually('no page is open', async () => (await worker()).evaluate(async () => (await self.clients.matchAll()).length === 0));
      await inView(someone, false);
    },
    notifications: async () => (await worker()).evaluate(async () => (await inTurn(() => self.registration.getNotifications())).map(({ title, body, tag }) => ({ title, body, tag }))),
    installability: async () => session.send('Page.getInstallabilityErrors'),
  };
}

describe('push', () => {
  before(async () => {
    service = await PushService.start();
    const key = join(tmpdir(), 'vapid.pem');
    writeFileSync(key, execFileSync(join(process.env.PROGRAMS, 'signal_hub_live'), ['vapid-key']));
    await stage.service.end();
    await stage.service.begin(['--vapid-key-file', key, '--vapid-contact', 'mailto:operator@example.org', '--push-service', service.url]);
  });
  after(async () => {
    await service.stop();
    await stage.service.end();
    await stage.service.begin();
  });

  test('with every page closed a signal is notified, encrypted for this browser, and a click opens it', async () => {
    const someone = await someoneWithPush();
    const page = await someone.open();
    const endpoint = await subscribed(someone);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await inView(someone, true);
    await someone.receive({});
    await stays('no message while the page is in view', () => messages(endpoint).length === 0, 1_700);
    const client = await receiver(someone);
    await client.closed(page);
    const [id] = await someone.receive({ symbol: "'SOLUSDT'" });
    const [text] = await eventually('a message', () => messages(endpoint).length > 0 && messages(endpoint)).catch((error) => { throw new Error(`${error.message} ${service.refused}`); });
    assert.deepEqual(service.refused, []);
    assert.ok(!text.includes(someone.userId), text);
    await client.push(text);
    await eventually('a notification', async () => (await client.notifications()).length === 1);
    assert.deepEqual(await client.notifications(), [{
      title: 'LONG SOLUSDT', tag: `signal-${id}`,
      body: 'Entry 26.73, stop 26.33, targets 27.13, 27.53, 28.07. Strength of the move 21 of 100.',
    }]);
    // The same again, as after a lost answer.
    await client.push(text);
    await stays('one notification', async () => (await client.notifications()).length === 1, 500);

    const opened = await client.within(async () => {
      let opened = null;
      self.clients.openWindow = async (url) => { opened = url; };
      const [notification] = await self.registration.getNotifications();
      const event = new NotificationEvent('notificationclick', { notification });
      self.dispatchEvent(event);
      for (let turn = 0; opened === null && turn < 1_000; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
      return opened;
    });
    assert.equal(opened, `./#signal=${id}`);
    const again = await someone.context.newPage();
    await again.goto(`${stage.gateway.url}/${opened}`);
    await live(again);
    await eventually('the signal is open', async () => (await opener(again, id).getAttribute('aria-expanded')) === 'true');
    assert.ok((await shown(again)).includes(id));
    await someone.leave();
  });

  test('many signals are one notification, prices that are withheld stay so, and nothing is shown beside a page in view', async () => {
    const someone = await someoneWithPush();
    const page = await someone.open();
    const endpoint = await subscribed(someone);
    await page.evaluate(() => navigator.serviceWorker.ready);
    const client = await receiver(someone);
    await client.closed(page);
    await someone.receive({ entry_price: 'NULL', stop_loss: 'NULL', take_profit: 'NULL', full_details: 'false' });
    await client.push((await eventually('a message', () => messages(endpoint).length === 1 && messages(endpoint)))[0]);
    await eventually('a notification', async () => (await client.notifications()).length === 1);
    assert.match((await client.notifications())[0].body, /^Prices are withheld\./);
    // One that was open before they were entitled to it is no news, and says so.
    await client.within(async () => { for (const shown of await self.registration.getNotifications()) shown.close(); });
    await someone.receive({ metadata: `'{"late": true, "openSince": "2026-11-22T01:11:05.564Z", "why": "x"}'` });
    await client.push((await eventually('the next', () => messages(endpoint).length === 2 && messages(endpoint)))[1]);
    await eventually('its notification', async () => (await client.notifications()).length === 1);
    assert.match((await client.notifications())[0].body, /^It came late: open since Nov 2\d, 2026, .*\. Entry 26\.73/);
    await client.within(async () => { for (const shown of await self.registration.getNotifications()) shown.close(); });
    await someone.receive({}, {}, {}, {}, {});
    const told = () => messages(endpoint).slice(2).map((text) => JSON.parse(text));
    await eventually('all', () => told().reduce((sum, { count }) => sum + count, 0) === 5);
    for (const text of messages(endpoint).slice(2)) await client.push(text);
    await eventually('one for all', async () => (await client.notifications()).map(({ title }) => title).join() === '5 new signals');
    await client.push('no message of the service');
    await eventually('one more', async () => (await client.notifications())[0].title === '6 new signals');
    // A page that is open and not in view has told of them already.
    await client.within(async () => {
      for (const shown of await self.registration.getNotifications()) shown.close();
      const row = { signal_type: 'LONG', symbol: 'X', entry_price: null, confidence: '1' };
      await inTurn(() => notify([11, 12, 13, 14].map((signal_id) => ({ signal_id, ...row }))));
    });
    await client.push(JSON.stringify({ count: 4, signals: [14, 13, 12].map((signal_id) => ({ signal_id, signal_type: 'LONG', symbol: 'X' })) }));
    await stays('counted once', async () => (await client.notifications()).map(({ title }) => title).join() === '4 new signals', 500);

    // Six come at once, as after a time without a network.
    const one = (id) => JSON.stringify({ count: 1, signals: [{ signal_id: id, signal_type: 'LONG', symbol: 'X', entry_price: null, confidence: '1' }] });
    await client.within(async () => { for (const shown of await self.registration.getNotifications()) shown.close(); });
    await Promise.all([21, 22, 23, 24, 25, 26].map((id) => client.push(one(id))));
    await eventually('each is counted', async () => (await client.notifications()).map(({ title }) => title).join() === '6 new signals');

    const open = await someone.openAnother();
    await live(open);
    await client.within(async () => { for (const shown of await self.registration.getNotifications()) shown.close(); });
    await client.push(one(9));
    await stays('nothing beside a page in view', async () => (await client.notifications()).length === 0, 500);
    // Neither the form to sign in nor the operator's view shows signals.
    await open.getByRole('button', { name: 'Sign out' }).click();
    await eventually('known', () => open.evaluate(async () => (await caches.match('signed-out', { cacheName: 'signal_hub.push' })) !== undefined));
    const notified = async (what, id) => {
      await client.push(one(id));
      await eventually(what, async () => (await client.notifications()).some(({ tag }) => tag === `signal-${id}`));
    };
    await notified('beside the form', 10);
    await open.goto(`${stage.gateway.url}/#token=${someone.token}`);
    await live(open);
    await eventually('signed in again', () => open.evaluate(async () => (await caches.match('signed-out', { cacheName: 'signal_hub.push' })) === undefined));
    await open.goto(`${stage.gateway.url}/operator.html`);
    await notified("beside the operator's view", 11);
    await someone.leave();
  });

  test('a browser whose subscription is replaced or lost moves it by itself; who signs out or switches it off gets nothing', async () => {
    const someone = await someoneWithPush();
    const page = await someone.open();
    const first = await subscribed(someone);
    await eventually('kept', () => page.evaluate(async () => (await caches.match('push', { cacheName: 'signal_hub.push' })) !== undefined));
    const client = await receiver(someone);
    // On a busy machine it takes a while until the worker has kept what it moved to.
    await client.within(() => {
      const open = caches.open.bind(caches);
      caches.open = async (name) => { await new Promise((resolve) => setTimeout(resolve, 300)); return open(name); };
    });
    const replace = async (subscription, dispatch) => {
      await client.within((given) => {
        const made = { endpoint: given.endpoint, toJSON: () => ({ endpoint: given.endpoint, expirationTime: null, keys: given.keys }) };
        PushManager.prototype.subscribe = async () => made;
        PushManager.prototype.getSubscription = async () => null;
      }, subscription);
      await dispatch();
      await eventually('moved', async () => (await endpoints(someone)).join() === subscription.endpoint);
    };
    const { key } = JSON.parse(await page.evaluate(() => localStorage.getItem('test.subscription')));
    await replace(service.subscribe(key), () => client.within(() => { self.dispatchEvent(new ExtendableEvent('pushsubscriptionchange')); }));
    assert.notEqual((await endpoints(someone))[0], first);
    await replace(service.subscribe(key), () => client.sync());

    const field = await settings(page);
    await eventually('it is on', () => field.isChecked());
    await field.uncheck();
    await eventually('no subscription', async () => (await page.evaluate(() => localStorage.getItem('test.subscription'))) === null);
    await field.check();
    await eventually('subscribed again', async () => (await endpoints(someone)).length === 2);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await eventually('taken away', async () => (await endpoints(someone)).length === 1);
    await someone.leave();
  });

  test('a page that is open and not in view counts as closed, unless a tab beside it is in view', async () => {
    const someone = await stage.subscriber();
    const { push_key } = await (await fetch(`${stage.service.url}/api/page`)).json();
    const elsewhere = service.subscribe(push_key);
    const headers = { Authorization: `Bearer ${someone.token}`, 'Content-Type': 'application/json' };
    const stored = await fetch(`${stage.service.url}/api/push`, { method: 'PUT', headers, body: JSON.stringify(elsewhere) });
    assert.equal(stored.status, 200, await stored.text());
    const tab = await Tab.open(stage.browser, `${stage.gateway.url}/#token=${someone.token}`, []);
    const isLive = (of) => eventually('live', () => of.evaluate("document.getElementById('connection').dataset.phase === 'live'"));
    await isLive(tab);
    const told = (count) => eventually(`${count} messages`, () => messages(elsewhere.endpoint).length === count);
    await tab.hide(true);
    await inView(someone, false);
    await someone.receive({});
    await told(1);
    await tab.hide(false);
    await inView(someone, true);
    await someone.receive({});
    await stays('no message while it is in view', () => messages(elsewhere.endpoint).length === 1, 1_700);
    const beside = await tab.beside(stage.gateway.url);
    await isLive(beside);
    assert.ok(await tab.evaluate('document.hidden') && !(await beside.evaluate('document.hidden')));
    assert.ok(await tab.evaluate('signalHub.connection.leads'));
    await inView(someone, true);
    await someone.receive({});
    await stays('no message while the tab beside it is in view', () => messages(elsewhere.endpoint).length === 1, 1_700);
    await beside.hide(true);
    await inView(someone, false);
    await someone.receive({});
    await told(2);
    await tab.close();
  });

  test('the page can be installed', async () => {
    const someone = await someoneWithPush();
    const page = await someone.open();
    const session = await someone.context.newCDPSession(page);
    const { url, errors, data } = await session.send('Page.getAppManifest');
    assert.deepEqual([url, errors], [`${stage.gateway.url}/manifest.webmanifest`, []]);
    const { display, icons } = JSON.parse(data);
    assert.equal(display, 'standalone');
    for (const { src, sizes, type } of icons) {
      const drawn = await page.evaluate(async (address) => {
        const response = await fetch(address);
        const image = new Image();
        image.src = address;
        await image.decode();
        return [response.headers.get('content-type'), `${image.naturalWidth}x${image.naturalHeight}`];
      }, src);
      assert.equal(drawn[0], type, src);
      if (sizes !== 'any') assert.equal(drawn[1], sizes, src);
    }
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);
    await someone.leave();
  });
});
