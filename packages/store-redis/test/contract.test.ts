/** The contract over every way to reach a Redis, and over Valkey. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { leasesContract, storeContract } from '@dunlin/broker/contract';
import {
  type RedisOptions,
  redisCall,
  startRedis,
  startRedisCluster,
  startSentinel,
  valkeyServerPath,
} from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RedisLeases, RedisStore, type RedisStoreOptions } from '../src/index.ts';
import { dataCommands } from '../src/permissions.ts';
import { allowLeast, asUser } from './acl-user.ts';
import { type Certificates, makeCertificates } from './certificates.ts';

interface Place {
  url: string;
  stop(): Promise<void>;
}

/** Leases ask again after so long: their time is Redis'. */
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function contracts(
  name: string,
  start: () => Promise<Place>,
  more: () => Partial<RedisStoreOptions> = () => ({}),
  afterwards: (place: () => Place) => void = () => {},
): void {
  describe(name, () => {
    let place: Place;
    beforeAll(async () => {
      place = await start();
    });
    afterAll(() => place?.stop());

    // Each case has keys of its own.
    storeContract(name, async () => {
      const options = { ...more(), url: place.url, prefix: `dunlin:${randomUUID()}` };
      let store = new RedisStore(options);
      await store.open();
      return {
        store,
        async reopen() {
          await store.close();
          store = new RedisStore(options);
          await store.open();
          return store;
        },
        dispose: () => store.close(),
      };
    });

    leasesContract(name, async () => {
      const options = { ...more(), url: place.url, prefix: `dunlin:${randomUUID()}` };
      const [leases, others] = [new RedisLeases(options), new RedisLeases(options)];
      await Promise.all([leases.open(), others.open()]);
      return {
        leases,
        others,
        tick: wait,
        async dispose() {
          await Promise.all([leases.close(), others.close()]);
        },
      };
    });

    afterwards(() => place);
  });
}

contracts('redis', () => startRedis());
contracts('redis, appendfsync always', () => startRedis({ appendOnly: true }));
contracts('redis cluster', () => startRedisCluster());
contracts(
  'redis with sentinel, durability replicated',
  () => startSentinel(),
  () => ({ durability: 'replicated' }),
);

/** Allowed what docs/security.md says and nothing else; a permission that is missing is found by the contract, one too many here. */
contracts(
  'redis, a user with the least permissions',
  async () => {
    const server = await startRedis();
    await allowLeast(server.url, 'server');
    return { ...server, url: asUser(server.url) };
  },
  () => ({}),
  (place) => {
    test('all that the user may do with keys was needed', async () => {
      const stats = await redisCall(place().url, ['INFO', 'commandstats']);
      const used = new Set([...stats.matchAll(/^cmdstat_(\w+):/gm)].map(([, name]) => name));
      expect(dataCommands.filter((command) => !used.has(command))).toEqual([]);
    });
  },
);
contracts('redis cluster, a user with the least permissions', async () => {
  const cluster = await startRedisCluster();
  await Promise.all(cluster.servers.map(({ url }) => allowLeast(url, 'cluster')));
  return { ...cluster, url: asUser(cluster.url) };
});

let certificates: Certificates;
beforeAll(async () => {
  certificates = await makeCertificates();
});
afterAll(() => certificates.remove());

contracts(
  'redis with TLS and a password',
  () => startRedis({ tls: certificates.server, password: 'se:cr@t/' }),
  () => ({ credentials: async () => ({ ca: await readFile(certificates.ca) }) }),
);

if (valkeyServerPath === null) {
  describe('valkey', () => {
    test.skip('valkey-server is not installed: see .ci/install-test-programs', () => {});
  });
} else {
  const valkey: RedisOptions = { program: valkeyServerPath };
  contracts('valkey', () => startRedis(valkey));
  contracts('valkey cluster', () => startRedisCluster(valkey));
  contracts(
    'valkey, durability fsync',
    () => startRedis({ ...valkey, appendOnly: true }),
    () => ({ durability: 'fsync' }),
  );
}
