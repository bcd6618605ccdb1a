// The operator's view: what the database knows of its generator, and what an operator does about it. A page
// of its own, so that those who look at signals load nothing of it.

import { Refused } from './api.js';
import { setAttribute, setText } from './dom.js';
import { setFormat } from './format.js';
import { deliveriesOf, healthOf, progressOf, runsOf, symbolsOf, uptimeOf } from './operator_parts.js';
import { Panel } from './panel.js';
import { recordOf } from './record.js';
import { readToken, takeTokenFromAddress } from './session.js';

const at = (id) => document.getElementById(id);
/** Kept for the tab, and no longer: it lets somebody act. */
const KEY = 'signal_hub.operator';
const LOOK_EVERY = 5_000;
/** A run waits for the exchange. */
const PATIENCE = 75_000;

class OperatorApi {
  #token;

  constructor(token) {
    this.#token = token;
  }

  look(signal) {
    return this.#ask('', { signal });
  }

  record(signal) {
    return this.#ask('/record', { signal });
  }

  /** An action, as POST with the token: no other site can make a browser send that. */
  act(action, body = {}) {
    return this.#ask(`/${action}`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  }

  async #ask(path, options) {
    const patience = AbortSignal.timeout(PATIENCE);
    const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
    const response = await fetch(`api/operator${path}`, { ...options, signal, cache: 'no-store', headers: { ...options.headers, Authorization: `Bearer ${this.#token}` } });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refused(response.status, answer.error ?? `status ${response.status}`);
    return answer;
  }
}

class Operation {
  #api = null;
  /** Who is signed in. */
  #token = null;
  /** The token of a link that the operator is asked about. */
  #offered = null;
  #seen = null;
  #gates = null;
  /** What is drawn of each part, as text. */
  #drawn = new Map();
  #look = new Panel({
    elements: { shown: document.createElement('div'), problem: at('seen-problem') },
    what: 'the state',
    every: LOOK_EVERY,
    read: (api, signal) => api.look(signal),
    draw: (seen) => this.#draw(seen),
    refused: (error) => this.#signOut(`The service refused the sign-in: ${error.message}.`),
  });

  #record = new Panel({
    elements: { shown: at('record-shown'), problem: at('record-problem') },
    what: 'the record',
    every: 60_000,
    read: (api, signal) => api.record(signal),
    draw: recordOf,
    refused: () => {},
  });

  start() {
    setFormat({ locale: '', timeZone: '' });
    at('sign-in').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#signIn(at('token').value.trim());
    });
    at('sign-out').addEventListener('click', () => this.#signOut(''));
    at('run').addEventListener('click', () => this.#act('run', {}, (run) => `${run.success ? 'Done' : 'Nothing was run'}: ${run.message}`));
    at('resume').addEventListener('click', () => this.#act('resume', {}, () => 'Runs go on.'));
    at('pause-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#act('pause', { reason: at('reason').value }, () => 'Paused.');
    });
    at('change').addEventListener('click', () => this.#signIn(this.#offered));
    at('stay').addEventListener('click', () => this.#offer(null));
    at('preview').addEventListener('click', () => this.#preview());
    addEventListener('hashchange', () => this.#takeLink());
    this.#show(this.#kept(), '');
    this.#takeLink();
  }

  /** Anybody can make a link that signs in as somebody else: nobody is replaced without being asked. */
  #takeLink() {
    const token = takeTokenFromAddress(location, history)?.trim() ?? null;
    if (token === null || token === this.#token) return;
    if (this.#token === null) this.#signIn(token);
    else this.#offer(token);
  }

  #offer(token) {
    this.#offered = token;
    setText(at('other-words'), token === null ? '' : `The link signs in as ${nameOf(token)}. You are signed in as ${nameOf(this.#token)}.`);
    at('other-sign-in').hidden = token === null;
  }

  #kept() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  #signIn(token) {
    at('token').value = '';
    try {
      sessionStorage.setItem(KEY, token);
    } catch {
      // It lasts until a reload.
    }
    this.#show(token, '');
  }

  #signOut(problem) {
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // Nothing was kept.
    }
    this.#show(null, problem);
  }

  #show(token, problem) {
    this.#token = token;
    this.#offer(null);
    this.#look.clear();
    this.#record.clear();
    this.#drawn.clear();
    [this.#seen, this.#gates] = [null, null];
    for (const part of ['health', 'runs', 'progress', 'deliveries', 'symbols', 'uptime']) at(part).replaceChildren();
    this.#api = token === null ? null : new OperatorApi(token);
    at('sign-in').hidden = token !== null;
    at('operation').hidden = token === null;
    at('account').hidden = token === null;
    setText(at('who'), token === null ? '' : roleOf(token));
    setText(at('problem'), problem);
    setText(at('done'), '');
    setText(at('preview-said'), '');
    if (token === null) return;
    this.#look.start(this.#api);
    this.#record.start(this.#api);
  }

  /** Draws the parts that have changed: tables that are read, or scrolled, stay. */
  #draw(seen) {
    this.#seen = seen;
    // Their ages change all the time, and are not shown.
    const { heartbeat_age, last_heartbeat, uptime, ...health } = seen.health;
    this.#part('health', { health, pause: seen.pause, clients: seen.clients, reach: seen.reach }, healthOf);
    this.#part('runs', seen.runs, runsOf);
    this.#part('progress', seen.progress, progressOf);
    this.#part('deliveries', seen.deliveries, deliveriesOf);
    this.#part('uptime', seen.uptime, uptimeOf);
    this.#part('symbols', [seen.symbols, this.#gates], ([symbols, gates]) => symbolsOf(symbols, gates));
    setAttribute(at('resume'), 'hidden', seen.pause === null);
    setAttribute(at('pause-part'), 'hidden', seen.pause !== null);
    return [];
  }

  #part(id, what, draw) {
    const text = JSON.stringify(what);
    if (this.#drawn.get(id) === text) return;
    this.#drawn.set(id, text);
    at(id).replaceChildren(...draw(what));
  }

  async #act(action, body, words) {
    await this.#do('done', async (api) => {
      setText(at('done'), words(await api.act(action, body)));
      at('reason').value = '';
      await this.#look.refresh();
    });
  }

  async #preview() {
    await this.#do('preview-said', async (api) => {
      this.#gates = await api.act('preview');
      setText(at('preview-said'), 'As of now, by the exchange.');
      if (this.#seen !== null) this.#draw(this.#seen);
    });
  }

  /** One action at a time; what it came to, or why not, is said. */
  async #do(said, work) {
    const api = this.#api;
    const buttons = ['run', 'pause', 'resume', 'preview'].map(at);
    buttons.forEach((button) => { button.disabled = true; });
    setText(at(said), 'Under way.');
    try {
      await work(api);
    } catch (error) {
      if (api === this.#api) setText(at(said), `Not done: ${error instanceof Refused ? error.message : 'the service cannot be reached'}.`);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }
}

/** The role that a token names, not verified. */
function roleOf(token) {
  try {
    return String(JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).role ?? '');
  } catch {
    return '';
  }
}

/** Whom a token names, not verified. */
function nameOf(token) {
  const name = readToken(token)?.name ?? 'nobody that can be read';
  const role = roleOf(token);
  return role === '' ? name : `${name} (${role})`;
}

new Operation().start();
