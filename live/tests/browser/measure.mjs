// How fast the page is: from the commit of a row to the frame that shows it, and
// from a reload to the live stream. Prints a table, and fails above the aims.

import { Stage, live, shown, delivery } from './stage/stage.mjs';
import { eventually } from './stage/wait.mjs';

/** Milliseconds, at the 99th percentile. */
const AIMS = { painted: 50, live: 50 };
const SIGNALS = 300;
const RELOADS = 30;

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function report(what, times, aim) {
  const sorted = times.toSorted((a, b) => a - b);
  const [p50, p95, p99, most] = [0.5, 0.95, 0.99, 1].map((share) => at(sorted, share).toFixed(1));
  const aimed = aim === undefined ? '' : `   aim: p99 < ${aim}`;
  console.log(`${what.padEnd(44)} n ${String(times.length).padStart(4)}   p50 ${p50}   p95 ${p95}   p99 ${p99}   max ${most} ms${aimed}`);
  if (Number(p99) > aim) process.exitCode = 1;
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

async function reloads(stage) {
  const someone = await stage.subscriber();
  await someone.receive(...Array.from({ length: 20 }, () => ({})));
  const page = await someone.open();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.addInitScript(() => {
    globalThis.beganAt = performance.now();
    addEventListener('DOMContentLoaded', () => {
      const note = () => {
        if (document.querySelector('#list > li')) globalThis.knownAt ??= performance.now();
        if (document.getElementById('connection').dataset.phase === 'live') globalThis.liveAt ??= performance.now();
      };
      new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
    });
  });
  const [began, known, lively] = [[], [], []];
  for (let i = 0; i < RELOADS; i += 1) {
    await page.reload();
    await live(page);
    began.push(await page.evaluate(() => globalThis.beganAt));
    known.push(await page.evaluate(() => globalThis.knownAt));
    lively.push(await page.evaluate(() => globalThis.liveAt));
    if ((await shown(page)).length !== 20) throw new Error('not all are shown');
  }
  report('reload -> the browser begins the document', began);
  report('reload -> last known state shown', known);
  report('reload -> live', lively, AIMS.live);
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
