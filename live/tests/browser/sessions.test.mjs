// Sessions that go on with fresh tokens, and those that end.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, shows } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { eventually, stays } from './stage/wait.mjs';

const LOGIN = 'https://app.example/login?then=signals';
/** A page of the application, of another origin, with the signals in a frame. */
let host;
let hostUrl;

const kept = (page) => page.evaluate(() => localStorage['signal_hub.token']);
const openWith = async (someone, seconds) => {
  const page = await someone.context.newPage();
  await page.goto(`${stage.gateway.url}/#token=${stage.service.token(someone.userId, seconds)}`);
  await live(page);
  return page;
};

describe('with an application that subscribers sign in to', () => {
  before(async () => {
    host = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(`<iframe id="frame" src="${stage.gateway.url}/" width="900" height="600"></iframe>
      <script>messages = []; addEventListener('message', ({ data }) => messages.push(data.type));</script>`));
    await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
    hostUrl = `http://127.0.0.1:${host.address().port}`;
    await stage.service.end();
    await stage.service.begin(['--embed-origin', hostUrl, '--login-url', LOGIN, '--refresh-path', '/auth/refresh']);
  });
  after(async () => {
    host.close();
    host.closeAllConnections();
    await stage.service.end();
    await stage.service.begin();
  });

  test('before its end a session is renewed from the path of the application, without a break, in all tabs', async () => {
    const someone = await stage.subscriber();
    const fresh = stage.service.token(someone.userId);
    let asked = 0;
    await someone.context.route('**/auth/refresh', (route) => {
      asked += 1;
      return route.fulfill({ json: { token: fresh } });
    });
    const ids = await someone.receive({});
    const page = await openWith(someone, 200);
    const other = await someone.openAnother();
    await live(other);
    for (const tab of [page, other]) await tab.evaluate(() => { globalThis.isSame = true; });
    const streams = stage.gateway.count(/api\/stream/);
    await eventually('renewed', async () => (await kept(other)) === fresh);
    ids.push(...await someone.receive({}));
    for (const tab of [page, other]) {
      await shows(tab, ids);
      assert.ok(await tab.evaluate(() => globalThis.isSame));
      assert.ok(await tab.locator('#session-end').isHidden());
    }
    assert.equal(stage.gateway.count(/api\/stream/), streams, 'the connection is the same');
    assert.ok(asked >= 1 && asked <= 2, `${asked} times`);
    await someone.leave();
  });

  test('a session whose token was renewed goes on when the stream of the old token ends', async () => {
    const someone = await stage.subscriber();
    const ids = await someone.receive({});
    const page = await someone.openAnother();
    // The service grants 30 s for clocks that differ.
    await page.getByLabel('Token').fill(stage.service.token(someone.userId, -18));
    await page.keyboard.press('Enter');
    await live(page);
    await someone.context.route('**/auth/refresh', (route) => route.fulfill({ json: { token: stage.service.token(someone.userId) } }));
    const streams = stage.gateway.count(/api\/stream/);
    await eventually('another stream', () => stage.gateway.count(/api\/stream/) > streams, 35_000);
    await live(page);
    ids.push(...await someone.receive({}));
    await shows(page, ids);
    assert.ok(await page.getByLabel('Token').isHidden());
    await someone.leave();
  });

  test('a session that nothing renews says that it ends, with a way to sign in again', async () => {
    const someone = await stage.subscriber();
    await someone.context.route('**/auth/refresh', (route) => route.fulfill({ status: 401, json: {} }));
    const form = await someone.openAnother();
    await eventually('a link in the form', () => form.getByRole('link', { name: 'Sign in where you have your account' }).isVisible());
    const page = await openWith(someone, 100);
    await eventually('said', async () => /^Your sign-in ends in (1 min( \d+ s)?|\d+ s)\. Sign in again$/.test(await page.locator('#session-end').innerText()));
    assert.equal(await page.getByRole('link', { name: 'Sign in again' }).getAttribute('href'), LOGIN);
    await someone.leave();
  });

  test('an ending session is notified where no tab is in view', async () => {
    const someone = await stage.subscriber();
    const tab = await Tab.open(stage.browser, stage.gateway.url, ['notifications']);
    await eventually('the form', () => tab.evaluate("!document.getElementById('signed-out').hidden"));
    await tab.hide(true);
    await tab.evaluate('navigator.serviceWorker.ready.then(() => 1)');
    await tab.evaluate(`location.hash = 'token=${stage.service.token(someone.userId, 90)}'`);
    const shown = () => tab.evaluate(`navigator.serviceWorker.ready.then((one) => navigator.locks.request('signal_hub.notifications', () => one.getNotifications())).then((all) => all.map(({ body }) => body).join())`);
    await eventually('notified', async () => /^Your sign-in ends in .*until you sign in again\.$/.test(await shown()));
    await tab.close();
  });

  /** A new visit with a token that has expired meanwhile. */
  const visitLate = async (someone) => {
    const page = await someone.open();
    const expired = stage.service.token(someone.userId, -60);
    await page.goto('about:blank');
    await someone.context.addInitScript((token) => {
      if (location.origin === 'null' || sessionStorage.isLate) return;
      sessionStorage.isLate = 'true';
      localStorage['signal_hub.token'] = token;
    }, expired);
    await page.goto(stage.gateway.url);
    return page;
  };

  test('a visit after the end of the session asks the application once, and goes on', async () => {
    const someone = await stage.subscriber();
    const ids = await someone.receive({});
    const fresh = stage.service.token(someone.userId);
    let asked = 0;
    await someone.context.route('**/auth/refresh', async (route) => {
      asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return route.fulfill({ json: { token: fresh } });
    });
    const page = await visitLate(someone);
    await page.evaluate(() => { location.hash = 'view=record'; });
    await live(page);
    assert.equal(await kept(page), fresh);
    assert.equal(asked, 1, 'for all requests that were refused');
    assert.ok(await page.getByLabel('Token').isHidden());
    await eventually('the record', () => page.locator('#record-shown > *').first().isVisible());
    await page.evaluate(() => { location.hash = 'view=signals'; });
    await shows(page, ids);
    await someone.leave();
  });

  test('a visit after the end of the session ends at the form where the application gives no token, or one that is not accepted', async () => {
    const answers = [{ status: 401, json: {} }, null];
    for (const answer of answers) {
      const someone = await stage.subscriber();
      let asked = 0;
      await someone.context.route('**/auth/refresh', (route) => {
        asked += 1;
        return route.fulfill(answer ?? { json: { token: stage.service.token(someone.userId, -50) } });
      });
      const page = await visitLate(someone);
      await eventually('the form', () => page.getByLabel('Token').isVisible());
      await stays('signed out', async () => (await kept(page)) === undefined, 500);
      assert.match(await page.locator('#problem').innerText(), /^The service refused the sign-in: /);
      assert.ok(asked >= 1 && asked <= 2, `${asked} times`);
      await someone.leave();
    }
  });

  test('in a frame, a session that ended goes on with the token of the page around it, also of somebody else', async () => {
    const [someone, other] = [await stage.subscriber(), await stage.subscriber()];
    const page = await someone.context.newPage();
    await page.addInitScript(() => {
      addEventListener('message', ({ data, source }) => data.type === 'signal_hub.renew' && source.postMessage({ type: 'signal_hub.token', token: localStorage.present }, '*'));
    });
    const framed = () => eventually('the frame', async () => {
      const frame = page.frames().find((one) => one.url().startsWith(stage.gateway.url));
      return (await frame?.evaluate(() => globalThis.signalHub !== undefined)) && frame;
    });
    await page.goto(hostUrl);
    for (const { userId, token } of [someone, other]) {
      await (await framed()).evaluate((expired) => { localStorage['signal_hub.token'] = expired; }, stage.service.token(someone.userId, -60));
      await page.evaluate((present) => { localStorage.present = present; }, token);
      await page.reload();
      const frame = await framed();
      await live(frame, 15_000);
      assert.equal(await frame.evaluate(() => JSON.parse(atob(localStorage['signal_hub.token'].split('.')[1])).sub), userId);
    }
    await Promise.all([someone.context.close(), other.leave()]);
  });

  test('a page around this one signs in and renews by messages; another subscriber is offered, not taken', async () => {
    const [someone, other] = [await stage.subscriber(), await stage.subscriber()];
    const ids = await someone.receive({});
    const page = await someone.context.newPage();
    await page.goto(hostUrl);
    const frame = await eventually('the frame', () => page.frames().find((one) => one.url().startsWith(stage.gateway.url)));
    await eventually('it is ready', () => page.evaluate(() => globalThis.messages.includes('signal_hub.ready')));
    const hand = (token) => page.evaluate((value) => document.getElementById('frame').contentWindow.postMessage({ type: 'signal_hub.token', token: value }, '*'), token);
    await hand(stage.service.token(someone.userId, 250));
    await shows(frame, ids);
    await eventually('it asks for another', () => page.evaluate(() => globalThis.messages.includes('signal_hub.renew')));
    const fresh = stage.service.token(someone.userId);
    await hand(fresh);
    await eventually('renewed', async () => (await frame.evaluate(() => localStorage['signal_hub.token'])) === fresh);
    await hand(other.token);
    await eventually('asked', () => frame.getByRole('button', { name: 'Sign in as the other' }).isVisible());
    assert.equal(await frame.evaluate(() => localStorage['signal_hub.token']), fresh);
    // The page itself is not around this one, so what it sends to itself is nothing.
    await frame.evaluate((token) => postMessage({ type: 'signal_hub.token', token }, '*'), other.token);
    await stays('the same', async () => (await frame.evaluate(() => localStorage['signal_hub.token'])) === fresh, 300);
    await Promise.all([someone.leave(), other.leave()]);
  });

  test('only the pages that the operator names may show this one in a frame', async () => {
    const policy = async (path) => (await fetch(`${stage.gateway.url}${path}`)).headers.get('content-security-policy');
    assert.equal(await policy('/'), `default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${hostUrl}`);
    assert.equal(await policy('/operator.html'), "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    const someone = await stage.subscriber();
    const stranger = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(`<iframe src="${stage.gateway.url}/"></iframe>`));
    await new Promise((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const page = await someone.context.newPage();
    await page.goto(`http://127.0.0.1:${stranger.address().port}`);
    await eventually('refused', async () => (await Promise.all(page.frames().slice(1).map((frame) => frame.locator('#sign-in').count()))).every((count) => count === 0) && page.frames().length > 1);
    stranger.close();
    stranger.closeAllConnections();
    await someone.context.close();
  });
});
