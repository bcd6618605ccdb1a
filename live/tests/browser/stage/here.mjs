// The stage of this run. Every file of tests takes it from here, so that in one process they share it.

import { after, afterEach } from 'node:test';
import { Stage } from './stage.mjs';

export const stage = await Stage.start();
afterEach(() => stage.tidy());
after(() => stage.stop());
