// Runs as bars: how many milliseconds each spent in each of its stages.

import { scaleOf } from './chart.js';
import { element, svgElement } from './dom.js';
import { decimal, time } from './format.js';

const WIDTH = 600;
const HEIGHT = 200;
/** So many bars fill the width; fewer stand at its right end, where the last one is. */
const FEWEST = 20;
/** Between two bars, as a share of the room of one. */
const GAP = 0.2;
const STAGES = [['fetch', 'Fetch'], ['judge', 'Judge'], ['record', 'Record'], ['deliver', 'Deliver']];

export const clock = (at) => time(Date.parse(at), { hour: '2-digit', minute: '2-digit', second: '2-digit' });
/** "12.3 ms", as exact as somebody can use it; "-" for a stage that was not reached. */
export const millis = (value) => (value === null ? '-' : `${decimal(value < 10 ? value.toFixed(1) : Math.round(value))} ms`);
export const stagesOf = (run) => STAGES.map(([stage]) => run[`${stage}_ms`]);

const total = (run) => stagesOf(run).reduce((sum, ms) => sum + (ms ?? 0), 0);

/** The chart with its legend. */
export function stages(runs) {
  const scale = scaleOf(runs.map(total));
  const high = (ms) => (ms / scale[0]) * HEIGHT;
  const places = Math.max(runs.length, FEWEST);
  const room = WIDTH / places;
  const box = (kind, i, y, height) => svgElement('rect', { class: kind, x: ((places - runs.length + i) * room).toFixed(1), y: y.toFixed(1), width: (room * (1 - GAP)).toFixed(1), height: height.toFixed(1) });
  const bars = runs.flatMap((run, i) => {
    let y = HEIGHT;
    const parts = stagesOf(run).map((ms, stage) => {
      y -= high(ms ?? 0);
      return box(STAGES[stage][0], i, y, high(ms ?? 0));
    });
    return run.status === 'failed' ? [box('failed', i, 0, HEIGHT), ...parts] : parts;
  });
  const ends = [runs.length < places ? '' : clock(runs[0].started_at), clock(runs.at(-1).started_at)];
  return element('figure', { class: 'chart stages' },
    element('figcaption', {}, 'Milliseconds of each run, by stage'),
    element('ul', { class: 'legend' }, ...[...STAGES, ['failed', 'Failed']].map(([kind, name]) => element('li', {},
      svgElement('svg', { class: 'sample', viewBox: '0 0 24 8', 'aria-hidden': 'true' }, svgElement('rect', { class: kind, width: 24, height: 8 })), name))),
    element('div', { class: 'plane' },
      element('div', { class: 'scale', 'aria-hidden': 'true' }, ...scale.map((value) => element('span', {}, `${decimal(value)} ms`))),
      svgElement('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': describe(runs) },
        ...scale.map((value) => svgElement('path', { class: value === 0 ? 'rule zero' : 'rule', d: `M0 ${HEIGHT - high(value)} H${WIDTH}` })), ...bars),
      element('div', { class: 'days', 'aria-hidden': 'true' }, ...ends.map((time) => element('span', {}, time)))));
}

function describe(runs) {
  if (runs.length === 0) return 'There is no run yet.';
  const sorted = runs.map(total).sort((a, b) => a - b);
  const failed = runs.filter(({ status }) => status === 'failed').length;
  return `${runs.length} runs, ${failed} of them failed; half took ${millis(sorted[Math.floor(sorted.length / 2)])} or less, the longest ${millis(sorted.at(-1))}.`;
}
