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
