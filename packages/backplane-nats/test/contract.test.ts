import { backplaneContract } from '@dunlin/broker/contract';
import { FaultProxy, startNats } from '@dunlin/testkit';
import { afterAll, describe } from 'vitest';
import { NatsBackplane, type SigningOptions } from '../src/index.ts';
import { Log } from './ear.ts';
import { fastTimings, StoppableClock } from './endpoints.ts';
import { type LeasesView, SharedLeases } from './shared-leases.ts';

const nats = await startNats();
/** No case of the suite has more endpoints. */
const endpointsMax = 4;
const proxies = await Promise.all(Array.from({ length: endpointsMax }, () => FaultProxy.start(nats)));
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await nats.stop();
});

let meshes = 0;

const secrets = ['a secret of the cluster, thirty-two characters at least'];
const signing: SigningOptions = { secrets, read: async () => secrets, allowUnsigned: false };

describe.each([
  ['NATS', {}],
  ['NATS with signatures', { signing }],
] as const)('%s', (name, options) => {
  backplaneContract(name, () => {
    const shared = new SharedLeases();
    const clusterName = `contract ${++meshes}`;
    const members = new Map<NatsBackplane, { proxy: FaultProxy; clock: StoppableClock; leases: LeasesView }>();
    for (const proxy of proxies) proxy.heal();
    return {
      add() {
        const [proxy, clock, leases] = [proxies[members.size], new StoppableClock(), shared.view()];
        const backplane = new NatsBackplane({
          self: `node/${members.size}#${Date.now()}`,
          servers: `nats://127.0.0.1:${proxy.port}`,
          clusterName,
          leases,
          logger: new Log(),
          clock,
          timings: fastTimings,
          ...options,
        });
        members.set(backplane, { proxy, clock, leases });
        return backplane;
      },
      kill(backplane) {
        const member = members.get(backplane as NatsBackplane);
        if (member === undefined) throw new Error('not of this mesh');
        member.leases.state = 'hangs';
        member.clock.die();
        // What a process has written before it is killed is still sent by the kernel.
        void (backplane as NatsBackplane).flushed().then(() => member.proxy.cut());
      },
      async close() {
        await Promise.all([...members].map(([backplane]) => backplane.stop()));
      },
    };
  });
});
