// Runs files of tests in one process, one after the other, so that they share one stage:
//   node --test-reporter=spec all.mjs FILE...

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

for (const file of process.argv.slice(2)) await import(pathToFileURL(resolve(file)));
