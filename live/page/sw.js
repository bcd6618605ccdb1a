// Keeps the page's own files and serves them, so that it opens at once, and without
// the service too; and shows notifications. No answer of /api/ is ever kept here.
//
// The files are kept as one set, so that no page is made of two versions. The page
// asks now and then whether there is a newer one; it is used from the next load on.

/** Names of the kept sets begin so; the time they were fetched follows. */
const PREFIX = 'signal_hub.shell.';
const SHELL = [
  './', 'style.css', 'icon.svg',
  'api.js', 'app.js', 'backoff.js', 'cache.js', 'card.js', 'dom.js', 'leader.js', 'notify.js', 'plot.js',
  'seen.js', 'session.js', 'shell.js', 'sse.js', 'status.js', 'store.js', 'stream.js', 'time.js', 'view.js',
].map((path) => new URL(path, self.registration.scope).href);

/** More new signals than this at once are one notification. */
const SINGLE = 3;

/** The set in use, a Cache; null before there is one, and where storage is forbidden. */
let current = newest().catch(() => null);

self.addEventListener('install', (event) => {
  // Where the browser can be told so, the way of the stream does not lead through here.
  const api = new URL('api/', self.registration.scope).pathname;
  const routed = event.addRoutes?.({ condition: { urlPattern: { pathname: `${api}*` } }, source: 'network' });
  event.waitUntil(Promise.all([fetchAll().then(keep), routed]).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const url = event.request.url.split(/[?#]/)[0];
  if (event.request.method === 'GET' && SHELL.includes(url)) event.respondWith(file(url, event.request));
});

async function file(url, request) {
  const kept = await (await current)?.match(url);
  return kept ?? fetch(request);
}

async function newest() {
  const [name] = (await caches.keys()).filter((key) => key.startsWith(PREFIX)).sort().reverse();
  return name === undefined ? null : caches.open(name);
}

function fetchAll() {
  return Promise.all(SHELL.map(async (url) => {
    const response = await fetch(url, { cache: 'no-cache' });
    if (!response.ok) throw new Error(`${url}: status ${response.status}`);
    return response;
  }));
}

async function keep(responses) {
  const name = PREFIX + Date.now();
  const cache = await caches.open(name);
  await Promise.all(responses.map((response, i) => cache.put(SHELL[i], response)));
  current = Promise.resolve(cache);
  const old = (await caches.keys()).filter((key) => key.startsWith(PREFIX) && key !== name);
  await Promise.all(old.map((key) => caches.delete(key)));
}

/** Fetches a newer set, if there is one; says whether. */
async function renew() {
  const [cache, responses] = [await current, await fetchAll()];
  const same = await Promise.all(responses.map(async (response, i) => {
    const kept = await cache?.match(SHELL[i]);
    return kept !== undefined && (await kept.text()) === (await response.clone().text());
  }));
  if (same.every(Boolean)) return false;
  await keep(responses);
  return true;
}

self.addEventListener('message', (event) => {
  if (event.data.type === 'signals') event.waitUntil(notify(event.data.signals));
  if (event.data.type === 'renew') event.waitUntil(tellOfRenewal());
});

async function tellOfRenewal() {
  // Not reached: the page asks again.
  if (!(await renew().catch(() => false))) return;
  for (const tab of await self.clients.matchAll({ type: 'window' })) tab.postMessage({ type: 'renewed' });
}

async function notify(signals) {
  const tabs = await self.clients.matchAll({ type: 'window' });
  if (tabs.some((tab) => tab.visibilityState === 'visible')) return;
  if (signals.length > SINGLE) {
    await show(`${signals.length} new signals`, signals.map((signal) => `${signal.signal_type} ${signal.symbol}`).join(', '), 'signals', null);
    return;
  }
  for (const signal of signals) {
    await show(`${signal.signal_type} ${signal.symbol}`, body(signal), `signal-${signal.signal_id}`, signal.signal_id);
  }
}

function show(title, text, tag, id) {
  return self.registration.showNotification(title, { body: text, tag, icon: 'icon.svg', data: { id } });
}

function body({ entry_price, stop_loss, take_profit, confidence }) {
  const prices = entry_price === null
    ? 'Prices are withheld.'
    : `Entry ${entry_price}, stop ${stop_loss}, targets ${take_profit.join(', ')}.`;
  return `${prices} Strength of the move ${Math.round(Number(confidence))} of 100.`;
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(bring(event.notification.data.id));
});

/** Brings a tab to the front, or opens one, at the signal. */
async function bring(id) {
  const [tab] = await self.clients.matchAll({ type: 'window' });
  if (!tab) {
    await self.clients.openWindow(id === null ? './' : `./#signal=${id}`);
    return;
  }
  await tab.focus();
  if (id !== null) tab.postMessage({ type: 'open', id });
}
