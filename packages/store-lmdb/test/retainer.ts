/** Run by a test as a process: retains messages of one user within its quota, and some over it, until it is killed. */
import { StoreError } from '@dunlin/broker';
import { LmdbStore } from '../src/index.ts';

const store = new LmdbStore({ path: process.argv[2], durability: 'memory' });
await store.open();
const quota = { countMax: 1000, bytesMax: 1e9, userCountMax: 20, userBytesMax: 1e9 };
for (let round = 0; ; round++) {
  const topics = Array.from({ length: 30 }, (_, index) => `t/${(round * 7 + index) % 40}`);
  const writes = topics.map((topic, index) =>
    store.retained.set(topic, index % 3 === 0 ? null : Buffer.from(topic), Infinity, { user: 'alice', quota }),
  );
  for (const result of await Promise.allSettled(writes)) {
    if (result.status === 'rejected' && !(result.reason instanceof StoreError)) throw result.reason;
  }
  process.send?.(round);
}
