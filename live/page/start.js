// What a page of somebody who is signed in does first, in a small script of its own: it takes the lead among
// the tabs if it can, and asks for the stream, while the browser still loads the rest of the page.

import { Api } from './api.js';
import { Cache } from './cache.js';
import { ledLast, takeAtOnce } from './lock.js';
import { Session, storage } from './session.js';
import { unsettled } from './store.js';

/**
 * What was begun, for the subscriber of a token.
 * @typedef {object} Begun
 * @property {string} token
 * @property {object} state the last known state, see store.js
 * @property {Promise<{release: () => void, ended: Promise<void>} | null>} lock see lock.js
 * @property {AbortController} attempt ends the request
 * @property {Promise<{reader: ReadableStreamDefaultReader, first: Promise<object>} | null>} stream from the resume point of
 * the state, with its first piece; null without the lock, or when the token was not accepted
 */

/** This long after a load, newer files are asked for: whatever of the page failed, this script has run. */
const RENEW_AFTER = 5_000;

/** Files that do not start, of a version with a fault, are replaced as soon as there are others. */
function mend(workers) {
  if (!workers) return;
  setTimeout(() => workers.controller?.postMessage({ type: 'renew' }), RENEW_AFTER);
  workers.addEventListener('message', ({ data }) => {
    // The last statement of app.js sets it.
    if (data.type === 'renewed' && globalThis.signalHub === undefined) location.reload();
  });
}

mend(navigator.serviceWorker);

/** Whoever takes it over can ask for another token. */
function unlessRefused(error) {
  if (error.status === 401) return null;
  throw error;
}

function begin() {
  const { token, userId } = new Session(storage);
  // A token in the address may be of somebody else.
  if (userId === null || !navigator.locks || location.hash.includes('token=')) return null;
  const state = new Cache(storage, userId).read();
  if (state.watermark === null) return null;
  const attempt = new AbortController();
  const ask = async () => {
    const response = await new Api(token).stream(state.watermark, unsettled(state), attempt.signal);
    const reader = response.body.getReader();
    const first = reader.read();
    first.catch(() => {});
    return { reader, first };
  };
  const lock = takeAtOnce(userId);
  // A tab that led before it was loaded again mostly leads again, and need not wait for the browser's word.
  const early = ledLast(userId) ? ask() : null;
  // Whoever takes it over hears of a failure.
  early?.catch(() => {});
  const stream = lock.then((held) => {
    if (held !== null) return (early ?? ask()).catch(unlessRefused);
    attempt.abort();
    return null;
  });
  stream.catch(() => {});
  return { token, state, lock, attempt, stream };
}

let begun = begin();

/** Hands over what was begun, once; null when nothing was, or for another token. @returns {Begun | null} */
export function takeBegun(token) {
  const mine = begun;
  begun = null;
  if (mine === null || mine.token === token) return mine;
  mine.attempt.abort();
  mine.lock.then((held) => held?.release());
  return null;
}
