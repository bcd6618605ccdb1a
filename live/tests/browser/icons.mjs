// Draws the icons of the manifest from icon.svg: node icons.mjs, with CHROMIUM set; see run.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const folder = fileURLToPath(new URL('../../page/', import.meta.url));
const svg = readFileSync(`${folder}icon.svg`, 'utf8');
const source = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
const page = await browser.newPage();

/** A device may cut a maskable icon down to a circle of 80 %, so its ground goes to the edges. */
for (const [name, size, isMaskable] of [['icon-192', 192, false], ['icon-512', 512, false], ['icon-maskable-192', 192, true]]) {
  await page.setViewportSize({ width: size, height: size });
  const width = isMaskable ? Math.round(size * 0.8) : size;
  await page.setContent(`<body style="margin:0;display:grid;place-items:center;height:100vh;background:${isMaskable ? '#14181d' : 'transparent'}">
    <img src="${source}" width="${width}" height="${width}">`);
  await page.locator('img').evaluate((image) => image.decode());
  await page.screenshot({ path: `${folder}${name}.png`, omitBackground: true });
}
await browser.close();
