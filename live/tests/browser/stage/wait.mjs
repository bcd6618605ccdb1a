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

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when a child process has ended. */
export function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', resolve));
}
