import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { card, live, lost, shows } from './stage/stage.mjs';
import { eventually, stays } from './stage/wait.mjs';

const kept = (page) => page.evaluate(() => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }));

test('the token of a link signs in, leaves the address bar, and is never in an address sent to the service', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({});
  const page = await someone.open();
  assert.equal(page.url(), `${stage.gateway.url}/`);
  await shows(page, ids);
  await page.goto('about:blank');
  await page.goBack();
  await live(page);
  assert.equal(page.url(), `${stage.gateway.url}/`, 'nor is it in the history');
  assert.equal(stage.gateway.count(/eyJ/), 0);
  await someone.leave();
});

test('a token can be pasted; anything else is refused in words', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({});
  const page = await someone.openAnother();
  await page.getByLabel('Token').fill('open sesame');
  await page.keyboard.press('Enter');
  await eventually('a refusal', async () => /not a token/.test(await page.getByRole('alert').textContent()));
  await page.getByLabel('Token').fill(` ${someone.token}\n`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await live(page);
  await shows(page, ids);
  await page.reload();
  await live(page);
  await someone.leave();
});

test('an expired token and one that somebody else signed lead back to the form', async () => {
  const someone = await stage.subscriber();
  const page = await someone.openAnother();
  for (const token of [stage.service.token(someone.userId, -3_600), someone.token.replace(/\.[^.]*$/, '.AAAA')]) {
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await eventually('a refusal', async () => /refused the sign-in/.test(await page.getByRole('alert').textContent()));
    assert.ok(!(await kept(page)).includes(token));
  }
  await someone.leave();
});

test('a token that expires while the page is open leads to the form, and nothing stays', async () => {
  const someone = await stage.subscriber();
  await someone.receive({});
  const page = await someone.openAnother();
  // The service grants 30 s for clocks that differ.
  await page.getByLabel('Token').fill(stage.service.token(someone.userId, -18));
  await page.keyboard.press('Enter');
  await live(page);
  await eventually('the form', () => page.getByLabel('Token').isVisible(), 30_000);
  assert.equal(await page.locator('#list > li').count(), 0);
  assert.equal(await kept(page), '{}{}');
  await someone.leave();
});

test('signing out clears everything, in every tab', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, {});
  const [one, other] = [await someone.open(), await someone.openAnother()];
  await shows(one, ids);
  await shows(other, ids);
  assert.ok((await kept(other)).includes('signal_hub.token'));
  await other.getByRole('button', { name: 'Sign out' }).click();
  for (const page of [one, other]) {
    await eventually('the form', () => page.getByLabel('Token').isVisible());
    assert.equal(await page.locator('#list > li').count(), 0);
    assert.equal(await page.title(), 'Signals');
    await eventually('empty storage', async () => (await kept(page)) === '{}{}');
  }
  await one.reload();
  assert.ok(await one.getByLabel('Token').isVisible());
  await someone.leave();
});

test('signing out ends a sign-in that another tab shows in its first moment', async () => {
  const someone = await stage.subscriber({ viewport: { width: 390, height: 500 } });
  await someone.receive(...Array.from({ length: 6 }, () => ({})));
  const page = await someone.openAnother();
  await page.evaluate((token) => {
    document.getElementById('token').value = token;
    document.getElementById('sign-in').requestSubmit();
    // As when a person returns from the place where the token was.
    document.dispatchEvent(new Event('visibilitychange'));
  }, someone.token);
  await eventually('signals that nobody viewed', async () => /^\(\d\) Signals$/.test(await page.title()));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await stays('nothing of them', async () => (await page.title()) === 'Signals', 2_500);
  await someone.leave();
});

test('a subscriber sees only their own signals, also in a browser that another one used', async () => {
  const first = await stage.subscriber();
  const second = await stage.subscriber();
  const [[ofFirst], [ofSecond]] = [await first.receive({ symbol: "'BTCUSDT'" }), await second.receive({ symbol: "'BNBUSDT'" })];
  const page = await first.open();
  await shows(page, [ofFirst]);
  await eventually('it is kept', async () => (await kept(page)).includes(`state.1.${first.userId}`));
  await first.change(page, second);
  await shows(page, [ofSecond]);
  assert.equal(await card(page, ofFirst).count(), 0);
  await eventually('what is kept is of the second', async () => (await kept(page)).includes(`state.1.${second.userId}`));
  assert.ok(!(await kept(page)).includes(`state.1.${first.userId}`), 'nothing of the first is kept');
  const [late] = await second.receive({});
  await first.receive({});
  await shows(page, [ofSecond, late]);
  await Promise.all([first.leave(), second.leave()]);
});

test('a link cannot sign anybody out, nor in as somebody else without being asked', async () => {
  const [first, second] = [await stage.subscriber(), await stage.subscriber()];
  const ids = await first.receive({});
  const [page, other] = [await first.open(), await first.openAnother()];
  await shows(page, ids);
  await live(other);
  assert.equal(await page.locator('#who').innerText(), first.userId);
  const question = page.locator('#other-sign-in');
  const expired = stage.service.token(second.userId, -3_600);
  const token = () => page.evaluate(() => localStorage['signal_hub.token']);
  const before = await token();
  for (const [useless, words] of [
    ['x', /no token of a subscriber/],
    [expired, /does not sign in: the token has expired/],
    [first.token.replace(/\.[^.]*$/, '.AAAA'), /does not sign in: the signature/],
  ]) {
    await page.goto(`${stage.gateway.url}/#token=${useless}`);
    await eventually('it is refused', async () => words.test(await question.innerText()));
    assert.ok(await page.getByRole('button', { name: 'Sign in as the other' }).isHidden());
    assert.equal(await token(), before, 'the session stays');
    await page.getByRole('button', { name: 'Close' }).click();
    await eventually('it is closed', () => question.isHidden());
  }
  await page.goto(`${stage.gateway.url}/#token=${second.token}`);
  await eventually('the question names both', async () => {
    const words = await question.innerText();
    return words.includes(first.userId) && words.includes(second.userId);
  });
  assert.equal(await token(), before);
  await page.getByRole('button', { name: 'Stay' }).click();
  for (const tab of [page, other]) await shows(tab, ids);
  assert.equal(await page.locator('#who').innerText(), first.userId);
  await first.change(page, second);
  await eventually('it is the second', async () => (await page.locator('#who').innerText()) === second.userId);
  await Promise.all([first.leave(), second.leave()]);
});

test('with storage forbidden the page still works as long as it is open', async () => {
  const someone = await stage.subscriber();
  await someone.context.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('forbidden', 'SecurityError'); } });
  });
  const page = await someone.open();
  const ids = await someone.receive({});
  await shows(page, ids);
  stage.gateway.cut();
  await lost(page);
  stage.gateway.heal();
  await live(page);
  await someone.leave();
});
