// The lock of the tabs of one subscriber: whoever holds it leads, see leader.js.

export const lockOf = (userId) => `signal_hub.${userId}`;

/**
 * Takes the lock if no tab holds it.
 * @returns {Promise<{release: () => void, ended: Promise<void>} | null>} null when it was not had; `ended` is
 * kept until the lock is released, and fails when another tab takes it
 */
export function takeAtOnce(userId, locks = navigator.locks) {
  return new Promise((resolve) => {
    const ended = locks.request(lockOf(userId), { ifAvailable: true }, (lock) => {
      if (lock === null) {
        resolve(null);
        return undefined;
      }
      return new Promise((release) => { resolve({ release, ended }); });
    });
    // Locks are forbidden here, or another tab took it, which whoever waits for `ended` is told.
    ended.catch(() => resolve(null));
  });
}

/** Where a tab keeps for its next load that it leads the tabs of a subscriber. */
const KEY = 'signal_hub.led';

/** Notes at the end of a page whether it leads the tabs of a subscriber. */
export function noteLead(userId, leads) {
  try {
    if (leads) sessionStorage.setItem(KEY, userId);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Forbidden: the next load waits until it has the lock.
  }
}

/** Whether the last page of this tab led the tabs of a subscriber when it ended; said once. */
export function ledLast(userId) {
  try {
    const led = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return led === userId;
  } catch {
    return false;
  }
}
