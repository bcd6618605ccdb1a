// The picture of the page in the README: signals of the market simulator, one of them opened.

import { Market } from './stage/programs.mjs';
import { opener, shown, Stage } from './stage/stage.mjs';
import { eventually } from './stage/wait.mjs';

const [path] = process.argv.slice(2);
const stage = await Stage.start();
const market = await Market.start();
try {
  const someone = await stage.subscriber({ viewport: { width: 1280, height: 720 } });
  await stage.sql(`INSERT INTO user_subscriptions (user_id, tier) VALUES ('${someone.userId}', 'MAX')`);
  const page = await someone.open();
  await stage.sql(`ALTER SYSTEM SET signal_hub.exchange_url = '${market.url}'`);
  await stage.sql('ALTER SYSTEM SET signal_hub.enabled = on');
  await stage.sql('SELECT pg_reload_conf()');
  const ids = await eventually('signals', async () => {
    const all = await shown(page);
    return all.length >= 5 && all;
  }, 60_000);
  await opener(page, ids.at(-1)).click();
  await eventually('running', async () => (await page.locator('#generator-state').innerText()) === 'running');
  await eventually('prices of now', async () => stage.sql('SELECT count(*) FROM signal_prices').then((count) => Number(count) > 0));
  await page.waitForTimeout(3_000);
  await page.screenshot({ path, type: 'jpeg', quality: 85 });
} finally {
  await market.stop();
  await stage.stop();
}
