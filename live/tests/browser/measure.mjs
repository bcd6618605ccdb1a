// How fast the page is: from the commit of a row to the frame that shows it, and
// from a reload to the live stream. Prints a table, and fails above the aims.

import { Stage, delivery } from './stage/stage.mjs';
import { Tab } from './stage/tab.mjs';
import { eventually } from './stage/wait.mjs';

/** Milliseconds: for a signal the 99th percentile, for a reload, which is mostly the browser's own work, the median. */
const AIMS = { painted: ['p99', 25], live: ['p50', 50] };
const SIGNALS = 300;
const RELOADS = 40;
/** Cards that were there before the reload. */
const KEPT = 20;

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function report(what, times, [share, aim] = []) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = Object.fromEntries(['p50', 'p95', 'p99', 'p100'].map((name) => [name, percentile(sorted, Number(name.slice(1)) / 100)]));
  const numbers = Object.entries(at).map(([name, time]) => `${name} ${time.toFixed(1).padStart(5)}`).join('   ');
  console.log(`${what.padEnd(42)} n ${String(times.length).padStart(4)}   ${numbers} ms${aim ? `   aim: ${share} < ${aim}` : ''}`);
  if (at[share] > aim) process.exitCode = 1;
}

/** When each card was on the screen: the end of the frame after it came into the list. */
function notePaints() {
  globalThis.paints = {};
  const wall = () => performance.timeOrigin + performance.now();
  new MutationObserver((changes) => {
    const ids = changes.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.dataset.signalId));
    requestAnimationFrame(() => {
      // Runs when the frame is done.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => ids.forEach((id) => { globalThis.paints[id] ??= wall(); });
      port2.postMessage(null);
    });
  }).observe(document.getElementById('list'), { childList: true });
}

async function painted(stage) {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await page.evaluate(notePaints);
  // created_at is the time before the commit, so the commit is part of what is measured.
  const session = stage.cluster.session();
  for (let i = 0; i < SIGNALS; i += 1) {
    session.run(delivery(someone.userId));
    await new Promise((resolve) => { setTimeout(resolve, 40 + 20 * Math.random()); });
  }
  await session.close();
  await eventually('all', () => page.evaluate((count) => Object.keys(globalThis.paints).length >= count, SIGNALS), 30_000);
  const rows = await stage.sql(`SELECT signal_id, extract(epoch FROM created_at) * 1000 FROM user_signals WHERE user_id = '${someone.userId}'`);
  const paints = await page.evaluate(() => globalThis.paints);
  const times = rows.split('\n').map((row) => row.split('|').map(Number)).map(([id, committed]) => paints[id] - committed);
  report('commit -> painted', times, AIMS.painted);
  await someone.leave();
}

/** Records when the document began, when cards and the live stream were in it, and when a frame had shown them. */
function noteTimes() {
  const times = { began: performance.now() };
  globalThis.times = times;
  const note = (name, isTrue) => {
    if (!isTrue || name in times) return;
    times[name] = performance.now();
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { times[`${name}Painted`] = performance.now(); };
      port2.postMessage(null);
    });
  };
  addEventListener('DOMContentLoaded', () => {
    const look = () => {
      note('known', document.querySelector('#list > li') !== null);
      note('live', document.getElementById('connection').dataset.phase === 'live');
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

/** In a tab outside of Playwright, which would listen to every request. */
async function reloads(stage) {
  const someone = await stage.subscriber();
  await someone.receive(...Array.from({ length: KEPT }, () => ({})));
  const tab = await Tab.open(stage.browser, 'about:blank', []);
  await tab.beforeEach(`(${noteTimes})()`);
  const isDone = () => tab.evaluate('!globalThis.isOld && globalThis.times?.livePainted > 0 && globalThis.times.knownPainted > 0');
  await tab.evaluate(`location.href = '${stage.service.url}/#token=${someone.token}'`);
  await eventually('live', isDone);
  await tab.evaluate('navigator.serviceWorker.ready.then(() => 1)');
  const all = [];
  for (let i = 0; i < RELOADS; i += 1) {
    // A reader pauses; meanwhile the browser does work that it had put off.
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    await tab.evaluate('globalThis.isOld = true; setTimeout(() => location.reload()); 1');
    await eventually('live', isDone);
    all.push(JSON.parse(await tab.evaluate('JSON.stringify(globalThis.times)')));
    await eventually('all are shown', async () => (await tab.evaluate("document.querySelectorAll('#list > li').length")) === KEPT);
  }
  const times = (name) => all.map((one) => one[name]);
  report('reload -> the browser begins the document', times('began'));
  report('reload -> last known state painted', times('knownPainted'));
  report('reload -> live', times('live'), AIMS.live);
  report('reload -> live painted', times('livePainted'));
  await tab.close();
  await someone.leave();
}

const stage = await Stage.start();
try {
  // Without the gateway: it is a program of the test.
  stage.gateway.url = stage.service.url;
  await painted(stage);
  await reloads(stage);
} finally {
  await stage.stop();
}
