// How the page looks, and how it is used without a mouse or without seeing it.
// With SCREENSHOTS set to a folder, pictures of what is checked are left there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, lost, opener, shows } from './stage/stage.mjs';
import { fits, isUsable, picture } from './stage/usable.mjs';
import { eventually } from './stage/wait.mjs';

const SIGNALS = [
  { symbol: "'DOGEUSDT'", entry_price: '0.16234', stop_loss: '0.15990', take_profit: "'{0.16477,0.16721,0.17046}'", expires_at: "now() - interval '1 hour'" },
  { symbol: "'BTCUSDT'", entry_price: '67998.42', stop_loss: '66978.44', take_profit: "'{69018.40,70038.37,71398.34}'", confidence: '95' },
  { symbol: "'BNBUSDT'", signal_type: "'SHORT'", entry_price: '502.42', stop_loss: '509.96', take_profit: "'{494.88,487.35,477.30}'", confidence: '76.20' },
  { symbol: "'SOLUSDT'", tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' },
  {},
];

for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }], ['small phone', { width: 320, height: 568 }], ['phone on its side', { width: 844, height: 390 }]]) {
  for (const colorScheme of ['light', 'dark']) {
    const name = `${device} ${colorScheme}`;
    test(`${name}: everything fits, and can be read and reached`, async () => {
      const someone = await stage.subscriber({ viewport, colorScheme });
      const form = await someone.openAnother();
      await isUsable(form, 'the form');
      assert.ok(await fits(form), 'the form');
      await picture(form, `${name} form`);
      const page = await someone.open();
      await isUsable(page, 'without a signal');
      await picture(page, `${name} empty`);
      const ids = await someone.receive(...SIGNALS);
      await shows(page, ids);
      await picture(page, name);
      await opener(page, ids.at(-1)).click();
      await opener(page, ids.at(0)).click();
      await card(page, ids.at(-1)).scrollIntoViewIfNeeded();
      await isUsable(page, 'the list');
      assert.ok(await fits(page), 'the list');
      for (const id of ids) {
        const wide = await card(page, id).locator('*').evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().right > innerWidth).length);
        assert.equal(wide, 0, `parts of signal ${id} are outside`);
      }
      await picture(page, `${name} opened`);
      stage.gateway.cut();
      await lost(page);
      await eventually('the reason', async () => /attempt/.test(await page.locator('#status').innerText()));
      await page.evaluate(() => scrollTo(0, 0));
      await isUsable(page, 'without a connection');
      assert.ok(await fits(page), 'without a connection');
      await picture(page, `${name} lost`);
      await someone.leave();
    });
  }
}

test('a phone that is turned has nothing outside of its window', async () => {
  const [upright, turned] = [{ width: 390, height: 844 }, { width: 844, height: 390 }];
  const someone = await stage.subscriber({ viewport: upright });
  const ids = await someone.receive(...Array.from({ length: 30 }, () => ({})));
  const page = await someone.open();
  await shows(page, [...ids].sort((a, b) => a - b));
  for (const viewport of [turned, upright, turned, upright]) {
    await page.setViewportSize(viewport);
    // Each card is drawn once, and its size remembered.
    for (const id of [ids.at(-1), ids[15], ids[0]]) {
      await card(page, id).scrollIntoViewIfNeeded();
      await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
    }
    assert.ok(await fits(page), `${viewport.width} px: ${await page.evaluate(() => document.documentElement.scrollWidth)} px wide`);
  }
  await someone.leave();
});

test('a tablet has its views in one line, room for the search, and whole prices', async () => {
  const someone = await stage.subscriber({ viewport: { width: 768, height: 1024 } });
  const page = await someone.open();
  const [id] = await someone.receive({ symbol: "'BTCUSDT'", entry_price: '62987.08', stop_loss: '61931.89', take_profit: "'{63042.27,64097.47,65837.73}'" });
  const [withheld] = await someone.receive({ tier: "'FREE'", full_details: 'false', entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL' });
  await shows(page, [id, withheld]);
  await stage.sql("INSERT INTO signal_prices VALUES ('BTCUSDT', 60488.52000000, 1.5, clock_timestamp(), clock_timestamp())");
  const now = card(page, id).locator('.outcome .now');
  await eventually('the price', async () => (await now.innerText()).startsWith('60488.52, -3.97 %'));
  for (const width of [768, 820, 950]) {
    await page.setViewportSize({ width, height: 1024 });
    const right = (locator) => locator.evaluate((one) => one.getBoundingClientRect().right);
    assert.ok(await right(now) <= await right(card(page, id).locator('.row .outcome')), `${width} px: the price is cut`);
    assert.ok(await card(page, withheld).locator('.withheld').evaluate((one) => one.scrollHeight <= one.clientHeight), `${width} px: why there are no prices`);
    const tops = await page.locator('#views a').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
    assert.equal(new Set(tops).size, 1, `${width} px: ${tops}`);
    assert.ok((await page.locator('#filter-q').boundingBox()).width > 120, `${width} px: the search`);
    assert.ok(await fits(page));
    await picture(page, `tablet ${width}`);
  }
  await stage.sql('DELETE FROM signal_prices');
  await someone.leave();
});

test('prices of 13 digits and more leave every label of the plot readable', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 844 } });
  const [large, small] = await someone.receive(
    { entry_price: '1234567890123.5', stop_loss: '1216049371771.6', take_profit: "'{1253086408475.3,1271604926827.2}'" },
    { signal_type: "'SHORT'", entry_price: '0.00000000123457', stop_loss: '0.00000000125308', take_profit: "'{0.00000000121605,0.00000000119753}'" },
  );
  const page = await someone.open();
  for (const id of [large, small]) {
    await opener(page, id).click();
    const overlaps = await card(page, id).locator('.plot g').evaluateAll((lines) => lines.flatMap((one) => {
      const boxes = [...one.querySelectorAll('text')].map((text) => text.getBoundingClientRect()).filter(({ width }) => width > 0);
      return boxes.slice(1).filter((box, i) => box.left < boxes[i].right).map(() => one.textContent);
    }));
    assert.deepEqual(overlaps, []);
  }
  const targets = await card(page, small).locator('.plot g.target').allTextContents();
  assert.ok(targets.length === 2 && targets.every((text) => /\+\d/.test(text)), String(targets));
  await someone.leave();
});

test('in forced colours the states can be seen, each in its shape', async () => {
  const someone = await stage.subscriber({ forcedColors: 'active' });
  const page = await someone.open();
  const dot = (id) => page.evaluate((name) => {
    const { backgroundColor, borderTopWidth, borderTopColor, borderRadius } = getComputedStyle(document.getElementById(name), '::before');
    return { backgroundColor, border: parseFloat(borderTopWidth) > 0 && borderTopColor, borderRadius };
  }, id);
  const ground = await page.evaluate(() => getComputedStyle(document.querySelector('.top')).backgroundColor);
  const alive = await dot('connection-phase');
  assert.notEqual(alive.backgroundColor, ground);
  stage.gateway.cut();
  await eventually('waiting', async () => (await page.locator('#connection').getAttribute('data-phase')) === 'waiting');
  const waiting = await dot('connection-phase');
  assert.notEqual(waiting.backgroundColor, ground);
  assert.notEqual(waiting.borderRadius, alive.borderRadius);
  const unknown = await dot('generator-state');
  assert.ok(unknown.border && unknown.border !== ground, 'the outline of a hollow one');
  stage.gateway.heal();
  await someone.leave();
});

test('the keyboard reaches and opens everything, and shows where it is', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, {});
  const page = await someone.open();
  await shows(page, ids);
  const focused = () => page.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { name: (document.activeElement.ariaLabel ?? document.activeElement.textContent).replace(/\s+/g, ' ').trim(), outline: `${outlineStyle} ${outlineWidth}`, top: document.activeElement.getBoundingClientRect().top };
  });
  const seen = [];
  for (let i = 0; i < 14; i += 1) {
    await page.keyboard.press('Tab');
    const { name, outline, top } = await focused();
    assert.equal(outline, 'solid 3px', name);
    assert.ok(top >= 0, `${name} is in view`);
    seen.push(name);
  }
  assert.deepEqual(seen.filter((name) => name !== 'Notify me').slice(0, 13), ['Skip to the signals', 'Signals', 'Track record', 'Settings', 'Sign out', 'Search', 'Symbol', 'Side', 'State', 'Outcome', 'Order', 'LONG AVAXUSDT', 'LONG AVAXUSDT']);
  await page.keyboard.press('Enter');
  await eventually('open', () => page.getByRole('button', { expanded: true }).isVisible());
  await page.keyboard.press(' ');
  await eventually('closed', async () => (await page.getByRole('button', { expanded: true }).count()) === 0);
  await someone.leave();
});

test('a screen reader hears of a new signal and of the connection, and of nothing that ticks', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openWithClock();
  assert.deepEqual(await Promise.all(['banner', 'main', 'contentinfo'].map((role) => page.getByRole(role).count())), [1, 1, 1]);
  await page.evaluate(() => {
    globalThis.heard = [];
    const regions = document.querySelectorAll('[aria-live], [role=status], [role=alert]');
    const observer = new MutationObserver((changes) => changes.forEach(({ target }) => globalThis.heard.push((target.nodeType === 3 ? target.parentNode : target).textContent)));
    regions.forEach((region) => observer.observe(region, { childList: true, characterData: true, subtree: true }));
  });
  const heard = () => page.evaluate(() => globalThis.heard);
  await someone.receive({});
  await eventually('the signal', async () => (await heard()).length > 0);
  await someone.receive({ symbol: "'SOLUSDT'", entry_price: 'NULL', take_profit: 'NULL', stop_loss: 'NULL', full_details: 'false' });
  await eventually('the second', async () => (await heard()).length > 1);
  stage.gateway.cut();
  await eventually('the loss', async () => (await heard()).includes('No connection'));
  await eventually('some seconds of waiting', async () => /in [3-9] s/.test(await page.locator('#connection-attempt').innerText()), 30_000);
  // From here on nothing comes by itself.
  await page.clock.pauseAt(Date.now() + 60_000);
  await eventually('it waits', () => page.getByRole('button', { name: 'Try now' }).isVisible());
  stage.gateway.heal();
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.clock.resume();
  await live(page);
  const all = await heard();
  assert.deepEqual(all.slice(0, 2), [
    'New signal: LONG AVAXUSDT, entry 26.73, stop 26.33, targets 27.13, 27.53, 28.07, strength of the move 20.6 of 100.',
    'New signal: LONG SOLUSDT, prices are withheld, strength of the move 20.6 of 100.',
  ]);
  assert.equal(all.at(-1), 'Live');
  assert.ok(all.slice(2).every((words) => ['Connecting', 'No connection', 'Live'].includes(words)), String(all));
  await someone.leave();
});

test('the same number of new signals is read aloud again', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  await page.evaluate(() => {
    globalThis.heard = [];
    const read = (changes) => globalThis.heard.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map((node) => node.textContent)));
    new MutationObserver(read).observe(document.getElementById('announcer'), { childList: true });
  });
  const ids = [];
  for (const heard of [['3 new signals.'], ['3 new signals.', '3 new signals.']]) {
    // All missed signals come at once.
    stage.gateway.cut();
    await lost(page);
    ids.push(...await someone.receive({}, {}, {}));
    stage.gateway.heal();
    await shows(page, ids, 40_000);
    assert.deepEqual(await page.evaluate(() => globalThis.heard), heard);
  }
  await someone.leave();
});

/** What Chromium gives to assistive technology: role, name and properties of everything that is not ignored. */
async function accessibilityTree(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  return nodes.filter(({ ignored }) => !ignored).map(({ role, name, properties = [] }) => ({
    role: role.value, name: name?.value ?? '', ...Object.fromEntries(properties.map((property) => [property.name, property.value.value])),
  }));
}

test('assistive technology is given names, roles, states and polite live regions', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive(SIGNALS[3], {});
  const page = await someone.open();
  await shows(page, ids);
  await opener(page, ids[1]).click();
  await eventually('open', () => page.getByRole('img').isVisible());
  const tree = await accessibilityTree(page);
  const find = (role, name) => tree.filter((node) => node.role === role && (name === undefined || name.test(node.name)));
  assert.equal(find('link', /^Skip to the signals$/).length, 1);
  assert.deepEqual(['banner', 'main', 'contentinfo'].map((role) => find(role).length), [1, 1, 1]);
  assert.deepEqual(['State', 'Signals, the newest first'].map((name) => find('region', new RegExp(`^${name}$`)).length), [1, 1]);
  assert.deepEqual(find('button', /USDT$/).map(({ name, expanded }) => `${name} ${expanded}`), ['LONG AVAXUSDT true', 'LONG SOLUSDT false']);
  assert.deepEqual(find('article').map(({ name }) => name), ['LONG AVAXUSDT', 'LONG SOLUSDT']);
  assert.equal(find('listitem').length, 2);
  assert.match(find('image')[0].name, /^Price levels from high to low: Target 3 28.07, /);
  assert.equal(find('status')[0].live, 'polite');
  assert.deepEqual(tree.filter(({ role, focusable, name }) => focusable && name === '' && role !== 'main'), [], 'all that takes the focus has a name');
  // Announcements of new signals are invisible, and read aloud without interrupting.
  await someone.receive({ symbol: "'XRPUSDT'" });
  await eventually('it is announced', async () => (await accessibilityTree(page)).some(({ name, live }) => /^New signal: LONG XRPUSDT/.test(name) && (live ?? 'polite') === 'polite'));
  assert.ok((await accessibilityTree(page)).every(({ live }) => live !== 'assertive'));
  await someone.leave();
});
