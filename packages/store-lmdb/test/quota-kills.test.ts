/** Quotas count what is stored, also when the process that stored it was killed in the middle of its writes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LmdbStore } from '../src/index.ts';

const retainer = new URL('./retainer.ts', import.meta.url);
const userCountMax = 20;
const quota = { countMax: 1000, bytesMax: 1e9, userCountMax, userBytesMax: 1e9 };

test('after kill -9 a user may have exactly as much more as its quota leaves', async () => {
  const path = await mkdtemp(join(tmpdir(), 'dunlin-quota-'));
  try {
    for (let kill = 1; kill <= 4; kill++) {
      const child = fork(retainer, [path], {
        execArgv: process.execArgv,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      child.on('message', (round: number) => {
        if (round === kill * 5) child.kill('SIGKILL');
      });
      const [, signal] = await once(child, 'exit');
      expect(signal).toBe('SIGKILL');

      const store = new LmdbStore({ path, durability: 'memory' });
      await store.open();
      const stored = await store.retained.count();
      expect(stored).toBeLessThanOrEqual(userCountMax);
      const more = Array.from({ length: userCountMax + 5 }, (_, index) => `more/${index}`);
      const results = await Promise.allSettled(
        more.map((topic) => store.retained.set(topic, Buffer.from('m'), Infinity, { user: 'alice', quota })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(userCountMax - stored);
      for (const topic of more) await store.retained.set(topic, null, Infinity);
      await store.close();
    }
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}, 60_000);
