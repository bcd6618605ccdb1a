// A private PostgreSQL with the extension, on loopback, that ends with the test.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ended, eventually, freePort } from './wait.mjs';

const run = promisify(execFile);
const bindir = execFileSync(process.env.PG_CONFIG ?? 'pg_config', ['--bindir'], { encoding: 'utf8' }).trim();

/** A server does not run as root: then it runs as postgres. */
const identity = process.getuid() === 0
  ? { uid: Number(execFileSync('id', ['-u', 'postgres'])), gid: Number(execFileSync('id', ['-g', 'postgres'])) }
  : {};

export class Cluster {
  #folder = mkdtempSync(join(tmpdir(), 'signal_hub_live_'));
  #server;

  static async start() {
    const cluster = new Cluster();
    try {
      await cluster.#make();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get url() {
    return this.urlOf('postgres');
  }

  /** The database for a login. */
  urlOf(login) {
    return `postgresql://${login}@127.0.0.1:${this.port}/postgres`;
  }

  async #make() {
    if (identity.uid !== undefined) chownSync(this.#folder, identity.uid, identity.gid);
    this.port = await freePort();
    this.data = join(this.#folder, 'data');
    await run(join(bindir, 'initdb'), ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], {
      ...identity, cwd: '/',
    });
    appendFileSync(join(this.data, 'postgresql.conf'), `
      port = ${this.port}
      listen_addresses = '127.0.0.1'
      unix_socket_directories = ''
      fsync = off
      shared_buffers = 16MB
      wal_level = logical
      shared_preload_libraries = 'signal_hub'
      signal_hub.enabled = off
      signal_hub.interval = '2s'
    `);
    await this.begin();
    await this.sql(`CREATE EXTENSION signal_hub; CREATE ROLE authenticated; SELECT enable_realtime(); SELECT grant_realtime_access();
      CREATE ROLE signal_hub_live LOGIN REPLICATION; GRANT authenticated, pg_monitor TO signal_hub_live;
      CREATE ROLE signal_hub_subscribers LOGIN NOINHERIT; GRANT authenticated TO signal_hub_subscribers`);
  }

  /** Starts the server; it ends when this process does, however that ends. */
  async begin() {
    this.#server = spawn('setpriv', ['--pdeathsig', 'SIGQUIT', join(bindir, 'postgres'), '-D', this.data], {
      ...identity, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    this.#server.stderr.on('data', (text) => { log = (log + text).slice(-4_000); });
    await eventually('the server takes connections', async () => {
      if (this.#server.exitCode !== null) throw new Error(log);
      return this.sql('SELECT 1');
    }).catch((error) => { throw new Error(`${error.message}\n${log}`); });
  }

  /** A fast shutdown, as an administrator does it. */
  async end() {
    this.#server.kill('SIGINT');
    await ended(this.#server);
  }

  async sql(text) {
    const { stdout } = await run(join(bindir, 'psql'), [this.url, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', text], { env: { PATH: process.env.PATH } });
    return stdout.trim();
  }

  /** A session that runs statements one after the other, as fast as they come. */
  session() {
    const session = spawn(join(bindir, 'psql'), [this.url, '-XAtq', '-v', 'ON_ERROR_STOP=1'], {
      env: { PATH: process.env.PATH }, stdio: ['pipe', 'ignore', 'inherit'],
    });
    return { run: (text) => session.stdin.write(`${text};\n`), close: () => { session.stdin.end(); return ended(session); } };
  }

  async stop() {
    if (this.#server) await this.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
