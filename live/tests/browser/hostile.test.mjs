import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live, shows } from './stage/stage.mjs';

test('a link to what is no signal does not hang the page', async () => {
  const someone = await stage.subscriber();
  const ids = await someone.receive({}, {});
  for (const name of ['constructor', '__proto__', 'toString', '999', '01', '']) {
    const page = await someone.open();
    await shows(page, ids);
    await page.goto('about:blank');
    await page.goto(`${stage.gateway.url}/#signal=${name}`);
    // Neither answers in time when the page is busy for ever.
    await live(page);
    await shows(page, ids);
    await page.close();
  }
  await someone.leave();
});

test('details of any form are shown or left out, and never empty the list', async () => {
  const someone = await stage.subscriber();
  const hostile = (json) => ({ metadata: `'${json}'` });
  const ids = await someone.receive(
    hostile('{"why": {"toString": 1}, "reason": {"toString": 1}, "changePercent": {"valueOf": 1, "toString": 1}}'),
    hostile('{"why": [{"toString": null}], "reason": ["entered"], "changePercent": [1]}'),
    hostile('["why"]'),
    hostile('null'),
    hostile('{"why": "<img src=x onerror=document.title=1>", "__proto__": {"viewed": true}}'),
    { symbol: `'<b onclick="x">'` },
    {},
  );
  const page = await someone.open();
  await shows(page, ids);
  for (const id of ids) await page.locator(`[data-signal-id="${id}"] button`).first().click();
  assert.equal(await page.locator('#list img, #list b').count(), 0);
  assert.ok((await page.locator('.why').allTextContents()).includes('<img src=x onerror=document.title=1>'));
  await someone.leave();
});
