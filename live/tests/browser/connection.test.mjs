import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, lost, phase, shown, shows, words } from './stage/stage.mjs';
import { eventually, SOON, stays } from './stage/wait.mjs';

test('a restart of the service, stopped or killed, costs no signal', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = [];
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    ids.push(...await someone.receive({}));
    await stage.service.end(signal);
    await lost(page);
    ids.push(...await someone.receive({}, {}));
    await stage.service.begin();
    await live(page);
    ids.push(...await someone.receive({}));
    await shows(page, ids);
  }
  await someone.leave();
});

test('a restart of the database costs no signal', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await someone.receive({});
  await stage.cluster.end();
  await stage.cluster.begin();
  ids.push(...await someone.receive({}));
  await shows(page, ids, 40_000);
  await eventually('the generator is known again', async () => (await page.locator('#generator-state').innerText()) === 'disabled');
  await live(page, 40_000);
  await someone.leave();
});

test('without a network the page shows that, and the next attempt, and waits longer each time', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({});
  const page = await someone.openWithClock();
  stage.gateway.cut();
  await lost(page);
  await eventually('why and when', async () => /cannot be reached; next attempt in \d+ s|trying again/.test(await page.locator('#status').innerText()));
  await eventually('a longer wait', async () => Number(/attempt in (\d+) s/.exec(await page.locator('#status').innerText())?.[1]) >= 5, 30_000);
  // From here on nothing comes by itself: neither the next attempt nor what is read every 5 s.
  await page.clock.pauseAt(Date.now() + 60_000);
  await eventually('it waits', () => page.getByRole('button', { name: 'Try now' }).isVisible());
  assert.deepEqual(await shown(page), ids, 'what is known stays in view');
  ids.push(...await someone.receive({}));
  stage.gateway.heal();
  await page.getByRole('button', { name: 'Try now' }).click();
  await live(page);
  await page.clock.resume();
  await shows(page, ids);
  await someone.leave();
});

test('without a connection the generator does not stay green', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const mood = () => page.locator('#generator').getAttribute('data-mood');
  await eventually('it is known', async () => ['good', 'bad'].includes(await mood()));
  stage.gateway.cut();
  await lost(page);
  await eventually('it is not known', async () => (await mood()) === 'unknown', 3_000);
  stage.gateway.heal();
  await live(page);
  await eventually('it is known again', async () => ['good', 'bad'].includes(await mood()));
  await someone.leave();
});

test('when the system reports a network, the page is back at once', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  stage.gateway.cut();
  await someone.context.setOffline(true);
  await lost(page);
  await eventually('a wait that is long enough to see', async () => Number(/attempt in (\d+) s/.exec(await page.locator('#status').innerText())?.[1]) >= 3, 30_000);
  await page.clock.pauseAt(Date.now() + 60_000);
  await eventually('it waits', async () => (await phase(page)) === 'waiting');
  const ids = await someone.receive({});
  stage.gateway.heal();
  await someone.context.setOffline(false);
  await live(page);
  await page.clock.resume();
  await shows(page, ids);
  await someone.leave();
});

test('a laptop that slept is live again within seconds of waking, though its connection died silently', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const renderers = execFileSync('pgrep', ['-f', '--', '--type=renderer'], { encoding: 'utf8' }).trim().split('\n')
    .filter((pid) => isChildOfBrowser(pid));
  assert.ok(renderers.length > 0);
  const send = (signal) => renderers.forEach((pid) => process.kill(Number(pid), signal));
  let ids;
  send('SIGSTOP');
  try {
    await stage.gateway.swallow();
    ids = await someone.receive({}, {});
    await stays('asleep', () => true, 6_500);
    stage.gateway.heal();
  } finally {
    send('SIGCONT');
  }
  // Undetected, the silence would be noticed some 10 s later.
  await shows(page, ids, 6_000);
  await live(page);
  await someone.leave();
});

/** Other browsers of this machine do not count; a process of theirs may have ended since it was listed. */
function isChildOfBrowser(pid) {
  for (let at = Number(pid); at > 1;) {
    if (at === process.pid) return true;
    const { status, stdout } = spawnSync('ps', ['-o', 'ppid=', '-p', String(at)], { encoding: 'utf8' });
    if (status !== 0) return false;
    at = Number(stdout);
  }
  return false;
}

test('a connection that died silently is noticed', async () => {
  const someone = await stage.subscriber();
  // The clock stands, so that what this machine takes does not count as silence.
  const page = await someone.open(async (opened) => { await opened.clock.install(); await opened.clock.pauseAt(Date.now() + 60_000); });
  await stage.gateway.swallow();
  const ids = await someone.receive({});
  stage.gateway.heal();
  // A heartbeat of 15 s and a grace of 5 s, and as long since the last one.
  await page.clock.runFor(18_000);
  assert.deepEqual(await shown(page), []);
  assert.equal(await phase(page), 'live', 'a heartbeat may be late');
  await page.clock.runFor(4_000);
  await page.clock.resume();
  await shows(page, ids);
  await live(page);
  await someone.leave();
});

test('after an hour of silence and a restart, the missed signals are there at once with true ages', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  await stage.gateway.swallow();
  const ids = await someone.receive(...Array.from({ length: 30 }, () => ({})));
  await stage.service.end('SIGKILL');
  await stage.service.begin();
  stage.gateway.heal();
  await page.clock.fastForward('01:00:00');
  await shows(page, ids);
  await live(page);
  // The page's clock is an hour ahead now, the server's is not.
  assert.match(await words(page, ids.at(-1)), /(just now|\d+ s ago)\s*expires in (4 h|3 h 59 min)/);
  await someone.leave();
});

const cachedWatermark = (page) => eventually('a resume point', () => page.evaluate(() => {
  const key = Object.keys(localStorage).find((name) => name.includes('.state.'));
  return key && JSON.parse(localStorage[key]).watermark;
}));

test('the page resumes where it was, not where it began', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const first = await cachedWatermark(page);
  await shows(page, await someone.receive({}, {}));
  const last = await eventually('a later resume point', async () => {
    const now = await cachedWatermark(page);
    return now !== first && now;
  });
  stage.gateway.cut();
  await lost(page);
  stage.gateway.heal();
  await live(page, 40_000);
  const asked = stage.gateway.requests.findLast(({ line }) => line.includes('/api/stream')).line;
  assert.equal(new URL(asked.split(' ')[1], stage.gateway.url).searchParams.get('since'), last);
  await someone.leave();
});

test('duplicates are shown once', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const first = await cachedWatermark(page);
  const ids = await someone.receive({}, {}, {});
  await shows(page, ids);
  // Resume from before them, with them in the cache.
  await eventually('cached', () => page.evaluate((count) => Object.keys(JSON.parse(localStorage[Object.keys(localStorage).find((name) => name.includes('.state.'))]).signals).length === count, ids.length));
  await page.goto('about:blank');
  const again = await someone.context.newPage();
  await again.addInitScript((watermark) => {
    const key = Object.keys(localStorage).find((name) => name.includes('.state.'));
    if (key) localStorage[key] = JSON.stringify({ ...JSON.parse(localStorage[key]), watermark });
  }, first);
  await again.goto(stage.gateway.url);
  await live(again);
  const [later] = await someone.receive({});
  await shows(again, [...ids, later]);
  await someone.leave();
});

test('an invalid resume point, as of another service at the same address, is discarded', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, {});
  await someone.context.addInitScript((userId) => {
    if (location.origin === 'null') return;
    localStorage.setItem(`signal_hub.state.1.${userId}`, JSON.stringify({ signals: {}, watermark: 'nonsense', health: null, clockOffset: 0, unsaved: {} }));
  }, someone.userId);
  const page = await someone.openAnother();
  await page.goto(`${stage.gateway.url}/#token=${someone.token}`);
  await shows(page, ids);
  await live(page);
  await someone.leave();
});

test('a clock that is three hours off, either way, changes no age and no expiry', async () => {
  for (const skew of [3, -3]) {
    const someone = await stage.subscriber();
    const ids = await someone.receive({ expires_at: "now() + interval '2 hours'" });
    const page = await someone.open((opened) => opened.clock.install({ time: Date.now() + skew * 3_600_000 }));
    await shows(page, ids);
    await eventually('true times', async () => /(just now|\d+ s ago)\s*expires in 1 h 59 min/.test(await card(page, ids[0]).locator('.times').innerText()));
    await someone.leave();
  }
});

test('a connection that died while the clock was set back is noticed', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  await page.clock.runFor(2_000);
  await stage.gateway.swallow();
  await page.clock.setSystemTime(Date.now() - 3_600_000);
  await page.clock.runFor(2_000);
  await lost(page);
  stage.gateway.heal();
  await page.clock.runFor(35_000);
  await live(page);
  await someone.leave();
});

test('where streams are blocked, signals are read every 5 s; with a stream nothing is read', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  const quietSince = Date.now();
  await page.clock.runFor(11_000);
  assert.equal(await phase(page), 'live');
  assert.equal(stage.gateway.count(/GET \/api\/(signals|health)/, quietSince), 0, 'no polling');
  stage.gateway.hold(/GET \/api\/stream/);
  await lost(page);
  const ids = await someone.receive({});
  await page.clock.runFor(5_000);
  await shows(page, ids);
  await eventually('it is shown', async () => {
    await page.clock.runFor(1_000);
    return (await page.locator('#connection-phase').innerText()) === 'No live connection, reading every 5 s';
  });
  ids.push(...await someone.receive({}));
  await page.clock.runFor(5_000);
  await shows(page, ids);
  assert.equal(await page.locator('#generator-state').innerText(), 'disabled');
  // A page opened now reads after the first 5 s, while it still waits for its stream.
  await page.reload();
  await shows(page, ids);
  ids.push(...await someone.receive({}));
  await page.clock.runFor(5_500);
  await shows(page, ids);
  stage.gateway.hold(null);
  await page.clock.runFor(35_000);
  await live(page);
  await someone.leave();
});

test('a reload without an answer shows the last known state, then goes on', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const ids = await someone.receive({}, {});
  await shows(page, ids);
  await page.evaluate(() => navigator.serviceWorker.ready);
  stage.gateway.cut();
  await page.reload();
  await shows(page, ids);
  assert.notEqual(await phase(page), 'live');
  assert.match(await page.locator('#generator-state').innerText(), /disabled|ago/);
  ids.push(...await someone.receive({}));
  stage.gateway.heal();
  await shows(page, ids, 20_000);
  await live(page, SOON);
  await someone.leave();
});
