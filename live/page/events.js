// What the service sends, as actions for the store.

import { clockOffset } from './time.js';

/** Actions of one event of the stream. */
export function actionsOf({ event, data, id }) {
  const actions = payload(event, data === '' ? null : JSON.parse(data));
  // After the rows before it, because it says that those have come.
  if (id) actions.push({ type: 'watermark', watermark: id });
  return actions;
}

/** Actions of one page of rows that was read. */
export function actionsOfPage({ signals, outcomes, watermark, server_time }) {
  return [
    ...clock(server_time),
    ...signals.map((signal) => ({ type: 'signal', signal })),
    ...outcomes.map((outcome) => ({ type: 'outcome', outcome })),
    { type: 'watermark', watermark },
  ];
}

function payload(event, data) {
  switch (event) {
    case 'hello':
      return clock(data.server_time);
    case 'signal':
      return [{ type: 'signal', signal: data }];
    case 'outcome':
      return [{ type: 'outcome', outcome: data }];
    case 'price':
      return [{ type: 'price', prices: data }];
    case 'mark':
      return [{ type: 'mark', mark: data }];
    case 'health':
      return [...clock(data.server_time), { type: 'health', health: data }];
    default:
      return [];
  }
}

function clock(serverTime) {
  const offset = clockOffset(serverTime, Date.now());
  return offset === undefined ? [] : [{ type: 'clock', clockOffset: offset }];
}
