// The page in Firefox, driven by WebDriver BiDi: that it works there at all. Chromium has the other tests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import puppeteer from 'puppeteer-core';
import { stage } from './stage/shared.mjs';
import { eventually } from './stage/wait.mjs';

const executablePath = process.env.FIREFOX;
/** Firefox takes some seconds to begin. */
const BEGUN = 60_000;
const ids = (page) => page.evaluate(() => [...document.querySelectorAll('#list > li')].map((row) => Number(row.dataset.signalId)));
const has = (page, wanted, within) => eventually(`signals ${wanted}`, async () => {
  const now = (await ids(page)).join();
  if (now !== wanted.join()) throw new Error(now);
  return true;
}, within);
const phase = (page) => page.evaluate(() => document.getElementById('connection').dataset.phase);
const live = (page) => eventually('live', async () => (await phase(page)) === 'live');
const leads = (page) => page.evaluate(() => globalThis.signalHub.connection.leads);

test('in Firefox somebody signs in, has signals live in two tabs, also when the leading one closes, and after a reload', {
  skip: executablePath ? false : 'firefox is not installed', timeout: 2 * BEGUN,
}, async (t) => {
  const firefox = await puppeteer.launch({ browser: 'firefox', executablePath, headless: true, timeout: BEGUN });
  // Its connections would be counted by the tests after this one.
  t.after(() => firefox.close());
  const someone = await stage.subscriber();
  const problems = [];
  const open = async () => {
    const page = await firefox.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    return page;
  };
  const first = await open();
  await first.goto(stage.gateway.url);
  await first.type('#token', someone.token);
  await first.click('#sign-in [type="submit"]');
  await live(first);
  const [one] = await someone.receive({});
  await has(first, [one]);
  const second = await open();
  await second.goto(stage.gateway.url);
  await live(second);
  await has(second, [one]);
  assert.deepEqual([await leads(first), await leads(second)], [true, false], 'one connection for both');
  const [two] = await someone.receive({});
  await has(first, [two, one]);
  await has(second, [two, one]);
  await first.close();
  await eventually('the other leads', () => leads(second));
  await live(second);
  const [three] = await someone.receive({});
  await has(second, [three, two, one]);
  await second.reload();
  await live(second);
  await has(second, [three, two, one]);
  const [four] = await someone.receive({});
  await has(second, [four, three, two, one]);
  await second.click(`li[data-signal-id="${four}"] h2 button`);
  await eventually('its plot', () => second.evaluate(() => document.querySelector('.details:not([hidden]) .plot').getBoundingClientRect().height > 100));
  assert.equal(await second.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true);
  assert.deepEqual(problems, []);
  await someone.leave();
});
