// Everything a test of the page needs: database, service, gateway and browser.

import { randomUUID } from 'node:crypto';
import { chromium } from 'playwright-core';
import { Cluster } from './cluster.mjs';
import { Gateway } from './gateway.mjs';
import { Service } from './programs.mjs';
import { Tab } from './tab.mjs';
import { eventually, SOON } from './wait.mjs';

const quoted = (value) => `'${String(value).replaceAll("'", "''")}'`;

/** A row of user_signals; the given columns replace the usual ones. */
export function delivery(userId, row = {}) {
  const { why, ...rest } = row;
  const values = {
    // Outcomes stay when a signal is deleted, or was made by a run.
    signal_id: '(SELECT greatest((SELECT max(signal_id) FROM user_signals), (SELECT max(signal_id) FROM signal_outcomes), 0) + 1)',
    tier: "'MAX'", symbol: "'AVAXUSDT'", signal_type: "'LONG'", confidence: '20.62', quality_score: '71.35',
    entry_price: '26.73', take_profit: "'{27.13,27.53,28.07}'", stop_loss: '26.33',
    expires_at: "now() + interval '4 hours'", full_details: 'true',
    metadata: `jsonb_build_object('generatedBy', 'signal_hub', 'reason', 'entered', 'changePercent', 2.062, 'why', ${quoted(why ?? 'the change of 2.062 % is above 2 %')})`,
    ...rest,
  };
  return `INSERT INTO user_signals (user_id, ${Object.keys(values)}) VALUES (${quoted(userId)}, ${Object.values(values)})`;
}

export class Stage {
  static async start() {
    const stage = new Stage();
    try {
      await stage.#make();
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  async #make() {
    const browser = chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: ['--disable-gpu', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
    }).then((launched) => { this.browser = launched; });
    this.cluster = await Cluster.start();
    this.service = await Service.start(this.cluster);
    this.gateway = await Gateway.start(this.service);
    await browser;
  }

  async stop() {
    await this.browser?.close();
    await this.gateway?.stop();
    await this.service?.stop();
    await this.cluster?.stop();
  }

  /** A new subscriber with a new browser profile. */
  async subscriber(options = {}) {
    const context = await this.browser.newContext({ locale: 'en-US', ...options });
    return new Subscriber(this, randomUUID(), context);
  }

  /** After each test, even a failed one: closes all profiles, and lets the network work again. */
  async tidy() {
    await Promise.all([Tab.closeAll(), ...this.browser.contexts().map((context) => context.close())]);
    this.gateway.reset();
  }

  sql(text) {
    return this.cluster.sql(text);
  }
}

export class Subscriber {
  constructor(stage, userId, context) {
    this.stage = stage;
    this.userId = userId;
    this.context = context;
    this.problems = [];
    // Failed requests are reported there as well, and some tests cause them.
    context.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.problems.push(message.text());
    });
    context.on('weberror', (error) => this.problems.push(String(error.error())));
  }

  get token() {
    return this.stage.service.token(this.userId);
  }

  /** Commits rows for this subscriber, one transaction each; returns their numbers. */
  async receive(...rows) {
    const inserts = rows.map((row) => `${delivery(this.userId, row)} RETURNING signal_id;`);
    const ids = [];
    for (const insert of inserts) ids.push(Number(await this.stage.sql(insert)));
    return ids;
  }

  /**
   * The page in a new tab, signed in and live.
   * @param {(page: import('playwright-core').Page) => Promise<void>} prepare before anything is loaded
   */
  async open(prepare = async () => {}) {
    const page = await this.context.newPage();
    await prepare(page);
    await page.goto(`${this.stage.gateway.url}/#token=${this.token}`);
    await live(page);
    return page;
  }

  /** A further tab, signed in by the stored token of the first one. */
  async openAnother() {
    const page = await this.context.newPage();
    await page.goto(this.stage.gateway.url);
    return page;
  }

  /** Opens a link that signs in as another subscriber in a tab that is signed in, and agrees. */
  async change(page, other) {
    await page.goto(`${this.stage.gateway.url}/#token=${other.token}`);
    await page.getByRole('button', { name: 'Sign in as the other' }).click();
  }

  /** The same with a clock that the test can advance. */
  openWithClock() {
    return this.open((page) => page.clock.install());
  }

  row(id, columns) {
    return this.stage.sql(`SELECT ${columns} FROM user_signals WHERE user_id = '${this.userId}' AND signal_id = ${id}`);
  }

  /** Closes the profile; fails when the page had errors of its own. */
  async leave() {
    await this.context.close();
    if (this.problems.length > 0) throw new Error(`errors in the page: ${this.problems.join('\n')}`);
  }
}

export const phase = (page) => page.locator('#connection').getAttribute('data-phase');
export const live = (page, within = SOON) => eventually('live', async () => (await phase(page)) === 'live', within);
export const lost = (page) => eventually('no connection', async () => (await phase(page)) !== 'live');
export const card = (page, id) => page.locator(`li[data-signal-id="${id}"]`);
/** Opens and closes the details of a card. */
export const opener = (page, id) => card(page, id).locator('h2').getByRole('button');

/** The text of a card, once the browser has painted it; before that it is empty. */
export const words = (page, id) => eventually(`card ${id} is painted`, () => card(page, id).innerText());

/** Numbers of the cards, from the top. */
export const shown = (page) => page.locator('#list > li').evaluateAll((items) => items.map((item) => Number(item.dataset.signalId)));

/** Waits until exactly these are shown, the newest first. */
export const shows = (page, ids, within) => {
  const wanted = ids.toSorted((a, b) => b - a).join();
  return eventually(`signals ${wanted}`, async () => {
    const now = (await shown(page)).join();
    if (now !== wanted) throw new Error(now);
    return true;
  }, within);
};
