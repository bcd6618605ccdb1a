// The stage of this run. Every file of tests imports this one, so that files in one process share it.

import { after, afterEach } from 'node:test';
import { Stage } from './stage.mjs';

export const stage = await Stage.start();
afterEach(() => stage.tidy());
after(() => stage.stop());
