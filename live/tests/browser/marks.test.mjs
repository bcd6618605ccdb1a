import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, lost, opener, shows } from './stage/stage.mjs';
import { eventually, stays } from './stage/wait.mjs';

/** Holds the requests that mark signals until they are released. */
async function holdMarks(page) {
  const marks = { count: 0 };
  const released = new Promise((resolve) => { marks.release = resolve; });
  await page.route(/\/api\/signals\/\d+$/, async (route) => {
    marks.count += 1;
    await released;
    await route.continue();
  });
  return marks;
}

const MARKS = 'viewed, clicked, viewed_at IS NOT NULL, clicked_at IS NOT NULL';

test('a card that was in view for a second is viewed, one below the window is not', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  const ids = await someone.receive(...Array.from({ length: 6 }, () => ({})));
  const [oldest, newest] = [ids[0], ids.at(-1)];
  const page = await someone.open((opened) => opened.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.querySelector('#list > li') === null) return;
      globalThis.shownAt = performance.now();
      globalThis.titleThen = document.title;
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  }));
  await shows(page, ids);
  assert.equal(await page.evaluate(() => globalThis.titleThen), '(6) Signals');
  await eventually('viewed', async () => (await someone.row(newest, MARKS)) === 't|f|t|f');
  const after = await eventually('its request has ended', () => page.evaluate((id) => {
    const request = performance.getEntriesByType('resource').find(({ name }) => name.endsWith(`/api/signals/${id}`));
    return request && request.startTime - globalThis.shownAt;
  }, newest));
  assert.ok(after > 990, `viewed after ${after} ms, not before a second has passed`);
  await eventually('no longer new', () => card(page, newest).getByText('new', { exact: true }).isHidden());
  await stays('not viewed', async () => (await someone.row(oldest, 'viewed')) === 'f', 1_500);
  assert.ok(await card(page, oldest).getByText('new', { exact: true }).isVisible());
  await card(page, oldest).scrollIntoViewIfNeeded();
  await eventually('viewed', async () => (await someone.row(oldest, 'viewed')) === 't');
  await someone.leave();
});

test('a card that is opened counts as clicked, and stays open while others come', async () => {
  const someone = await stage.subscriber();
  const page = await someone.open();
  const [id] = await someone.receive({});
  await opener(page, id).click();
  await eventually('clicked', async () => (await someone.row(id, MARKS)) === 't|t|t|t');
  const [other] = await someone.receive({});
  await shows(page, [id, other]);
  assert.equal(await opener(page, id).getAttribute('aria-expanded'), 'true');
  assert.ok(await opener(page, id).evaluate((button) => button === document.activeElement), 'the focus stays');
  assert.equal(await someone.row(other, 'clicked'), 'f');
  await someone.leave();
});

test('what was viewed on another device is not new here', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  const ids = await someone.receive(...Array.from({ length: 6 }, () => ({})));
  const page = await someone.open();
  assert.ok(await card(page, ids[0]).getByText('new', { exact: true }).isVisible());
  await stage.sql(`UPDATE user_signals SET viewed = true WHERE user_id = '${someone.userId}' AND signal_id = ${ids[0]}`);
  await eventually('no longer new', () => card(page, ids[0]).getByText('new', { exact: true }).isHidden());
  await someone.leave();
});

test('a mark made without a connection is saved when there is one, even after a reload', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  const ids = await someone.receive(...Array.from({ length: 6 }, () => ({})));
  const page = await someone.open();
  await shows(page, ids);
  await page.evaluate(() => navigator.serviceWorker.ready);
  stage.gateway.cut();
  await lost(page);
  await opener(page, ids[0]).click();
  await page.reload();
  assert.equal(await someone.row(ids[0], 'clicked'), 'f');
  stage.gateway.heal();
  await live(page, 40_000);
  await eventually('saved', async () => (await someone.row(ids[0], MARKS)) === 't|t|t|t');
  await someone.leave();
});

test('the mark of a deleted row is given up, and others are still saved', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  const ids = await someone.receive(...Array.from({ length: 6 }, () => ({})));
  const page = await someone.open();
  await shows(page, ids);
  await stage.sql(`DELETE FROM user_signals WHERE user_id = '${someone.userId}' AND signal_id = ${ids[1]}`);
  await opener(page, ids[1]).click();
  await opener(page, ids[0]).click();
  await eventually('the other is saved', async () => (await someone.row(ids[0], 'clicked')) === 't');
  await someone.leave();
});

test('marks under way at a sign-out bring nothing back', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, {});
  const page = await someone.open();
  await shows(page, ids);
  const marks = await holdMarks(page);
  for (const id of ids) await opener(page, id).click();
  await eventually('one is on its way', () => marks.count === 1);
  await page.getByRole('button', { name: 'Sign out' }).click();
  const saved = page.waitForResponse(/\/api\/signals\/\d+$/);
  marks.release();
  await (await saved).finished();
  await stays('nothing of them', async () => {
    const kept = await page.evaluate(() => Object.keys(localStorage).length);
    return kept === 0 && (await page.locator('#list > li').count()) === 0;
  }, 1_000);
  assert.equal(await page.locator('#problem').textContent(), '');
  assert.equal(marks.count, 1);
  await someone.leave();
});

test('marks of one subscriber are not made for the next one in the same tab', async () => {
  const [first, second] = [await stage.subscriber(), await stage.subscriber()];
  const ids = await first.receive({}, {});
  // A signal has the same number for every subscriber.
  await second.receive(...ids.map((signal_id) => ({ signal_id })));
  const page = await first.open();
  await shows(page, ids);
  const marks = await holdMarks(page);
  for (const id of ids) await opener(page, id).click();
  await eventually('one is on its way', () => marks.count === 1);
  await first.change(page, second);
  await shows(page, ids);
  marks.release();
  // Marks are saved one after the other, so those of the second subscriber come last.
  await eventually('the second looked at theirs', async () => (await stage.sql(`SELECT bool_and(viewed) FROM user_signals WHERE user_id = '${second.userId}'`)) === 't');
  assert.equal(await stage.sql(`SELECT bool_or(clicked) FROM user_signals WHERE user_id = '${second.userId}'`), 'f');
  await Promise.all([first.leave(), second.leave()]);
});
