import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, opener, phase, shows } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { eventually } from './stage/wait.mjs';

/** Streams that the service has open. */
async function streams() {
  const text = await (await fetch(`${stage.service.url}/metrics`)).text();
  return Number(/^\w*clients(?:\{[^}]*\})? (\d+)/m.exec(text)[1]);
}

test('three tabs share one connection and show the same', async () => {
  const someone = await stage.subscriber();
  const pages = [await someone.open(), await someone.openAnother(), await someone.openAnother()];
  for (const page of pages) await live(page);
  const ids = await someone.receive({}, {});
  for (const page of pages) await shows(page, ids);
  await eventually('one connection', async () => (await streams()) === 1);
  for (const page of pages) assert.equal(await page.locator('#generator-state').innerText(), 'disabled');
  await someone.leave();
});

test('when the leading tab is closed another takes over, and nothing is missed', async () => {
  const someone = await stage.subscriber();
  const pages = [await someone.open(), await someone.openAnother(), await someone.openAnother()];
  for (const page of pages) await live(page);
  const ids = await someone.receive({});
  while (pages.length > 1) {
    const closing = pages.shift().close();
    ids.push(...await someone.receive({}));
    await closing;
    ids.push(...await someone.receive({}));
    for (const page of pages) {
      await shows(page, ids);
      await live(page);
    }
    await eventually('one connection', async () => (await streams()) === 1);
  }
  await someone.leave();
});

test('what the last leading tab passed on to some of the others alone, the next one passes on', async () => {
  const someone = await stage.subscriber();
  const pages = [await someone.open(), await someone.openAnother()];
  await live(pages[1]);
  const deaf = await someone.context.newPage();
  await deaf.addInitScript(() => {
    const add = BroadcastChannel.prototype.addEventListener;
    Object.defineProperty(BroadcastChannel.prototype, 'onmessage', {
      set(take) { add.call(this, 'message', (event) => { if (!globalThis.isDeaf || event.data.type === 'alive') take(event); }); },
    });
  });
  await deaf.goto(stage.gateway.url);
  await live(deaf);
  await deaf.evaluate(() => { globalThis.isDeaf = true; });
  const ids = await someone.receive({});
  await shows(pages[1], ids);
  const resumePoint = () => pages[0].evaluate((key) => JSON.parse(localStorage.getItem(key)).watermark, `signal_hub.state.1.${someone.userId}`);
  // A resume point is sure only behind a further transaction.
  const first = await resumePoint();
  await eventually('a resume point behind the signal', async () => {
    await stage.sql('SELECT pg_current_xact_id()');
    return Number((await resumePoint()).split('-')[1]) > Number(first.split('-')[1]) + 3;
  });
  await deaf.evaluate(() => { globalThis.isDeaf = false; });
  assert.deepEqual(await deaf.evaluate(() => document.querySelectorAll('#list > li').length), 0);
  await pages[0].close();
  ids.push(...await someone.receive({}));
  for (const page of [pages[1], deaf]) await shows(page, ids);
  await someone.leave();
});

test('a leading tab that is loaded again goes on, or follows the one that took over, with one connection', async () => {
  const someone = await stage.subscriber();
  const leader = await someone.open();
  const ids = await someone.receive({});
  await shows(leader, ids);
  const pages = [leader];
  // Alone, then beside another, which takes over meanwhile; then the new leader, too.
  for (const loaded of [() => leader, () => leader, () => pages[1]]) {
    await loaded().reload();
    for (const page of pages) await live(page);
    ids.push(...await someone.receive({}));
    for (const page of pages) await shows(page, ids);
    await eventually('one connection', async () => (await streams()) === 1);
    if (pages.length === 1) pages.push(await someone.openAnother());
    for (const page of pages) await live(page);
  }
  await pages[1].close();
  await live(leader);
  ids.push(...await someone.receive({}));
  await shows(leader, ids);
  await someone.leave();
});

test('when the leading tab crashes another takes over', async () => {
  const someone = await stage.subscriber();
  const [leader, other] = [await someone.open(), await someone.openAnother()];
  await live(other);
  await leader.goto('chrome://crash').catch(() => {});
  const ids = await someone.receive({});
  await shows(other, ids);
  await live(other);
  await someone.leave();
});

/** Two tabs of one window: the first leads and is hidden behind the second. */
async function two(someone) {
  const leader = await Tab.open(stage.browser, `${stage.gateway.url}/#token=${someone.token}`, []);
  await eventually('the first is live', () => isLive(leader));
  const other = await leader.beside(stage.gateway.url);
  await eventually('the second is live', () => isLive(other));
  return { leader, other };
}

test('a leading tab that the browser freezes gives the lead to another, and catches up when it thaws', async () => {
  const someone = await stage.subscriber();
  const { leader, other } = await two(someone);
  await leader.freeze();
  const ids = await someone.receive({}, {});
  // By its silence alone it would lose the lead 12 s after the other came.
  await eventually('the other leads', async () => (await cards(other)) === ids.toReversed().join(), 7_000);
  await leader.thaw();
  await agree(someone, [leader, other], ids);
  await leader.close();
});

test('a leading tab that hangs loses the lead to one that is shown', async () => {
  const someone = await stage.subscriber();
  const { leader, other } = await two(someone);
  const hanging = leader.evaluate('{ const end = Date.now() + 14_000; while (Date.now() < end); }');
  const ids = await someone.receive({}, {});
  // The other tab asks every 10 s, and waits 2 s for the answer.
  await eventually('the other leads', async () => (await cards(other)) === ids.toReversed().join(), 16_000);
  await hanging;
  await agree(someone, [leader, other], ids);
  await leader.close();
});

/** After one more signal both tabs show all signals, over one connection. */
async function agree(someone, tabs, ids) {
  ids.push(...await someone.receive({}));
  for (const tab of tabs) {
    await eventually('all signals', async () => (await cards(tab)) === ids.toReversed().join());
    await eventually('live', () => isLive(tab));
  }
  await eventually('one connection', async () => (await streams()) === 1);
}

const isLive = (tab) => tab.evaluate("document.getElementById('connection').dataset.phase === 'live'");
const cards = (tab) => tab.evaluate("[...document.querySelectorAll('#list > li')].map((item) => item.dataset.signalId).join()");

test('a tab that is shown again makes the leading one try at once', async () => {
  const someone = await stage.subscriber();
  const { leader, other } = await two(someone);
  await other.hide(true);
  stage.gateway.cut();
  const wait = () => other.evaluate("Number(/attempt in (\\d+) s/.exec(document.getElementById('status').innerText)?.[1])");
  await eventually('a wait that is long enough to see', async () => (await wait()) >= 8, 60_000);
  const ids = await someone.receive({});
  // What is read every 5 s must not bring it.
  stage.gateway.hold(/GET \/api\/(health|signals)/);
  stage.gateway.heal();
  await other.hide(false);
  await eventually('all signals', async () => (await cards(other)) === ids.join(), 6_000);
  await leader.close();
});

test('a signal opened in a tab that follows is saved, and is not new in the others', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  const [leader, other] = [await someone.open(), await someone.openAnother()];
  const ids = await someone.receive(...Array.from({ length: 6 }, () => ({})));
  await shows(other, ids);
  await opener(other, ids[0]).click();
  await eventually('clicked', async () => (await someone.row(ids[0], 'viewed AND clicked')) === 't');
  await eventually('not new', () => card(leader, ids[0]).getByText('new', { exact: true }).isHidden());
  await someone.leave();
});

test('tabs of two subscribers in one browser do not mix', async () => {
  const first = await stage.subscriber();
  const second = await stage.subscriber();
  const [one, other] = [await first.open(), await first.openAnother()];
  await live(other);
  await first.receive({});
  const ids = await second.receive({});
  // The last sign-in counts, in every tab.
  await first.change(other, second);
  for (const page of [one, other]) {
    await shows(page, ids);
    assert.equal(await phase(page).then((now) => now !== null), true);
  }
  await Promise.all([first.leave(), second.leave()]);
});

test('without locks and channels, as on plain http from another machine, each tab has its own connection', async () => {
  const someone = await stage.subscriber();
  await someone.context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
  const pages = [await someone.open(), await someone.openAnother()];
  for (const page of pages) await live(page);
  const ids = await someone.receive({});
  for (const page of pages) await shows(page, ids);
  await someone.leave();
});
