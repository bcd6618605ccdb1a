// Whether what became of a signal is known for good.

/** Whether an outcome never changes again; undefined where none is known. */
export function isFinal(outcome) {
  return outcome !== undefined && outcome.state !== 'open';
}
