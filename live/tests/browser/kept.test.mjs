// The files that the browser keeps, while two versions of the service answer, or somebody in front of it does.

import assert from 'node:assert/strict';
import { createServer, request as ask } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { stage } from './stage/shared.mjs';
import { live } from './stage/stage.mjs';
import { eventually, stays } from './stage/wait.mjs';

/** In front of the service: what `change` makes of the answer for a path, null for the answer as it is. */
let change = () => null;
let front;
let url;
/** Paths that were asked for. */
let asked = [];

before(async () => {
  front = createServer((request, response) => {
    asked.push(request.url);
    const { accept = '*/*', 'if-none-match': known, ...headers } = request.headers;
    const changed = change(request.url);
    const options = { method: request.method, headers: { ...headers, accept, ...(known && changed === null && { 'if-none-match': known }) } };
    const onward = ask(`${stage.service.url}${request.url}`, options, (answer) => {
      if (changed === null) {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
        return;
      }
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => {
        const { etag, 'content-length': length, ...rest } = answer.headers;
        const made = changed({ body: Buffer.concat(parts).toString(), headers: rest });
        response.writeHead(made.status ?? 200, made.headers).end(made.body);
      });
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${front.address().port}`;
});
afterEach(() => { change = () => null; });
after(() => {
  front.close();
  front.closeAllConnections();
});

const isFile = (path) => path === '/' || /^\/[a-z-]+[\w-]*\.(js|css|html|svg|png|webmanifest)$/.test(path);
/** Another version of a text: its files say so, and name another set. */
const second = ({ body, headers }) => ({ headers: { ...headers, 'page-set': 'second' }, body: headers['content-type'].startsWith('image') ? body : `${body}${headers['content-type'].startsWith('text/html') ? '<!-- VERSION-TWO -->' : '/* VERSION-TWO */'}` });
/** Which of the kept files are of the second version. */
const seconds = (page) => page.evaluate(async () => {
  const set = await caches.open('signal_hub.shell');
  const texts = await Promise.all((await set.keys()).map(async ({ url: of }) => [new URL(of).pathname, (await (await set.match(of)).text()).includes('VERSION-TWO')]));
  return texts.filter(([path]) => ['/', '/start.js', '/app.js', '/style.css'].includes(path)).map(([path, isSecond]) => `${path} ${isSecond}`).sort().join();
});
const all = (isSecond) => ['/', '/app.js', '/start.js', '/style.css'].map((path) => `${path} ${isSecond}`).join();
const kept = (page, isSecond) => eventually(`kept: ${isSecond}`, async () => {
  const now = await seconds(page).catch(String);
  if (now !== all(isSecond)) throw new Error(now);
  return true;
}, 20_000);
const open = async (someone) => {
  const page = await someone.context.newPage();
  await page.goto(`${url}/#token=${someone.token}`);
  await live(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await kept(page, false);
  return page;
};
/** Until the worker has looked for newer files, and had the time to keep them. */
const looked = async (page) => {
  asked = [];
  await page.reload();
  await live(page);
  await eventually('it looks', () => asked.includes('/'), 20_000);
};

test('while two versions answer behind one address, no page is made of both; then the newer one is kept', async () => {
  const someone = await stage.subscriber();
  const page = await open(someone);
  change = (path) => (path === '/' || path === '/start.js' ? second : null);
  await looked(page);
  await stays('all of the first', async () => (await seconds(page)) === all(false), 2_000);
  change = (path) => (isFile(path) ? second : null);
  await looked(page);
  await kept(page, true);
  await someone.leave();
});

test('a form to sign in at a proxy, which answers with 200 or leads elsewhere, is not kept as the page', async () => {
  const someone = await stage.subscriber();
  const page = await open(someone);
  for (const form of [
    () => ({ headers: { 'content-type': 'text/html' }, body: 'VERSION-TWO: who are you?' }),
    () => ({ status: 302, headers: { location: '/elsewhere.html' }, body: '' }),
  ]) {
    change = (path) => (isFile(path) ? form : null);
    await looked(page);
    await stays('the page', async () => (await seconds(page)) === all(false), 2_000);
  }
  await someone.leave();
});

test('a kept page that does not start is replaced by itself', async () => {
  const someone = await stage.subscriber();
  const page = await open(someone);
  // Nothing is renewed before the page has failed.
  change = (path) => (path === '/' ? () => ({ status: 503, headers: {}, body: '' }) : null);
  await page.evaluate(async () => {
    const set = await caches.open('signal_hub.shell');
    const { headers, body } = await set.match('./');
    await set.put('./', new Response(body, { headers: { ...Object.fromEntries(headers), 'page-set': 'faulty' } }));
    await set.put('app.js', new Response('throw new Error("faulty")', { headers: { 'Content-Type': 'text/javascript' } }));
  });
  await page.reload();
  assert.equal(await page.evaluate(() => globalThis.signalHub), undefined);
  change = () => null;
  await live(page, 20_000);
  await kept(page, false);
  assert.deepEqual(someone.problems, ['Error: faulty']);
  await someone.context.close();
});

test('who may show the page in a frame is what the service says now, and what it said is renewed', async () => {
  const host = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(`<iframe src="${url}/" width="900" height="600"></iframe>`));
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
  const hostUrl = `http://127.0.0.1:${host.address().port}`;
  const someone = await stage.subscriber();
  const page = await open(someone);
  const around = await someone.context.newPage();
  const isShown = async () => {
    await around.goto(hostUrl);
    const frames = around.frames().slice(1);
    return frames.length === 1 && (await frames[0].locator('#sign-in').count()) === 1;
  };
  const policy = () => page.evaluate(async () => (await caches.match('./', { cacheName: 'signal_hub.shell' })).headers.get('content-security-policy'));
  assert.ok(!await isShown(), 'nobody may');
  for (const options of [['--embed-origin', hostUrl], []]) {
    await stage.service.end();
    await stage.service.begin(options);
    assert.equal(await isShown(), options.length > 0);
    await live(page, 40_000);
    const wanted = options.length > 0 ? `frame-ancestors ${hostUrl}` : "frame-ancestors 'none'";
    await eventually(wanted, async () => (await policy()).endsWith(wanted), 20_000);
    assert.ok(await page.locator('#renewed').isHidden(), 'the page is the same');
  }
  host.close();
  host.closeAllConnections();
  await someone.context.close();
});
