/** Attacks by SUBSCRIBE. The attacker may subscribe below `mallory/` alone. */
import { type FilterOptions, publishPacket, subscribePacket, unsubscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';

/** Size below the usual packet size of 1 MiB. */
const packetBytesMax = 1_000_000;
/** A session that outlives its connection. */
const durable = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

/** Subscribes to filters, as many in a packet as fit, without waiting for SUBACK in between; ends when the last one is answered or the connection ends. */
async function subscribe(socket: AttackSocket, filters: readonly FilterOptions[]): Promise<void> {
  let packetId = 1;
  let first = 0;
  let last: Promise<unknown> = Promise.resolve();
  while (first < filters.length && !socket.isClosed) {
    let bytes = 0;
    let end = first;
    while (end < filters.length && bytes + filters[end].filter.length + 3 < packetBytesMax) {
      bytes += filters[end].filter.length + 3;
      end++;
    }
    last = socket.answer('suback');
    await socket.send(subscribePacket(filters.slice(first, end), packetId));
    packetId = (packetId % 0xffff) + 1;
    first = end;
  }
  await last;
}

/** Connects, subscribes to all of these, and stays until the time is over. */
async function subscriber(
  stage: Stage,
  clientId: string,
  filters: readonly FilterOptions[],
  options = {},
): Promise<void> {
  const socket = await stage.connect({ clientId, ...options });
  if (socket !== null) await subscribe(socket, filters);
}

function filtersOf(count: number, filter: (index: number) => string, qos: 0 | 1 = 0): FilterOptions[] {
  return Array.from({ length: count }, (_, index) => ({ filter: filter(index), qos }));
}

export const subscriptions: readonly Attack[] = [
  {
    name: 'subscribe-packets',
    title: 'SUBSCRIBE packets of 1 MB',
    details: '4 SUBSCRIBE packets of 1 MB, the same 70,000 filters in each',
    seconds: 20,
    async run(stage) {
      const filters = filtersOf(70_000, (index) => `mallory/${index % 100}`);
      await Promise.all([0, 1, 2, 3].map((index) => subscriber(stage, `subscribe-${index}`, filters)));
    },
  },
  {
    name: 'subscribe-packets-durable',
    title: 'The same with durable sessions',
    details: '12 such packets of durable sessions with QoS 1',
    seconds: 20,
    async run(stage) {
      const filters = filtersOf(70_000, (index) => `mallory/${index % 100}`, 1);
      await Promise.all(
        Array.from({ length: 12 }, (_, index) => subscriber(stage, `durable-${index}`, filters, durable)),
      );
    },
  },
  {
    name: 'many-filters',
    title: '100,000 filters of one client',
    details: '2 clients with 100,000 filters each',
    seconds: 20,
    async run(stage) {
      const one = (name: string) =>
        subscriber(
          stage,
          name,
          filtersOf(100_000, (index) => `mallory/${name}/${index}`),
        );
      await Promise.all([one('one'), one('two')]);
    },
  },
  {
    name: 'long-filters',
    title: 'The longest filters',
    details: '4,000 filters of 65,500 bytes',
    seconds: 20,
    run: (stage) =>
      subscriber(
        stage,
        'long',
        filtersOf(4000, (index) => `mallory/${index}/`.padEnd(65_500, 'x')),
      ),
  },
  {
    name: 'deep-filters',
    title: 'Filters of 128 levels',
    details: '10,000 filters of 128 levels',
    seconds: 20,
    run: (stage) =>
      subscriber(
        stage,
        'deep',
        filtersOf(10_000, (index) => `mallory/${index}${`/${index % 7}`.repeat(126)}`),
      ),
  },
  {
    name: 'filters-of-many-sessions',
    title: '200,000 filters of one user',
    details: '200 clients of one user with 1,000 filters of eight levels each',
    seconds: 25,
    async run(stage) {
      const sockets = await stage.many(200, (index) => stage.connect({ clientId: `many-${index}` }));
      const filters = (index: number) => filtersOf(1000, (filter) => `mallory/${index}/${filter}/a/b/c/d/e`);
      for (const [index, socket] of sockets.entries()) if (stage.goesOn) await subscribe(socket, filters(index));
      await stage.hold(2);
    },
  },
  {
    name: 'unsubscribe-packets',
    title: 'UNSUBSCRIBE packets of 1 MB',
    details: '4 clients that send UNSUBSCRIBE packets of 1 MB, with 70,000 filters that they do not have',
    seconds: 6,
    async run(stage) {
      const filters = Array.from({ length: 70_000 }, (_, index) => `mallory/${index % 100}`);
      const packet = unsubscribePacket(filters, 1);
      const one = async (index: number) => {
        const socket = await stage.connect({ clientId: `unsubscribe-${index}` });
        while (socket !== null && stage.goesOn && !socket.isClosed) {
          const answer = socket.answer('unsuback');
          await socket.send(packet);
          await answer;
        }
      };
      await Promise.all([0, 1, 2, 3].map(one));
    },
  },
  {
    name: 'wide-filters',
    title: 'Wildcards that match in a thousand ways',
    details:
      '10 clients with all mixes of a name and a plus sign on ten levels, and new topics of 100 levels that they all match',
    seconds: 10,
    async run(stage) {
      const mixes = filtersOf(1000, (bits) =>
        ['mallory', ...Array.from({ length: 10 }, (_, level) => ((bits >> level) & 1 ? '+' : 'a'))].join('/'),
      );
      const sockets = await stage.many(10, (index) => stage.connect({ clientId: `wide-${index}` }));
      for (const socket of sockets)
        await subscribe(
          socket,
          mixes.map(({ filter }) => ({ filter: `${filter}${'/a'.repeat(80)}/x`, qos: 0 })),
        );
      const publisher = await stage.connect({ clientId: 'publisher' });
      for (let index = 0; publisher !== null && stage.goesOn; index += 100) {
        const packets = Array.from({ length: 100 }, (_, offset) =>
          publishPacket({ topic: `mallory${'/a'.repeat(90)}/${index + offset}`, payload: 'x' }),
        );
        if (!(await publisher.send(...packets))) return;
      }
    },
  },
  {
    name: 'subscribe-and-unsubscribe',
    title: 'Subscribing and unsubscribing without pause',
    details: '2 clients that subscribe and unsubscribe without pause',
    seconds: 6,
    async run(stage) {
      const one = async (clientId: string) => {
        const socket = await stage.connect({ clientId });
        const filter = `mallory/${clientId}`;
        while (socket !== null && stage.goesOn && !socket.isClosed) {
          const answer = socket.answer('unsuback');
          await socket.send(subscribePacket({ filter, qos: 0 }), unsubscribePacket([filter], 2));
          await answer;
        }
      };
      await Promise.all([one('one'), one('two')]);
    },
  },
  {
    name: 'shared-groups-on-a-topic',
    title: '20,000 shared groups on one topic',
    details: '20,000 shared groups on one topic, and 200 publishes to it',
    seconds: 28,
    async run(stage) {
      const socket = await stage.connect({ clientId: 'groups' });
      const publisher = await stage.connect({ clientId: 'publisher' });
      if (socket === null || publisher === null) return;
      await subscribe(
        socket,
        filtersOf(20_000, (index) => `$share/g${index}/mallory/topic`),
      );
      for (let index = 0; index < 200 && stage.goesOn; index++) {
        const answer = publisher.answer('puback');
        await publisher.send(
          publishPacket({ topic: 'mallory/topic', payload: 'x', qos: 1, packetId: (index % 100) + 1 }),
        );
        await answer;
      }
      stage.tally.add('bytes of messages', socket.received);
    },
  },
  {
    name: 'shared-groups-of-many-sessions',
    title: '8,000 shared groups of 1,000 clients',
    details: '1,000 clients with eight shared groups each on one topic, and 200 publishes to it',
    seconds: 28,
    async run(stage) {
      const publisher = await stage.connect({ clientId: 'publisher' });
      const sockets = await stage.many(1000, (index) => stage.connect({ clientId: `member-${index}` }));
      if (publisher === null) return;
      const groups = (member: number) => filtersOf(8, (index) => `$share/g${member}-${index}/mallory/topic`);
      await Promise.all(sockets.map((socket, index) => subscribe(socket, groups(index))));
      for (let index = 0; index < 200 && stage.goesOn; index++) {
        const answer = publisher.answer('puback');
        await publisher.send(
          publishPacket({ topic: 'mallory/topic', payload: 'x', qos: 1, packetId: (index % 100) + 1 }),
        );
        await answer;
      }
    },
  },
  {
    name: 'large-session-resumed',
    title: 'A session of 40,000 filters that comes back',
    details: 'a durable session of 40,000 filters that leaves and comes back',
    seconds: 28,
    async run(stage) {
      const first = await stage.connect({ clientId: 'large', ...durable });
      if (first === null) return;
      await subscribe(
        first,
        filtersOf(40_000, (index) => `mallory/large/${index}`, 1),
      );
      first.drop();
      await stage.connect({ clientId: 'large', ...durable });
    },
  },
  {
    name: 'branching-filters',
    title: "Wildcards below the attacker's own topics",
    details: '12 filters of a subtree of its own, with a name and a plus sign at each of six levels',
    seconds: 4,
    async run(stage) {
      const filters: FilterOptions[] = [];
      for (let level = 0; level < 6; level++) {
        const stem = `devices/mallory${'/x'.repeat(level)}`;
        filters.push({ filter: `${stem}/+` }, { filter: `${stem}/x` });
      }
      await subscriber(stage, 'branching', filters);
      await stage.hold();
    },
  },
];
