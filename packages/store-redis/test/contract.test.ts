/** The contract over every way to reach a Redis, and over Valkey. */
import { randomUUID } from 'node:crypto';
import { leasesContract, storeContract } from '@dunlin/broker/contract';
import { type RedisOptions, startRedis, startRedisCluster, startSentinel, valkeyServerPath } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { RedisLeases, RedisStore, type RedisStoreOptions } from '../src/index.ts';
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
): void {
  describe(name, () => {
    let place: Place;
    beforeAll(async () => {
      place = await start();
    });
    afterAll(() => place?.stop());

    // Each case has keys of its own.
    storeContract(name, async () => {
      const options = { ...more(), url: place.url, prefix: randomUUID() };
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
      const options = { ...more(), url: place.url, prefix: randomUUID() };
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

let certificates: Certificates;
beforeAll(async () => {
  certificates = await makeCertificates();
});
afterAll(() => certificates.remove());

contracts(
  'redis with TLS and a password',
  () => startRedis({ tls: certificates.server, password: 'se:cr@t/' }),
  () => ({ tls: { ca: certificates.ca } }),
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
