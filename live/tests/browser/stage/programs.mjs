// The programs under test: the live service and the market simulator.

import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended, eventually, freePort } from './wait.mjs';

const programs = process.env.PROGRAMS;
if (!programs) throw new Error('PROGRAMS must name the folder of signal_hub_live and market_simulator; see run');

/** A program that ends with this process. */
function start(name, args, environment) {
  const child = spawn('setpriv', ['--pdeathsig', 'SIGKILL', join(programs, name), ...args], {
    env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { child.log = (child.log + text).slice(-4_000); });
  return child;
}

export class Service {
  #folder = mkdtempSync(join(tmpdir(), 'signal_hub_live_'));
  #secret = randomBytes(32).toString('hex');
  #process;

  static async start(cluster) {
    const service = new Service();
    service.cluster = cluster;
    service.port = await freePort();
    writeFileSync(join(service.#folder, 'secret'), service.#secret);
    await service.begin();
    return service;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @param {string[]} more options of `serve` */
  async begin(more = []) {
    const options = ['serve', '--listen', `127.0.0.1:${this.port}`, '--jwt-secret-file', join(this.#folder, 'secret'), '--create-slot', ...more];
    this.#process = start('signal_hub_live', options, {
      DATABASE_URL: this.cluster.urlOf('signal_hub_live'),
      SIGNAL_HUB_LIVE_SUBSCRIBER_DATABASE_URL: this.cluster.urlOf('signal_hub_subscribers'),
    });
    await eventually('the service is well', async () => {
      if (this.#process.exitCode !== null) throw new Error(this.#process.log);
      return (await fetch(`${this.url}/healthz`)).ok;
    }).catch((error) => { throw new Error(`${error.message}\n${this.#process.log}`); });
  }

  /** @param {'SIGTERM' | 'SIGKILL'} signal */
  async end(signal = 'SIGTERM') {
    this.#process.kill(signal);
    await ended(this.#process);
  }

  async stop() {
    await this.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A token for a subscriber that expires after this many seconds; or one that names another role. */
  token(sub, seconds = 3_600, role = 'authenticated') {
    const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, role, exp: Math.floor(Date.now() / 1_000) + seconds })}`;
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`;
  }
}

export class Market {
  #process;

  static async start() {
    const market = new Market();
    market.#process = start('market_simulator', ['--volatility', '3'], {});
    market.url = await eventually('the market simulator listens', () => /listening on (\S+)/.exec(market.#process.log)?.[1]);
    return market;
  }

  async stop() {
    this.#process.kill();
    await ended(this.#process);
  }
}
