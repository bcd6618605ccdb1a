// Follows a slot by pgoutput and prints each row of user_signals as a line of JSON. Usage: follow.mjs PORT SLOT
import { writeSync } from 'node:fs';
import { LogicalReplicationService, PgoutputPlugin } from 'pg-logical-replication';
import pg from 'pg';

const [port, slot] = process.argv.slice(2);
// Texts as the server sent them: a JavaScript number or Date would round.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text);
pg.types.setTypeParser(1231, (text) => text); // numeric[]

const service = new LogicalReplicationService(
  { host: '127.0.0.1', port: Number(port), user: 'postgres', database: 'postgres' },
  { acknowledge: { auto: false, timeoutSeconds: 1 } },
);
service.on('data', async (lsn, message) => {
  if ((message.tag === 'insert' || message.tag === 'update') && message.relation.name === 'user_signals') {
    writeSync(1, JSON.stringify(message.new) + '\n');
  }
  // The server may forget only what is safely written here.
  if (message.tag === 'commit') await service.acknowledge(message.commitEndLsn);
});
service.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
await service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: ['signal_hub'] }), slot);
