// Waiting for conditions, ports and programs.

import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longest wait for something that is quick; the machine may be busy. */
export const SOON = 15_000;

/**
 * The result of `look` once it is neither false nor an error.
 * @param {string} what for the message when that never happens
 */
export async function eventually(what, look, within = SOON) {
  const deadline = Date.now() + within;
  let last;
  for (;;) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${within} ms: ${what} (last: ${last})`);
    await sleep(20);
  }
}

/** Checks for a while that something stays true. */
export async function stays(what, look, forSo) {
  const end = Date.now() + forSo;
  while (Date.now() < end) {
    if (!(await look())) throw new Error(`no longer: ${what}`);
    await sleep(100);
  }
}

/** A port below the range from which the system itself chooses, so that nobody gets it by chance while its program is ended. */
export async function freePort() {
  for (let port = 15_000 + Math.floor(Math.random() * 4_000); port < 20_000; port += 1) {
    const server = createServer();
    const isFree = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error('no port is free');
}

/** Resolves when a child process has ended. */
export function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', resolve));
}
