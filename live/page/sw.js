// Keeps the page's own files and serves them, so that the page opens at once, even
// without the service; and shows notifications, those of the page and those that come by
// Web Push while no page is open. Answers of /api/ are never kept here.
//
// Whether there is a newer set of files, which is used from the next load on, is looked for after each load
// and whenever the page asks.

/** Name of the set of kept files. */
const SET = 'signal_hub.shell';
/** What this browser's push subscription is known by, see push.js; it is needed while nobody is signed in. */
const PUSH_SET = 'signal_hub.push';
const ROOT = new URL('./', self.registration.scope);
/** The service names in every file the set that it belongs to. */
const NAME = 'Page-Set';
/** It says who may show the page in a frame, which changes without the files. */
const POLICY = 'Content-Security-Policy';
const FRAMES = ['iframe', 'frame', 'embed', 'object'];

/** Longest time for the service to answer that a subscription has moved, in ms. */
const MOVE_WITHIN = 10_000;

/** More new signals than this at once are one notification. */
const SINGLE = 3;

self.addEventListener('install', (event) => {
  // Browsers that know static routes fetch from the service and from the kept files without starting this worker.
  const routed = event.addRoutes?.([
    { condition: { urlPattern: { pathname: `${ROOT.pathname}api/*` } }, source: 'network' },
    ...FRAMES.map((requestDestination) => ({ condition: { requestDestination }, source: 'fetch-event' })),
    { condition: { urlPattern: { pathname: `${ROOT.pathname}*`, search: '' }, requestMethod: 'GET' }, source: { cacheName: SET } },
  ]).catch(() => {});
  event.waitUntil(Promise.all([fetchPage().then(fetchAll).then(keep), routed]).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { method, url, mode, destination } = event.request;
  if (method !== 'GET' || url.startsWith(`${ROOT}api/`)) return;
  const answer = FRAMES.includes(destination) ? framed(event.request) : file(event.request);
  event.respondWith(answer);
  // A page that does not start asks for nothing. Browsers with static routes come here for few: see start.js.
  if (mode === 'navigate') event.waitUntil(answer.then(announceRenewal));
});

const keptOf = (request) => caches.match(request, { cacheName: SET, ignoreSearch: true }).catch(() => undefined);

async function file(request) {
  return (await keptOf(request)) ?? fetch(request);
}

/** The kept page, with the present word on who may show it. */
async function framed(request) {
  const [kept, present] = await Promise.all([keptOf(request), fetch(request).catch(() => undefined)]);
  if (kept === undefined) return present ?? Response.error();
  if (!present?.headers.has(NAME)) return kept;
  const headers = new Headers(kept.headers);
  headers.set(POLICY, present.headers.get(POLICY) ?? '');
  return new Response(kept.body, { headers });
}

const fetchPage = () => fetchNew(ROOT.href);

/** The page and every file that it names, by address; the page last. */
async function fetchAll(page) {
  const set = page.headers.get(NAME);
  const names = (await page.clone().text()).matchAll(/ (?:href|src)="([^#"]+)"/g);
  const files = [...names].map(async ([, name]) => {
    const url = new URL(name, ROOT).href;
    return [url, await fetchNew(url, set)];
  });
  return [...await Promise.all(files), [ROOT.href, page]];
}

/** Only what the service serves has a set: no form to sign in, and no other page, of a proxy. */
async function fetchNew(url, set) {
  const response = await fetch(url, { cache: 'no-cache', redirect: 'error' });
  const its = response.headers.get(NAME);
  if (!response.ok || its === null || its !== (set ?? its)) throw new Error(`${url}: status ${response.status}, set ${its}, not ${set}`);
  return response;
}

/** The page is there when everything else is: what was interrupted is done again. */
async function keep(files) {
  await caches.delete(SET);
  const set = await caches.open(SET);
  const page = files.pop();
  await Promise.all(files.map((one) => set.put(...one)));
  await set.put(...page);
}

/** Fetches the set of the service if it is another; returns whether it was. */
async function renew() {
  const [kept, page] = await Promise.all([keptOf(ROOT.href), fetchPage()]);
  const isSame = (name) => kept?.headers.get(name) === page.headers.get(name);
  // The text, too: whatever became of what is kept, it is replaced.
  const isSameSet = isSame(NAME) && (await kept?.text()) === (await page.clone().text());
  if (isSameSet && isSame(POLICY)) return false;
  await keep(await fetchAll(page));
  return !isSameSet;
}

self.addEventListener('message', (event) => {
  if (event.data.type === 'signals') event.waitUntil(inTurn(() => notify(event.data.signals)));
  if (event.data.type === 'settled') event.waitUntil(inTurn(() => notifySettled(event.data.settled)));
  if (event.data.type === 'session') event.waitUntil(inTurn(() => notifySession(event.data.words)));
  if (event.data.type === 'renew') event.waitUntil(announceRenewal());
  if (event.data.type === 'signed') event.waitUntil(keepSigned(event.data.isSignedIn));
  if (event.data.type === 'push') event.waitUntil(keepPush(event.data.push));
});

self.addEventListener('push', (event) => event.waitUntil(inTurn(() => notifyPushed(event.data))));

// The browser or its push service replaced the subscription, or lost it.
self.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(movePush(event.newSubscription)));

// Twice a day where the browser has it: newer files, and a subscription that was lost while nothing was open.
self.addEventListener('periodicsync', (event) => event.waitUntil(Promise.all([announceRenewal(), checkPush()])));

async function keepPush(push) {
  const set = await caches.open(PUSH_SET);
  if (push === null) await set.delete('push');
  else await set.put('push', new Response(JSON.stringify(push)));
}

async function keptPush() {
  const kept = await caches.match('push', { cacheName: PUSH_SET });
  return kept === undefined ? null : kept.json();
}

async function checkPush() {
  const subscription = await self.registration.pushManager.getSubscription();
  await movePush(subscription);
}

/** One move after the other: the browser's word of a replaced subscription and its regular look can come together. */
function movePush(given) {
  return navigator.locks.request(PUSH_SET, () => move(given));
}

/** Puts a subscription, else a new one, in the place of the one that the service knows. The secret of that one proves that this is the same browser. */
async function move(given) {
  const kept = await keptPush();
  if (kept === null) return;
  const { user, key, endpoint, auth } = kept;
  const bytes = Uint8Array.from(atob(key.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const found = given ?? await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes });
  const subscription = found.toJSON();
  if (subscription.endpoint === endpoint) return;
  const body = JSON.stringify({ user, endpoint, auth, subscription });
  // The next move waits for this one.
  const signal = AbortSignal.timeout(MOVE_WITHIN);
  const response = await fetch(new URL('api/push/moved', ROOT), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body, signal });
  // Signed out meanwhile.
  if (await keptPush() === null) await found.unsubscribe();
  // Otherwise the page tells the service when it is opened.
  else if (response.ok) await keepPush({ user, key, endpoint: subscription.endpoint, auth: subscription.keys.auth });
}

async function announceRenewal() {
  // If the service is not reached, the page asks again later.
  if (!(await renew().catch(() => false))) return;
  for (const tab of await self.clients.matchAll({ type: 'window' })) tab.postMessage({ type: 'renewed' });
}

/** Each counts what is shown already. And a browser may forget a notification that it is about to show when it is asked
 * meanwhile which there are, so the page, which removes them, does so under the same lock: see notify.js. */
function inTurn(work) {
  return navigator.locks.request('signal_hub.notifications', work);
}

/** The page says whether somebody is signed in, for all its tabs: the form shows no signals. */
async function keepSigned(isSignedIn) {
  const set = await caches.open(PUSH_SET);
  if (isSignedIn) await set.delete('signed-out');
  else await set.put('signed-out', new Response(''));
}

/** Tabs that show signals, or the form to sign in; the operator's view is a page of its own. */
async function pages() {
  const tabs = await self.clients.matchAll({ type: 'window' });
  return tabs.filter(({ url }) => [ROOT.pathname, `${ROOT.pathname}index.html`].includes(new URL(url).pathname));
}

async function isInView() {
  if (await caches.match('signed-out', { cacheName: PUSH_SET }) !== undefined) return false;
  return (await pages()).some((tab) => tab.visibilityState === 'visible');
}

async function notifySettled(settled) {
  if (await isInView()) return;
  if (settled.length > SINGLE) await show(`${settled.length} signals were settled`, '', 'settled');
  else for (const { id, words } of settled) await show('Settled', words, `settled-${id}`, { id });
}

async function notifySession(words) {
  if (!await isInView()) await show('Sign-in', words, 'session');
}

async function notify(signals) {
  if (await isInView()) return;
  if (signals.length > SINGLE) {
    const ids = signals.map(({ signal_id }) => signal_id);
    await show(`${signals.length} new signals`, names(signals), 'signals', { count: signals.length, ids });
    return;
  }
  for (const signal of signals) await showOne(signal);
}

/** What came by Web Push. With what is shown already, a few signals are shown each, more are one notification.
 * A page that is open and not in view notifies, too, and sooner: what it told is not counted again. */
async function notifyPushed(data) {
  if (await isInView()) return;
  const { count, signals } = read(data);
  const ids = signals.map(({ signal_id }) => signal_id);
  const shown = (await self.registration.getNotifications()).filter(({ tag }) => tag === 'signals' || tag.startsWith('signal-'));
  const same = shown.find((notification) => ids.length > 0 && notification.data.ids?.includes(ids[0]));
  if (same !== undefined) {
    await show(same.title, same.body, same.tag, same.data);
    return;
  }
  const others = shown.filter((notification) => !ids.includes(notification.data.id));
  const total = others.reduce((sum, { data: { count: of = 1 } }) => sum + of, count);
  if (total <= SINGLE && count === signals.length) {
    for (const signal of signals.toReversed()) await showOne(signal);
    return;
  }
  const text = count > signals.length && signals.length > 0 ? `${names(signals)} and others` : names(signals);
  await show(total === 1 ? 'A new signal' : `${total} new signals`, text, 'signals', { count: total, ids });
  for (const notification of shown) if (notification.tag !== 'signals') notification.close();
}

/** A browser wants something to be shown for each message, also for one of another version. */
function read(data) {
  try {
    const { count, signals } = data.json();
    if (Number.isInteger(count) && Array.isArray(signals)) return { count, signals };
  } catch {
    // It is no message of the service.
  }
  return { count: 1, signals: [] };
}

function names(signals) {
  return signals.map(({ signal_type, symbol }) => `${signal_type} ${symbol}`).join(', ');
}

function showOne(signal) {
  const id = signal.signal_id;
  return show(`${signal.signal_type} ${signal.symbol}`, body(signal), `signal-${id}`, { id, ids: [id] });
}

/** `data`: the signal to open, if it is about one; how many it is about; and which of them. */
function show(title, text, tag, data = {}) {
  return self.registration.showNotification(title, { body: text, tag, icon: 'icon.svg', data: { id: null, ...data } });
}

function body(signal) {
  const { entry_price, stop_loss, take_profit, confidence } = signal;
  const since = openSince(signal);
  const late = since === null ? '' : `It came late: open since ${since}. `;
  const prices = entry_price === null
    ? 'Prices are withheld.'
    : `Entry ${entry_price}, stop ${stop_loss}, targets ${take_profit.join(', ')}.`;
  return `${late}${prices} Strength of the move ${Math.round(Number(confidence))} of 100.`;
}

/** Since when a signal was open that came late, in the browser's own words for a time; null for others. */
function openSince({ metadata }) {
  const since = new Date(metadata?.late === true ? metadata.openSince : NaN);
  return Number.isNaN(since.getTime()) ? null : since.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openSignal(event.notification.data.id));
});

/** Shows the signal in a tab that is brought to the front, or in a new one. */
async function openSignal(id) {
  const [tab] = await pages();
  if (!tab) {
    await self.clients.openWindow(id === null ? './' : `./#signal=${id}`);
    return;
  }
  await tab.focus();
  if (id !== null) tab.postMessage({ type: 'open', id });
}
