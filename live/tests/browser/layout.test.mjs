// The list beside the details: how much of it is in view, at every width, and where it must not break.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { stage } from './stage/shared.mjs';
import { card, live, opener, shows } from './stage/stage.mjs';
import { isUsable } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

const SOME = Array.from({ length: 24 }, (_, i) => ({
  ...(i % 3 === 0 && { symbol: "'1000SATSUSDT'", signal_type: "'SHORT'", entry_price: '67998.42', stop_loss: '69018.40', take_profit: "'{66978.44,65958.47,64598.50}'" }),
  ...(i % 4 === 1 && { expires_at: "now() - interval '1 hour'" }),
  ...(i % 5 === 3 && { tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' }),
}));

const width = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const frame = (page) => page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));

/** Rows that are in view from top to bottom, below the head. */
const inView = (page) => page.evaluate(() => {
  const head = Math.max(...[...document.querySelectorAll('.top, .captions')].map((one) => one.getBoundingClientRect().bottom));
  const boxes = [...document.querySelectorAll('#list > li')].map((row) => row.getBoundingClientRect());
  return boxes.filter(({ top, bottom }) => top >= head && bottom <= innerHeight).length;
});

/** Words that can be seen and are in the list more than once, of those given. */
const repeated = (page, words) => page.evaluate((all) => all.filter((word) => {
  const texts = document.createTreeWalker(document.getElementById('list'), NodeFilter.SHOW_TEXT);
  let count = 0;
  while (texts.nextNode()) if (texts.currentNode.data.trim() === word && texts.currentNode.parentElement.getBoundingClientRect().width > 1) count += 1;
  return count > 1;
}), words);

for (const [device, viewport, least] of [['desktop', { width: 1440, height: 900 }, 14], ['phone', { width: 390, height: 844 }, 5]]) {
  test(`a ${device} shows ${least} signals or more, and no caption twice`, async () => {
    const someone = await stage.subscriber({ viewport });
    const ids = await someone.receive(...SOME);
    const page = await someone.open();
    await shows(page, ids);
    assert.ok(await inView(page) >= least, `${await inView(page)} are in view`);
    assert.deepEqual(await repeated(page, ['Entry', 'Stop', 'Targets', 'Outcome', 'Quality', 'Strength of the move', 'not a chance of profit']), []);
    await someone.leave();
  });
}

test('on a desktop the details stand beside the list, which does not move; Escape closes them', async () => {
  const someone = await stage.subscriber({ viewport: { width: 1440, height: 900 } });
  const ids = await someone.receive(...SOME);
  const page = await someone.open();
  await shows(page, ids);
  // The head has said all that it has to say.
  await eventually('why nothing comes', () => page.getByText('You have no subscription').isVisible());
  const boxes = () => page.locator('#list > li').evaluateAll((rows) => rows.slice(0, 14).map((row) => JSON.stringify(row.getBoundingClientRect())));
  const before = await boxes();
  for (const id of [ids.at(-1), ids.at(-3)]) {
    await opener(page, id).click();
    const details = await page.locator('.details:visible').boundingBox();
    const list = await page.locator('#list').boundingBox();
    assert.ok(details.x >= list.x + list.width && details.x + details.width <= 1440 && details.y + details.height <= 900, JSON.stringify(details));
    assert.deepEqual(await boxes(), before);
    assert.equal(await page.locator('.details:visible').count(), 1, 'one at a time');
  }
  await page.evaluate(() => scrollTo(0, 500));
  await frame(page);
  assert.ok(await page.locator('.details').getByRole('img').isVisible(), 'they stay while the list is scrolled');
  await page.keyboard.press('Escape');
  await eventually('closed', async () => (await page.locator('.details:visible').count()) === 0);
  assert.ok(await opener(page, ids.at(-3)).evaluate((button) => button === document.activeElement));
  await someone.leave();
});

test('on a phone the details open below the row, and close with a button', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 844 } });
  const ids = await someone.receive(...SOME);
  const page = await someone.open();
  await shows(page, ids);
  await eventually('why nothing comes', () => page.getByText('You have no subscription').isVisible());
  await opener(page, ids.at(-2)).click();
  const [row, details, next] = await Promise.all([card(page, ids.at(-2)).locator('.row'), card(page, ids.at(-2)).locator('.details'), card(page, ids.at(-3))].map((one) => one.boundingBox()));
  assert.ok(details.y >= row.y + row.height && next.y >= details.y + details.height, JSON.stringify({ row, details, next }));
  await card(page, ids.at(-2)).getByRole('button', { name: 'Close' }).click();
  await eventually('closed', async () => (await page.locator('.details:visible').count()) === 0);
  await someone.leave();
});

test('the list does not move while the connection holds, ages grow and runs come and go', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({});
  const page = await someone.open();
  await shows(page, ids);
  await eventually('why nothing comes', () => page.getByText('You have no subscription').isVisible());
  const texts = {
    'connection-held': ['for 0 s', 'for 9 s', 'for 10 s', 'for 59 min', 'for 23 h 59 min, came back 113 times'],
    'last-signal': ['none yet', 'just now', '9 s ago', '59 min ago', '23 h 59 min ago', '100 d 23 h ago'],
    'next-run': ['none planned', 'due', 'in 9 s', 'in 59 min 59 s', 'looking at the market'],
    'generator-state': ['running', 'disabled', 'failing', 'standby'],
  };
  for (const wide of [1280, 1024, 800, 768, 767, 640, 480, 390, 360, 320]) {
    await page.setViewportSize({ width: wide, height: 900 });
    const heights = await page.evaluate((all) => Object.entries(all).flatMap(([id, some]) => some.map((text) => {
      const node = document.getElementById(id);
      const before = node.textContent;
      node.textContent = text;
      const { top } = document.getElementById('list').getBoundingClientRect();
      node.textContent = before;
      return top;
    })), texts);
    assert.equal(new Set(heights).size, 1, `${wide} px: ${heights}`);
  }
  await someone.leave();
});

test('nothing is wider than the window from 320 to 2560 px, closed and open', async () => {
  const someone = await stage.subscriber({ viewport: { width: 2560, height: 1300 } });
  const ids = await someone.receive(...SOME);
  const page = await someone.open();
  await shows(page, ids);
  for (const isOpen of [false, true]) {
    if (isOpen) await opener(page, ids.at(-1)).click();
    for (const wide of [2560, 1920, 1440, 1200, 1199, 1024, 768, 767, 640, 480, 390, 360, 320]) {
      await page.setViewportSize({ width: wide, height: 900 });
      await frame(page);
      assert.equal(await width(page), 0, `${wide} px, ${isOpen ? 'open' : 'closed'}`);
      const out = await page.locator('#list *').evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80)));
      assert.deepEqual(out, [], `${wide} px, ${isOpen ? 'open' : 'closed'}`);
    }
  }
  await someone.leave();
});

test('a phone that is turned after 200 signals were laid out wide has nothing outside of its window', async () => {
  const [upright, turned] = [{ width: 390, height: 844 }, { width: 844, height: 390 }];
  const someone = await stage.subscriber({ viewport: turned });
  await someone.receive({});
  await stage.sql(`INSERT INTO user_signals SELECT '${someone.userId}', (SELECT max(signal_id) FROM user_signals) + n, tier, symbol, signal_type, confidence,
    quality_score, entry_price, take_profit, stop_loss, expires_at, full_details, metadata FROM (SELECT * FROM user_signals WHERE full_details LIMIT 1) s, generate_series(1, 199) n`);
  const page = await someone.open();
  await eventually('a long list', () => page.evaluate(() => document.documentElement.scrollHeight > 9_000));
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  // Each row is laid out once.
  for (let y = 0; y < height; y += 600) {
    await page.evaluate((to) => scrollTo(0, to), y);
    await frame(page);
  }
  for (const viewport of [upright, turned, upright]) {
    await page.setViewportSize(viewport);
    await frame(page);
    assert.equal(await width(page), 0, `${viewport.width} px`);
    assert.ok((await page.locator('#list > li').count()) < 100);
  }
  await someone.leave();
});

test('with letters of twice the size everything fits, and nothing is cut off but long texts', async () => {
  const large = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--disable-gpu', '--blink-settings=defaultFontSize=32', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
  });
  try {
    const someone = await stage.subscriber();
    const ids = await someone.receive(...SOME);
    for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
      const context = await large.newContext({ viewport });
      const page = await context.newPage();
      await page.goto(`${stage.gateway.url}/#token=${someone.token}`);
      await live(page);
      await shows(page, ids);
      assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize), '32px');
      await opener(page, ids.at(-1)).click();
      await frame(page);
      assert.equal(await width(page), 0, `${viewport.width} px`);
      const cut = await page.locator('.row .side, .row .entry dd, .row h2 button').evaluateAll((all) => all.filter((one) => one.scrollHeight > one.clientHeight + 2 && one.clientHeight > 0).map((one) => one.outerHTML.slice(0, 80)));
      assert.deepEqual(cut, []);
      await isUsable(page, `${viewport.width} px`);
      await context.close();
    }
    await someone.leave();
  } finally {
    await large.close();
  }
});

test('in forced colours axe finds nothing, and on paper all rows stand without the buttons', async () => {
  const someone = await stage.subscriber({ viewport: { width: 1280, height: 800 }, forcedColors: 'active' });
  const ids = await someone.receive(...SOME);
  const page = await someone.open();
  await shows(page, ids);
  await opener(page, ids.at(-1)).click();
  await isUsable(page, 'forced colours');
  await page.emulateMedia({ media: 'print', forcedColors: 'none' });
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(await width(page), 0);
  assert.equal(await page.locator('#list > li:visible').count(), ids.length);
  assert.ok(await page.getByRole('button', { name: 'Sign out' }).isHidden());
  const [row, details] = await Promise.all([card(page, ids.at(-1)).locator('.row'), card(page, ids.at(-1)).locator('.details')].map((one) => one.boundingBox()));
  assert.ok(details.y >= row.y + row.height, 'the details are below their row');
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  await someone.leave();
});
