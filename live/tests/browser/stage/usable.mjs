// Whether a page can be read and reached, and pictures of it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { source: axe } = createRequire(import.meta.url)('axe-core');

/** Leaves a picture in the folder SCREENSHOTS, if that is set. */
export async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** Fails for whatever axe finds: contrast, names, roles, landmarks, headings and more. */
export async function isUsable(page, what) {
  // Colours that are still changing must not be judged. On a card outside of the window they stand still, so this waits no longer
  // than the longest animation takes.
  await page.evaluate(() => Promise.race([
    Promise.allSettled(document.getAnimations().map((animation) => animation.finished)),
    new Promise((resolve) => { setTimeout(resolve, 2_000); }),
  ]));
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`), [], what);
}

/** Whether nothing is wider than the window. */
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
